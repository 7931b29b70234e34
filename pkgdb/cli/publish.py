"""``publish`` and ``unpublish``."""

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.progress import TransferSpeedColumn as SpeedColumn

from pkgdb.cli.backend import actor_option, add_backend, extra, namespace_option
from pkgdb.cli.database import (
    Connection,
    Failure,
    call,
    connected,
    dsn_option,
    json_option,
    print_json,
    resolved,
)
from pkgdb.cli.load import create_repository, require_repository
from pkgdb.models import File, MissingCopy
from pkgdb.purl import coordinates
from pkgdb.server import default_base

if TYPE_CHECKING:
    from pkgdb.packages import PackageFile
    from pkgdb.storage import Published

_DEFAULT_BACKEND = "objects"
_Package = tuple["PackageFile", Path]


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
)
@dsn_option
@namespace_option
@click.option("--repository", required=True)
@click.option("--create", is_flag=True, help="Create the repository where it is absent.")
@click.option("--backend", "backends", multiple=True, help="Keep its files on this backend too.")
@click.option("--ecosystem", help="Of the files.  [default: what each one looks like]")
@actor_option
@json_option
def publish(
    files: tuple[Path, ...],
    dsn: str | None,
    namespace: str,
    repository: str,
    create: bool,
    backends: tuple[str, ...],
    ecosystem: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Publish packages: wheels, sdists, npm tarballs, crates, gems, .deb and others.

    Name and version are what the files themselves say. The files go to every backend of the
    repository and become visible together, version by version. Whatever interrupts it, run it
    again: it goes on where it was. Exits 1 where an optional backend did not get a file.
    """
    with extra():
        from pkgdb.storage import Publisher  # noqa: F401  # before anything is changed
    packages = _read(files, ecosystem)
    embedded = dsn is None
    dsn = resolved(dsn)
    with connected(dsn) as connection:
        if create:
            create_repository(connection, namespace, repository, actor)
        _ensure_backends(connection, namespace, repository, backends, embedded, actor)

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        SpeedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        done = asyncio.run(
            _publish(dsn, namespace, repository, packages, actor, _Bars(progress, packages))
        )
    if as_json:
        print_json({"published": [_as_json(version, published) for version, published in done]})
    else:
        for version, published in done:
            _print(version, published)
    sys.exit(1 if any(published.failures for _, published in done) else 0)


@click.command()
@click.argument("purl")
@dsn_option
@namespace_option
@click.option("--repository", required=True)
@actor_option
@json_option
def unpublish(
    purl: str,
    dsn: str | None,
    namespace: str,
    repository: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Delete a version, named as pkg:pypi/django@5.0.

    It is invisible at once. Its rows and, where nothing else needs them, its bytes are removed by
    `pkgdb worker`, after the time that --purge-after gives it; until then it can be restored.
    """
    with extra("purl"):
        package = coordinates(purl, variant="")
    with connected(dsn) as connection:
        (deleted,) = call(
            connection,
            "delete_version",
            namespace=namespace,
            repository=repository,
            **package._asdict(),
            actor=actor,
        )
    if as_json:
        print_json(deleted)
    elif deleted["outcome"] == "unchanged":
        click.echo("was deleted before")
    else:
        click.echo("deleted; its bytes are removed later, by `pkgdb worker`")


def _read(files: Iterable[Path], ecosystem: str | None) -> list[list[_Package]]:
    """The files of each version, in the order in which they were given."""
    from pkgdb.packages import PackageError, read_package

    versions: dict[tuple[str, ...], list[_Package]] = {}
    for path in files:
        try:
            package = read_package(path, ecosystem)
        except PackageError as error:
            raise Failure(str(error)) from error
        said = json.dumps(dict(package.metadata), sort_keys=True)
        key = (package.ecosystem, package.name, package.version, package.variant, said)
        versions.setdefault(key, []).append((package, path))
    return list(versions.values())


def _ensure_backends(
    connection: Connection,
    namespace: str,
    repository: str,
    backends: Iterable[str],
    embedded: bool,
    actor: str | None,
) -> None:
    """Gives the repository backends: those that were asked for, else a folder of the server's."""
    wanted = list(backends)
    if not wanted:
        found = connection.execute(
            "select from pkgdb.repository_backends where namespace = %s and repository = %s",
            [namespace, repository],
        )
        if found.fetchone() is not None:
            return
        require_repository(connection, namespace, repository)
        if not embedded:
            raise click.UsageError(
                f"repository {namespace}/{repository} has no backend to keep files on: add one with"
                f" `pkgdb backend add NAME URL --namespace {namespace} --repository {repository}`"
            )
        folder = default_base() / _DEFAULT_BACKEND / _as_folder(namespace)
        add_backend(connection, namespace, _DEFAULT_BACKEND, folder.as_uri(), actor=actor)
        wanted = [_DEFAULT_BACKEND]
    for backend in wanted:
        call(
            connection,
            "set_repository_backend",
            namespace=namespace,
            repository=repository,
            backend=backend,
            actor=actor,
        )


def _as_folder(namespace: str) -> str:
    """A name of its own below any folder, whatever the namespace is called."""
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", namespace):
        return namespace
    return "_" + hashlib.sha256(namespace.encode()).hexdigest()[:40]


class _Bars:
    """A progress bar for each copy that is being made."""

    def __init__(self, progress: Progress, packages: Iterable[list[_Package]]) -> None:
        self._progress = progress
        self._names = {
            package.sha256: package.filename for version in packages for package, _ in version
        }
        self._bars: dict[MissingCopy, TaskID] = {}

    def __call__(self, copy: MissingCopy, sent: int) -> None:
        if copy not in self._bars:
            title = f"{self._names[copy.sha256]} to {copy.backend}"
            self._bars[copy] = self._progress.add_task(title, total=copy.size)
        self._progress.advance(self._bars[copy], sent)


async def _publish(
    dsn: str,
    namespace: str,
    repository: str,
    versions: Iterable[list[_Package]],
    actor: str | None,
    progress: _Bars,
) -> "list[tuple[list[_Package], Published]]":
    from pkgdb.storage import AsyncPublisher

    done = []
    async with AsyncPublisher.open(dsn, progress=progress) as publisher:
        for version in versions:
            first = version[0][0]
            published = await publisher.publish(
                namespace,
                repository,
                first.ecosystem,
                first.name,
                first.version,
                first.variant,
                files=[(File(**package.file_spec()), path) for package, path in version],
                metadata=first.metadata,
                dependencies=first.dependencies,
                actor=actor,
            )
            done.append((version, published))
    return done


def _as_json(version: list[_Package], published: "Published") -> dict[str, Any]:
    first = version[0][0]
    return {
        "ecosystem": first.ecosystem,
        "name": first.name,
        "version": first.version,
        "variant": first.variant,
        "files": [package.filename for package, _ in version],
        **asdict(published),
    }


def _print(version: list[_Package], published: "Published") -> None:
    first = version[0][0]
    variant = f" {first.variant}" if first.variant else ""
    click.echo(
        f"{first.ecosystem} {first.name} {first.version}{variant}: {published.outcome},"
        f" {len(version)} files, {published.uploaded} uploaded, {published.found} found"
    )
    for failure in published.failures:
        click.echo(f"not on {failure.backend}: {failure.error}", err=True)
