"""What of a journal is shown: medians, spread and ratios, a row for each contender and place."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.results import Column, Measure, Results, Table, Value


@dataclass(frozen=True)
class Cell:
    """A figure of one contender at one place, over the rounds."""

    column: Column
    seen: tuple[float, ...]
    ratios: tuple[float, ...] = ()
    """Beside `Table.first`, each within its round."""

    @property
    def middle(self) -> float:
        return median(self.seen)

    @property
    def text(self) -> str:
        if not self.seen:
            return ""
        if self.column.counted:
            return f"{sum(self.seen):,.0f}"
        return f"{self.middle:,.{self.column.digits}f}"

    @property
    def spread(self) -> str:
        if self.column.counted or len(self.seen) < 2:
            return ""
        digits = self.column.digits
        return f"{min(self.seen):,.{digits}f} to {max(self.seen):,.{digits}f}"

    @property
    def ratio(self) -> str:
        return f"{median(self.ratios):,.2f}" if self.ratios else ""

    @property
    def ratio_spread(self) -> str:
        return f"{min(self.ratios):,.2f} to {max(self.ratios):,.2f}" if self.ratios else ""


@dataclass(frozen=True)
class Row:
    series: str
    x: Value
    cells: tuple[Cell, ...]

    def cell(self, key: str) -> Cell:
        return next(cell for cell in self.cells if cell.column.key == key)

    @property
    def wrong(self) -> bool:
        """Did it ever answer wrongly here?"""
        return any(cell.column.fault and sum(cell.seen) > 0 for cell in self.cells)


def rows(results: Results, table: Table) -> Iterator[Row]:
    measures = results.of(table)
    by = {(each.series, each.x, each.round): each for each in measures}
    for series, x in dict.fromkeys([*table.rows, *((each.series, each.x) for each in measures)]):
        mine = [each for each in measures if (each.series, each.x) == (series, x)]
        if mine:
            yield Row(series, x, tuple(_cell(c, mine, by, table.first) for c in table.columns))


def _cell(
    column: Column,
    mine: list[Measure],
    by: dict[tuple[str, Value, int], Measure],
    first: tuple[str | None, Value | None],
) -> Cell:
    ratios = []
    if column.beside and first != (None, None):
        for each in mine:
            series, x = first
            other = by.get((series or each.series, each.x if x is None else x, each.round))
            if other is not None and column.key in each.values and other.values.get(column.key):
                ratios.append(each.values[column.key] / other.values[column.key])
    seen = tuple(each.values[column.key] for each in mine if column.key in each.values)
    return Cell(column, seen, tuple(ratios))


def beside(table: Table) -> str:
    """What ratios are beside, in words."""
    series, x = table.first
    place = "" if x is None else f"{x:,} {table.x}" if isinstance(x, int) else f"{x}"
    return " ".join(part for part in (series, place) if part)
