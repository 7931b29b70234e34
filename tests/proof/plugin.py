"""Leaves out what is no attack, ends in time, counts, and writes the table."""

import os
import time
from collections import Counter

import pytest

from tests.proof.attacks import ATTACKS, MINUTES, Attack, attack_of
from tests.support import TRIALS

DEADLINE = float(os.environ.get("PROVE_DEADLINE", "inf"))
LATE = "out of time"
Key = tuple[str, str]  # of an attack


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted: dict[Key, list[pytest.Item]] = {}
    left: list[pytest.Item] = []
    for item in items:
        attack = attack_of(item.nodeid)
        if attack is not None and attack.minutes <= MINUTES:
            wanted.setdefault(attack.key, []).append(item)
        else:
            left.append(item)
    config.hook.pytest_deselected(items=left)
    # Where the time does not suffice, of each attack the same part is made.
    places = {
        item: number / len(tests) for tests in wanted.values() for number, item in enumerate(tests)
    }
    items[:] = sorted(places, key=lambda item: places[item])


def pytest_runtest_setup(item: pytest.Item) -> None:
    if time.time() > DEADLINE:
        pytest.skip(LATE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    trials, failures, skipped = Counter[Key](), Counter[Key](), Counter[Key]()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            attack = attack_of(report.nodeid)
            if attack is None:
                continue
            if outcome == "skipped":
                skipped[attack.key] += 1
                continue
            done = sum(number for name, number in report.user_properties if name == TRIALS)
            trials[attack.key] += done or 1
            failures[attack.key] += outcome != "passed"

    def line(attack: Attack) -> str:
        if attack.minutes > MINUTES:
            return f"{'PROVE_MINUTES=' + str(attack.minutes):>21}"
        left_out = f", {skipped[attack.key]} left out" if skipped[attack.key] else ""
        return f"{trials[attack.key]:>12,} {failures[attack.key]:>8}{left_out}"

    terminalreporter.section("promises under attack")
    terminalreporter.write_line(f"{'':<37}  {'':<74} {'trials':>12} {'failures':>8}")
    before = ""
    for attack in ATTACKS:
        promise = attack.promise if attack.promise != before else ""
        terminalreporter.write_line(f"{promise:<37}  {attack.name:<74} {line(attack)}")
        before = attack.promise
    total = sum(trials.values()), sum(failures.values())
    terminalreporter.write_line(f"{'':<37}  {'':<74} {total[0]:>12,} {total[1]:>8}")
