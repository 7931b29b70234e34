"""``up``, ``down``, ``migrate`` and ``upgrade-schemes``."""

import sys
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path

import click
from rich.progress import Progress

from pkgdb import server
from pkgdb.cli.database import connected, dsn_option, json_option, print_json, resolved

_base = click.option(
    "--base",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the server.  [default: PKGDB_HOME, else the user's data folder]",
)


@click.command()
@_base
@click.option(
    "--bindir",
    metavar="DIR",
    help="PostgreSQL programs: a folder, `system` or `wheel`.  [default: the first there is]",
)
@click.option("--stop", is_flag=True, help="Stop it instead, as `pkgdb down`.")
def up(base: Path | None, bindir: str | None, stop: bool) -> None:
    """Start the embedded server unless it runs, and print its DSN."""
    if stop:
        _stop(base)
    else:
        click.echo(server.up(base, bindir))


@click.command()
@_base
def down(base: Path | None) -> None:
    """Stop the embedded server. Its data stays."""
    _stop(base)


def _stop(base: Path | None) -> None:
    click.echo("stopped" if server.down(base) else "was not running", err=True)


@click.command()
@dsn_option
@click.option(
    "--to",
    "revision",
    default="head",
    show_default=True,
    help="Up to this revision; `base` removes the schema and all that is in it.",
)
@click.option("--sql", "as_sql", is_flag=True, help="Print the script and connect to nothing.")
@click.option(
    "--lock-timeout",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    metavar="MS",
    help="Milliseconds that a revision, and whoever comes behind it, waits for a lock; then it is"
    " tried again.",
)
def migrate(dsn: str | None, revision: str, as_sql: bool, lock_timeout: int) -> None:
    """Create pkgdb's schema, or bring it up to date."""
    from pkgdb import migrate as migrations

    move = partial(
        migrations.downgrade if revision == "base" else migrations.upgrade,
        lock_timeout=timedelta(milliseconds=lock_timeout),
    )
    if as_sql:
        click.echo(move(None, revision, sql=True))
        return
    dsn = resolved(dsn)
    before = migrations.current(dsn)
    move(dsn, revision)
    after = migrations.current(dsn)
    if before == after:
        click.echo(f"at {after or 'nothing'} already")
    else:
        click.echo(f"{before or 'nothing'} -> {after or 'nothing'}")
    if after and (outdated := _outdated(dsn)):
        click.echo(f"{outdated:,} packages are in an older order: run `pkgdb upgrade-schemes`")


@click.command("upgrade-schemes")
@dsn_option
@json_option
def upgrade_schemes(dsn: str | None, as_json: bool) -> None:
    """Order every package by its ecosystem's present version scheme; exit 1 where one stays.

    Readers and publishers go on meanwhile. Run it again after an interruption.
    """
    from pkgdb import migrate as migrations

    dsn = resolved(dsn)
    moved, stayed = 0, []
    with Progress(disable=as_json) as progress:
        task = progress.add_task("packages", total=_outdated(dsn))
        for package in migrations.upgrade_schemes(dsn):
            progress.advance(task)
            if package.reason is None:
                moved += 1
            else:
                stayed.append(package)
    if as_json:
        print_json(
            {
                "moved": moved,
                "stayed": [asdict(p) | {"reason": str(p.reason)} for p in stayed],
            }
        )
    else:
        click.echo(f"{moved:,} packages moved, {len(stayed):,} stayed")
        for package in stayed:
            where = f"{package.namespace}/{package.repository}"
            click.echo(f"{where} {package.ecosystem} {package.name}: {package.reason}", err=True)
    sys.exit(1 if stayed else 0)


def _outdated(dsn: str) -> int:
    with connected(dsn) as connection:
        row = connection.execute("select count(*) from pkgdb.outdated_registrations").fetchone()
    return int(row["count"]) if row else 0
