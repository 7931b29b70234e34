"""Pictures of a table: lines over a number, or bars."""

from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.results import Chart, Results, Table
from benchmarks.summary import Row, rows

OURS, FLOOR, GREY = "pkgdb", "floor", "#444444"
MARKERS = "osD^v<>PX*hpd"
REDS = ("#c1121f", "#f08b4b", "#8f0d52", "#e5616b", "#7a4419")  # ours
COLORS = [c for place, c in enumerate(colormaps["tab20"].colors) if place not in (6, 7)]
COLORS = COLORS[0::2] + COLORS[1::2]  # of each hue the strong one first


def draw(results: Results, table: Table, chart: Chart, path: Path) -> None:
    """Write the picture. What answers wrongly somewhere is drawn hollow and dotted."""
    shown = [row for row in rows(results, table) if row.cell(chart.key).seen]
    draw_them = _lines if chart.kind == "lines" else _bars
    height = 4.8 if chart.kind == "lines" else 1.2 + 0.24 * len(shown)
    figure = Figure(figsize=(9.5, height))
    axes = figure.subplots()
    draw_them(axes, shown, table, chart)
    column = next(column for column in table.columns if column.key == chart.key)
    axes.set_title(f"{table.title}: {column.heading}", loc="left", fontsize=11)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=144, bbox_inches="tight")


def _lines(axes: Axes, shown: list[Row], table: Table, chart: Chart) -> None:
    column = next(column for column in table.columns if column.key == chart.key)
    color = _colors(shown)
    for place, series in enumerate(dict.fromkeys(row.series for row in shown)):
        mine = sorted((row for row in shown if row.series == series), key=lambda row: row.x)
        xs = [row.x for row in mine]
        cells = [row.cell(chart.key) for row in mine]
        middles = [cell.middle for cell in cells]
        wrong = any(row.wrong for row in mine)
        ours = series.startswith(OURS)
        axes.errorbar(
            xs,
            middles,
            yerr=[
                [cell.middle - min(cell.seen) for cell in cells],
                [max(cell.seen) - cell.middle for cell in cells],
            ],
            label=f"{series} (wrong)" if wrong else series,
            color=color[series],
            linestyle=":" if wrong else "-",
            marker=MARKERS[place % len(MARKERS)],
            markerfacecolor="white" if wrong else color[series],
            linewidth=2.4 if ours else 1.2,
            markersize=7 if ours else 5,
            capsize=2,
            elinewidth=0.7,
        )
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    places = sorted({row.x for row in shown})
    axes.set_xticks(places, [f"{x:,}" for x in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_number))
    axes.yaxis.set_minor_formatter(FuncFormatter(_few) if chart.log_y else FuncFormatter(_number))
    axes.tick_params(axis="y", which="minor", labelsize=7)
    axes.set_xlabel(table.x + (" (log)" if chart.log_x else ""))
    axes.set_ylabel(column.heading + (" (log)" if chart.log_y else ""))
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)


def _bars(axes: Axes, shown: list[Row], table: Table, chart: Chart) -> None:
    column = next(column for column in table.columns if column.key == chart.key)
    several = len({row.x for row in shown}) > 1
    names = [f"{row.series}, {_place(row)}" if several else row.series for row in shown]
    cells = [row.cell(chart.key) for row in shown]
    middles = [sum(c.seen) if column.counted else c.middle for c in cells]
    color = _colors(shown)
    bars = axes.barh(
        range(len(shown)),
        middles,
        color=[color[row.series] for row in shown],
        hatch=["//" if row.wrong else "" for row in shown],
    )
    axes.bar_label(bars, [cell.text for cell in cells], padding=3, fontsize=8)
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.invert_yaxis()
    if chart.log_y:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(_number))
    axes.set_xlabel(column.heading + (" (log)" if chart.log_y else ""))
    axes.margins(x=0.12)


def _place(row: Row) -> str:
    return f"{row.x:,}" if isinstance(row.x, int) else str(row.x)


def _colors(shown: list[Row]) -> dict[str, Any]:
    """Ours red, the floor grey, each of the others a color of its own."""
    series = dict.fromkeys(row.series for row in shown)
    reds, others = cycle(REDS), cycle(COLORS)
    return {
        each: next(reds)
        if each.startswith(OURS)
        else GREY
        if each.startswith(FLOOR)
        else next(others)
        for each in series
    }


def _number(value: float, _: object) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.2g}"


def _few(value: float, _: object) -> str:
    """2 and 5 of each decade: others would run into each other."""
    return _number(value, _) if f"{value:e}"[0] in "25" else ""
