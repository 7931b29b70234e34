"""Leaves out what is no attack, ends in time, counts, and writes the table."""

import os
import time
from collections import Counter

import pytest

from tests.proof.attacks import ATTACKS, MINUTES, Attack, attack_of
from tests.support import TRIALS

DEADLINE = float(os.environ.get("PROVE_DEADLINE", "inf"))
LATE = "out of time"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def wanted(item: pytest.Item) -> bool:
        attack = attack_of(item.nodeid)
        return attack is not None and attack.minutes <= MINUTES

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]
    # Where the time does not suffice, of each attack the same part is made.
    attacks = [attack_of(item.nodeid) for item in items]
    places = [
        (attacks[:number].count(attack) / attacks.count(attack), number)
        for number, attack in enumerate(attacks)
    ]
    items[:] = [items[number] for _, number in sorted(places)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if time.time() > DEADLINE:
        pytest.skip(LATE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    trials, failures, skipped = Counter[str](), Counter[str](), Counter[str]()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            attack = attack_of(report.nodeid)
            if attack is None:
                continue
            if outcome == "skipped":
                skipped[attack.name + attack.promise] += 1
                continue
            done = sum(number for name, number in report.user_properties if name == TRIALS)
            trials[attack.name + attack.promise] += done or 1
            failures[attack.name + attack.promise] += outcome != "passed"

    def line(attack: Attack) -> str:
        key = attack.name + attack.promise
        if attack.minutes > MINUTES:
            return f"{'PROVE_MINUTES=' + str(attack.minutes):>21}"
        left_out = f", {skipped[key]} left out" if skipped[key] else ""
        return f"{trials[key]:>12,} {failures[key]:>8}{left_out}"

    terminalreporter.section("promises under attack")
    terminalreporter.write_line(f"{'':<37}  {'':<74} {'trials':>12} {'failures':>8}")
    before = ""
    for attack in ATTACKS:
        promise = attack.promise if attack.promise != before else ""
        terminalreporter.write_line(f"{promise:<37}  {attack.name:<74} {line(attack)}")
        before = attack.promise
    total = sum(trials.values()), sum(failures.values())
    terminalreporter.write_line(f"{'':<37}  {'':<74} {total[0]:>12,} {total[1]:>8}")
