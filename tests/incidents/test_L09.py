"""crates.io #13749, and JSR: versions ordered as text in the database's collation put 1.0.0-B above
1.0.0-alpha, and 2.0.0 below 2.0.0-0. Right: keys that compare byte by byte, in no collation."""

from functools import partial
from itertools import pairwise

import psycopg
import pytest
from psycopg import sql

from pkgdb import migrate
from tests.incidents.support import Package, World
from tests.support import ServerUnderTest

SERDE = Package("cargo", "serde")

# In ascending order of SemVer 2.0.0.
VERSIONS = [
    "1.0.0-B",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.9.0",
    "1.10.0",
    "2.0.0-0",
    "2.0.0",
]


def climb(world: World) -> list[str]:
    """Every neighbouring pair, published in either order: the versions that came out as latest."""
    highest = []
    for number, (lower, higher) in enumerate(pairwise(VERSIONS)):
        for order in (lower, higher), (higher, lower):
            package = Package("cargo", f"serde-{number}-{order.index(higher)}")
            world.given(*(package("publish", version) for version in order))
            highest.append(world.latest(package)[0])
    return highest


RIGHT = [version for version in VERSIONS[1:] for _ in range(2)]


def test_holds(world: World) -> None:
    world.repository()
    assert climb(world) == RIGHT
    world.given(*(SERDE("publish", version) for version in sorted(VERSIONS)))
    listed = world.db.execute(
        "select version from pkgdb.versions('acme', 'main', 'cargo', 'serde')"
    )
    assert [version for (version,) in listed] == VERSIONS[::-1]
    assert world.violated() == set()


def test_fails_without_byte_order(world: World) -> None:
    """Text as a language orders it: case aside, and the shorter one first."""
    world.repository()
    latest = climb(world.without("byte order"))
    wrong = {right for right, found in zip(RIGHT, latest, strict=True) if right != found}
    assert {"1.0.0-alpha", "2.0.0"} <= wrong


def test_holds_in_a_database_of_another_language(
    server: ServerUnderTest, admin: psycopg.Connection, request: pytest.FixtureRequest
) -> None:
    """Where text compares in English by default, nothing of pkgdb's does."""
    name = f"pkgdb_english_{admin.info.backend_pid}"
    statement = "create database {} template template0 locale_provider icu icu_locale 'en-US'"
    try:
        admin.execute(sql.SQL(statement).format(sql.Identifier(name)))
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server was built without ICU")
    drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
    request.addfinalizer(lambda: admin.execute(drop))
    migrate.upgrade(server.dsn(name))

    connect = partial(psycopg.connect, server.dsn(name), autocommit=True)
    with connect() as db, World(db, connect) as world:
        assert db.execute("select 'a' < 'B'").fetchone() == (True,)
        world.repository()
        assert climb(world) == RIGHT
        assert world.violated() == set()


def test_no_indexed_column_has_a_collation(world: World) -> None:
    """But for "C": else an upgrade of the C library could put an index out of order."""
    collated = world.db.execute(
        """
        select distinct i.indrelid::regclass::text, a.attname, c.collname
          from pg_index i
          cross join lateral unnest(i.indcollation) n (collation_id)
          join pg_collation c on c.oid = n.collation_id
          join pg_attribute a on a.attrelid = i.indexrelid and a.attcollation = c.oid
          join pg_class t on t.oid = i.indrelid
         where t.relnamespace = 'pkgdb'::regnamespace and c.collname <> 'C'
           and t.relname <> 'alembic_version'  -- the migration tool's own, of one row
        """
    ).fetchall()
    assert collated == []
