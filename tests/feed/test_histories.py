"""Restored, copied, restarted, failed over: who has read what is lost learns it, all others go on.

A cursor is a position and the incarnation of the event there.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from pkgdb import migrate
from pkgdb.server import Server
from tests.behaviour.calls import Calls
from tests.feed.support import begin_elsewhere, publish_and_sequence, told
from tests.servers import base_backup, launching, scratch
from tests.support import libpq_environment, wait_until


def cursor(acme: Calls, position: int) -> tuple[int, object]:
    """Of someone who has read that far."""
    (event,) = acme.rows("read_events", position - 1, 1)
    return event.position, event.incarnation


def read_on(acme: Calls, cursor: tuple[int, object]) -> list[int] | str | None:
    """The positions after a cursor, or the SQLSTATE."""
    try:
        return [row.position for row in acme.rows("read_events", cursor[0], incarnation=cursor[1])]
    except psycopg.Error as error:
        return error.sqlstate


def histories(acme: Calls) -> int:
    (row,) = acme.ask("select count(*) from pkgdb.feed_incarnation where namespace = 'acme'")
    return row.count


def test_the_same_server_goes_on_in_the_same_history(acme, connect):
    for version in "123":
        publish_and_sequence(acme.on(connect()), version)
    assert histories(acme) == 1


def test_a_known_history_is_good_as_far_as_it_is_shared(acme, db):
    """Four histories; the second and the third are without an event of their own."""
    publish_and_sequence(acme, "2", "3")
    old = cursor(acme, 3)
    begin_elsewhere(db)
    publish_and_sequence(acme, "4", "5")
    middle = cursor(acme, 5)
    begin_elsewhere(db)
    publish_and_sequence(acme, "6")
    new = cursor(acme, 6)
    assert len({old[1], middle[1], new[1]}) == 3

    assert read_on(acme, old) == [4, 5, 6]
    assert read_on(acme, (1, old[1])) == [2, 3, 4, 5, 6]
    assert read_on(acme, (4, old[1])) == "RG412"
    assert read_on(acme, middle) == [6]
    assert read_on(acme, (6, middle[1])) == "RG412"
    assert read_on(acme, new) == []
    assert read_on(acme, (0, None)) == [1, 2, 3, 4, 5, 6]
    assert read_on(acme, (3, "00000000-0000-0000-0000-000000000000")) == "RG412"


def test_an_acknowledgement_of_another_history_is_refused(acme, db):
    publish_and_sequence(acme, "2", "3")
    old = cursor(acme, 3)
    acme.register_consumer("indexer")
    begin_elsewhere(db)
    publish_and_sequence(acme, "4")
    assert acme.acknowledge_events("indexer", *old).outcome == "acknowledged"
    with acme.refused("RG412"):
        acme.acknowledge_events("indexer", 4, old[1])
    assert acme.acknowledge_events("indexer", 4).outcome == "acknowledged"


def test_a_database_put_back_to_an_earlier_moment(acme, db, dsn, new_database):
    """As a clone of a backup: what came after it is another history there."""
    publish_and_sequence(acme, "2", "3")
    with_backup = cursor(acme, 3)
    db.close()
    backup = new_database(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])
    with psycopg.connect(dsn, autocommit=True) as production:
        original = Calls(production).at("acme")
        publish_and_sequence(original, "4", "5")
        ahead = cursor(original, 5)
        assert read_on(original, with_backup) == [4, 5]
    with psycopg.connect(backup, autocommit=True) as restored:
        clone = Calls(restored).at("acme")
        assert read_on(clone, with_backup) == []
        assert read_on(clone, ahead) == "RG412"  # before anything happens there
        publish_and_sequence(clone, "other-4", "other-5", "other-6")
        assert read_on(clone, with_backup) == [4, 5, 6]
        assert read_on(clone, ahead) == "RG412"
        # Who keeps only the position never learns that 4 and 5 are others now.
        assert read_on(clone, (ahead[0], None)) == [6]


@pytest.fixture
def acme(dsn: str, db: psycopg.Connection) -> Calls:
    """As elsewhere here; but the tests may close its connection."""
    calls = Calls(db)
    calls.create_repository("acme", "main")
    return calls.at("acme")


def pg_dump(server, dsn: str, *options: str) -> str:
    """An SQL script. The line that newer ones begin with is for psql alone."""
    command = [server.program("pg_dump"), "--no-sync", *options]
    dumped = subprocess.run(
        command, env=libpq_environment(dsn), capture_output=True, text=True, check=True
    )
    return dumped.stdout


def load(server, dsn: str, script: str) -> None:
    command = [server.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    subprocess.run(
        command,
        env=libpq_environment(dsn),
        input=script,
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
    )


def test_a_dump_loaded_elsewhere(acme, dsn, server, empty_dsn):
    """Nothing is lost: consumers go on where they were, in a new history."""
    publish_and_sequence(acme, "2", "3")
    acme.register_consumer("indexer", 2)
    old = cursor(acme, 3)
    load(server, empty_dsn, pg_dump(server, dsn))
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        loaded = Calls(connection).at("acme")
        assert histories(loaded) == 1
        publish_and_sequence(loaded, "4")
        assert histories(loaded) == 2
        assert told(loaded.rows("read_events", consumer="indexer")) == [(3, "3"), (4, "4")]
        assert read_on(loaded, old) == [4]
        assert read_on(loaded, (4, old[1])) == "RG412"
        assert loaded.rows("check_integrity") == []


def test_a_dump_loaded_over_what_came_after_it(acme, dsn, db, server):
    """Same server, same database: an earlier state all the same."""
    publish_and_sequence(acme, "2", "3")
    old = cursor(acme, 3)
    dump = pg_dump(server, dsn, "--schema=pkgdb")
    publish_and_sequence(acme, "4")
    ahead = cursor(acme, 4)
    assert ahead[1] == old[1]
    db.execute("drop schema pkgdb cascade")
    load(server, dsn, dump)
    publish_and_sequence(acme, "another-4", "5")
    assert read_on(acme, old) == [4, 5]
    assert read_on(acme, ahead) == "RG412"


# Servers of their own.


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch() as place:
        yield place


@pytest.fixture
def launch() -> Iterator[Callable[..., Server]]:
    with launching() as launch:
        yield launch


def open_feed(server: Server, opened: ExitStack) -> Calls:
    connection = psycopg.connect(server.dsn(), autocommit=True)
    opened.callback(connection.close)
    return Calls(connection).at("acme")


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def copy_files(source: Path, target: Path) -> None:
    """With their owners: another account may run the server."""
    subprocess.run(["cp", "-a", source, target], check=True)


def test_a_restart_and_a_volume_put_back(folder, launch, opened):
    """No log of the server knows that its files are those of an earlier moment."""
    server = launch(folder / "server")
    migrate.upgrade(server.dsn())
    acme = open_feed(server, opened)
    acme.create_repository("main")
    publish_and_sequence(acme, "2", "3")
    kept = cursor(acme, 3)

    server.stop()
    copy_files(server.data, folder / "earlier")
    server.start()
    acme = open_feed(server, opened)
    publish_and_sequence(acme, "4", "5")
    ahead = cursor(acme, 5)
    assert kept[1] != ahead[1]
    assert read_on(acme, kept) == [4, 5]

    server.stop()
    shutil.rmtree(server.data)
    copy_files(folder / "earlier", server.data)
    server.start()
    acme = open_feed(server, opened)
    assert read_on(acme, ahead) == "RG412"
    publish_and_sequence(acme, "another-4", "another-5", "6")
    assert read_on(acme, kept) == [4, 5, 6]
    assert read_on(acme, ahead) == "RG412"
    assert acme.ask("select * from pkgdb.check_integrity()") == []


def test_a_standby_that_lags_and_then_takes_over(folder, launch, opened):
    """It never heard of the last events: who has read them from the other one learns it."""
    primary = launch(folder / "primary")
    migrate.upgrade(primary.dsn())
    acme = open_feed(primary, opened)
    acme.create_repository("main")
    base_backup(primary, folder / "standby")
    replica = open_feed(launch(folder / "standby"), opened)

    publish_and_sequence(acme, "2", "3")
    wait_until(replica.connection, "select max(position) = 3 from pkgdb.feed_event")
    assert told(replica.rows("read_events")) == [(1, "main"), (2, "2"), (3, "3")]
    kept = cursor(acme, 3)

    # From here on it receives nothing.
    replica.connection.execute("alter system set primary_conninfo = ''")
    replica.ask("select pg_reload_conf()")
    wait_until(replica.connection, "select not exists (select from pg_stat_wal_receiver)")
    publish_and_sequence(acme, "4", "5")
    ahead = cursor(acme, 5)
    # It cannot tell whether it lags or whether that was another history.
    assert read_on(replica, ahead) == []
    assert read_on(replica, kept) == []
    primary.stop()

    replica.ask("select pg_promote()")
    wait_until(replica.connection, "select not pg_is_in_recovery()")
    assert read_on(replica, ahead) == "RG412"
    publish_and_sequence(replica, "another-4", "another-5", "6")
    assert read_on(replica, kept) == [4, 5, 6]
    assert read_on(replica, ahead) == "RG412"
