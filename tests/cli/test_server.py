"""`up`, `down` and the default database: the embedded server, in a folder of the test's own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pkgdb.server import ServerError, find_bindir
from tests.conftest import scratch_folder
from tests.support import missing


@pytest.fixture
def home(spawn) -> Iterator[str]:
    try:
        find_bindir()
    except ServerError as error:
        missing(str(error))
    base = tempfile.mkdtemp(prefix="pkgdb-test-cli-", dir=scratch_folder())
    yield base
    spawn("down", "--base", base)
    shutil.rmtree(base)


def test_up_prints_a_dsn_and_is_the_default(spawn, home):
    up = spawn("up", PKGDB_HOME=home)
    assert up.returncode == 0
    dsn = up.stdout.strip()
    assert spawn("up", "--base", home).stdout.strip() == dsn
    assert spawn("migrate", "--dsn", dsn).returncode == 0
    assert spawn("check", PKGDB_HOME=home).stdout == "no violations\n"

    stopped = spawn("up", "--stop", PKGDB_HOME=home)
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "", "stopped\n")
    assert spawn("down", PKGDB_HOME=home).stderr == "was not running\n"
    # Started when it is needed.
    assert spawn("check", PKGDB_HOME=home).stdout == "no violations\n"


def test_a_folder_of_someone_else_is_refused(spawn, tmp_path):
    (tmp_path / "something").touch()
    refused = spawn("up", "--base", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: ")
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_demo_holds_and_leaves_nothing_behind(spawn, home):
    scratch = Path(home) / "scratch"
    scratch.mkdir(mode=0o755)
    Path(home).chmod(0o755)
    demo = spawn(
        *("demo", "--sample", "--seconds", 2, "--connections", 4),
        TMPDIR=str(scratch),
        COLUMNS="100",
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    said = " ".join(demo.stdout.split())  # whatever was folded
    assert "2 of 2 interrupted, 0 visible" in said
    assert "4 objects, read back: 0 wrong" in said
    assert "dropping what it serves: refused (RG423); as it was frozen: yes" in said
    assert "40 of 40 times one created it" in demo.stdout
    assert "0 violations" in demo.stdout
    assert "not documented" not in demo.stdout
    for name in ("bash", "django", "react"):
        assert name in demo.stdout
    assert list(scratch.iterdir()) == []
