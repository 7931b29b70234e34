"""Dumped here and restored by the newest major version: nothing is lost, and work goes on.

As docs/operations.md says: the roles first, then the database; each server's own programs, since
those of 18.6 dump from 15.20 what they cannot restore.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pkgdb import migrate
from pkgdb.server import Server
from tests.behaviour.calls import Calls, dump
from tests.conftest import existing
from tests.permissions.tour import until, walk
from tests.servers import scratch
from tests.support import ServerUnderTest, libpq_environment

STATE = [*until("prune_events")]  # of every kind something, a consumer in the middle of the feed


@pytest.fixture
def newest() -> Iterator[ServerUnderTest]:
    """A server of the newest major version there is here, with nothing in it."""
    with scratch() as base:
        launched = Server(base, "wheel", durable=False, die_with_parent=True)
        with launched:
            yield existing(launched.dsn(), launched.binaries())


def run(server: ServerUnderTest, program: str, *options: str, dsn: str) -> None:
    """One of the server's programs, on some database."""
    command = [server.program(program), *options]
    subprocess.run(command, env=libpq_environment(dsn), check=True, stdout=subprocess.DEVNULL)


def restore(server: ServerUnderTest, dsn: str, newest: ServerUnderTest, folder: Path) -> str:
    """What docs/operations.md says, and where it is then."""
    roles, archive = str(folder / "roles.sql"), str(folder / "registry.dump")
    run(server, "pg_dumpall", "--roles-only", "--file", roles, dsn=dsn)
    run(server, "pg_dump", "--format=custom", "--file", archive, dsn=dsn)
    # That the roles of the server itself are there already is no error.
    run(newest, "psql", "-X", "-q", "--file", roles, dsn=newest.root_dsn)
    with psycopg.connect(newest.root_dsn, autocommit=True) as admin:
        admin.execute("create database registry")
    restored = newest.dsn("registry")
    run(newest, "pg_restore", "--exit-on-error", "--dbname=registry", archive, dsn=restored)
    return restored


def seen(calls: Calls) -> tuple[object, ...]:
    """What readers and consumers rely on."""
    snapshots = calls.ask("select name, digest, member_count from pkgdb.snapshot order by name")
    digests = [calls.snapshot_digest(snapshot.name) for snapshot in snapshots]
    content = calls.rows("distribution_content", "debian", "stable")
    events = calls.rows("read_events", consumer="indexer")
    return snapshots, digests, content, events, calls.rows("check_integrity")


def test_a_dump_restored_by_the_newest(
    server: ServerUnderTest,
    dsn: str,
    db: psycopg.Connection,
    newest: ServerUnderTest,
    tmp_path: Path,
) -> None:
    walk(db, STATE)
    acme = Calls(db).at("acme")
    acme.seal_snapshots()
    open_one = acme.begin_publication(
        "main", "pypi", "Demo.App", "9.0", files=Jsonb([]), request_key="goes on"
    )
    before, rows = seen(acme), dump(db)
    snapshots, _, content, events, violations = before
    assert snapshots
    assert content
    assert events
    assert not violations
    restored = restore(server, dsn, newest, tmp_path)

    migrate.upgrade(restored)  # as any deployment does
    with psycopg.connect(restored, autocommit=True) as connection:
        there = Calls(connection).at("acme")
        assert seen(there) == before
        assert dump(connection) == rows
        again = there.begin_publication(
            "main", "pypi", "Demo.App", "9.0", files=Jsonb([]), request_key="goes on"
        )
        assert (again.publication_id, again.outcome) == (open_one.publication_id, "resumed")
        there.commit_publication(again.publication_id, again.fence)
        assert there.publish("main", "pypi", "Demo.App", "10.0").outcome == "created"
        assert there.resolve("main", "pypi", "Demo.App", want="latest").version == "10.0"
        there.sequence_events()
        *_, last = there.rows("read_events", consumer="indexer")
        assert (last.name, last.version) == ("Demo.App", "10.0")
        assert there.rows("check_integrity") == []
