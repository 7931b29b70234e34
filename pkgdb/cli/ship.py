"""Publishes the sample's package files to two stores, one of which is away at first."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from pkgdb.cli.backend import add_backend
from pkgdb.cli.database import Connection, call
from pkgdb.models import File
from pkgdb.packages import PackageFile, read_package
from pkgdb.projector import Projector
from pkgdb.storage import Publisher, Store, StoreError, Worker

_BACKENDS = ("one", "two")


@dataclass
class Shipped:
    """What became of it, in the order in which it happened."""

    interrupted: list[str] = field(default_factory=list)
    visible: int = 0  # then
    published: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    objects: int = 0
    wrong: int = 0
    downloaded: list[str] = field(default_factory=list)

    def fine(self, packages: int) -> bool:
        return (
            len(self.interrupted) == packages
            and not self.visible
            and self.published == ["created"] * packages
            and self.repeated == ["unchanged"] * packages
            and self.objects == packages * len(_BACKENDS)
            and not self.wrong
            and bool(self.downloaded)
        )


def ship(
    connection: Connection, dsn: str, base: Path, namespace: str, repository: str, files: list[Path]
) -> Shipped:
    """Publishes, interrupted by a store that is away; then again, twice; then downloads."""
    for name in _BACKENDS:
        add_backend(connection, namespace, name, (base / name).as_uri())
        call(
            connection,
            "set_repository_backend",
            namespace=namespace,
            repository=repository,
            backend=name,
        )
    packages = [(read_package(path), path) for path in files]
    shipped = Shipped()
    away = base / "away"
    (base / _BACKENDS[1]).rename(away)
    for package, path in packages:
        try:
            _publish(dsn, namespace, repository, package, path)
        except StoreError:
            shipped.interrupted.append(package.name)
    shipped.visible = len(
        connection.execute(
            "select from pkgdb.package_versions where namespace = %s", [namespace]
        ).fetchall()
    )
    away.rename(base / _BACKENDS[1])
    for outcomes in (shipped.published, shipped.repeated):
        for package, path in packages:
            outcomes.append(_publish(dsn, namespace, repository, package, path))

    asyncio.run(Worker(dsn, namespaces=[namespace]).run(once=True))
    for copy in connection.execute(
        "select url, object_key, sha256 from pkgdb.blob_copies where namespace = %s", [namespace]
    ):
        shipped.objects += 1
        found = asyncio.run(Store.open(copy["url"]).digest(copy["object_key"]))
        shipped.wrong += found != copy["sha256"]

    index = base / "index"
    asyncio.run(Projector(index, namespace, repository, dsn).run(once=True))
    with _served(index) as url:
        shipped.downloaded = _pip_download(url, packages, base / "downloaded")
    return shipped


def _publish(dsn: str, namespace: str, repository: str, package: PackageFile, path: Path) -> str:
    return (
        Publisher(dsn)
        .publish(
            namespace,
            repository,
            package.ecosystem,
            package.name,
            package.version,
            package.variant,
            files=[(File(**package.file_spec()), path)],
            metadata=package.metadata,
            dependencies=package.dependencies,
        )
        .outcome
    )


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Says nothing of each request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def _pip_download(url: str, packages: list[tuple[PackageFile, Path]], folder: Path) -> list[str]:
    """The files that pip gets from the index, as far as they are what was published."""
    wanted = [package for package, _ in packages if package.ecosystem == "pypi"]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "-q"),
            *("download", "--no-deps", "--no-cache-dir", "--index-url", f"{url}/simple/"),
            *("--dest", str(folder)),
            *(f"{package.name}=={package.version}" for package in wanted),
        ],
        check=True,
    )
    return [
        package.filename
        for package in wanted
        if read_package(folder / package.filename).sha256 == package.sha256
    ]
