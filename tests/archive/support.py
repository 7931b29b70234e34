"""A folder that is rendered without a database, a web server for it, and apt."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import json
import lzma
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from debian.deb822 import Deb822

import pkgdb
from pkgdb.archive import ArchiveRenderer
from pkgdb.archive.folder import Folder, Place
from pkgdb.archive.listing import Distribution, Entry
from pkgdb.archive.render import edition_of, render
from pkgdb.archive.signer import Signer
from pkgdb.models import BlobLocation, StoredFile
from pkgdb.packages import PackageFile, read_package
from pkgdb.storage import AsyncPublisher
from tests.packages.making import ar, tgz
from tests.support import oracle

PUBLISHED = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def deb(folder: Path, name: str, version: str, architecture: str = "all", **fields: str) -> Path:
    """Writes a package that dpkg can unpack."""
    said = {"Package": name, "Version": version, "Architecture": architecture}
    said |= {"Maintainer": "Some One <one@example.org>", "Description": f"{name} for a test"}
    said |= {field.replace("_", "-"): text for field, text in fields.items()}
    control = "".join(f"{field}: {text}\n" for field, text in said.items())
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}_{version.partition(':')[2] or version}_{architecture}.deb"
    path.write_bytes(
        ar(
            {
                "debian-binary": b"2.0\n",
                "control.tar.gz": tgz({"./control": control}),
                "data.tar.gz": tgz({f"./usr/share/doc/{name}/about": f"{name} {version}\n"}),
            }
        )
    )
    return path


def deb_entry(path: Path, component: str = "main", **changes: Any) -> Entry:
    """A package's file as the content of a distribution."""
    return entry(
        read_package(path).name,
        read_package(path).version,
        path,
        variant=read_package(path).variant,
        component=component,
        metadata=read_package(path).metadata,
        **changes,
    )


def entry(name: str, version: str, *files: Path, **changes: Any) -> Entry:
    """A version with files."""
    said: dict[str, Any] = {
        "component": "main",
        "name": name,
        "normalized_name": name,
        "version": version,
        "identity": version.encode(),
        "variant": "",
        "prerelease": False,
        "listed": True,
        "yank_reason": None,
        "deprecation": None,
        "metadata": {},
        "files": tuple(stored(file) for file in files),
        "published_at": PUBLISHED,
    }
    return Entry(**said | changes)


def stored(path: Path, **attributes: Any) -> StoredFile:
    content = path.read_bytes()
    return StoredFile(
        path.name, hashlib.sha256(content).hexdigest(), len(content), None, attributes, "main"
    )


