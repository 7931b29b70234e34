"""Servers of a test's own: killed as by a power cut, copied to be a standby."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg

from pkgdb.server import Server
from tests.conftest import scratch_folder
from tests.support import libpq_environment, oracle


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that other accounts can reach, gone at the end."""
    place = Path(tempfile.mkdtemp(prefix=f"pkgdb-test-{os.getpid()}-", dir=scratch_folder()))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)


@contextmanager
def launching(*, durable: bool = False) -> Iterator[Callable[..., Server]]:
    """Start a server, with its files in a folder or as they are there. All stop at the end."""
    with ExitStack() as running:

        def launch(base: Path, **settings: str) -> Server:
            server = Server(base, durable=durable, die_with_parent=True, settings=settings)
            running.callback(server.stop)
            return server.start()

        yield launch


def kill(server: Server) -> None:
    """Every process of the server, as a power cut would; its files stay as they are."""
    with psycopg.connect(server.dsn()) as connection:
        others = connection.execute("select pid from pg_stat_activity").fetchall()
    postmaster = server.pid
    assert postmaster is not None
    for pid in [postmaster, *(pid for (pid,) in others)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def base_backup(primary: Server, base: Path) -> None:
    """The files of a standby of a running server."""
    program = primary.binaries() / "pg_basebackup"
    command = [str(program) if program.exists() else oracle("pg_basebackup")]
    command += ["--write-recovery-conf", "--no-sync", "--checkpoint=fast"]
    base.mkdir()
    (base / "pkgdb.lock").touch()
    subprocess.run(
        [*command, "--pgdata", base / "data"],
        env=libpq_environment(primary.dsn()),
        check=True,
    )
    if os.geteuid() == 0:
        owner = primary.data.stat()
        subprocess.run(["chown", "-R", f"{owner.st_uid}:{owner.st_gid}", base], check=True)
