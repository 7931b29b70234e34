import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import scratch_folder
from tests.faults.stage import Database, Machine, bucket_server, environment


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A server that may be killed, and two stores: a folder, and a bucket on moto's server."""
    # A name by which a later run finds and removes it, should this one be killed.
    name = f"pkgdb-test-{os.getpid()}-faults-"
    base = Path(tempfile.mkdtemp(prefix=name, dir=scratch_folder()))
    base.chmod(0o755)
    with bucket_server() as address, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(*address).items():
            patch.setenv(name, value)
        machine = Machine(base, address)
        yield machine
        machine.close()
    shutil.rmtree(base)


@pytest.fixture(scope="session")
def database(machine: Machine) -> Iterator[Database]:
    with closing(Database(machine, "faults")) as database:
        yield database
