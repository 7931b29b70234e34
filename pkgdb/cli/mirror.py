"""``mirror``: repositories that follow an upstream."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from pkgdb.cli.backend import extra
from pkgdb.cli.curation import changing, counted, reading, say
from pkgdb.cli.database import Connection, Failure, call, connected, print_json, resolved
from pkgdb.cli.repository import drop_repository, rename_repository

if TYPE_CHECKING:
    from pkgdb.mirrors import MirrorUpdated

_Command = TypeVar("_Command", bound=Callable[..., Any])
_UPDATES = 5  # that are shown
_BARS = {"indexes": "read", "items": "staged", "files": "downloaded"}


@click.group()
def mirror() -> None:
    """Mirrors: repositories that are what an archive of Debian packages has.

    `pkgdb snapshot create NAME --from-repository MIRROR` freezes one.
    """


def _settings_options(command: _Command) -> _Command:
    """What `create` and `edit` say of an upstream beside where it is."""
    for option in reversed(
        [
            click.option("--architecture", "architectures", multiple=True, help="Only this one."),
            click.option(
                "--filter", "filter_", metavar="QUERY", help="Only what this query matches."
            ),
            click.option(
                "--filter-with-deps/--no-filter-with-deps",
                default=None,
                help="And what that depends on.",
            ),
            click.option(
                "--keyring",
                metavar="FILE",
                help="Who may sign: public keys, armored or not. Without one nothing is checked.",
            ),
            click.option(
                "--download/--no-download",
                default=None,
                help="Bring the packages themselves too.  [default: where there is a backend]",
            ),
        ]
    ):
        command = option(command)
    return command


@mirror.command()
@click.argument("name")
@click.argument("url")
@click.argument("distribution")
@click.argument("components", nargs=-1, metavar="[COMPONENT]...")
@_settings_options
@click.option("--backend", "backends", multiple=True, help="Keep its files there.")
@changing
def create(
    name: str,
    url: str,
    distribution: str,
    components: tuple[str, ...],
    architectures: tuple[str, ...],
    filter_: str | None,
    filter_with_deps: bool | None,
    keyring: str | None,
    download: bool | None,
    backends: tuple[str, ...],
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Create a mirror, as a line of apt's sources.list says: URL DISTRIBUTION COMPONENT...

    URL is http://, https://, file:// or a folder. A distribution that ends in / is a flat archive.
    Nothing is read yet: `pkgdb mirror update` does that.
    """
    upstream = _settings(
        url=url,
        distribution=distribution,
        components=components,
        architectures=architectures,
        filter=filter_,
        filter_with_deps=filter_with_deps,
        keyring=keyring,
        download=download,
    )
    with connected(dsn) as connection, connection.transaction():
        (created,) = call(
            connection,
            "create_repository",
            namespace=namespace,
            repository=name,
            kind="mirror",
            policy=Jsonb({"upstream": upstream}),
            actor=actor,
        )
        for backend in backends:
            call(
                connection,
                "set_repository_backend",
                namespace=namespace,
                repository=name,
                backend=backend,
                actor=actor,
            )
    say(created, f"{name} {created['outcome']}", as_json)


