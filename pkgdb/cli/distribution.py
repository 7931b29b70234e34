"""``distribution``: what clients read, and the folders that are served to them."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from pkgdb.cli.backend import extra
from pkgdb.cli.curation import changing, print_content, reading, say
from pkgdb.cli.database import Connection, Failure, call, connected, print_json, resolved

if TYPE_CHECKING:
    from pkgdb.archive import ArchiveRenderer, Rendering

_Command = TypeVar("_Command", bound=Callable[..., Any])

prefix_option = click.option(
    "--prefix", default="", metavar="PATH", help="The path below which it is.  [default: none]"
)


@click.group()
def distribution() -> None:
    """Distributions: what apt, pip and npm read, made of snapshots or of repositories as they are.

    To switch one is what publishes, and what takes back: all of its components change at once.
    """


def _content_options(command: _Command) -> _Command:
    """What `create` and `switch` say of components and settings."""
    for option in reversed(
        [
            click.option(
                "--snapshot",
                "snapshots",
                multiple=True,
                metavar="[COMPONENT=]SNAPSHOT",
                help="Serve it as this component, else as main.",
            ),
            click.option(
                "--repository",
                "repositories",
                multiple=True,
                metavar="[COMPONENT=]REPOSITORY",
                help="Serve what it contains at any time.",
            ),
            click.option("--origin", help="Of the Release file, as the next ones."),
            click.option("--label"),
            click.option("--suite"),
            click.option("--codename"),
            click.option("--version"),
            click.option("--description"),
            click.option(
                "--architecture",
                "architectures",
                multiple=True,
                help="Indexes for these.  [default: those of the packages]",
            ),
            click.option("--not-automatic/--automatic", default=None),
            click.option("--but-automatic-upgrades/--no-but-automatic-upgrades", default=None),
            click.option(
                "--valid-for",
                type=click.IntRange(1),
                metavar="SECONDS",
                help="Let clients refuse a Release file that is older.",
            ),
        ]
    ):
        command = option(command)
    return command


@distribution.command()
@click.argument("name")
@prefix_option
@click.option("--ecosystem", default="deb", show_default=True)
@_content_options
@changing
def create(
    name: str,
    prefix: str,
    ecosystem: str,
    snapshots: tuple[str, ...],
    repositories: tuple[str, ...],
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Create a distribution of one or more components."""
    with connected(dsn) as connection:
        (created,) = call(
            connection,
            "create_distribution",
            namespace=namespace,
            prefix=prefix,
            distribution=name,
            ecosystem=ecosystem,
            components=Jsonb(_components(snapshots, repositories)),
            settings=Jsonb(_given(settings)),
            actor=actor,
        )
    _say(created, prefix, name, as_json)


