"""``demo``: real indexes, a bounded stir, and whether every promise held."""

import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pkgdb import migrate as migrations
from pkgdb.cli import stir
from pkgdb.cli.backend import extra
from pkgdb.cli.curate import curate
from pkgdb.cli.database import Connection, call, connected
from pkgdb.cli.load import Loader, Report, create_repository, load_all
from pkgdb.server import Server

_NAMESPACE = "demo"
_SAMPLE = Path(__file__).parent.parent / "sample"
_APT = Path("/var/lib/apt/lists")
_ROUNDS = 40
_LOAD_SECONDS = 45
_WELL_KNOWN = (
    ("deb", ("bash", "linux-image-amd64", "openssl", "postgresql", "python3")),
    ("pypi", ("django", "flask", "requests")),
    ("npm", ("express", "left-pad", "react")),
)


@click.command()
@click.option(
    "--seconds",
    type=click.IntRange(1, 60),
    default=20,
    show_default=True,
    help="How long to stir.",
)
@click.option("--connections", type=click.IntRange(2, 64), default=16, show_default=True)
@click.option("--bindir", metavar="DIR", help="PostgreSQL programs, as for `pkgdb up`.")
@click.option(
    "--sample", is_flag=True, help="Load the shipped sample, not the machine's apt index."
)
@click.option("--keep", is_flag=True, help="Leave the server running, and its data.")
def demo(seconds: int, connections: int, bindir: str | None, sample: bool, keep: bool) -> None:
    """Load real indexes, let many connections at them, check every promise.

    Works on a server and a folder of its own, which are gone afterwards, and reaches no network.
    Exits 1 where a promise was broken or an error came that is not documented.
    """
    base = Path(tempfile.mkdtemp(prefix="pkgdb-demo-"))
    server = Server(base, bindir, die_with_parent=not keep)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it tidies up as well
    console = Console(highlight=False)
    try:
        server.start()
        server.ensure_database("pkgdb")
        dsn = server.dsn("pkgdb")
        fine = _run(console, dsn, base, seconds, connections, sample)
    finally:
        if not keep:
            server.stop()
            shutil.rmtree(base)
    if keep:
        console.print(f"\nThe server runs on: [bold]{dsn}[/]", soft_wrap=True)
        console.print(f"Stop it with: pkgdb down --base {base}", soft_wrap=True)
    sys.exit(0 if fine else 1)


def _run(
    console: Console, dsn: str, base: Path, seconds: int, connections: int, sample: bool
) -> bool:
    with connected(dsn) as connection:
        _step(console, "Install")
        started = time.monotonic()
        migrations.upgrade(dsn)
        version = connection.info.server_version // 10000
        console.print(
            f"schema at {migrations.current(dsn)} on PostgreSQL {version}"
            f" in {time.monotonic() - started:.1f} s"
        )

        _step(console, "Load")
        _load(console, connection, sample)

        _step(console, "Publish")
        shipped = _publish(console, connection, dsn, base)

        _step(console, "Curate")
        curated = _curate(console, connection)

        _step(console, "Race")
        stir.prepare(dsn)
        race, raced = stir.race(dsn, connections, _ROUNDS)
        console.print(
            f"{race.rounds} times {race.racers} connections published the same version of a new"
            f" package at once, half of the times each with other content:\n{race.one_winner} of"
            f" {race.rounds} times one created it and the others were told so"
            f" ({_counts(raced.answers['publish'])})"
        )
        # What autovacuum does within a minute. Until then the planner takes tables for empty ones.
        connection.execute("analyze")

        _step(console, f"Stir, {connections} connections for {seconds} s")
        stirred, checks, early = _stir(connection, dsn, connections, seconds)
        console.print(_calls(stirred))
        console.print(
            f"{stirred.calls:,} calls in {stirred.seconds:.1f} s"
            f" ({stirred.calls / stirred.seconds:,.0f}/s)"
        )
        raced.add(stirred)
        console.print(f"refusals: {_counts(raced.errors) or 'none'}")
        undocumented = raced.undocumented
        if undocumented:
            console.print(f"[red]not documented: {', '.join(undocumented)}[/]")

        _step(console, "Latest")
        console.print(_latest(connection))

        _step(console, "Check")
        started = time.monotonic()
        violations = call(connection, "check_integrity")
        for row in [*early, *violations][:20]:
            console.print(
                f"[red]{row['promise']}: {row['relation']} {row['key']}: {row['detail']}[/]"
            )
        console.print(
            f"every promise recomputed {checks} times while they wrote: {len(early)} violations"
        )
        console.print(
            f"and once over the whole database, in {time.monotonic() - started:.1f} s:"
            f" [bold]{len(violations)} violations[/]"
        )
    return (
        shipped
        and curated
        and not (violations or early or undocumented or race.one_winner != race.rounds)
    )


def _step(console: Console, title: str) -> None:
    console.print()
    console.rule(f"[bold]{title}", align="left")


