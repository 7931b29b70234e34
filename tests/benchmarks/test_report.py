"""What is measured is what is shown."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.plots import draw
from benchmarks.report import JOURNAL, on_console, page
from benchmarks.results import Chart, Column, Journal, Measure, Table, read
from benchmarks.summary import rows

TABLE = Table(
    id="rates",
    title="Rates & such",
    series="contender",
    x="clients",
    columns=(
        Column("rate", "calls/s", beside=True),
        Column("p99", "p99, ms", digits=1),
        Column("wrong", "wrong", counted=True, fault=True),
    ),
    charts=(Chart("rate"), Chart("rate", kind="bars")),
    first=("floor", None),
    note="Of <nothing>.",
    rows=(("floor", 1), ("pkgdb", 1), ("other", 1)),
)
SEEN = [  # round, contender, place, rate, p99, wrong
    (0, "pkgdb", 1, 50, 1.25, 0),
    (0, "floor", 1, 100, 1.0, 2),
    (1, "floor", 1, 80, 1.0, 3),
    (1, "pkgdb", 1, 60, 3.25, 0),
    (2, "pkgdb", 1, 90, 2.25, 0),
    (2, "floor", 1, 100, 1.0, 0),
    (0, "pkgdb", 16, 10, 9.0, 0),
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "out" / JOURNAL, {"seed": 7, "settings": {"work_mem": "4MB"}})
    journal.table(TABLE)
    for number, series, x, rate, p99, wrong in SEEN:
        values = {"rate": rate, "p99": p99, "wrong": wrong}
        journal.measure(Measure(TABLE.id, number, series, x, values))
    return journal


def test_a_journal_is_read_as_it_was_written(journal: Journal) -> None:
    assert read(journal.path) == journal.results


def test_a_journal_that_was_cut_short_has_what_came_before(journal: Journal) -> None:
    *kept, _ = journal.path.read_text().splitlines(keepends=True)
    journal.path.write_text("".join(kept))
    assert read(journal.path).measures == journal.results.measures[:-1]


def test_medians_spread_counts_and_ratios_within_rounds(journal: Journal) -> None:
    found = list(rows(journal.results, TABLE))
    assert [(row.series, row.x, row.wrong) for row in found] == [
        ("floor", 1, True),
        ("pkgdb", 1, False),
        ("pkgdb", 16, False),
    ]
    rate, p99, wrong = found[1].cells
    assert (rate.text, rate.spread) == ("60", "50 to 90")
    assert (rate.ratio, rate.ratio_spread) == ("0.75", "0.50 to 0.90")
    assert (p99.text, p99.ratio) == ("2.2", "")
    assert (wrong.text, wrong.spread) == ("0", "")
    assert found[0].cell("wrong").text == "5"
    assert found[2].cell("rate").ratio == ""  # the floor was not there


def test_a_table_may_show_the_turns_of_another(journal: Journal) -> None:
    again = replace(TABLE, id="again", first=(None, 1), turns_of=TABLE.id)
    journal.table(again)
    found = {(row.series, row.x): row.cell("rate") for row in rows(read(journal.path), again)}
    assert list(found) == [("floor", 1), ("pkgdb", 1), ("pkgdb", 16)]
    assert (found["pkgdb", 16].text, found["pkgdb", 16].ratio) == ("10", "0.20")
    assert len(journal.results.measures) == len(SEEN)


class Page(HTMLParser):
    """The texts of a page's cells, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_the_page_holds_everything_and_loads_nothing(journal: Journal) -> None:
    made = page(journal.results, journal.path.parent)
    seen = Page(made.read_text())
    assert {"Rates & such", "Of <nothing>.", "60", "50 to 90", "0.75", "5"} <= set(seen.texts)
    pictures = [link for link in seen.loads if link.startswith("data:image/png;base64,")]
    assert len(pictures) == 2
    assert [link for link in seen.loads if link not in pictures] == ["#rates"]
    assert not re.search(r"@import|url\(|<script", made.read_text())


def test_the_console_says_the_same(journal: Journal, tmp_path: Path) -> None:
    with (tmp_path / "said").open("w") as out:
        on_console(Console(file=out, width=150), journal.results, TABLE)
    said = (tmp_path / "said").read_text()
    assert re.search(r"pkgdb +│ +1 │ +60 │ 0.75 \(0.50 to 0.90\) │ +2.2 │ +0", said)
    assert "Of <nothing>." in said


@pytest.mark.parametrize("chart", TABLE.charts, ids=lambda chart: chart.kind)
def test_pictures_are_drawn(chart: Chart, journal: Journal, tmp_path: Path) -> None:
    draw(journal.results, TABLE, chart, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
