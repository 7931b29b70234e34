"""Servers of a test's own: killed as by a power cut, copied to be a standby."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg

from pkgdb.server import Server
from tests.support import libpq_environment, oracle


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
