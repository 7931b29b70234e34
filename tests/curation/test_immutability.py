"""A snapshot never changes: its digest and its listing are the same after whatever was done since.

Every function that changes something is called once beside snapshots of everything; then a long
history takes snapshots as it goes. The same is done where a protection is missing, and shows.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from tests.behaviour.calls import Calls, file
from tests.curation.support import add, package
from tests.incidents import mutators, protections
from tests.incidents.protections import Edit
from tests.incidents.support import World, call

AS_FROZEN = """
    select jsonb_agg(jsonb_build_object(
               'ecosystem', ecosystem, 'name', name, 'version', version, 'variant', variant,
               'metadata', metadata, 'files', files))
      from pkgdb.search_versions(%s, p_snapshot => %s, p_files => true)"""
Frozen = tuple[str, Any]
"""A digest, and all that is listed of what is frozen."""


def look(connection: psycopg.Connection[Any], namespace: str, snapshot: str) -> Frozen:
    place = [namespace, snapshot]
    (digest,) = connection.execute("select pkgdb.snapshot_digest(%s, %s)", place).fetchone() or (
        "",
    )
    (listing,) = connection.execute(AS_FROZEN, place).fetchone() or (None,)
    return digest, listing


# -- each function ---------------------------------------------------------------------------------

REPOSITORIES = ["main", "kept", "shared", "side", "brought"]
LISTED = [
    {"ecosystem": "npm", "name": "left-pad", "version": version}
    for version in ("0.1.0", "1.0.0", "2.0.0")
]


@pytest.fixture(scope="module")
def prepared(new_database: Callable[..., str], template: str) -> Iterator[psycopg.Connection[Any]]:
    """The state in which each function succeeds, with snapshots of each kind beside it."""
    dsn = new_database(template)
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        with World(connection, lambda: connection) as world:
            mutators.prepare(world)
            merged = "{frozen main,frozen kept,frozen side}"
            world.given(
                call("commit_mirror_update", "acme", mutators.BROUGHT, 1),
                call("begin_mirror_update", "acme", "brought"),
                *(call("create_snapshot", "acme", f"frozen {name}", name) for name in REPOSITORIES),
                call("create_snapshot", "acme", "frozen list", "main", LISTED),
                call("create_snapshot", "acme", "frozen nothing"),
                call("merge_snapshots", "acme", "frozen merge", merged),
                call("merge_snapshots", "acme", "frozen latest", merged, p_latest=True),
                call("pull_snapshot", "acme", "frozen pull", "frozen kept", "one", "{left-pad}"),
                call("filter_snapshot", "acme", "frozen filter", "two", "{Name}"),
                call("rename_snapshot", "acme", "frozen latest", "frozen renamed"),
            )
            world.given(call("merge_snapshots", "acme", "frozen copy", "{frozen pull}"))
        yield connection


def snapshots(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "select snapshot from pkgdb.snapshots where snapshot like 'frozen %' order by 1"
    )
    return [name for (name,) in rows]


CALLS = {name: mutator.call for name, mutator in mutators.ALL.items()} | {
    # The update of the first one is committed, and another one of it is open.
    "commit_mirror_update": call("commit_mirror_update", "acme", mutators.BROUGHT + 1, 1),
    "drop_snapshot": call("drop_snapshot", "acme", "one", p_force=True),
}
CLEANING = [call("purge", "acme"), call("collect_blobs", "acme")]


@pytest.mark.parametrize("function", CALLS)
def test_no_function_changes_a_snapshot(prepared: psycopg.Connection[Any], function: str) -> None:
    before = {name: look(prepared, "acme", name) for name in snapshots(prepared)}
    assert len(before) == len(REPOSITORIES) + 7
    prepared.execute("begin")
    try:
        CALLS[function].execute(prepared)
        for cleaning in CLEANING:
            cleaning.execute(prepared)
        after = {name: look(prepared, "acme", name) for name in before}
    finally:
        prepared.execute("rollback")
    assert after == before


def test_there_is_a_call_of_each(prepared: psycopg.Connection[Any]) -> None:
    assert mutators.public_mutators(prepared) == CALLS.keys()


# -- a history -------------------------------------------------------------------------------------


class History:
    """What happens to a namespace, and the snapshots that are taken meanwhile."""

    def __init__(self, connection: psycopg.Connection[Any], namespace: str) -> None:
        self.connection = connection
        self.namespace = namespace
        self.api = Calls(connection, (namespace,))
        self.taken: dict[str, Frozen] = {}

    def take(self, name: str, repository: str | None = None, items: Any = None) -> None:
        self.api.create_snapshot(name, repository, items)
        self.note(name)

    def note(self, name: str) -> None:
        self.api.seal_snapshots()
        self.taken[name] = look(self.connection, self.namespace, name)

    def changed(self) -> list[str]:
        return [
            name for name, frozen in self.taken.items()
            if look(self.connection, self.namespace, name) != frozen
        ]  # fmt: skip

    def update(self, *packages: dict[str, Any], release: str) -> None:
        """Bring the mirror to this."""
        update = self.api.begin_mirror_update("up", release)
        self.api.stage_mirror_items(update.update_id, update.fence, [*packages])
        self.api.commit_mirror_update(update.update_id, update.fence)

    def happen(self) -> Iterator[str]:
        """Step by step."""
        api = self.api
        api.create_repository("main", policy={"reuse": "always", "keep_versions": 3})
        api.create_repository("side", policy={"reuse": "always"})
        api.create_repository("up", "mirror")
        main, side = api.at("main"), api.at("side")
        demo, curl = ("pypi", "demo", "1.0"), ("deb", "curl", "1", "all")
        self.take("nothing")
        self.take("empty", "main")

        main.publish(*demo, files=[file("demo.tar.gz"), file("demo.whl")])
        add(api, "main", "curl 1", package("curl 2", depends="libcurl"), "libcurl 1")
        self.update(package("nano 1"), package("vim 1"), release="monday")
        self.take("first", "main")
        self.take("mirror", "up")
        self.take("list", "main", [{"ecosystem": "pypi", "name": "demo", "version": "1"},
                                   {"ecosystem": "deb", "name": "curl", "version": "1",
                                    "variant": "all"}])  # fmt: skip
        yield "published"

        main.add_files(*demo, files=[file("demo.egg")])
        main.delete_file(*demo, filename="demo.whl")
        self.take("second", "main")
        yield "other files"

        main.delete_version(*curl)
        self.take("third", "main")
        api.merge_snapshots("merge", ("first", "third", "mirror"))
        api.merge_snapshots("all", ("first", "second"), no_remove=True)
        api.merge_snapshots("latest", ("third", "first"), latest=True)
        api.pull_snapshot("pull", "mirror", "first", ("curl (= 2)",))
        api.filter_snapshot("filter", "first", ("$Ecosystem (deb)",))
        for made in ("merge", "all", "latest", "pull", "filter"):
            self.note(made)
        yield "deleted"

        api.purge()
        api.rows("collect_blobs")
        yield "purged"

        main.restore_version("pypi", "demo", "1.0")
        add(api, "main", package("curl 1", content="built again"))
        self.take("fourth", "main")
        main.yank("deb", "curl", "2", "all")
        main.quarantine(*curl)
        main.deprecate("deb", "libcurl", "1", "all", message="old")
        main.set_tag(*demo, tag="checked")
        yield "published again, and decided about"

        self.update(package("nano 1", content="built again"), package("vim 2"), release="tuesday")
        self.take("mirror later", "up")
        yield "mirror updated"

        main.release_quarantine(*curl)
        side.copy_versions(("Name",), from_snapshot="first")
        self.take("side", "side")
        side.remove_versions(("curl (= 2)",))
        main.move_versions("side", ("libcurl",))
        add(api, "main", *(f"curl {version}" for version in range(3, 9)))
        main.apply_retention()
        yield "copied, moved, removed, kept few"

        api.rename_repository("main", "attic")
        api.create_repository("main", policy={"reuse": "always"})
        add(api, "main", "curl 1", "other 1")
        api.rename_snapshot("second", "renamed")
        self.taken["renamed"] = self.taken.pop("second")
        api.drop_snapshot("third", force=True)
        del self.taken["third"]
        yield "renamed, and made again"

        for (registration_id,) in api.ask(
            "select registration_id from pkgdb.registration where namespace = %s order by 1",
            self.namespace,
        ):
            api.upgrade_scheme(registration_id)
        api.purge()
        yield "upgraded, and purged"

        api.create_distribution("", "stable", "deb", {"main": {"snapshot": "merge"}})
        for repository in ("attic", "up", "side"):
            api.drop_repository(repository, force=True)
        api.switch_distribution("", "stable", {"main": {"snapshot": "pull"}})
        yield "dropped"

        for _ in range(3):
            api.purge()
            api.rows("collect_blobs")
        api.drop_distribution("", "stable")
        yield "swept away"


@pytest.fixture
def history(new_database: Callable[..., str], template: str) -> Iterator[History]:
    with psycopg.connect(new_database(template), autocommit=True) as connection:
        yield History(connection, "acme")


def test_nothing_changes_them(history: History) -> None:
    steps = 0
    for step in history.happen():
        assert history.changed() == [], step
        assert history.api.rows("check_integrity") == [], step
        steps += 1
    assert (steps, len(history.taken)) == (11, 14)
    same: dict[str, list[str]] = {}
    for name, (digest, _) in history.taken.items():
        same.setdefault(digest, []).append(name)
    twins = [names for names in same.values() if len(names) > 1]
    assert twins == [["nothing", "empty"], ["first", "side"], ["all", "renamed"]]


def test_what_they_contain_goes_with_them(history: History) -> None:
    """With the last one of them, and not before."""
    for _ in history.happen():
        pass
    api = history.api
    for snapshot in history.taken:
        api.drop_snapshot(snapshot, force=True)
    api.drop_repository("main")
    for _ in range(3):
        api.purge()
        api.rows("collect_blobs")
    tables = ["package_version", "file", "blob", "dependency", "snapshot", "repository"]
    left = [api.ask(f"select count(*) from pkgdb.{table}") for table in tables]
    assert left == [[(0,)]] * len(tables)


def of_both(pattern: str, replacement: str) -> tuple[Edit, ...]:
    """Where a snapshot's versions are read: to look at, and to make others of."""
    return tuple(
        Edit(function, pattern, replacement) for function in ("snapshot_members", "snapshot_rows")
    )


