"""`backend`, `publish`, `unpublish` and `worker` on the command line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pkgdb.server import ServerError, find_bindir
from pkgdb.storage import Store
from tests.conftest import scratch_folder
from tests.storage.wheels import wheel
from tests.support import missing, wait_until

HERE = ("--namespace", "acme", "--repository", "main")


@pytest.fixture
def disk(run: Any, registry: Any, tmp_path: Path) -> Path:
    """A folder that the repository keeps its files in."""
    folder = tmp_path / "disk"
    result = run("backend", "add", "disk", folder, *HERE)
    assert result.exit_code == 0, result.stderr
    assert "required for acme/main" in result.stdout
    return folder


def test_publish_and_unpublish(
    run: Any, run_json: Any, disk: Path, tmp_path: Path, copies: Any
) -> None:
    path = wheel(tmp_path)
    result = run("publish", path, *HERE)
    assert (result.exit_code, result.stdout) == (
        0,
        "pypi demo 1.0: created, 1 files, 1 uploaded, 0 found\n",
    )
    (again,) = run_json("publish", path, *HERE)["published"]
    assert (again["outcome"], again["name"], again["version"]) == ("unchanged", "demo", "1.0")
    stored = [path for path in disk.rglob("*") if path.is_file() and path.parent != disk]
    assert [object.read_bytes() for object in stored] == [path.read_bytes()]

    assert run("unpublish", "pkg:pypi/demo@1.0", *HERE).stdout.startswith("deleted; ")
    assert run("unpublish", "pkg:pypi/demo@1.0", *HERE).stdout == "was deleted before\n"
    result = run("worker", "--once", "--purge-after", 0)
    assert result.exit_code == 0
    assert "collect 2" in result.stdout
    assert not stored[0].exists()
    result = run("publish", path, *HERE)
    assert result.exit_code == 2
    assert "RG410" in result.stderr


def test_files_of_one_version_are_published_together(
    run_json: Any, disk: Path, tmp_path: Path
) -> None:
    files = [wheel(tmp_path, tag="py2-none-any"), wheel(tmp_path), wheel(tmp_path, version="2.0")]
    done = run_json("publish", *files, *HERE)["published"]
    assert [(one["version"], len(one["files"]), one["outcome"]) for one in done] == [
        ("1.0", 2, "created"),
        ("2.0", 1, "created"),
    ]


def test_what_cannot_be_published(run: Any, registry: Any, tmp_path: Path) -> None:
    result = run("publish", wheel(tmp_path), *HERE)
    assert result.exit_code == 2
    assert "has no backend" in result.stderr
    assert "pkgdb backend add NAME URL --namespace acme --repository main" in result.stderr
    broken = tmp_path / "demo-1.0-py3-none-any.whl"
    broken.write_bytes(b"no zip")
    result = run("publish", broken, *HERE)
    assert result.exit_code == 2
    assert broken.name in result.stderr


def test_a_repository_with_a_backend_in_one_go(
    run: Any, run_json: Any, dsn: str, tmp_path: Path
) -> None:
    assert run("backend", "add", "disk", tmp_path / "d", "--namespace", "new").exit_code == 0
    where = ("--namespace", "new", "--repository", "r")
    result = run("publish", wheel(tmp_path), *where, "--create", "--backend", "disk")
    assert result.exit_code == 0, result.stderr
    (row,) = run_json("backend", "list")["backends"]
    assert (row["repositories"], row["objects"]) == ({"r": "required"}, 1)
    assert "r: required" in run("backend", "list", "--namespace", "new").stdout


def test_an_optional_backend_that_is_away(
    run: Any, run_json: Any, disk: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    added = run_json("backend", "add", "other", other.as_uri(), *HERE, "--optional")
    assert added["repositories"] == {"main": "optional"}
    shutil.rmtree(other)
    result = run("publish", wheel(tmp_path), *HERE)
    assert result.exit_code == 1
    assert result.stdout.startswith("pypi demo 1.0: created")
    assert "not on other" in result.stderr


def test_the_life_of_a_backend(run: Any, run_json: Any, disk: Path, tmp_path: Path) -> None:
    path = wheel(tmp_path)
    run("publish", path, *HERE)
    first = run_json("backend", "add", "disk", disk, *HERE)
    assert first["outcome"] == "unchanged"
    # Another backend cannot have its store.
    result = run("backend", "add", "twin", disk, *HERE)
    assert result.exit_code == 2
    assert "belongs to live backend 'disk' of 'acme'" in result.stderr
    assert [row["backend"] for row in run_json("backend", "list")["backends"]] == ["disk"]

    adopted = run_json("backend", "adopt", "disk", "--namespace", "acme")
    assert adopted["outcome"] == "adopted"
    assert adopted["installation_id"] != first["installation_id"]
    assert run("backend", "adopt", "nix", "--namespace", "acme").exit_code == 2
    assert run("worker", "--once").exit_code == 0

    result = run("backend", "retire", "disk", "--namespace", "acme")
    assert result.exit_code == 2
    assert "RG423" in result.stderr
    # A file may be needed on the last of a repository's backends.
    other = run("backend", "add", "other", tmp_path / "other", *HERE)
    assert "filling for acme/main: `pkgdb worker` copies" in other.stdout
    assert run("worker", "--once").exit_code == 0
    result = run("backend", "retire", "disk", *HERE)
    assert (result.exit_code, result.stdout) == (0, "disk retired\n")
    assert run("worker", "--once").exit_code == 0
    stored = [path for path in disk.rglob("*") if path.is_file() and path.parent != disk]
    assert stored == []

    # An upload may be on its way there yet; whoever knows better abandons it.
    result = run("backend", "add", "disk", disk, *HERE, "--take-over")
    assert result.exit_code == 2
    assert "belongs to retired backend 'disk' of 'acme'" in result.stderr
    assert run("backend", "retire", "disk", "--namespace", "acme", "--abandon").exit_code == 0
    assert run("worker", "--once").exit_code == 0
    assert [row["backend"] for row in run_json("backend", "list")["backends"]] == ["other"]
    assert run("backend", "add", "disk", disk, *HERE).exit_code == 2
    assert run("backend", "add", "disk", disk, *HERE, "--take-over").exit_code == 0


@pytest.mark.parametrize("url", ["http://example.org/", "s3://user:secret@bucket"])
def test_what_is_no_store(run: Any, registry: Any, url: str, db: psycopg.Connection) -> None:
    result = run("backend", "add", "x", url, *HERE)
    assert result.exit_code == 2
    assert "secret" not in result.stderr
    assert db.execute("select * from pkgdb.backends").fetchall() == []


def test_worker(run: Any, run_json: Any, registry: Any) -> None:
    assert run("worker", "--once", "--task", "nix").exit_code == 2
    assert run_json("worker", "--once", "--task", "sequence")["done"] == {"sequence": 1}
    assert run("worker", "--once", "--namespace", "acme").stdout == "nothing to do\n"


def test_worker_says_what_failed(run: Any, run_json: Any, disk: Path, tmp_path: Path) -> None:
    shutil.rmtree(disk)
    result = run("worker", "--once", "--json")
    assert result.exit_code == 1
    (failure,) = run_json("worker", "--once")["failures"]
    assert "disk" in failure


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_worker_ends_well_when_told_to(
    registry: Any, dsn: str, db: psycopg.Connection, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pkgdb", "worker", "--interval", "600", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PKGDB_DSN": dsn},
    )
    with process:
        wait_until(db, "select waiting = 0 from pkgdb.feed_positions")
        process.send_signal(number)
        said, _ = process.communicate()
        assert process.returncode == 0
    assert '"sequence": 1' in said


@pytest.fixture
def home(spawn: Callable[..., Any]) -> Iterator[Path]:
    try:
        find_bindir()
    except ServerError as error:
        missing(str(error))
    base = tempfile.mkdtemp(prefix="pkgdb-test-cli-", dir=scratch_folder())
    yield Path(base)
    spawn("down", "--base", base)
    shutil.rmtree(base)


def test_on_the_embedded_server_nothing_has_to_be_added(
    spawn: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    environment = {"PKGDB_HOME": str(home)}
    assert spawn("migrate", **environment).returncode == 0
    done = spawn("publish", wheel(tmp_path), *HERE, "--create", **environment)
    assert done.returncode == 0, done.stderr
    assert Store.open((home / "objects" / "acme").as_uri()).folder is not None
    assert len(list((home / "objects" / "acme").glob("acme/*/*"))) == 1
    listed = spawn("backend", "list", **environment)
    assert "objects" in listed.stdout
