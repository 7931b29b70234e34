"""What was compared with the ecosystems' own tools, for the end of a test run."""

from typing import NamedTuple

import pytest

PROPERTY = "comparison"  # of a test's report


class Comparison(NamedTuple):
    """One ecosystem against its oracle. That the test passed says that they agreed."""

    ecosystem: str
    scheme: str
    oracle: str
    texts: int  # read by both
    versions: int  # which both accept; the others both refuse
    pairs: int  # compared by both
    excluded: int  # pairs on which the oracle is known to be wrong


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = sorted(
        Comparison(*value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == PROPERTY
    )
    if not found:
        return
    terminalreporter.section("agreed with the ecosystems' own tools")
    width = max(len(each.oracle) for each in found)
    head = f"{'ecosystem':<12}{'scheme':<12}{'oracle':<{width}}"
    terminalreporter.write_line(f"{head} {'texts':>9} {'versions':>9} {'pairs':>9} {'excluded':>9}")
    for each in found:
        head = f"{each.ecosystem:<12}{each.scheme:<12}{each.oracle:<{width}}"
        figures = (each.texts, each.versions, each.pairs, each.excluded)
        terminalreporter.write_line(head + "".join(f" {figure:>9,}" for figure in figures))