# What is taken away, and which snapshots are then not what they were.
POINTERS = ["first", "renamed", "fourth", "mirror", "mirror later", "side"]
NO_MEMBER_KEY = "alter table pkgdb.snapshot_member drop constraint snapshot_member_version_fkey"
MISSING: dict[str, tuple[tuple[str | Edit, ...], set[str]]] = {
    "pins": (
        (*protections.REMOVALS["pins"], NO_MEMBER_KEY),
        {*POINTERS, "list", "merge", "all", "latest", "pull", "filter"},
    ),
    "what was added later is left out": (
        of_both(r"o\.added_epoch <= p_snapshot\.epoch", "o.added_epoch is not null"),
        {"empty", "first", "renamed", "mirror"},
    ),
    "what was removed later is there": (
        of_both(r"or o\.removed_epoch > p_snapshot\.epoch", "or false"),
        set(POINTERS),
    ),
    "files that came later are left out": (
        (Edit("member_digests", r"o\.added_epoch <= m\.epoch", "true"),),
        {"first", "list"},
    ),
    "files that went later are there": (
        (Edit("member_digests", r"or o\.removed_epoch > m\.epoch", "or false"),),
        {*POINTERS, "list", "merge", "all", "latest", "pull", "filter"},
    ),
    "an epoch ends with its snapshot": (
        (
            Edit("create_snapshot", r"set epoch = r\.epoch \+ 1", "set epoch = r.epoch"),
            NO_MEMBER_KEY,
        ),
        {*POINTERS, "list", "merge", "all", "latest", "pull", "filter"},
    ),
}


@pytest.mark.parametrize("protection", MISSING)
def test_they_change_without(history: History, protection: str) -> None:
    steps, expected = MISSING[protection]
    for step in steps:
        if isinstance(step, Edit):
            protections.edit(history.connection, step)
        else:
            history.connection.execute(step.encode())
    for _ in history.happen():
        pass
    assert set(history.changed()) == expected
    found = {row.promise for row in history.api.rows("check_integrity")}
    assert "immutable snapshots" in found
