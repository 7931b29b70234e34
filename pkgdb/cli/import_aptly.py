"""``import-aptly``: the repositories, snapshots and publications of an aptly."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pkgdb.cli.backend import extra
from pkgdb.cli.curation import ALL, changing
from pkgdb.cli.database import Connection, Failure, call, connected, print_json, resolved

if TYPE_CHECKING:
    from pkgdb.mirrors.aptly import Aptly, Package

_Result = dict[str, Any]


@click.command("import-aptly")
@click.argument("url")
@click.option(
    "--pool",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder `pool` of aptly: bring the files too.",
)
@click.option("--backend", "backends", multiple=True, help="Keep the files there.")
@click.option(
    "--through",
    default="aptly",
    show_default=True,
    metavar="NAME",
    help="A mirror to make, which becomes each list in turn.",
)
@changing
def import_aptly(
    url: str,
    pool: Path | None,
    backends: tuple[str, ...],
    through: str,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Import what an aptly has, through the API of `aptly api serve` at URL.

    Its snapshots become snapshots, its local repositories repositories, what it published
    distributions, all with their names; each is compared with aptly's list at the end. Its mirrors
    are not imported: `pkgdb mirror create` makes them anew. Source packages are left out, and the
    exit code is 1 where there are any. Run it again after an interruption.
    """
    if bool(pool) != bool(backends):
        raise click.UsageError("--pool and --backend go together: the files need a place")
    with extra():
        from pkgdb.mirrors.aptly import Aptly
    aptly = Aptly(url)
    dsn = resolved(dsn)
    console = Console(stderr=True)
    with (
        connected(dsn) as connection,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress,
    ):
        importer = _Importer(connection, dsn, aptly, namespace, through, pool, actor)
        importer.prepare(backends)
        lists = [
            *(("snapshots", one) for one in aptly.snapshots()),
            *(("repos", one) for one in aptly.repositories()),
        ]
        done = []
        for kind, one in progress.track(lists, description="lists"):
            done.append(importer.bring(kind, one))
            if not as_json:
                _print(done[-1])
        distributions = list(importer.publish())
    left_out = sum(one["left_out"] for one in done)
    if as_json:
        print_json({"lists": done, "distributions": distributions})
    else:
        for one in distributions:
            click.echo(f"distribution {one['distribution']} {one['outcome']}")
        if left_out:
            click.echo(f"{left_out:,} source packages left out", err=True)
    sys.exit(1 if left_out else 0)


