"""Pulp #8017, #7594: each repository version has a second copy of its membership; to delete one
takes minutes. Right: a snapshot of a repository is a number, and to drop a snapshot touches what is
its own."""

from collections.abc import Callable

import psycopg
import pytest

from tests.incidents.counting import total, touched
from tests.incidents.curation import (
    delete,
    digest,
    drop,
    freeze,
    in_snapshot,
    item,
    merge,
    publish,
    serve,
)
from tests.incidents.support import Call, World, call

VERSIONS, SNAPSHOTS = 3000, 50


@pytest.fixture(scope="module")
def dsn(new_database: Callable[..., str], template: str) -> str:
    """A large repository with many snapshots, a small one with as many, and merges of each."""
    dsn = new_database(template)
    with psycopg.connect(dsn, autocommit=True) as connection:

        def given(*calls: Call) -> None:
            for each in calls:
                each.execute(connection)

        for repository, size in (("large", VERSIONS), ("small", 3)):
            items = [item(f"pkg{number:05}") for number in range(size)]
            given(
                call("create_repository", "acme", repository),
                call("publish_many", "acme", repository, items),
                *(freeze(f"{repository} {number}", repository) for number in range(SNAPSHOTS)),
                merge(f"{repository} merged", f"{repository} 0", f"{repository} 1"),
            )
        given(*(merge(f"another {number}", "small 0") for number in range(SNAPSHOTS)))
        given(publish("later", "1", "large"))
        connection.execute("analyze")
    return dsn


def rows(connection: psycopg.Connection) -> dict[str, int]:
    """How many each table has."""
    tables = connection.execute("""
        select relname from pg_class
         where relnamespace = 'pkgdb'::regnamespace and relkind = 'r'""").fetchall()
    counted = {}
    for (table,) in tables:
        query = f"select count(*) from pkgdb.{table}"
        (counted[table],) = connection.execute(query.encode()).fetchone() or (0,)
    return counted


def test_no_second_copy(dsn: str) -> None:
    """Ten snapshots are ten rows, and ten events that say so; none of them is large."""
    with psycopg.connect(dsn) as connection:
        before = rows(connection)
        for number in range(10):
            freeze(f"new {number}", "large").execute(connection)
        after = rows(connection)
        (size,) = connection.execute(
            "select max(pg_column_size(s)) from pkgdb.snapshot s"
        ).fetchone() or (0,)
        connection.rollback()
    grown = {table: after[table] - before[table] for table in after}
    assert {table: number for table, number in grown.items() if number} == {
        "snapshot": 10, "outbox": 10,
    }  # fmt: skip
    assert 0 < size < 300


def test_a_merge_is_one_copy(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        before = rows(connection)
        merge("new", "large 0", "large 1").execute(connection)
        after = rows(connection)
        connection.rollback()
    grown = {table: after[table] - before[table] for table in after}
    assert {table: number for table, number in grown.items() if number} == {
        "snapshot": 1, "outbox": 1, "snapshot_source": 2, "snapshot_member": VERSIONS,
    }  # fmt: skip


@pytest.mark.parametrize("repository", ["large", "small"])
def test_dropping_a_number(dsn: str, repository: str) -> None:
    """Whatever it contains, and however many others there are."""
    found = touched(dsn, drop(f"{repository} 7"))
    written = {of: number for (of, how), number in found.items() if how == "written"}
    assert written == {"snapshot": 2, "outbox": 1}
    assert total(found, "read") < 10
    assert {of for of, how in found if how == "read"} <= {"snapshot", "snapshot_source"}


def test_dropping_a_list_beside_larger_ones(dsn: str) -> None:
    found = touched(dsn, drop("small merged"))
    assert total(found, "written", "snapshot_member") == 3
    assert total(found, "written", "snapshot_source") == 2
    assert total(found, "read") < 20
    assert total(found, "written", "package_version") == 0


@pytest.mark.parametrize(
    ("index", "table"),
    [
        (
            "alter table pkgdb.snapshot_member drop constraint snapshot_member_pkey",
            "snapshot_member",
        ),
        ("drop index pkgdb.snapshot_source_source_idx", "snapshot_source"),
    ],
    ids=["members", "sources"],
)
def test_it_reads_what_others_have_without_index(dsn: str, index: str, table: str) -> None:
    found = touched(dsn, drop("small merged"), before=index)
    with psycopg.connect(dsn) as connection:
        all_of_them = rows(connection)[table]
    assert total(found, "read", table) >= all_of_them > 50


def test_dropping_a_large_list_writes_each_member_once(dsn: str) -> None:
    found = touched(dsn, drop("large merged"))
    assert total(found, "written", "snapshot_member") == VERSIONS
    assert total(found, "written", "package_version") == 0
    assert total(found, "read") < 1.5 * VERSIONS


def test_deleting_a_version_that_many_snapshots_have(dsn: str) -> None:
    """It does not matter how many: nothing is written about them, and none is looked at."""
    contained, not_contained = (
        touched(dsn, delete(name, "1", "large")) for name in ("pkg00001", "later")
    )
    assert contained == not_contained
    assert {of for of, _ in contained}.isdisjoint({"snapshot", "snapshot_member"})


def test_a_purge_looks_one_up_for_each_ghost(dsn: str) -> None:
    ghost = delete("pkg00001", "1", "large")
    found = touched(dsn, ghost, call("purge", "acme"))
    assert total(found, "written") == 0
    assert total(found, "read", "snapshot") + total(found, "read", "snapshot_member") < 10


def test_what_is_dropped_leaves_nothing_and_takes_nothing(world: World) -> None:
    """Two snapshots of one repository, and a merge of both: each goes by itself."""
    world.repository()
    world.given(
        call("publish_many", "acme", "main", [item("curl"), item("wget")]),
        freeze("first"),
        delete("curl"),
        freeze("second"),
        merge("both", "first", "second", p_no_remove=True),
        serve(main="both"),
    )
    frozen = digest(world, "both"), digest(world, "second")
    session = world.session()
    assert [session.do(each) for each in (drop("first"), drop("both"))] == ["RG423", "RG423"]
    assert session.do(drop("first", p_force=True)) == "dropped"
    assert (digest(world, "both"), digest(world, "second")) == frozen
    assert session.do(call("purge", "acme")) == "0"  # the merge has it
    world.given(call("drop_distribution", "acme", "", "stable"), drop("both"))
    assert session.do(call("purge", "acme")) == "1"
    assert in_snapshot(world, "second") == ["wget 1"]
    assert world.violated() == set()
