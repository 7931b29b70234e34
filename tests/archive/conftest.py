"""Folders that are rendered."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pkgdb
from tests.archive.support import Desk, Served, Site, serve
from tests.conftest import scratch_folder
from tests.permissions.conftest import logins
from tests.storage.conftest import add_backend, bucket_url, registry, s3, s3_endpoint

__all__ = ["add_backend", "bucket_url", "logins", "registry", "s3", "s3_endpoint"]  # fixtures


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder where it costs little to be sure that what was written is on the disk."""
    with tempfile.TemporaryDirectory(prefix="pkgdb-archive-", dir=scratch_folder()) as folder:
        yield Path(folder)


@pytest.fixture
def site(base: Path) -> Site:
    return Site(base)


@pytest.fixture
def served(site: Site) -> Iterator[Served]:
    with serve(site.path) as served:
        yield served


@pytest.fixture
async def desk(
    base: Path, dsn: str, registry: pkgdb.Registry, add_backend: Callable[..., Any]
) -> Desk:
    await add_backend("disk", (base / "store").as_uri())
    return Desk(base, dsn, registry)
