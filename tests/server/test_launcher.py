import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from stat import S_IMODE

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pkgdb.server import Server, ServerError, default_base, down, up
from tests.support import PATIENCE

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root hands its server to another account")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="a Linux facility")


def ask(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def starter(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process of its own; its standard input is how it is told to end."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; from pkgdb.server import *; {program}"]
        + [str(argument) for argument in arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for_end(pid: int) -> None:
    """Of a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([descriptor], [], [], PATIENCE)
    os.close(descriptor)
    assert ended, f"process {pid} still runs"


def test_starts_stops_and_keeps_what_it_was_given(place: Path) -> None:
    with Server(place / "base") as server:
        assert ask(server.dsn(), "show fsync") == "on"
        assert ask(server.dsn(), "show listen_addresses") == ""
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("create table kept as select 42 as answer")
    assert server.pid is None
    with pytest.raises(psycopg.OperationalError):
        ask(server.dsn(), "select 1")
    with server:
        assert ask(server.dsn(), "select answer from kept") == 42


def test_the_folder_is_private_and_nothing_above_it_changes(place: Path) -> None:
    before = place.stat()
    with Server(place / "base") as server:
        assert S_IMODE(server.base.stat().st_mode) == 0o700
    after = place.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


def test_up_twice_is_one_server_and_down_ends_it(place: Path) -> None:
    base = place / "base"
    first = up(base)
    pid = Server(base).pid
    assert ask(first, "select current_database()") == "pkgdb"
    assert up(base) == first
    assert Server(base).pid == pid
    assert down(base) is True
    assert down(base) is False
    assert Server(base).pid is None


def test_down_of_nothing_makes_no_folder(place: Path) -> None:
    assert down(place / "none") is False
    assert not (place / "none").exists()


def test_many_up_at_once_share_one_server_which_outlives_them(place: Path) -> None:
    base = place / "base"
    starters = [starter("print(up(sys.argv[1]))", base) for _ in range(4)]
    outputs = [process.communicate(timeout=PATIENCE)[0] for process in starters]
    assert [process.returncode for process in starters] == [0] * 4
    assert len(set(outputs)) == 1
    assert ask(outputs[0].strip(), "select 1") == 1


@pytest.mark.parametrize(
    "name",
    ["with space", "with,comma", "it's", "per%cent", "semi;colon", "ünï", "deep/" * 30],
)
def test_any_path_will_do(place: Path, name: str) -> None:
    base = place / name / "base"
    with Server(base, durable=False) as server:
        assert ask(server.dsn(), "select 1") == 1
        host = Path(str(conninfo_to_dict(server.dsn())["host"]))
        if host != base / "run":
            assert S_IMODE(host.stat().st_mode) == 0o700
    assert server.pid is None
    if host != base / "run":
        assert not host.exists()


def test_committed_rows_survive_a_kill_in_mid_load(place: Path) -> None:
    server = Server(place / "base").start()
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("create table load (id int primary key)")
    committed: list[int] = []
    enough = threading.Event()

    def load() -> None:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            for number in range(1_000_000):
                try:
                    connection.execute("insert into load values (%s)", [number])
                except psycopg.OperationalError:
                    return
                committed.append(number)
                if number == 300:
                    enough.set()

    loader = threading.Thread(target=load)
    loader.start()
    assert enough.wait(PATIENCE)
    killed = server.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)  # our own child, which nobody has waited for: a zombie now
    again = Server(place / "base").start()
    loader.join(PATIENCE)
    assert not loader.is_alive()
    assert again.pid not in (None, killed)
    with psycopg.connect(again.dsn()) as connection:
        rows = {row[0] for row in connection.execute("select id from load")}
    assert set(committed) <= rows
    assert len(rows) <= len(committed) + 1  # one may have been committed and not yet answered


def test_starts_again_after_its_starter_and_itself_were_killed(place: Path) -> None:
    base = place / "base"
    parent = starter("print(up(sys.argv[1]), flush=True); input()", base)
    assert parent.stdout is not None
    dsn = parent.stdout.readline().strip()
    with psycopg.connect(dsn) as connection:
        connection.execute("create table kept ()")
    postmaster = Server(base).pid
    assert postmaster is not None
    parent.kill()
    parent.communicate()
    assert Server(base).pid == postmaster
    os.kill(postmaster, signal.SIGKILL)
    assert up(base) == dsn
    assert ask(dsn, "select to_regclass('kept') is not null") is True


@on_linux
def test_a_killed_test_run_leaves_no_server(place: Path) -> None:
    base = place / "base"
    program = "Server(sys.argv[1], durable=False, die_with_parent=True).start(); print(1)"
    parent = starter(f"{program}; sys.stdout.flush(); input()", base)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "1\n"
    postmaster = Server(base).pid
    assert postmaster is not None
    parent.kill()
    parent.communicate()
    wait_for_end(postmaster)
    assert Server(base).pid is None


@on_linux
def test_a_stale_pid_file_may_name_a_stranger(place: Path) -> None:
    server = Server(place / "base", durable=False)
    with server:
        account = server.data.stat()
    # A process of the very account, which PostgreSQL alone would take for the running server.
    stranger = subprocess.Popen(
        ["cat"],
        stdin=subprocess.PIPE,
        cwd="/",
        **({"user": account.st_uid, "group": account.st_gid} if os.geteuid() == 0 else {}),
    )
    (server.data / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data}\n")
    assert server.pid is None
    assert down(server.base) is False
    with server:
        assert ask(server.dsn(), "select 1") == 1
    assert stranger.poll() is None
    stranger.communicate()


def test_a_cluster_that_was_never_finished_is_made_anew(place: Path) -> None:
    base = place / "base"
    (base / "data.new").mkdir(parents=True)
    (base / "data.new" / "PG_VERSION").write_text("15\n")
    (base / "pkgdb.lock").touch()
    with Server(base, durable=False) as server:
        assert ask(server.dsn(), "select 1") == 1


def test_refuses_a_folder_of_something_else_and_leaves_it_alone(place: Path) -> None:
    home = place / "home"
    home.mkdir(mode=0o755)
    (home / "letter.txt").write_text("dear")
    before = home.stat()
    with pytest.raises(ServerError, match="neither empty nor"):
        Server(home).start()
    after = home.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert [path.name for path in home.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("name", ['a "quoted" name', "$HOME", "`id`", "back\\slash", "two\nlines"])
def test_refuses_a_name_that_postgresql_cannot_handle(place: Path, name: str) -> None:
    with pytest.raises(ServerError, match="plainer"):
        Server(place / name).start()
    assert not (place / name).exists()


@as_root
def test_refuses_a_folder_that_its_account_cannot_reach(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ServerError, match="cannot reach"):
        Server(closed / "base").start()
    assert S_IMODE(closed.stat().st_mode) == 0o700


def test_says_what_postgresql_said_when_it_does_not_start(place: Path) -> None:
    with pytest.raises(ServerError, match="no_such_setting"):
        Server(place / "base", durable=False, settings={"no_such_setting": "1"}).start()
    with Server(place / "base", durable=False) as server:
        assert ask(server.dsn(), "select 1") == 1


def test_ignores_the_environment_of_libpq(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGUSER", "nobody-of-that-name")
    with Server(place / "base", durable=False) as server:
        assert ask(server.dsn(), "select current_user::text") == "postgres"


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PKGDB_HOME", str(tmp_path))
    assert default_base() == tmp_path
    monkeypatch.delenv("PKGDB_HOME")
    if os.geteuid() == 0:
        assert default_base() == Path("/var/lib/pkgdb")
    else:
        assert default_base().is_relative_to(Path.home())