class _Importer:
    def __init__(
        self,
        connection: Connection,
        dsn: str,
        aptly: "Aptly",
        namespace: str,
        through: str,
        pool: Path | None,
        actor: str | None,
    ) -> None:
        self._connection = connection
        self._dsn = dsn
        self._aptly = aptly
        self._namespace = namespace
        self._through = through
        self._pool = pool
        self._actor = actor
        self._backends: tuple[str, ...] = ()

    def prepare(self, backends: tuple[str, ...]) -> None:
        """Makes the mirror that becomes each list in turn."""
        self._backends = backends
        upstream = {"url": self._aptly.url, "download": self._pool is not None}
        policy = Jsonb({"upstream": upstream})
        self._call("create_repository", repository=self._through, kind="mirror", policy=policy)
        self._keep_files_of(self._through)

    def bring(self, kind: str, one: dict[str, Any]) -> _Result:
        """Makes a snapshot or a repository of a list, and compares."""
        name = one["Name"]
        packages = self._aptly.packages(kind, name)
        binary = [package for package in packages if package.get("Architecture") != "source"]
        what = "snapshot" if kind == "snapshots" else "repository"
        result = {"kind": what, "name": name, "left_out": len(packages) - len(binary)}
        if what == "snapshot" and self._has_snapshot(name):
            outcome = "unchanged"
        else:
            asyncio.run(self._follow(binary))
            outcome = self._name(what, one)
        found = self._content(what, name)
        wanted = {
            (package["Package"], package["Version"], package["Architecture"], package["SHA256"])
            for package in binary
        }
        # A repository that is there already may have more.
        if found != wanted and (what == "snapshot" or not wanted <= found):
            differing = sorted(found ^ wanted)
            raise Failure(
                f"{what} {name!r} has another content than in aptly, as to {differing[0][0]}"
                f" {differing[0][1]} and {len(differing) - 1} more"
            )
        return result | {"outcome": outcome, "packages": len(found)}

    def publish(self) -> Iterator[_Result]:
        """Makes distributions of what aptly has published, unless they are there."""
        for one in self._aptly.published():
            prefix = "" if one["Prefix"] == "." else one["Prefix"]
            name = one["Distribution"]
            kind = "repository" if one["SourceKind"] == "local" else "snapshot"
            known = self._connection.execute(
                "select from pkgdb.distributions"
                " where namespace = %s and prefix = %s and distribution = %s",
                [self._namespace, prefix, name],
            )
            outcome = "unchanged"
            if known.fetchone() is None:
                components = {part["Component"]: {kind: part["Name"]} for part in one["Sources"]}
                (created,) = self._call(
                    "create_distribution",
                    prefix=prefix,
                    distribution=name,
                    ecosystem="deb",
                    components=Jsonb(components),
                    settings=Jsonb(_settings(one)),
                )
                outcome = created["outcome"]
            path = f"{prefix}/{name}" if prefix else name
            yield {"distribution": path, "outcome": outcome}

    async def _follow(self, packages: "list[Package]") -> None:
        from pkgdb.mirrors import MirrorUpdater
        from pkgdb.mirrors.aptly import AptlyList

        async with MirrorUpdater.open(
            self._dsn, connect=lambda _, folder: AptlyList(packages, self._pool, folder)
        ) as updater:
            await updater.update(self._namespace, self._through, actor=self._actor)

    def _name(self, what: str, one: dict[str, Any]) -> str:
        name = one["Name"]
        if what == "snapshot":
            (created,) = self._call(
                "create_snapshot",
                snapshot=name,
                repository=self._through,
                description=one.get("Description", ""),
            )
            return str(created["outcome"])
        (created,) = self._call("create_repository", repository=name)
        self._keep_files_of(name)
        (copied,) = self._call(
            "copy_versions", repository=name, queries=[ALL], from_repository=self._through
        )
        return str(copied["outcome"] if created["outcome"] == "unchanged" else "created")

    def _keep_files_of(self, repository: str) -> None:
        for backend in self._backends:
            self._call("set_repository_backend", repository=repository, backend=backend)

    def _has_snapshot(self, name: str) -> bool:
        known = self._connection.execute(
            "select from pkgdb.snapshots where namespace = %s and snapshot = %s",
            [self._namespace, name],
        )
        return known.fetchone() is not None

    def _content(self, what: str, name: str) -> set[tuple[str, str, str, str]]:
        rows = call(
            self._connection,
            "search_versions",
            namespace=self._namespace,
            **{what: name},
            files=True,
        )
        return {
            (row["name"], row["version"], row["variant"], file["sha256"])
            for row in rows
            for file in row["files"]
        }

    def _call(self, function: str, **arguments: Any) -> list[dict[str, Any]]:
        return call(
            self._connection,
            function,
            namespace=self._namespace,
            **arguments,
            actor=self._actor,
        )


def _settings(published: dict[str, Any]) -> dict[str, Any]:
    texts = {key.lower(): published.get(key) for key in ("Origin", "Label", "Suite")}
    settings: dict[str, Any] = {key: text for key, text in texts.items() if text}
    architectures = [
        one for one in published.get("Architectures") or () if one not in ("source", "all")
    ]
    if architectures:
        settings["architectures"] = architectures
    for key, name in (
        ("not_automatic", "NotAutomatic"),
        ("but_automatic_upgrades", "ButAutomaticUpgrades"),
    ):
        if published.get(name) == "yes":
            settings[key] = True
    return settings


def _print(one: _Result) -> None:
    click.echo(f"{one['kind']} {one['name']} {one['outcome']}: {one['packages']:,} packages")
