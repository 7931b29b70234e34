"""Folders that are rendered."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.support import Served, Site, serve
from tests.conftest import scratch_folder
from tests.projector.conftest import *  # noqa: F403


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
