"""Which faults were survived at which step, and the storm, for the end of a test run."""

from typing import NamedTuple

import pytest

FAULT, STORM = "fault", "storm"  # of a test's report


class Survived(NamedTuple):
    """A fault of a command at a step: names, and their places in the table."""

    command: str
    step_place: int
    step: str
    fault_place: int
    fault: str
    beside: str


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    properties = [
        each for report in terminalreporter.getreports("passed") for each in report.user_properties
    ]
    if survived := [Survived(*value) for name, value in properties if name == FAULT]:
        terminalreporter.section("faults that publishing and unpublishing survived")
        write_table(terminalreporter, survived)
    for storm in [value for name, value in properties if name == STORM]:
        terminalreporter.section("a storm in which nothing live was without its bytes")
        terminalreporter.write_line(storm)


def write_table(terminalreporter: pytest.TerminalReporter, survived: list[Survived]) -> None:
    passes = {(each.command, each.step, each.fault): "" for each in survived}
    for each in sorted(survived, key=lambda each: each.beside):
        passes[each.command, each.step, each.fault] += each.beside[0]
    faults = [fault for _, fault in sorted({(each.fault_place, each.fault) for each in survived})]
    width = max(map(len, faults))
    passes_are = "alone (a), beside a publisher of the same content (s), or of other (o)"
    terminalreporter.write_line(f"{len(survived)} cases: {passes_are}")
    for command in sorted({each.command for each in survived}):
        places = {(each.step_place, each.step) for each in survived if each.command == command}
        steps = [step for _, step in sorted(places)]
        head = "".join(f" {step:>14}" for step in steps)
        terminalreporter.write_line(f"\n{command:<{width}}{head}")
        for fault in faults:
            cells = [passes.get((command, step, fault), "") for step in steps]
            line = "".join(f" {cell:>14}" for cell in cells)
            terminalreporter.write_line(f"{fault:<{width}}{line}")
