import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pkgdb.server import down
from tests.conftest import scratch_folder


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any account can reach (pytest's own is closed to the server's account)."""
    folder = Path(tempfile.mkdtemp(prefix="pkgdb-place-", dir=scratch_folder()))
    folder.chmod(0o755)
    yield folder
    for lock in folder.rglob("pkgdb.lock"):
        down(lock.parent)
    shutil.rmtree(folder)
