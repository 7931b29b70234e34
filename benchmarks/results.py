"""What was measured: a file of JSON lines that says everything the report shows.

The first line is the run: machine, settings, seed. A line `table` announces one question's table;
each line `measure` is one turn of one contender in one round.
"""

import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from os import cpu_count
from pathlib import Path
from typing import Any, Literal

Value = str | int | float


@dataclass(frozen=True)
class Column:
    """One figure of each turn."""

    key: str
    heading: str  # with the unit
    counted: bool = False  # a count, summed over the rounds; else the median and the spread
    fault: bool = False  # whoever has any answers wrongly
    digits: int = 0  # after the point
    beside: bool = False  # shown as a ratio to `Table.first`, too


@dataclass(frozen=True)
class Chart:
    """A picture of a table: lines over a number, else bars."""

    key: str  # of the column
    kind: Literal["lines", "bars"] = "lines"
    log_x: bool = True
    log_y: bool = False


@dataclass(frozen=True)
class Table:
    """One question and how its answer is shown: a row for each contender and place."""

    id: str
    title: str
    series: str  # what the contenders are called
    x: str  # what the places are called
    columns: tuple[Column, ...]
    charts: tuple[Chart, ...] = ()
    first: tuple[str | None, Value | None] = (None, None)
    """Ratios are beside this contender at the same place, or this place of the same contender."""
    note: str = ""
    rows: tuple[tuple[str, Value], ...] = ()
    """The order of what is shown; what is not named comes after, as it was measured."""
    turns_of: str = ""
    """Another table's id, where this one shows the same turns in another way."""


@dataclass(frozen=True)
class Measure:
    table: str
    round: int
    series: str
    x: Value
    values: Mapping[str, float]


@dataclass
class Results:
    """All lines of one run."""

    run: dict[str, Any]
    tables: list[Table]
    measures: list[Measure]

    def of(self, table: Table) -> list[Measure]:
        shown = table.turns_of or table.id
        return [measure for measure in self.measures if measure.table == shown]


class Journal:
    """Writes the lines as they come: a run that is interrupted keeps what it has."""

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self.path = path
        self.results = Results(dict(run), [], [])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        self._line("run", self.results.run)

    def table(self, table: Table) -> None:
        self.results.tables.append(table)
        self._line("table", asdict(table))

    def measure(self, measure: Measure) -> None:
        self.results.measures.append(measure)
        self._line("measure", asdict(measure))

    def _line(self, kind: str, what: Mapping[str, Any]) -> None:
        with self.path.open("a") as out:
            out.write(json.dumps({"kind": kind, **what}) + "\n")


def read(path: Path) -> Results:
    """A journal, read again."""
    results = Results({}, [], [])
    for line in path.read_text().splitlines():
        row = json.loads(line)
        match row.pop("kind"):
            case "run":
                results.run = row
            case "table":
                row["columns"] = tuple(Column(**column) for column in row["columns"])
                row["charts"] = tuple(Chart(**chart) for chart in row["charts"])
                row["first"] = tuple(row["first"])
                row["rows"] = tuple((series, x) for series, x in row["rows"])
                results.tables.append(Table(**row))
            case "measure":
                results.measures.append(Measure(**row))
    return results


def machine() -> dict[str, Value]:
    """What the figures were taken on."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": next(_processors(), platform.processor()),
        "processors": cpu_count() or 0,
        "python": platform.python_version(),
        "commit": commit or "unknown",
    }


def _processors() -> Iterator[str]:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else []:
        if line.startswith("model name"):
            yield line.partition(":")[2].strip()
