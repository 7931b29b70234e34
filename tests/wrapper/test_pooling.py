"""Through pgbouncer, where each transaction may run on another connection of the server."""

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import pkgdb
from tests.servers import scratch
from tests.support import oracle

CONNECTIONS, CLIENTS, VERSIONS, TERMINATIONS = 4, 16, 12, 20
SETTINGS = """\
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
ignore_startup_parameters = extra_float_digits
server_login_retry = 0
logfile = {folder}/log
"""
TERMINATE = """
    select pg_terminate_backend(a.pid)
      from pg_stat_activity a
     where a.datname = current_database() and a.pid <> pg_backend_pid() and a.state = 'active'
     limit 1"""


@pytest.fixture
def pooled(dsn: str) -> Iterator[str]:
    """The DSN of a pgbouncer of the test's own, in front of the database."""
    server = conninfo_to_dict(dsn)
    with scratch() as folder:
        settings = folder / "pgbouncer.ini"
        values = {name: server[name] for name in ("host", "port", "user")}
        settings.write_text(SETTINGS.format(folder=folder, connections=CONNECTIONS, **values))
        account: dict[str, Any] = {}
        if os.geteuid() == 0:  # which it refuses to be
            owner = Path(str(server["host"])).stat()
            os.chown(folder, owner.st_uid, owner.st_gid)
            account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        process = subprocess.Popen(
            [oracle("pgbouncer"), "-q", settings], stderr=subprocess.DEVNULL, **account
        )
        try:
            while not (folder / ".s.PGSQL.6432").exists():
                assert process.poll() is None
            yield make_conninfo(dsn, host=str(folder), port=6432)
        finally:
            process.terminate()
            process.wait()


def insist(call: Callable[[], object]) -> None:
    """Until there is an answer."""
    for attempts_left in reversed(range(100)):
        try:
            call()
        except pkgdb.ConnectionFailed:
            if not attempts_left:
                raise
        else:
            return


def test_sixteen_clients_on_four_connections(pooled: str, dsn: str, db: psycopg.Connection) -> None:
    """Backends are ended under them all the while: whoever was cut off asks again."""
    db.execute("select from pkgdb.create_repository('acme', 'main')")
    published = Event()

    def publish(client: int) -> None:
        with pkgdb.connect(pooled, prepare_threshold=None) as registry:
            main = registry.repository("acme", "main")
            for number in range(VERSIONS):
                for name in ("shared", f"own-{client}"):
                    purl = f"pkg:generic/{name}@{number}.{client}"
                    insist(partial(main.publish, purl, request_key=f"{client} {name} {number}"))

    def terminate() -> int:
        with psycopg.connect(dsn, autocommit=True) as connection:
            ended = 0
            while ended < TERMINATIONS and not published.is_set():
                ended += connection.execute(TERMINATE).rowcount
            return ended

    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        terminating = threads.submit(terminate)
        try:
            list(threads.map(publish, range(CLIENTS)))
        finally:
            published.set()
        ended = terminating.result()
    assert ended > 0
    (versions,) = db.execute("select count(*) from pkgdb.package_versions").fetchone() or (0,)
    assert versions == CLIENTS * VERSIONS * 2
    assert db.execute("select from pkgdb.check_integrity()").rowcount == 0
    # A backend that waits for its next client holds nothing.
    held = "select count(*) = 0 from pg_locks where locktype = 'advisory'"
    assert db.execute(held).fetchone() == (True,)
