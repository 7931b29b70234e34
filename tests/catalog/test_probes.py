"""Lookups and publishing read a row or two of each table, whatever its size, as the server counts
them; and each index that this needs is missed once it is dropped."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.permissions.tour import PACKAGE, REPOSITORY, Call, perform, walk

LARGE = ["blob", "file", "package_version", "registration", "tombstone"]
MOST = 10  # rows that a call may read of one of them
FILE = {"filename": "new.whl", "sha256": "f" * 64, "size": 1}
CALLS = {
    "latest": Call("resolve", PACKAGE | {"p_want": "latest"}),
    "stable": Call("resolve", PACKAGE | {"p_want": "latest_stable"}),
    "exact": Call("resolve", PACKAGE | {"p_want": "1.77"}),
    "wide": Call("resolve", PACKAGE | {"p_name": "p7", "p_want": "latest"}),
    "page": Call("versions", PACKAGE | {"p_limit": 3}),
    "publish": Call("publish", PACKAGE | {"p_version": "1.5.1", "p_files": [FILE]}),
    "again": Call("publish", PACKAGE | {"p_version": "1.77"}),
    "claim": Call("publish", PACKAGE | {"p_name": "p0.5", "p_version": "1"}),
}
NEEDED = [
    ("registration_name_key", "wide"),
    ("registration_name_key", "publish"),
    ("registration_name_key", "claim"),
    ("package_version_pkey", "latest"),
    ("package_version_pkey", "stable"),
    ("package_version_live_key", "exact"),
    ("package_version_live_key", "publish"),
    ("package_version_live_key", "again"),
    ("package_version_latest_idx", "page"),
    ("package_version_latest_idx", "publish"),
    ("package_version_unlisted_idx", "page"),
    ("package_version_latest_stable_idx", "publish"),
    ("file_pkey", "exact"),
    ("blob_pkey", "exact"),
    ("blob_pkey", "publish"),
    ("tombstone_pkey", "publish"),
]


@pytest.fixture(scope="module")
def db(new_database: Callable[..., str], template: str) -> Iterator[psycopg.Connection[Any]]:
    """A thousand packages, and one with a thousand versions, of which the upper half are
    prereleases; and as many that were deleted. Tests undo what they do."""
    with psycopg.connect(new_database(template), autocommit=True) as db:
        walk(db, [Call("create_repository", REPOSITORY)])
        named = [(f"p{n}", "1") for n in range(1000)]
        named += [("Demo.App", f"1.{n}") for n in range(500)]
        named += [("Demo.App", f"2.0a{n}") for n in range(500)]
        items = [
            {"ecosystem": "pypi", "name": name, "version": version}
            | {"files": [{"filename": f"{n}.whl", "sha256": f"{n:064}", "size": 1}]}
            for n, (name, version) in enumerate(named)
        ]
        perform(db, "publish_many", REPOSITORY | {"p_items": items})
        db.execute("""
            insert into pkgdb.tombstone
            select r.namespace, r.registration_id, '0.' || n, '0.' || n, '', '', '', null, now()
              from pkgdb.registration r, generate_series(1, 1000) n
             where r.normalized_name = 'demo-app'""")
        db.execute("vacuum analyze")
        yield db


def read(db: psycopg.Connection[Any]) -> dict[str, list[int]]:
    """Of each large table, in this transaction: scans of all of it, and rows that came of these and
    of its indexes."""
    rows = db.execute(
        """
        select relname, seq_scan, seq_tup_read, coalesce(idx_tup_fetch, 0)
          from pg_stat_xact_user_tables
         where schemaname = 'pkgdb' and relname = any (%s)""",
        [LARGE],
    ).fetchall()
    assert len(rows) == len(LARGE)
    return {name: numbers for name, *numbers in rows}


def too_much(db: psycopg.Connection[Any], call: Call) -> set[str]:
    """Tables of which it reads more than it is about."""
    before = read(db)
    perform(db, call.function, call.arguments)
    after = read(db)
    found = set()
    for name, now in after.items():
        scans, scanned, fetched = (a - b for a, b in zip(now, before[name], strict=True))
        if scans or scanned + fetched > MOST:
            found.add(name)
    return found


@pytest.fixture(params=["force_custom_plan", "force_generic_plan"])
def planned(
    db: psycopg.Connection[Any], request: pytest.FixtureRequest
) -> Iterator[psycopg.Connection[Any]]:
    """As a function is planned in its first calls, and later on."""
    with db.transaction(force_rollback=True):
        db.execute("select set_config('plan_cache_mode', %s, true)", [request.param])
        yield db


@pytest.mark.parametrize("name", CALLS)
def test_a_call_reads_by_indexes_what_it_is_about(
    planned: psycopg.Connection[Any], name: str
) -> None:
    assert too_much(planned, CALLS[name]) == set()


@pytest.mark.parametrize(("index", "name"), NEEDED)
def test_without_one_of_these_indexes_it_does_not(
    planned: psycopg.Connection[Any], index: str, name: str
) -> None:
    table, constraint = planned.execute(
        """
        select i.indrelid::regclass::text, c.conname
          from pg_index i
          left join pg_constraint c on c.conindid = i.indexrelid and c.contype in ('p', 'u')
         where i.indexrelid = %s::regclass""",
        [f"pkgdb.{index}"],
    ).fetchone() or ("", None)
    if constraint is None:
        planned.execute(sql.SQL("drop index {}").format(sql.Identifier("pkgdb", index)))
    else:
        drop = sql.SQL("alter table {} drop constraint {} cascade")
        planned.execute(drop.format(sql.Identifier(*table.split(".")), sql.Identifier(constraint)))
    assert too_much(planned, CALLS[name]) == {table.removeprefix("pkgdb.")}