def _load(console: Console, connection: Connection, sample: bool) -> None:
    """Loads a repository per ecosystem."""
    apt = [] if sample else sorted(path for path in _APT.glob("*_Packages*") if path.is_file())
    sources = {
        "deb": apt or sorted(_SAMPLE.glob("debian/*")),
        "pypi": sorted(_SAMPLE.glob("pypi/*")),
        "npm": sorted(_SAMPLE.glob("npm/*")),
    }
    table = Table(
        "repository", "from", "entries", "seconds", "entries/s", "outcomes", pad_edge=False
    )
    for column in table.columns[2:5]:
        column.justify = "right"
    for repository, files in sources.items():
        create_repository(connection, _NAMESPACE, repository)
        loader = Loader(connection, _NAMESPACE, repository)
        complete = load_all(loader, files, deadline=time.monotonic() + _LOAD_SECONDS)
        report: Report = loader.report
        origin = "this machine's apt" if files is apt else "the shipped sample"
        table.add_row(
            f"{_NAMESPACE}/{repository}",
            origin,
            f"{report.entries:,}" + ("" if complete else " (time is up)"),
            f"{report.seconds:.1f}",
            f"{report.entries / report.seconds:,.0f}",
            _counts(report.outcomes),
        )
    console.print(table)


def _publish(console: Console, connection: Connection, dsn: str, base: Path) -> bool:
    """Publishes real packages to two stores, through an interruption."""
    with extra():
        from pkgdb.cli.ship import ship
    files = sorted((_SAMPLE / "packages").iterdir())
    stores = base / "stores"
    stores.mkdir()
    create_repository(connection, "shop", "main")
    shipped = ship(connection, dsn, stores, "shop", "main", files)
    console.print(
        f"{', '.join(path.name for path in files)} to two folders, one of which was away:"
        f" {len(shipped.interrupted)} of {len(files)} interrupted,"
        f" {shipped.visible} visible\n"
        f"run again: {', '.join(shipped.published)}; and once more:"
        f" {', '.join(shipped.repeated)}\n"
        f"{shipped.objects} objects, read back: {shipped.wrong} wrong\n"
        "an index from the change feed, served on loopback; pip downloaded"
        f" {', '.join(shipped.downloaded) or 'nothing'}"
    )
    fine = shipped.fine(len(files))
    if not fine:
        console.print("[red]not what was expected[/]")
    return fine


def _curate(console: Console, connection: Connection) -> bool:
    """Freezes, compares, serves and takes back."""
    connection.execute("analyze")  # as after every large load
    curated = curate(connection, _NAMESPACE, "deb")
    took = {what: f"{ms:,.1f} ms" for what, ms in curated.milliseconds.items()}
    console.print(
        f"a snapshot of {curated.frozen:,} versions in {took['snapshot']}, an edit of one in"
        f" {took['edit']}, another snapshot;\n"
        f"diff in {took['diff']}: {_counts(curated.differences)}\n"
        f"the essential packages of each: {' and '.join(f'{n:,}' for n in curated.filtered)}"
        f" versions, filtered in {took['filter']}; the newest of both: {curated.merged:,}, merged"
        f" in {took['merge']};\n"
        f"{curated.missing:,} relations to packages outside, verified in {took['verify']}\n"
        f"a distribution that served {curated.edited} {curated.served[0]}, switched in"
        f" {took['switch']} to {curated.served[1]}, and back to {curated.served[2]}\n"
        f"dropping what it serves: {f'refused ({curated.refused})' if curated.refused else 'done'};"
        f" as it was frozen: {'yes' if curated.same else 'no'}"
    )
    fine = curated.fine()
    if not fine:
        console.print("[red]not what was expected[/]")
    return fine


def _stir(
    connection: Connection, dsn: str, connections: int, seconds: int
) -> tuple[stir.Tally, int, list[dict[str, object]]]:
    """Stirs, and checks in the meantime, a second apart."""
    checks, violations = 0, []
    stirred = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(stir.churn, dsn, connections, seconds)
        future.add_done_callback(lambda _: stirred.set())
        while not stirred.wait(1):
            violations += call(connection, "check_integrity", namespace=stir.NAMESPACE)
            checks += 1
        return future.result(), checks, violations


def _calls(tally: stir.Tally) -> Table:
    table = Table("function", "calls", "median", "longest", "answers", pad_edge=False)
    for column in table.columns[1:4]:
        column.justify = "right"
    for function in sorted(tally.answers, key=lambda name: -len(tally.durations[name])):
        median, longest = tally.milliseconds(function)
        table.add_row(
            function,
            f"{len(tally.durations[function]):,}",
            f"{median:.1f} ms",
            f"{longest:.0f} ms",
            _counts(tally.answers[function]),
        )
    return table


def _counts(counter: dict[str, int]) -> str:
    return ", ".join(
        f"{count:,} {what}" for what, count in sorted(counter.items(), key=lambda item: -item[1])
    )


def _latest(connection: Connection) -> Table:
    table = Table("ecosystem", "name", "versions", "latest", "latest stable", pad_edge=False)
    table.columns[2].justify = "right"
    for ecosystem, names in _WELL_KNOWN:
        rows = connection.execute(
            "select name, versions, latest, latest_stable from pkgdb.registrations"
            " where namespace = %s and ecosystem = %s and name = any (%s) order by name",
            [_NAMESPACE, ecosystem, list(names)],
        )
        for row in rows:
            table.add_row(
                ecosystem, row["name"], f"{row['versions']:,}", row["latest"], row["latest_stable"]
            )
    return table