class Site:
    """A folder with distributions, and a store that has the bytes of their files."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.store = base / "store"
        self.store.mkdir(exist_ok=True)
        self.path = base / "site"
        self.folder = Folder(self.path)
        self.grace = DAY
        self.signer: Signer | None = None
        self.revisions = 0

    def keep(self, path: Path) -> Path:
        """Puts a file into the store."""
        key = hashlib.sha256(path.read_bytes()).hexdigest()
        (self.store / key).write_bytes(path.read_bytes())
        return path

    def deb(self, name: str, version: str, architecture: str = "all", **fields: str) -> Entry:
        """A package whose bytes are in the store."""
        return deb_entry(self.keep(deb(self.base, name, version, architecture, **fields)))

    async def locate(self, sha256: str) -> list[BlobLocation]:
        object_path = self.store / sha256
        if not object_path.exists():
            return []
        size = object_path.stat().st_size
        return [BlobLocation("disk", self.store.as_uri(), sha256, size, 1, None)]

    def distribution(self, distribution: str = "stable", **changes: Any) -> Distribution:
        self.revisions += 1
        said: dict[str, Any] = {
            "namespace": "acme",
            "prefix": "debian",
            "distribution": distribution,
            "distribution_id": 1,
            "ecosystem": "deb",
            "settings": {},
            "revision": self.revisions,
            "components": ("main",),
        }
        return Distribution(**said | changes)

    async def render(
        self, *entries: Entry, distribution: str = "stable", base_url: str | None = None, **to: Any
    ) -> bool:
        """Makes this what a distribution has."""
        given = self.distribution(distribution, **to)
        with self.folder.alone():
            for shelf in self.folder.shelves():
                shelf.mend()
            edition = edition_of(given, entries, self.signer, base_url)
            try:
                return await render(self.folder, given, edition, self.locate, self.grace)
            finally:
                self.clean()

    def drop(self) -> None:
        """Makes it a folder without the distribution."""
        with self.folder.alone():
            for shelf in self.folder.shelves():
                shelf.mend()
            for shelf in self.folder.shelves():
                for place in shelf.places():
                    place.drop()
            self.clean()

    def place(self, link: str = "dists/stable", prefix: str = "debian") -> Place:
        return self.folder.shelf(prefix).place(link)

    def clean(self, later: timedelta = timedelta()) -> None:
        """Cleans up, as it would be done after a while."""
        now = datetime.now(UTC) + later
        for shelf in self.folder.shelves():
            shelf.clean(now.timestamp(), self.grace.total_seconds())

    # What readers see

    def release(self, distribution: str = "stable", prefix: str = "debian") -> Deb822:
        text = (self.path / prefix / "dists" / distribution / "Release").read_text()
        return Deb822(text.splitlines())

    def packages(
        self, index: str = "main/binary-amd64", distribution: str = "stable", prefix: str = "debian"
    ) -> list[Deb822]:
        text = (self.path / prefix / "dists" / distribution / index / "Packages").read_text()
        return list(Deb822.iter_paragraphs(text.splitlines(), use_apt_pkg=False))

    def pool(self, prefix: str = "debian") -> list[str]:
        """The names of the files in the pool."""
        found = (self.path / prefix / "pool").rglob("*")
        return sorted(path.name for path in found if path.is_file())


@dataclass
class Desk:
    """A namespace with repository `main`, whose files are in a folder, and a folder to render."""

    base: Path
    dsn: str
    registry: pkgdb.Registry

    @property
    def site(self) -> Path:
        return self.base / "site"

    async def ship(self, path: Path, repository: str = "main") -> PackageFile:
        """Publishes a package's file."""
        package = read_package(path)
        async with AsyncPublisher.open(self.dsn) as publisher:
            await publisher.publish(
                "acme",
                repository,
                package.ecosystem,
                package.name,
                package.version,
                package.variant,
                files=[(pkgdb.File(**package.file_spec()), path)],
                metadata=package.metadata,
                dependencies=package.dependencies,
            )
        return package

    async def deb(self, version: str, repository: str = "main", name: str = "demo") -> PackageFile:
        """Publishes a package for amd64."""
        return await self.ship(deb(self.base, name, version, "amd64"), repository)

    def serve(self, **components: dict[str, str]) -> None:
        """Makes `debian/stable`, of the repository unless told otherwise."""
        served = components or {"main": {"repository": "main"}}
        self.registry.create_distribution("acme", "debian", "stable", "deb", served)

    async def render(self, folder: Path | None = None, **options: Any) -> dict[str, str]:
        """What became of each distribution."""
        renderer = ArchiveRenderer(folder or self.site, "acme", self.dsn, **options)
        done = await renderer.run(once=True)
        return {"/".join(filter(None, one[:2])): one.outcome for one in done}

    async def render_sequenced(self) -> dict[str, str]:
        """The same, when all that has happened has its place in the feed."""
        self.registry.sequence_events("acme")
        return await self.render()


def index_of(site: Path) -> str:
    """What an archive has of its first component."""
    (path, *_) = sorted((site / "debian/dists/stable").resolve().rglob("Packages"))
    return path.read_text()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and tells the test what was asked for, after it was answered."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, served: Served, **options: Any) -> None:
        self._served = served
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        super().do_GET()
        self.wfile.flush()
        self._served.asked.append(self.path)
        self._served.after(self.path)

    def log_message(self, *arguments: object) -> None:
        pass


