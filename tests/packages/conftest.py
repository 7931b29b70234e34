"""A registry to publish to what was read."""

from collections.abc import Iterator

import pytest

import pkgdb


@pytest.fixture
def registry(dsn: str) -> Iterator[pkgdb.Registry]:
    with pkgdb.connect(dsn) as registry:
        yield registry
