"""What was seen of a registry in steady use, for the end of a test run."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

SOAK = "soak"  # of a test's report
EACH = 3  # of a family: those that are nearest to their limits

MEMORY, SIZE, DEAD, ROWS, LOCKS, GHOSTS, AGE = FAMILIES = (
    "kB of memory of",
    "kB on disk of",
    "dead rows of",
    "rows of",
    "locks",
    "ghosts:",
    "transactions since the oldest began",
)


class Course(NamedTuple):
    """Of a gauge: its first value, the medians of the second and the last quarter, its limit."""

    gauge: str
    first: float
    median: float
    last: float
    limit: float

    @property
    def bounded(self) -> bool:
        return self.last <= self.limit


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == SOAK:
                summary, courses = value
                terminalreporter.section("a registry in steady use")
                terminalreporter.write_line(summary)
                for line in lines(nearest([Course(*each) for each in courses])):
                    terminalreporter.write_line(line)


def nearest(courses: list[Course]) -> Iterator[Course]:
    for family in FAMILIES:
        members = [course for course in courses if course.gauge.startswith(family)]
        yield from sorted(members, key=lambda course: -course.last / course.limit)[:EACH]


def lines(courses: Iterable[Course]) -> Iterator[str]:
    yield f"{'':<42} {'first':>10} {'median':>10} {'last':>10} {'limit':>10}"
    for course in courses:
        cells = "".join(f" {value:>10,.0f}" for value in course[1:])
        yield f"{course.gauge:<42}{cells}"
