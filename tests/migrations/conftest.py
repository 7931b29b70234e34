import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pkgdb.server import Server
from tests.conftest import existing, scratch_folder
from tests.support import ServerUnderTest


@pytest.fixture
def cluster() -> Iterator[ServerUnderTest]:
    """A server of the test's own, where no role of pkgdb's exists yet."""
    base = Path(tempfile.mkdtemp(prefix=f"pkgdb-test-{os.getpid()}-", dir=scratch_folder()))
    launched = Server(base, durable=False, die_with_parent=True, settings={"max_connections": "60"})
    try:
        with launched:
            yield existing(launched.dsn(), launched.binaries())
    finally:
        shutil.rmtree(base)
