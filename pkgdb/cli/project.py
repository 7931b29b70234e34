"""``project``."""

import asyncio
import logging
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pkgdb.cli.backend import extra, namespace_option
from pkgdb.cli.database import connected, dsn_option, json_option, print_json, resolved
from pkgdb.cli.load import require_repository

if TYPE_CHECKING:
    from pkgdb.projector import Projector


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@dsn_option
@namespace_option
@click.option("--repository", required=True)
@click.option(
    "--base-url",
    metavar="URL",
    help="Where the folder is served; npm's documents have to name it, and are left out without.",
)
@click.option("--once", is_flag=True, help="End at the end of the feed.")
@click.option(
    "--interval",
    type=click.FloatRange(0.01),
    default=5,
    show_default=True,
    help="Seconds to wait for more events.",
)
@json_option
def project(
    folder: Path,
    dsn: str | None,
    namespace: str,
    repository: str,
    base_url: str | None,
    once: bool,
    interval: float,
    as_json: bool,
) -> None:
    """Keep FOLDER as a static index of a repository, for pip and npm.

    Reads the change feed, which `pkgdb worker` keeps going, and writes anew the pages of the
    packages that changed. Serve the folder with any web server: pip takes
    --index-url URL/simple/, npm takes --registry URL/npm/.
    """
    with extra():
        from pkgdb.projector import Projector
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    dsn = resolved(dsn)
    with connected(dsn) as connection:
        require_repository(connection, namespace, repository)
    seconds = timedelta(seconds=interval)
    events = asyncio.run(
        _run(
            Projector(folder, namespace, repository, dsn, base_url=base_url, interval=seconds), once
        )
    )
    if as_json:
        print_json({"events": events})
    else:
        click.echo(f"{events:,} events")


async def _run(projector: "Projector", once: bool) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, projector.stop)
    return await projector.run(once=once)
