"""The rules of docs/concurrency.md as specifications for PostgreSQL's own isolationtester: who
waits for whom, and what the one who waited is told then.

PKGDB_TEST_REWRITE=1 writes what is expected anew, to be looked at.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import ServerUnderTest, missing

HERE = Path(__file__).parent
SPECS = sorted((HERE / "specs").glob("*.spec"))
TESTER = "lib/pgxs/src/test/isolation/isolationtester"


def isolationtester(server: ServerUnderTest) -> Path:
    """That of the server's version, else of another."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True)
    if server.bindir is not None:
        folders.insert(0, server.bindir.parent)
    for folder in folders:
        if (folder / TESTER).exists():
            return folder / TESTER
    missing("isolationtester is not installed (Debian: postgresql-client-15)")
    raise AssertionError


@pytest.mark.parametrize("spec", SPECS, ids=[spec.stem for spec in SPECS])
def test_spec(spec: Path, dsn: str, server: ServerUnderTest) -> None:
    run = subprocess.run(
        [isolationtester(server), dsn],
        input=spec.read_text(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    expected = HERE / "expected" / f"{spec.stem}.out"
    if os.environ.get("PKGDB_TEST_REWRITE"):
        expected.write_text(run.stdout)
    assert run.stdout == expected.read_text()
