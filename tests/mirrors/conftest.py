"""Archives, who signs them, and ways to read them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pkgdb
from pkgdb.mirrors import DebianArchive, Limits, MirrorUpdater, transport, updater
from pkgdb.storage import Store
from tests.cli.conftest import run
from tests.mirrors.archives import Archive, Keys, Server, serving
from tests.support import oracle

__all__ = ["run"]  # a fixture


@pytest.fixture(scope="session")
def keys() -> Iterator[Keys]:
    """Secret keys of an archive, of somebody else, and one that was good until 2020."""
    oracle("gpgv")
    # Not below pytest's folder: the path of the agent's socket must be short.
    with tempfile.TemporaryDirectory(prefix="pkgdb-gpg-", ignore_cleanup_errors=True) as home:
        keys = Keys(Path(home))
        keys.make("archive")
        keys.make("other")
        keys.make("old", expire="1y", clock="20190101T000000")
        yield keys
        subprocess.run([oracle("gpgconf"), "--homedir", home, "--kill", "all"], check=True)


@pytest.fixture
def keyring(keys: Keys, tmp_path: Path) -> Path:
    """The archive's public key."""
    path = tmp_path / "archive.gpg"
    path.write_bytes(keys.keyring("archive"))
    return path


@pytest.fixture
def archive(tmp_path: Path, keys: Keys) -> Archive:
    """A signed archive with nothing in it."""
    return Archive(tmp_path / "archive", keys)


@pytest.fixture
def web(archive: Archive) -> Iterator[Server]:
    """The archive over HTTP."""
    archive.folder.mkdir(exist_ok=True)
    with serving(archive.folder) as web:
        yield web


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between the tries are short."""
    monkeypatch.setattr(transport, "_PAUSE", 0.001)
    monkeypatch.setattr(updater, "_SETTLING", (0.0, 0.0, 0.0))
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def settings(archive: Archive, web: Server, keyring: Path) -> dict[str, Any]:
    """What a mirror says of the archive."""
    return {"url": web.url, "distribution": archive.distribution, "keyring": str(keyring)}


class Read:
    """What was read of an archive."""

    def __init__(self, release: str, items: list[Any]) -> None:
        self.release = release
        self.items = items
        self.labels = sorted(f"{i['name']} {i['version']} {i['variant']}" for i in items)


@pytest.fixture
def read(settings: dict[str, Any], tmp_path: Path) -> Callable[..., Any]:
    """Reads all of an archive, as `settings` and `changes` of them say."""

    async def read(
        changes: dict[str, Any] | None = None, limits: Limits | None = None, **options: Any
    ) -> Read:
        folder = tmp_path / "temporary"
        folder.mkdir(exist_ok=True)
        upstream = DebianArchive(settings | (changes or {}), folder, limits, **options)
        release = await upstream.read_release()
        items = [item async for chunk in upstream.items() for item in chunk]
        assert list(folder.iterdir()) == []
        return Read(release, items)

    return read


# With a database


@pytest.fixture
def registry(dsn: str) -> Iterator[pkgdb.Registry]:
    with pkgdb.connect(dsn) as registry:
        yield registry


@pytest.fixture
def mirror(registry: pkgdb.Registry, settings: dict[str, Any]) -> Callable[..., None]:
    """Makes the mirror acme/debian of the archive, or changes what it follows."""

    def mirror(**changes: Any) -> None:
        policy: Any = {"upstream": settings | changes}
        try:
            registry.create_repository("acme", "debian", "mirror", policy=policy)
        except pkgdb.Conflict:
            registry.alter_repository("acme", "debian", policy)

    return mirror


@pytest.fixture
def add_backend(registry: pkgdb.Registry, tmp_path: Path) -> Callable[..., Any]:
    """Makes a folder ready and known, and gives it to the mirror."""

    async def add_backend(name: str = "disk", requirement: str = "required") -> Store:
        url = (tmp_path / name).as_uri()
        store = Store.open(url, create=True)
        await store.claim(registry.add_backend("acme", name, url).installation_id)
        registry.set_repository_backend("acme", "debian", name, requirement)
        return store

    return add_backend


@contextmanager
def empty_again(within: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=within))
    try:
        yield folder
    finally:
        assert list(folder.iterdir()) == []


@pytest.fixture
def update(dsn: str, tmp_path: Path) -> Callable[..., Any]:
    """Updates the mirror; nothing temporary is left."""

    async def update(
        updater: type[MirrorUpdater] = MirrorUpdater,
        *,
        actor: str | None = None,
        request_key: str | None = None,
        progress: Any = None,
        **options: Any,
    ) -> Any:
        with empty_again(tmp_path) as folder:
            async with updater.open(dsn, folder=folder, **options) as opened:
                return await opened.update(
                    "acme", "debian", actor=actor, request_key=request_key, progress=progress
                )

    return update


@pytest.fixture
def content(db: psycopg.Connection) -> Callable[[], list[str]]:
    """What readers see of the mirror."""

    def content() -> list[str]:
        rows = db.execute(
            "select name || ' ' || version || ' ' || variant from pkgdb.package_versions"
            " where namespace = 'acme' and repository = 'debian' order by 1"
        )
        return [label for (label,) in rows]

    return content
