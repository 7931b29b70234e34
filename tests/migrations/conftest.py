from collections.abc import Iterator

import pytest

from pkgdb.server import Server
from tests.conftest import existing
from tests.servers import scratch
from tests.support import ServerUnderTest


@pytest.fixture
def cluster() -> Iterator[ServerUnderTest]:
    """A server of the test's own, where no role of pkgdb's exists yet."""
    with scratch() as base:
        settings = {"max_connections": "60"}
        launched = Server(base, durable=False, die_with_parent=True, settings=settings)
        with launched:
            yield existing(launched.dsn(), launched.binaries())