@dataclass
class Served:
    """A web server on the loopback interface."""

    url: str
    asked: list[str]
    after: Callable[[str], object]


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Serves a folder, as any web server does."""
    folder.mkdir(exist_ok=True)
    served = Served("", [], lambda path: None)
    handler = partial(Handler, directory=str(folder), served=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


class Apt:
    """apt-get with a state of its own: nothing is installed, and there is one archive."""

    def __init__(self, base: Path, source: str) -> None:
        self._program = oracle("apt-get")
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        self.base = Path(tempfile.mkdtemp(prefix="apt-", dir=base))
        for folder in ("lists/partial", "cache/archives/partial", "trusted", "parts"):
            (self.base / folder).mkdir(parents=True)
        (self.base / "status").touch()
        (self.base / "sources.list").write_text(source + "\n")
        settings = {
            "Dir::State": self.base,
            "Dir::State::lists": self.base / "lists",
            "Dir::State::status": self.base / "status",
            "Dir::Cache": self.base / "cache",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": self.base / "parts",
            "Dir::Etc::sourcelist": self.base / "sources.list",
            "Dir::Etc::sourceparts": self.base / "parts",
            "Dir::Etc::preferencesparts": self.base / "parts",
            "Dir::Etc::trusted": "/dev/null",
            "Dir::Etc::trustedparts": self.base / "trusted",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": 0,
            "Acquire::http::Proxy": "DIRECT",
            "Debug::NoLocking": 1,
        }
        config = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        (self.base / "apt.conf").write_text(config)
        self._environment["APT_CONFIG"] = str(self.base / "apt.conf")

    def __call__(self, *arguments: str) -> str:
        """What it says; empty where it has nothing to complain of."""
        done = subprocess.run(
            [self._program, "--quiet=2", "--assume-yes", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode in (0, 100), done.stdout
        assert (done.returncode == 0) == ("E:" not in done.stdout), done.stdout
        complaints = [line for line in done.stdout.splitlines() if line[:2] in ("E:", "W:")]
        return "\n".join(complaints)

    def update(self) -> str:
        return self("update")

    def download(self, *packages: str) -> str:
        return self("install", "--download-only", *packages)

    def downloaded(self) -> dict[str, bytes]:
        archives = (self.base / "cache" / "archives").glob("*.deb")
        return {path.name: path.read_bytes() for path in archives}


def gets(apt: Apt, *packages: str) -> dict[str, bytes]:
    """What apt downloads when it is told to install these, after an update."""
    assert (apt.update(), apt.download(*packages)) == ("", "")
    found = apt.downloaded()
    apt("clean")
    return found


def pip(base: Path, index: str, what: str) -> dict[str, bytes]:
    """What pip downloads."""
    downloaded = base / "downloaded"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--isolated", "--no-cache-dir", "--no-deps"),
            *("--disable-pip-version-check", "--retries", "0"),
            *("--index-url", index, "--dest", str(downloaded), what),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return {path.name: path.read_bytes() for path in downloaded.iterdir()}


def page(site: Path, path: str) -> dict[str, Any]:
    """A page in JSON."""
    return dict(json.loads((site / path).read_text()))


def check(site: Path, prefix: str = "debian", distribution: str = "stable") -> set[str]:
    """Whether all that an archive names is there and as it says; returns the packages' files.

    As a client reads it: from Release to the indexes by their hashes, to the files.
    """
    root = site / prefix
    tree = (root / "dists" / distribution).resolve()
    release = Deb822((tree / "Release").read_text().splitlines())
    named: set[str] = set()
    for line in release["SHA256"].strip().split("\n"):
        sha256, size, path = line.split()
        by_hash = tree / Path(path).parent / "by-hash" / "SHA256" / sha256
        for index in (tree / path, by_hash):
            assert hashlib.sha256(index.read_bytes()).hexdigest() == sha256, index
            assert index.stat().st_size == int(size)
        if path.endswith("/Packages"):
            for suffix, opened in ((".gz", gzip.open), (".xz", lzma.open)):
                with opened(tree / f"{path}{suffix}") as packed:
                    assert packed.read() == by_hash.read_bytes()
            lines = by_hash.read_text().splitlines()
            for package in Deb822.iter_paragraphs(lines, use_apt_pkg=False):
                content = (root / package["Filename"]).read_bytes()
                assert hashlib.sha256(content).hexdigest() == package["SHA256"]
                assert len(content) == int(package["Size"])
                named.add(Path(package["Filename"]).name)
    return named


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and link below a folder: which it is, and when it was last written."""
    return {
        path.relative_to(folder).as_posix(): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }
