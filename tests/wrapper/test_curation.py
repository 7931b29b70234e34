"""Mirrors, snapshots and distributions, on every kind of connection."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

import pkgdb

URL = "http://deb.example.org/debian"
DISK = "file:///srv/objects"


def depends(name: str, *constraints: tuple[str, str]) -> dict[str, Any]:
    alternative = {"name": name, "constraints": [list(one) for one in constraints]}
    return {"kind": "depends", "alternatives": [alternative]}


def deb_file(name: str, version: str, content: str = "") -> pkgdb.File:
    filename = f"{name}_{version}_amd64.deb"
    digest = hashlib.sha256(f"{filename} {content}".encode()).hexdigest()
    path = {"path": f"pool/main/{filename}"}
    return pkgdb.File(filename, digest, 10, attributes=path)


def deb(name: str, version: str, *dependencies: dict[str, Any], content: str = "") -> pkgdb.Item:
    files = [deb_file(name, version, content)]
    return pkgdb.Item("deb", name, version, "amd64", files=files, dependencies=dependencies)


def added(*versions: tuple[str, str], action: str = "add") -> list[dict[str, str]]:
    return [
        {"action": action, "ecosystem": "deb", "name": name, "version": version, "variant": "amd64"}
        for name, version in versions
    ]


def removed(*versions: tuple[str, str]) -> list[dict[str, str]]:
    return added(*versions, action="remove")


def named(rows: list[Any]) -> list[tuple[str, str]]:
    return [(row.name, row.version) for row in rows]


STABLE = [deb("app", "1.0", depends("libapp", (">=", "1.0"))), deb("libapp", "1.0")]
TESTING = [
    deb("app", "2.0", depends("libapp", (">=", "2.0"), ("<<", "3"))),
    deb("extra", "1.0"),
    deb("libapp", "2.0"),
]
OLD, NEW = [("app", "1.0"), ("libapp", "1.0")], [("app", "2.0"), ("libapp", "2.0")]


@pytest.fixture
def stocked(opened: Any) -> Any:
    """Two repositories, `stable` and `testing`, and a snapshot of each, named as it is."""
    for name, items in (("stable", STABLE), ("testing", TESTING)):
        repository = opened.registry.repository("acme", name)
        repository.create()
        opened.commit()
        repository.publish_many(items)
        opened.commit()
        made = repository.create_snapshot(name, description=f"all of {name}")
        assert (made.members, made.changes, made.outcome) == (None, None, "created")
        opened.commit()
    return opened


@pytest.fixture
def refused(registry: Any) -> Callable[..., None]:
    """Each in a block of its own, which a caller's transaction survives."""

    def check(expected: type[pkgdb.PkgdbError], method: str, *args: Any, **kwargs: Any) -> None:
        with pytest.raises(expected), registry.transaction() as tx:
            getattr(tx, method)("acme", *args, **kwargs)

    return check


def test_dependencies_are_kept(opened: Any, db: psycopg.Connection) -> None:
    repo = opened.registry.repository("acme", "main")
    repo.create()
    relations = [depends("libc6", (">=", "2.34")), depends("bash")]
    what = ("deb", "app", "1.0", "amd64")
    assert repo.publish(*what, dependencies=iter(relations)).outcome == "created"
    assert repo.publish(*what, dependencies=relations).outcome == "unchanged"
    begun = repo.begin_publication("deb", "app", "2.0", "amd64", dependencies=relations[:1])
    opened.registry.commit_publication("acme", begun.publication_id, begun.fence)
    opened.commit()
    repo.publish_many(
        [
            pkgdb.Item("deb", "app", "3.0", "amd64", dependencies=relations[1:]),
            {"ecosystem": "deb", "name": "app", "version": "4.0", "dependencies": relations[1:]},
        ]
    )
    opened.commit()
    in_database = db.execute(
        "select version, kind, relation from pkgdb.dependencies order by version, position"
    ).fetchall()
    assert in_database == [
        ("1.0", "depends", "libc6 (>= 2.34)"),
        ("1.0", "depends", "bash"),
        ("2.0", "depends", "libc6 (>= 2.34)"),
        ("3.0", "depends", "bash"),
        ("4.0", "depends", "bash"),
    ]
    with pytest.raises(pkgdb.Conflict):
        repo.publish(*what, dependencies=relations[:1])


def test_the_life_of_a_mirror(opened: Any, refused: Callable[..., None]) -> None:
    registry = opened.registry
    upstream: pkgdb.UpstreamPolicy = {"url": URL, "distribution": "stable"}
    mirror = registry.repository("acme", "mirror")
    mirror.create("mirror", pkgdb.Policy(upstream=upstream))
    registry.add_backend("acme", "disk", DISK)
    opened.commit()
    mirror.set_backend("disk")
    opened.commit()
    refused(pkgdb.InvalidState, "create_snapshot", "too-soon", "mirror")

    begun = mirror.begin_mirror_update("r1", lease=timedelta(minutes=30), actor="me")
    assert isinstance(begun, pkgdb.MirrorRef)
    assert (begun.outcome, begun.state, begun.staged, begun.report) == ("begun", "open", 0, None)
    assert begun.upstream == upstream
    assert isinstance(begun.lease_until, datetime)
    other = mirror.begin_mirror_update("r1", actor="another")
    assert (other.outcome, other.update_id, other.fence) == ("in_progress", begun.update_id, None)

    me = ("acme", begun.update_id, begun.fence)
    first, second = STABLE
    assert registry.stage_mirror_items(*me, [first]).staged == 1
    staged = registry.stage_mirror_items(*me, iter([second.as_json()]))
    assert (staged.outcome, staged.staged) == ("staged", 2)
    longer = registry.stage_mirror_items(*me, [], timedelta(hours=1))
    assert (longer.staged, longer.lease_until > staged.lease_until) == (2, True)
    refused(pkgdb.StaleRevision, "stage_mirror_items", begun.update_id, begun.fence + 1, [])
    refused(pkgdb.Conflict, "stage_mirror_items", *me[1:], [deb("app", "1.0", content="other")])

    copy, _ = copies = registry.missing_mirror_copies(*me)
    file = deb_file("app", "1.0")
    assert copy == pkgdb.MirrorCopy(
        backend="disk",
        url=DISK,
        object_key=copy.object_key,
        sha256=file.sha256,
        size=10,
        generation=copy.generation,
        requirement="required",
        path="pool/main/app_1.0_amd64.deb",
    )
    assert registry.missing_mirror_copies(*me, limit=1) == [copy]
    refused(pkgdb.InvalidState, "commit_mirror_update", *me[1:])
    for one in copies:
        which = (*me, one.backend, one.sha256, one.generation)
        recorded = registry.record_mirror_copy(*which)
        assert recorded == pkgdb.CopyRef("disk", one.sha256, one.generation, "present", "recorded")
        assert registry.record_mirror_copy(*which).outcome == "unchanged"
    assert registry.missing_mirror_copies(*me) == []
    opened.commit()
    done = registry.commit_mirror_update(*me, actor="me")
    assert (done.outcome, done.state) == ("committed", "committed")
    assert done.report["added"] == 2
    opened.commit()
    assert registry.commit_mirror_update(*me).outcome == "unchanged"
    there = mirror.begin_mirror_update("r1")
    assert (there.outcome, there.update_id) == ("unchanged", None)
    refused(pkgdb.InvalidState, "stage_mirror_items", *me[1:], [])
    opened.commit()
    assert mirror.create_snapshot("in-time").outcome == "created"
    opened.commit()

    begun = mirror.begin_mirror_update("r2", request_key="k")
    held = mirror.begin_mirror_update("r2", request_key="k")
    assert (held.outcome, held.update_id) == ("resumed", begun.update_id)
    me = ("acme", held.update_id, held.fence)
    ended = registry.abort_mirror_update(*me, reason="not now")
    assert (ended.outcome, ended.state) == ("aborted", "aborted")
    assert registry.abort_mirror_update(*me).outcome == "unchanged"


def test_snapshots_are_made_of_repositories(stocked: Any, refused: Callable[..., None]) -> None:
    registry = stocked.registry
    made = registry.create_snapshot("acme", "empty", request_key="k")
    assert isinstance(made, pkgdb.SnapshotRef)
    assert made.members == 0
    assert registry.create_snapshot("acme", "empty", request_key="k") == made
    refused(pkgdb.Conflict, "create_snapshot", "empty")
    stocked.commit()
    listed = registry.create_snapshot(
        "acme",
        "listed",
        "testing",
        items=[
            "pkg:deb/debian/app@2.0?arch=amd64",
            {"ecosystem": "deb", "name": "extra", "version": "1.0", "variant": "amd64"},
        ],
    )
    assert listed.members == 2
    assert named(registry.search_versions("acme", snapshot="listed")) == [
        ("app", "2.0"),
        ("extra", "1.0"),
    ]
    assert registry.create_snapshot("acme", "none", "testing", items=[]).members == 0
    stocked.commit()
    refused(pkgdb.MalformedArgument, "create_snapshot", "x", "testing", items=["pkg:deb/app"])
    refused(pkgdb.MalformedArgument, "create_snapshot", "x", "testing", items=["app"])

    digest = registry.snapshot_digest("acme", "testing")
    assert len(bytes.fromhex(digest)) == 32
    assert digest != registry.snapshot_digest("acme", "stable")
    assert registry.seal_snapshots("acme", limit=2) == 2
    assert registry.seal_snapshots("acme") == 3
    assert registry.rename_snapshot("acme", "testing", "trixie").outcome == "renamed"
    assert registry.rename_snapshot("acme", "trixie", "trixie").outcome == "unchanged"
    assert registry.snapshot_digest("acme", "trixie") == digest


def test_what_is_searched_is_found(stocked: Any) -> None:
    registry = stocked.registry
    (found,) = registry.search_versions("acme", "stable", query="app", files=True)
    assert isinstance(found, pkgdb.ContentRow)
    assert (found.component, found.repository, found.version) == (None, "stable", "1.0")
    assert isinstance(found.published_at, datetime)
    file = deb_file("app", "1.0")
    assert found.files == (
        pkgdb.StoredFile(file.filename, file.sha256, 10, None, dict(file.attributes), "main"),
    )
    stable = registry.repository("acme", "stable")
    (without,) = stable.search_versions(query="app (= 1.0)")
    assert without.files is None
    assert named(stable.search_versions()) == OLD
    with pytest.raises(pkgdb.MalformedArgument):
        stable.search_versions(query="app (")


def test_snapshots_are_made_of_snapshots(stocked: Any, refused: Callable[..., None]) -> None:
    registry = stocked.registry
    assert registry.diff_snapshots("acme", "stable", "testing") == [
        pkgdb.SnapshotDifference("upgraded", "deb", "app", "amd64", "1.0", "2.0"),
        pkgdb.SnapshotDifference("added", "deb", "extra", "amd64", None, "1.0"),
        pkgdb.SnapshotDifference("upgraded", "deb", "libapp", "amd64", "1.0", "2.0"),
    ]
    assert registry.diff_snapshots("acme", "stable", "stable") == []

    both = ["stable", "testing"]
    assert registry.merge_snapshots("acme", "merged", iter(both)).members == 3
    assert registry.diff_snapshots("acme", "merged", "testing") == []
    assert registry.merge_snapshots("acme", "all", both, no_remove=True).members == 5
    assert registry.merge_snapshots("acme", "latest", both[::-1], latest=True).members == 3
    assert registry.diff_snapshots("acme", "latest", "testing") == []
    one = registry.merge_snapshots("acme", "one", "stable", description="as it was")
    assert one.members == 2

    pull = ("stable", "testing", "app")
    plan = registry.pull_snapshot("acme", "pulled", *pull, dry_run=True)
    assert (plan.outcome, plan.snapshot_id) == ("planned", None)
    pulled = registry.pull_snapshot("acme", "pulled", *pull, architectures="amd64")
    assert (pulled.outcome, pulled.members, pulled.changes) == ("created", 2, plan.changes)
    assert plan.changes == [*removed(*OLD), *added(*NEW)]
    assert named(registry.search_versions("acme", snapshot="pulled")) == NEW
    assert registry.verify_snapshot("acme", "pulled") == []
    alone = registry.pull_snapshot("acme", "alone", *pull, follow=False, no_remove=True)
    assert alone.changes == added(("app", "2.0"))
    kept = registry.pull_snapshot("acme", "kept", *pull, kinds=["suggests"], all_matches=True)
    assert kept.changes == [*removed(("app", "1.0")), *added(("app", "2.0"))]

    filtered = registry.filter_snapshot("acme", "filtered", "testing", ["app", "extra"])
    assert filtered.members == 2
    missing = registry.verify_snapshot("acme", "filtered")
    assert missing == [
        pkgdb.MissingDependency(
            architecture="amd64",
            ecosystem="deb",
            name="app",
            version="2.0",
            variant="amd64",
            kind="depends",
            relation="libapp (>= 2.0, << 3)",
        )
    ]
    assert registry.verify_snapshot("acme", "filtered", "testing") == []
    assert registry.verify_snapshot("acme", "filtered", ["stable"]) == missing
    assert registry.verify_snapshot("acme", "filtered", kinds=["recommends"]) == []
    assert registry.verify_snapshot("acme", "filtered", architectures=["amd64"]) == missing
    whole = registry.filter_snapshot("acme", "followed", "testing", "app", follow=True)
    assert whole.members == 2

    refused(pkgdb.InUse, "drop_snapshot", "testing")
    assert registry.drop_snapshot("acme", "testing", force=True).outcome == "dropped"
    assert registry.drop_snapshot("acme", "followed").outcome == "dropped"


def test_versions_go_from_one_repository_to_another(
    stocked: Any, refused: Callable[..., None]
) -> None:
    registry = stocked.registry
    target = registry.repository("acme", "target")
    target.create()
    stocked.commit()
    plan = target.copy_versions("app", from_repository="testing", dry_run=True)
    assert isinstance(plan, pkgdb.ChangeRef)
    assert (plan.outcome, plan.added, plan.changes) == ("planned", 1, added(("app", "2.0")))
    assert target.search_versions() == []
    copied = target.copy_versions(["app", "libapp"], from_snapshot="testing")
    assert (copied.outcome, copied.added, copied.unchanged) == ("copied", 2, 0)
    again = target.copy_versions("app", from_repository="testing")
    assert (again.outcome, again.unchanged, again.changes) == ("unchanged", 1, [])

    stocked.commit()
    target.publish_many([deb("extra", "1.0", content="other")])
    stocked.commit()
    refused(pkgdb.Conflict, "move_versions", "target", "testing", "extra")
    target.alter({"reuse": "always"})
    stocked.commit()
    moved = target.move_versions("testing", "extra", replace=True)
    assert (moved.outcome, moved.added, moved.removed) == ("moved", 1, 1)
    stocked.commit()
    registry.quarantine("acme", "stable", "deb", "app", "1.0", "amd64")
    stocked.commit()
    skipped = target.copy_versions("app", from_repository="stable")
    assert (skipped.outcome, skipped.skipped) == ("unchanged", 1)
    assert named(target.search_versions()) == [("app", "2.0"), ("extra", "1.0"), ("libapp", "2.0")]
    assert named(registry.search_versions("acme", "testing")) == NEW

    stocked.commit()
    assert target.remove_versions("app", dry_run=True).outcome == "planned"
    done = target.remove_versions(["app", "extra"], request_key="k", actor="me")
    assert (done.outcome, done.changes) == ("removed", removed(("app", "2.0"), ("extra", "1.0")))
    assert target.remove_versions(["app", "extra"], request_key="k", actor="me") == done
    assert target.remove_versions("app").outcome == "unchanged"
    assert named(target.search_versions()) == [("libapp", "2.0")]


def test_the_life_of_a_distribution(
    stocked: Any, refused: Callable[..., None], db: psycopg.Connection
) -> None:
    registry = stocked.registry
    where = ("debian", "trixie")
    made = registry.create_distribution(
        "acme",
        *where,
        "deb",
        {"main": {"snapshot": "stable"}, "next": {"repository": "testing"}},
        {"origin": "Acme", "valid_for": 3600},
    )
    assert isinstance(made, pkgdb.DistributionRef)
    assert made.outcome == "created"
    refused(pkgdb.Conflict, "create_distribution", *where, "deb", {"main": {"snapshot": "stable"}})
    content = registry.distribution_content("acme", *where)
    assert [(row.component, row.name, row.version) for row in content] == [
        ("main", "app", "1.0"),
        ("main", "libapp", "1.0"),
        ("next", "app", "2.0"),
        ("next", "extra", "1.0"),
        ("next", "libapp", "2.0"),
    ]
    assert content[0].files[0].filename == "app_1.0_amd64.deb"
    stocked.commit()
    refused(pkgdb.InUse, "drop_snapshot", "stable", force=True)
    refused(pkgdb.InUse, "drop_repository", "testing", force=True)

    switched = registry.switch_distribution(
        "acme",
        *where,
        {"main": {"snapshot": "testing"}, "next": None},
        if_revision=made.revision,
        request_key="k",
    )
    assert switched.outcome == "switched"
    assert switched.revision > made.revision
    content = registry.distribution_content("acme", *where)
    assert [(row.component, row.version) for row in content if row.name == "app"] == [
        ("main", "2.0")
    ]
    back = {"main": {"snapshot": "stable"}}
    refused(pkgdb.StaleRevision, "switch_distribution", *where, back, if_revision=made.revision)
    stocked.commit()
    kept = db.execute("select settings from pkgdb.distributions").fetchone()
    assert kept == ({"origin": "Acme", "valid_for": 3600},)
    registry.switch_distribution("acme", *where, back, {})
    stocked.commit()
    assert db.execute("select settings from pkgdb.distributions").fetchone() == ({},)
    assert registry.switch_distribution("acme", *where, back).outcome == "unchanged"
    gone = registry.drop_distribution("acme", *where, actor="me")
    assert (gone.outcome, gone.distribution_id) == ("dropped", made.distribution_id)
    refused(pkgdb.NotFound, "distribution_content", *where)


def test_the_feed_tells_what_a_change_is_about(stocked: Any) -> None:
    registry = stocked.registry
    made = registry.create_snapshot("acme", "empty")
    served = registry.create_distribution("acme", "", "sid", "deb", {"main": {"snapshot": "empty"}})
    stocked.commit()
    registry.sequence_events("acme")
    stocked.commit()
    snapshot, distribution = registry.read_events("acme")[-2:]
    assert (snapshot.snapshot_id, snapshot.distribution_id, snapshot.repository_id) == (
        *(made.snapshot_id, None, None),
    )
    assert (distribution.distribution_id, distribution.revision) == (
        *(served.distribution_id, served.revision),
    )
    assert (snapshot.name, distribution.name) == ("empty", "sid")