@distribution.command()
@click.argument("name")
@prefix_option
@_content_options
@click.option(
    "--drop-component", "dropped", multiple=True, metavar="COMPONENT", help="Take it away."
)
@click.option(
    "--if-revision",
    type=click.IntRange(1),
    help="Only if this is its revision, as `show` says it.",
)
@changing
def switch(
    name: str,
    prefix: str,
    snapshots: tuple[str, ...],
    repositories: tuple[str, ...],
    dropped: tuple[str, ...],
    if_revision: int | None,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Point components elsewhere, all at once; those that are not named stay, as settings do."""
    components: dict[str, Any] = dict.fromkeys(dropped)
    changed = _given(settings)
    with connected(dsn) as connection:
        # Settings are replaced as a whole: not over somebody else's change.
        found = _find(connection, namespace, prefix, name) if changed else None
        (switched,) = call(
            connection,
            "switch_distribution",
            namespace=namespace,
            prefix=prefix,
            distribution=name,
            components=Jsonb(components | _components(snapshots, repositories)),
            settings=None if found is None else Jsonb(found["settings"] | changed),
            if_revision=if_revision or (found and found["revision"]),
            actor=actor,
        )
    _say(switched, prefix, name, as_json)


@distribution.command("list")
@reading
def list_distributions(dsn: str | None, namespace: str, as_json: bool) -> None:
    """List the distributions of a namespace, and what they serve."""
    with connected(dsn) as connection:
        rows = _read(connection, namespace)
    if as_json:
        print_json({"distributions": rows})
        return
    if not rows:
        click.echo("no distributions")
        return
    table = Table("distribution", "ecosystem", "components", "revision", "switched")
    for row in rows:
        table.add_row(
            escape(_path(row["prefix"], row["distribution"])),
            row["ecosystem"],
            escape("\n".join(_served(row["components"]))),
            str(row["revision"]),
            f"{row['updated_at']:%Y-%m-%d %H:%M}",
        )
    Console().print(table)


@distribution.command()
@click.argument("name")
@prefix_option
@click.option("--packages", "with_packages", is_flag=True, help="List what it serves too.")
@click.option("--files", "with_files", is_flag=True, help="With the files of each version.")
@reading
def show(
    name: str,
    prefix: str,
    with_packages: bool,
    with_files: bool,
    dsn: str | None,
    namespace: str,
    as_json: bool,
) -> None:
    """Show the components and settings of a distribution."""
    with_packages = with_packages or with_files
    with connected(dsn) as connection:
        found = _find(connection, namespace, prefix, name)
        if with_packages:
            found["versions"] = call(
                connection,
                "distribution_content",
                namespace=namespace,
                prefix=prefix,
                distribution=name,
            )
    if as_json:
        print_json(found)
        return
    click.echo(
        f"{_path(prefix, name)}: {found['ecosystem']}, revision {found['revision']}, switched"
        f" {found['updated_at']:%Y-%m-%d %H:%M:%S}"
    )
    for line in _served(found["components"]):
        click.echo(line)
    for key, value in found["settings"].items():
        click.echo(f"{key}: {' '.join(value) if isinstance(value, list) else value}")
    if with_packages:
        print_content(found["versions"], with_files)


@distribution.command()
@click.argument("name")
@prefix_option
@changing
def drop(
    name: str, prefix: str, dsn: str | None, namespace: str, actor: str | None, as_json: bool
) -> None:
    """Drop a distribution; the snapshots that it served stay."""
    with connected(dsn) as connection:
        (dropped,) = call(
            connection,
            "drop_distribution",
            namespace=namespace,
            prefix=prefix,
            distribution=name,
            actor=actor,
        )
    _say(dropped, prefix, name, as_json)


@distribution.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, metavar="[DISTRIBUTION]...")
@click.option("--prefix", default="", metavar="PATH", help="Of the distributions that are named.")
@click.option("--key", help="Sign with this key of gpg's.  [default: nothing is signed]")
@click.option(
    "--base-url",
    metavar="URL",
    help="Where the folder is served; npm's documents have to name it.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=24,
    show_default=True,
    help="Hours for which clients can go on with what they began to read before a change.",
)
@click.option("--once", is_flag=True, help="Render what there is now, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.01),
    default=5,
    show_default=True,
    help="Seconds to wait for more changes.",
)
@reading
def render(
    folder: Path,
    names: tuple[str, ...],
    prefix: str,
    key: str | None,
    base_url: str | None,
    grace: float,
    once: bool,
    interval: float,
    dsn: str | None,
    namespace: str,
    as_json: bool,
) -> None:
    """Keep FOLDER as the distributions of a namespace are, for apt, pip and npm.

    Serve it with any web server that follows symbolic links: what clients see of a distribution
    changes at once. All distributions are rendered unless some are named. Ends at SIGTERM and
    SIGINT.
    """
    if prefix and not names:
        raise click.UsageError("--prefix is that of the distributions that are named")
    with extra():
        from pkgdb.archive import ArchiveRenderer
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    if not once:
        logging.getLogger("pkgdb.archive").setLevel(logging.INFO)
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        console=console,
        disable=not (once and console.is_terminal),
    ) as progress:
        task = progress.add_task("files", total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        rendered = asyncio.run(
            _render(
                ArchiveRenderer(
                    folder,
                    namespace,
                    resolved(dsn),
                    distributions=[(prefix, name) for name in names],
                    key=key,
                    base_url=base_url,
                    grace=timedelta(hours=grace),
                    interval=timedelta(seconds=interval),
                    progress=advance,
                ),
                once,
            )
        )
    if as_json:
        print_json({"distributions": [one._asdict() for one in rendered]})
    else:
        for one in rendered:
            where = _path(one.prefix, one.distribution)
            click.echo(f"{where} {one.outcome}, revision {one.revision}")
        if not rendered:
            click.echo("no distributions")


async def _render(renderer: "ArchiveRenderer", once: bool) -> "list[Rendering]":
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, renderer.stop)
    return await renderer.run(once=once)


def _components(snapshots: Iterable[str], repositories: Iterable[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for kind, given in (("snapshot", snapshots), ("repository", repositories)):
        for text in given:
            component, equals, name = text.partition("=")
            if not equals:
                component, name = "main", text
            if component in found:
                raise click.UsageError(f"component {component} is named twice")
            found[component] = {kind: name}
    return found


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    settings = settings | {"architectures": list(settings["architectures"]) or None}
    return {key: value for key, value in settings.items() if value is not None}


def _read(connection: Connection, namespace: str) -> list[dict[str, Any]]:
    return connection.execute(
        """
        select d.prefix, d.distribution, d.distribution_id, d.ecosystem, d.settings, d.revision,
               d.created_at, d.updated_at,
               (select coalesce(jsonb_object_agg(
                           c.component,
                           jsonb_strip_nulls(jsonb_build_object('snapshot', c.snapshot,
                                                                'repository', c.repository))),
                           '{}')
                  from pkgdb.distribution_components c
                 where c.namespace = d.namespace and c.prefix = d.prefix
                   and c.distribution = d.distribution) as components
          from pkgdb.distributions d
         where d.namespace = %s
         order by d.prefix, d.distribution
        """,
        [namespace],
    ).fetchall()


def _find(connection: Connection, namespace: str, prefix: str, name: str) -> dict[str, Any]:
    for row in _read(connection, namespace):
        if (row["prefix"], row["distribution"]) == (prefix, name):
            return row
    raise Failure(f"no distribution {_path(prefix, name)!r} in namespace {namespace!r}")


def _path(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _served(components: dict[str, dict[str, str]]) -> list[str]:
    return [
        f"{component}: {kind} {name}"
        for component, what in sorted(components.items())
        for kind, name in what.items()
    ]


def _say(reference: dict[str, Any], prefix: str, name: str, as_json: bool) -> None:
    text = f"{_path(prefix, name)} {reference['outcome']}, revision {reference['revision']}"
    say(reference, text, as_json)
