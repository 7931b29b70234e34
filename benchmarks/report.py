"""`python -m benchmarks.report FOLDER`: pictures and page of a run, made again from its journal."""

import base64
import sys
from pathlib import Path

import jinja2
from rich.console import Console
from rich.table import Table as Grid

from benchmarks.plots import draw
from benchmarks.results import Results, Table, read
from benchmarks.summary import beside, rows

JOURNAL, PAGE = "results.jsonl", "report.html"
WIDTH = 170
TEMPLATE = Path(__file__).parent / "report.html.j2"


def console() -> Console:
    """As wide as the terminal, or wide enough for every table."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)


def on_console(console: Console, results: Results, table: Table) -> None:
    grid = Grid(title=table.title, title_justify="left")
    grid.add_column(table.series, no_wrap=True)
    grid.add_column(table.x, justify="right")
    for column in table.columns:
        grid.add_column(column.heading, justify="right")
        if column.beside and beside(table):
            grid.add_column(f"beside {beside(table)}", justify="right")
    for row in rows(results, table):
        figures = []
        for cell in row.cells:
            figures.append(cell.text)
            if cell.column.beside and beside(table):
                figures.append(cell.ratio and f"{cell.ratio} ({cell.ratio_spread})")
        grid.add_row(row.series, f"{row.x:,}" if isinstance(row.x, int) else str(row.x), *figures)
    console.print(grid)
    if table.note:
        console.print(table.note, style="dim", highlight=False)


def page(results: Results, folder: Path) -> Path:
    """Write the pictures and one page that holds everything; returns the page."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    tables = []
    for table in results.tables:
        pictures = []
        for chart in table.charts:
            path = folder / f"{table.id}-{chart.key}.png"
            draw(results, table, chart, path)
            pictures.append(base64.b64encode(path.read_bytes()).decode())
        tables.append((table, beside(table), list(rows(results, table)), pictures))
    template = environment.from_string(TEMPLATE.read_text())
    made = folder / PAGE
    made.write_text(template.render(run=results.run, tables=tables))
    return made


def main() -> None:
    folder = Path(*sys.argv[1:])
    results = read(folder / JOURNAL)
    for table in results.tables:
        on_console(console(), results, table)
    print(page(results, folder))


if __name__ == "__main__":
    main()
