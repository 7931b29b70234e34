"""aptly at 60,000 packages: an edit of one package takes 0.41 s, and a merge of the latest is
quadratic. Right: a snapshot costs the same at any size, an edit what it changes, and a merge of the
latest reads each version so many times. Rows are counted, not seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.incidents import protections
from tests.incidents.counting import Touched, total, touched
from tests.incidents.curation import (
    array,
    copy,
    delete,
    freeze,
    item,
    merge,
    move,
    publish,
    remove,
    select,
    serve,
    switch,
)
from tests.incidents.support import Call, call

SIZES = {"small": 10, "large": 5000}
NEW = ("create_repository", "acme")


@pytest.fixture(scope="module", params=["as loaded", "analysed"])
def dsn(new_database: Callable[..., str], template: str, request: pytest.FixtureRequest) -> str:
    """Two repositories, small and large: two snapshots of each, a distribution, an empty target;
    nothing of it is changed. The planner knows how large the tables are, or does not yet."""
    dsn = new_database(template)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for repository, size in SIZES.items():
            for each in (
                call(*NEW, repository, "hosted", {"reuse": "always"}),
                call(*NEW, f"{repository} target", "hosted", {"reuse": "always"}),
                call("publish_many", "acme", repository, packages(size)),
                freeze(f"{repository} 1", repository),
                freeze(f"{repository} 2", repository),
                serve(repository, main=f"{repository} 1"),
            ):
                each.execute(connection)
        if request.param == "analysed":
            connection.execute("analyze")
    return dsn


def packages(size: int, version: str = "1") -> list[dict[str, object]]:
    return [item(f"pkg{number:05}", version) for number in range(size)]


# The same at any size.

CONSTANT: dict[str, Callable[[str], Call]] = {
    "freeze": lambda r: freeze("new", r),
    "freeze one": lambda r: freeze(
        "new", r,
        p_items=[{"ecosystem": "deb", "name": "pkg00007", "version": "1", "variant": "all"}],
    ),
    "publish": lambda r: publish("new-one", "1", r),
    "publish a version": lambda r: publish("pkg00007", "2", r),
    "publish many": lambda r: call("publish_many", "acme", r, [item("new-one")]),
    "delete": lambda r: delete("pkg00007", "1", r),
    "rename a repository": lambda r: call("rename_repository", "acme", r, "renamed"),
    "serve": lambda r: serve("new", main=f"{r} 1"),
    "switch": lambda r: switch(r, main=f"{r} 2"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONSTANT)
def test_it_costs_the_same_at_any_size(dsn: str, kind: str) -> None:
    small, large = (touched(dsn, CONSTANT[kind](repository)) for repository in SIZES)
    assert small == large
    assert 0 < total(large, "written") < 20
    assert 0 < total(large, "read") < 100


def test_a_list_grows_with_what_is_listed(dsn: str) -> None:
    """What is counted would tell: a snapshot that lists its members is not such a one."""
    listed = {
        repository: touched(dsn, freeze("new", repository, p_items=identities(size)))
        for repository, size in SIZES.items()
    }
    written = {r: total(listed[r], "written", "snapshot_member") for r in SIZES}
    assert written == SIZES


def identities(size: int) -> list[dict[str, object]]:
    return [{key: each[key] for key in ("ecosystem", "name", "version", "variant")}
            for each in packages(size)]  # fmt: skip


# What a query looks for it looks at once; what is written is what changes.

BY_QUERY: dict[str, Callable[[str], Call]] = {
    "copy": lambda r: copy(f"{r} target", r, "pkg00007"),
    "copy from a snapshot": lambda r: call(
        "copy_versions", "acme", f"{r} target", array("pkg00007"), None, f"{r} 1"
    ),
    "move": lambda r: move(f"{r} target", r, "pkg00007"),
    "remove": lambda r: remove(r, "pkg00007"),
    "filter": lambda r: select("new", f"{r} 1", "pkg00007"),
}


@pytest.mark.parametrize("kind", BY_QUERY)
def test_an_edit_by_query_writes_what_it_changes(dsn: str, kind: str) -> None:
    small, large = (touched(dsn, BY_QUERY[kind](repository)) for repository in SIZES)
    assert writes(small) == writes(large)
    assert 0 < total(large, "written") < 20
    versions = total(large, "read", "package_version")
    assert versions <= 4 * (sum(SIZES.values()) + 100)
    assert total(large, "read", "file") < 20


def writes(of: Touched) -> dict[str, int]:
    return {relation: number for (relation, how), number in of.items() if how == "written"}


# A merge of the latest.


@contextmanager
def growing(
    new_database: Callable[..., str], template: str, *removed: str
) -> Iterator[Callable[[int], int]]:
    """Rows that a merge of the latest reads, of two snapshots of so many packages, of which the
    second has each in a higher version. The repositories grow from call to call."""
    dsn = new_database(template)
    with psycopg.connect(dsn, autocommit=True) as connection:
        protections.remove(connection, removed)
        call(*NEW, "left").execute(connection)
        call(*NEW, "right").execute(connection)

        def rows(size: int) -> int:
            for repository, version in (("left", "1"), ("right", "2")):
                each = call("publish_many", "acme", repository, packages(size, version))
                each.execute(connection)
                freeze(f"{repository} {size}", repository).execute(connection)
            connection.execute("analyze")
            found = touched(dsn, merge("new", f"left {size}", f"right {size}", p_latest=True))
            assert total(found, "written", "snapshot_member") == size
            return total(found, "read")

        yield rows


@pytest.mark.slow
def test_merging_the_latest_is_linear(new_database: Callable[..., str], template: str) -> None:
    with growing(new_database, template) as rows:
        few, many = rows(300), rows(3000)
    assert few < many < 14 * few  # ten times as many, and what n log n adds
    assert many < 20 * 2 * 3000


def test_it_is_not_without_one_pass(new_database: Callable[..., str], template: str) -> None:
    """As in aptly: each version is compared with all the others."""
    with growing(new_database, template, "one pass over the sources") as rows:
        few, many = rows(20), rows(200)
    assert many > 25 * few
