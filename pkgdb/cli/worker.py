"""``worker``."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pkgdb.cli.backend import extra
from pkgdb.cli.database import connected, dsn_option, json_option, print_json, resolved

if TYPE_CHECKING:
    from pkgdb.storage import Worker, WorkerReport


@click.command()
@dsn_option
@click.option("--once", is_flag=True, help="End when there is nothing left to do.")
@click.option(
    "--interval",
    type=click.FloatRange(0.01),
    default=10,
    show_default=True,
    help="Seconds to wait for more to do.",
)
@click.option("--namespace", "namespaces", multiple=True, help="Only this one.  [default: all]")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    help="Only this one: expire, sequence, retention, purge, collect, copy, promote, verify, seal,"
    " render or prune.  [default: all]",
)
@click.option(
    "--purge-after",
    type=click.FloatRange(0),
    default=7,
    show_default=True,
    help="Days for which what was deleted can be restored.",
)
@click.option(
    "--keep-events",
    type=click.FloatRange(0),
    default=7,
    show_default=True,
    help="Days for which the feed keeps what every consumer has read.",
)
@click.option(
    "--verify-after",
    type=click.FloatRange(0),
    help="Read stored objects again whose digest was last taken so many days ago.",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Objects to copy, delete or read at the same time.",
)
@click.option(
    "--archive",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep this folder as the distributions are, as `pkgdb distribution render` does.",
)
@click.option("--key", help="Sign what is in the folder with this key of gpg's.")
@click.option("--base-url", metavar="URL", help="Where the folder is served, for npm.")
@json_option
def worker(
    dsn: str | None,
    once: bool,
    interval: float,
    namespaces: tuple[str, ...],
    tasks: tuple[str, ...],
    purge_after: float,
    keep_events: float,
    verify_after: float | None,
    at_once: int,
    archive: Path | None,
    key: str | None,
    base_url: str | None,
    as_json: bool,
) -> None:
    """Do what has to be done now and then; any number of workers may run.

    Ends publications that were left, gives events their places in the feed, applies retention,
    purges what was deleted, deletes objects that nothing needs, copies to backends what they lack,
    verifies copies, notes the digests of snapshots, renders distributions where there is an
    --archive, prunes the feed. Ends at SIGTERM and SIGINT, after the objects at hand. With
    --once it exits 1 where something failed; it says what on standard error.
    """
    if archive is None and (key or base_url):
        raise click.UsageError("--key and --base-url are for an --archive")
    with extra():
        from pkgdb.storage import TASKS, Worker
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("pkgdb.worker").setLevel(logging.INFO)
    dsn = resolved(dsn)
    try:
        working = Worker(
            dsn,
            namespaces=namespaces,
            tasks=tasks or TASKS,
            interval=timedelta(seconds=interval),
            at_once=at_once,
            purge_after=timedelta(days=purge_after),
            keep_events=timedelta(days=keep_events),
            verify_after=None if verify_after is None else timedelta(days=verify_after),
            render=None if archive is None else _renderer(archive, dsn, key, base_url),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with connected(dsn) as connection:
        connection.execute("select from pkgdb.feed_positions limit 1")  # or say what is missing
    report = asyncio.run(_run(working, once))
    if as_json:
        print_json({"done": report.done, "failures": list(report.failures)})
    elif once:
        done = ", ".join(f"{task} {count:,}" for task, count in report.done.items() if count)
        click.echo(done or "nothing to do")
    sys.exit(1 if once and report.failures else 0)


def _renderer(
    folder: Path, dsn: str, key: str | None, base_url: str | None
) -> Callable[[str], Awaitable[int]]:
    from pkgdb.archive import ArchiveRenderer

    async def render(namespace: str) -> int:
        renderer = ArchiveRenderer(folder, namespace, dsn, key=key, base_url=base_url)
        with suppress(BlockingIOError):  # another worker is at it
            rendered = await renderer.run(once=True)
            return sum(one.outcome != "unchanged" for one in rendered)
        return 0

    return render


async def _run(worker: "Worker", once: bool) -> "WorkerReport":
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    return await worker.run(once=once)
