"""Each contender publishes, and what is wrong of what it then says is counted."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from benchmarks.bench import fill
from benchmarks.load import beside, run
from benchmarks.questions.publish import (
    CONTENDERS,
    PKGDB,
    Contender,
    wrong,
)
from pkgdb import migrate
from pkgdb.server import Server
from tests.servers import launching, scratch
from tests.support import missing

PACKAGES = 20
RIGHT = {
    "pkgdb",
    "for_update",
    "for_update_client",
    "serializable",
    "global_lock",
    "nuget_trigger",
    "gitlab",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with scratch() as place, launching() as launch:
        server = launch(place / "server", max_connections="50")
        if not (server.binaries() / "pgbench").exists():
            missing("pgbench, which publishes for the contenders")
        migrate.upgrade(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as db:
            db.execute("select * from pkgdb.create_repository('bench', 'main')")
            fill(db, "'package-' || n", "'0.1.0'", PACKAGES)
            for contender in CONTENDERS:
                contender.install(db)
        yield server


@pytest.fixture
def db(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn(), autocommit=True) as db:
        yield db


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
def test_it_publishes(contender: Contender, server: Server, db: psycopg.Connection) -> None:
    """With several clients on few packages: who is right stays right."""
    (since,) = db.execute("select clock_timestamp()").fetchone() or (None,)
    load = replace(contender.load(f"random(1, {PACKAGES})", 4), tries=100)
    with beside(server, server.dsn(), contender.worker()):
        seen = run(server, server.dsn(), load, seconds=1, warm_up=0, seed=1)
    assert seen.rate > 0
    count = f"select count(*) from {contender.schema}.package_version where created_at >= %s"
    (written,) = db.execute(count.encode(), [since]).fetchone() or (0,)
    assert written >= seen.rate
    found = wrong(db, contender, since)
    assert found["lost"] == 0
    if contender.name in RIGHT:
        assert set(found.values()) == {0}


@pytest.fixture
def spoilt(db: psycopg.Connection) -> Iterator[psycopg.Connection]:
    with db.transaction(force_rollback=True):
        yield db


@pytest.mark.parametrize(
    ("key", "spoil"),
    [
        (
            "wrong",
            "update pkgdb.registration r set latest_version_id = null where r.name = 'package-1'",
        ),
        (
            "wrong",
            "create or replace view peer_pkgdb.latest as"
            " select registration_id, version_id from peer_pkgdb.package_version"
            " union all select registration_id, version_id from peer_pkgdb.package_version"
            " where version = '0.1.0'",
        ),
        (
            "lost",
            "update pkgdb.registration set version_count = version_count - 1"
            " where name = 'package-1'",
        ),
        (
            "misplaced",
            "create view peer_pkgdb.places as"
            " select registration_id, version_id, 0 as place from peer_pkgdb.package_version"
            " union all select registration_id, max(version_id), 0"
            " from peer_pkgdb.package_version group by 1",
        ),
    ],
    ids=["no latest", "two latest", "lost", "misplaced"],
)
def test_what_is_wrong_is_counted(key: str, spoil: str, spoilt: psycopg.Connection) -> None:
    spoilt.execute(spoil.encode())
    found = wrong(spoilt, PKGDB, "1970-01-01")
    assert {each for each, number in found.items() if number} == {key}


def test_ours_is_right_by_the_same_count(db: psycopg.Connection) -> None:
    assert wrong(db, PKGDB, "1970-01-01") == {"wrong": 0, "lost": 0}