@mirror.command()
@click.argument("name")
@click.option("--downloads", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--ignore-expiry", is_flag=True, help="Take a Release after its Valid-Until.")
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=600,
    show_default=True,
    help="Seconds to wait for somebody else who is updating it.",
)
@changing
def update(
    name: str,
    downloads: int,
    ignore_expiry: bool,
    patience: float,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Make a mirror what its upstream has now, all at once.

    Readers see nothing of it before the end. Whatever interrupts it, run it again: it goes on
    where it was. Exits 1 where an optional backend did not get a file.
    """
    with extra():
        from pkgdb.mirrors import DebianArchive, MirrorUpdater
    dsn = resolved(dsn)
    console = Console(stderr=True)

    async def run(bars: _Bars) -> "MirrorUpdated":
        async with MirrorUpdater.open(
            dsn,
            downloads=downloads,
            patience=timedelta(seconds=patience),
            connect=partial(DebianArchive, ignore_expiry=ignore_expiry),
        ) as updater:
            return await updater.update(namespace, name, actor=actor, progress=bars)

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[done]}"),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        updated = asyncio.run(run(_Bars(progress)))
    if as_json:
        print_json(asdict(updated))
    else:
        report = f": {counted(updated.report)}" if updated.report else ""
        click.echo(f"{name} {updated.outcome}{report}")
        if updated.downloaded or updated.found:
            click.echo(f"{updated.downloaded:,} files downloaded, {updated.found:,} found")
        for failure in updated.failures:
            click.echo(f"not on {failure.backend}: {failure.error}", err=True)
    sys.exit(1 if updated.failures else 0)


@mirror.command("list")
@reading
def list_mirrors(dsn: str | None, namespace: str, as_json: bool) -> None:
    """List the mirrors of a namespace, and when they were updated."""
    with connected(dsn) as connection:
        rows = connection.execute(
            "select * from pkgdb.mirrors where namespace = %s order by repository", [namespace]
        ).fetchall()
    if as_json:
        print_json({"mirrors": rows})
        return
    if not rows:
        click.echo("no mirrors")
        return
    table = Table("mirror", "upstream", "updated")
    for row in rows:
        updated = row["updated_at"]
        table.add_row(
            escape(row["repository"]),
            escape(_line(row["upstream"])),
            f"{updated:%Y-%m-%d %H:%M}" if updated else "never",
        )
    Console().print(table)


@mirror.command()
@click.argument("name")
@reading
def show(name: str, dsn: str | None, namespace: str, as_json: bool) -> None:
    """Show what a mirror follows, and its updates of late."""
    with connected(dsn) as connection:
        found = _find(connection, namespace, name)
        updates = connection.execute(
            """
            select update_id, status, actor, staged, report, reason, created_at, ended_at
              from pkgdb.mirror_updates
             where namespace = %s and repository = %s
             order by update_id desc
             limit %s
            """,
            [namespace, name, _UPDATES],
        ).fetchall()
    if as_json:
        print_json(found | {"updates": updates})
        return
    click.echo(f"{namespace}/{name}: {_line(found['upstream'])}")
    for key, value in found["upstream"].items():
        if key not in ("url", "distribution", "components"):
            click.echo(f"{key}: {' '.join(value) if isinstance(value, list) else value}")
    if found["release"] is not None:
        click.echo(f"at release {found['release']} since {found['updated_at']:%Y-%m-%d %H:%M:%S}")
    else:
        click.echo("never updated")
    for row in updates:
        said = counted(row["report"] or {"staged": row["staged"]})
        why = f" ({row['reason']})" if row["reason"] else ""
        click.echo(f"{row['created_at']:%Y-%m-%d %H:%M:%S} {row['status']}{why}: {said}")


@mirror.command()
@click.argument("name")
@click.option("--url")
@click.option("--distribution")
@click.option("--component", "components", multiple=True, help="These, in place of those.")
@_settings_options
@changing
def edit(
    name: str,
    url: str | None,
    distribution: str | None,
    components: tuple[str, ...],
    architectures: tuple[str, ...],
    filter_: str | None,
    filter_with_deps: bool | None,
    keyring: str | None,
    download: bool | None,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Change some of what a mirror follows; an empty text takes a setting away.

    What it contains changes with the next update. One that is in progress ends: its holder can
    commit nothing more.
    """
    changed = _settings(
        url=url,
        distribution=distribution,
        components=components,
        architectures=architectures,
        filter=filter_,
        filter_with_deps=filter_with_deps,
        keyring=keyring,
        download=download,
    )
    with connected(dsn) as connection:
        found = _find(connection, namespace, name)
        upstream = {
            key: value
            for key, value in (found["upstream"] | changed).items()
            if value not in ("", [""])
        }
        (altered,) = call(
            connection,
            "alter_repository",
            namespace=namespace,
            repository=name,
            policy=Jsonb({"upstream": upstream}),
            if_revision=found["revision"],
            actor=actor,
        )
    say(altered, f"{name} {altered['outcome']}", as_json)


@mirror.command()
@click.argument("name")
@click.argument("new_name")
@changing
def rename(
    name: str, new_name: str, dsn: str | None, namespace: str, actor: str | None, as_json: bool
) -> None:
    """Give a mirror another name; snapshots and distributions follow."""
    with connected(dsn) as connection:
        revision = _find(connection, namespace, name)["revision"]
        renamed = rename_repository(connection, namespace, name, new_name, actor, revision)
    say(renamed, f"{new_name} {renamed['outcome']}", as_json)


@mirror.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also where there are snapshots of it.")
@changing
def drop(
    name: str, force: bool, dsn: str | None, namespace: str, actor: str | None, as_json: bool
) -> None:
    """Drop a mirror, unless a distribution serves it or snapshots were made of it.

    With --force these snapshots stay and keep what they contain.
    """
    with connected(dsn) as connection:
        revision = _find(connection, namespace, name)["revision"]
        dropped = drop_repository(connection, namespace, name, force, actor, revision)
    say(dropped, f"{name} {dropped['outcome']}", as_json)


def _settings(**given: Any) -> dict[str, Any]:
    """What was given, as the policy `upstream` has it."""
    settings: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in given.items()
        if value not in (None, ())
    }
    if (url := settings.get("url")) and "://" not in url:
        settings["url"] = Path(url).absolute().as_uri()
    if settings.get("keyring"):
        settings["keyring"] = str(Path(settings["keyring"]).absolute())
    return settings


def _find(connection: Connection, namespace: str, name: str) -> dict[str, Any]:
    found = connection.execute(
        """
        select m.*, r.revision
          from pkgdb.mirrors m
          join pkgdb.repositories r using (namespace, repository)
         where m.namespace = %s and m.repository = %s
        """,
        [namespace, name],
    ).fetchone()
    if found is None:
        raise Failure(f"no mirror {name!r} in namespace {namespace!r}")
    return found


def _line(upstream: dict[str, Any]) -> str:
    parts = [upstream.get("url"), upstream.get("distribution"), *upstream.get("components", ())]
    return " ".join(filter(None, parts)) or "nothing yet"


class _Bars:
    """How far an update is: what it reads, notes and downloads."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what not in self._bars:
            self._bars[what] = self._progress.add_task(_BARS[what], total=total, done="")
        text = f"{done:,} versions" if what == "items" else decimal(done)
        self._progress.update(self._bars[what], completed=done, total=total, done=text)
