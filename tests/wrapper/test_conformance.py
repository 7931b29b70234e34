"""What the wrapper does, on every kind of connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from packageurl import PackageURL
from psycopg import sql
from psycopg.conninfo import make_conninfo

import pkgdb

DIGEST = "ab" * 32
OTHER = "cd" * 32
WHEEL = pkgdb.File("demo-1.0-py3-none-any.whl", DIGEST, 10, "application/zip", {"python": ">=3"})
SDIST = {"filename": "demo-1.0.tar.gz", "sha256": OTHER, "size": 20}


@pytest.fixture
def repo(registry: Any) -> Any:
    repository = registry.repository("acme", "main")
    assert repository.create().outcome == "created"
    return repository


def test_what_is_published_is_found(opened: Any, repo: Any, db: psycopg.Connection) -> None:
    done = repo.publish(
        "pypi", "Demo", "1.0", files=[WHEEL, SDIST], metadata={"summary": "ü"}, actor="me"
    )
    assert done.outcome == "created"
    found = repo.resolve("pypi", "demo", "latest")
    assert found == pkgdb.VersionInfo(
        registration_id=done.registration_id,
        version_id=done.version_id,
        revision=done.revision,
        repository="main",
        ecosystem="pypi",
        name="Demo",
        version="1.0",
        normalized_version=found.normalized_version,
        variant="",
        prerelease=False,
        status="available",
        listed=True,
        yank_reason=None,
        deprecation=None,
        metadata={"summary": "ü"},
        files=(
            pkgdb.StoredFile(
                WHEEL.filename, DIGEST, 10, "application/zip", {"python": ">=3"}, "main"
            ),
            pkgdb.StoredFile("demo-1.0.tar.gz", OTHER, 20, None, {}, "main"),
        ),
        published_at=found.published_at,
    )
    assert isinstance(found.published_at, datetime)

    opened.commit()
    assert db.execute("select name, latest from pkgdb.registrations").fetchall() == [
        ("Demo", "1.0")
    ]


def test_nothing_is_committed_for_a_caller(joined: Any, db: psycopg.Connection) -> None:
    opened = joined()
    opened.registry.create_repository("acme", "main")
    assert db.execute("select * from pkgdb.repositories").fetchall() == []
    opened.commit()
    assert len(db.execute("select * from pkgdb.repositories").fetchall()) == 1


def test_a_repeated_call_changes_nothing(repo: Any) -> None:
    first = repo.publish("pypi", "demo", "1.0", files=[WHEEL])
    again = repo.publish("pypi", "demo", "1.0", files=[WHEEL])
    assert (again.version_id, again.outcome) == (first.version_id, "unchanged")


def test_a_request_key_repeats_the_answer(repo: Any) -> None:
    first = repo.publish("pypi", "demo", "1.0", request_key="k")
    repo.delete_version("pypi", "demo", "1.0")
    assert repo.publish("pypi", "demo", "1.0", request_key="k") == first


def test_a_purl_stands_for_four_arguments(opened: Any, repo: Any) -> None:
    made = repo.publish("pkg:npm/%40acme/demo@1.0.0", files=[])
    assert repo.resolve("npm", "@acme/demo", "1.0.0").version_id == made.version_id
    assert repo.resolve("pkg:npm/%40acme/demo", want="latest").version_id == made.version_id
    assert repo.resolve(PackageURL("npm", "@acme", "demo", "1.0.0")).name == "@acme/demo"
    assert [v.version for v in repo.versions("pkg:npm/%40acme/demo")] == ["1.0.0"]
    repo.publish("pkg:deb/debian/bash@5.2-1?arch=amd64")
    assert repo.resolve("deb", "bash", "5.2-1", "amd64").variant == "amd64"
    assert repo.resolve("deb", "bash", "latest", ["all", "amd64"]).variant == "amd64"
    assert repo.resolve("pkg:deb/debian/bash?arch=amd64", want="latest").variant == "amd64"
    with pytest.raises(pkgdb.MalformedArgument):
        repo.resolve("pkg:deb/debian/bash?arch=amd64", want="latest", variants=["all"])
    opened.commit()
    (bulk,) = repo.publish_many([pkgdb.Item("pkg:npm/%40acme/demo@1.1.0")])
    assert bulk.outcome == "created"


def test_the_life_of_a_version(repo: Any) -> None:
    what = ("pypi", "demo", "1.0")
    repo.publish(*what, files=[WHEEL, SDIST])
    signature = {"filename": f"{WHEEL.filename}.asc", "sha256": "ef" * 32, "size": 3}
    assert repo.add_files(*what, files=[signature]).outcome == "files_added"
    assert repo.yank(*what, reason="broken").outcome == "yanked"
    found = repo.resolve("pypi", "demo", "1.0")
    assert (found.listed, found.yank_reason) == (False, "broken")
    assert repo.unyank(*what).outcome == "unyanked"
    assert repo.deprecate(*what, message="use 2").outcome == "deprecated"
    assert repo.deprecate(*what).outcome == "undeprecated"
    assert repo.quarantine(*what, reason="looks odd").outcome == "quarantined"
    assert repo.release_quarantine(*what).outcome == "released"
    assert repo.set_tag(*what, tag="stable").outcome == "tagged"
    assert repo.resolve("pypi", "demo", "tag:stable").version == "1.0"
    assert repo.drop_tag("pypi", "demo", tag="stable").outcome == "tag_dropped"
    assert repo.delete_file(*what, filename="demo-1.0.tar.gz").outcome == "file_deleted"
    assert repo.repair_latest("pypi", "demo").outcome == "unchanged"
    assert repo.delete_version(*what).outcome == "deleted"
    assert repo.restore_version(*what).outcome == "restored"
    assert repo.delete_version(*what).outcome == "deleted"
    report = repo.purge(limit=10, older_than=timedelta(0))
    assert isinstance(report, pkgdb.PurgeReport)
    assert report.versions >= 1
    assert repo.purge(older_than=timedelta(days=1)).versions == 0


def test_the_life_of_a_repository(registry: Any) -> None:
    repo = registry.repository("acme", "main")
    made = repo.create("hosted", {"keep_versions": 1}, actor="me")
    assert repo.create(policy={"keep_versions": 1}).outcome == "unchanged"
    changed = repo.alter({"protected_names": ["secret-*"]}, if_revision=made.revision)
    assert changed.outcome == "altered"
    assert repo.reserve_name("pypi", "taken").outcome == "reserved"
    assert repo.release_name("pypi", "taken").outcome == "released"
    for version in ("1.0", "2.0"):
        repo.publish("pypi", "demo", version)
    assert repo.apply_retention() == 1
    assert registry.expire_publications("acme") == 0
    assert repo.rename("other").outcome == "renamed"
    assert registry.drop_repository("acme", "other", force=True).outcome == "dropped"


def test_the_life_of_a_publication(opened: Any, repo: Any) -> None:
    registry = opened.registry
    made = registry.add_backend("acme", "disk", "file:///srv/objects", actor="me")
    assert made.outcome == "created"
    assert isinstance(made.installation_id, UUID)
    opened.commit()
    assert repo.set_backend("disk").outcome == "altered"
    opened.commit()
    repo.alter({"validators": {"scan": "required"}})
    opened.commit()

    begun = repo.begin_publication("pkg:pypi/demo@1.0", files=[WHEEL], request_key="k")
    assert (begun.outcome, begun.state) == ("begun", "open")
    (copy,) = begun.copies
    assert isinstance(copy, pkgdb.MissingCopy)
    assert (copy.backend, copy.url, copy.sha256, copy.size, copy.requirement) == (
        *("disk", "file:///srv/objects", DIGEST, 10, "required"),
    )
    assert begun.validations == (pkgdb.Validation("scan", "required", "pending"),)
    other = repo.begin_publication("pkg:pypi/demo@1.0", files=[WHEEL], actor="another")
    assert (other.outcome, other.fence) == ("in_progress", None)
    held = repo.begin_publication("pkg:pypi/demo@1.0", files=[WHEEL], request_key="k")
    assert held.outcome == "resumed"
    with pytest.raises(pkgdb.StaleRevision), registry.transaction() as tx:
        tx.renew_publication("acme", begun.publication_id, begun.fence)
    me = ("acme", held.publication_id, held.fence)
    assert registry.renew_publication(*me, timedelta(hours=1)).lease_until > held.lease_until
    with pytest.raises(pkgdb.InvalidState), registry.transaction() as tx:
        tx.commit_publication(*me)
    recorded = registry.record_copy(*me, copy.backend, copy.sha256, copy.generation)
    assert recorded == pkgdb.CopyRef("disk", DIGEST, copy.generation, "present", "recorded")
    said = registry.record_validation("acme", held.publication_id, "scan", "succeeded", "clean")
    assert (said.status, said.round, said.outcome) == ("succeeded", 1, "recorded")
    done = registry.commit_publication(*me)
    assert done.outcome == "created"
    again = repo.begin_publication("pkg:pypi/demo@1.0", files=[WHEEL])
    assert (again.outcome, again.publication_id, again.copies) == ("unchanged", None, ())

    given_up = repo.begin_publication("pypi", "demo", "2.0")
    gone = registry.abort_publication("acme", given_up.publication_id, given_up.fence, reason="no")
    assert (gone.outcome, gone.state) == ("aborted", "aborted")


def test_the_life_of_a_copy(opened: Any, repo: Any) -> None:
    registry = opened.registry
    one = registry.add_backend("acme", "one", "file:///srv/one")
    registry.add_backend("acme", "two", "file:///srv/two")
    opened.commit()
    for backend in ("one", "two"):
        repo.set_backend(backend, "optional")
        opened.commit()
    begun = repo.begin_publication("pkg:pypi/demo@1.0", files=[WHEEL])
    here, there = begun.copies
    me = ("acme", begun.publication_id, begun.fence)
    registry.record_copy(*me, "one", DIGEST, here.generation)
    registry.commit_publication(*me)

    (task,) = registry.claim_copies("acme", lease=timedelta(milliseconds=1))
    assert isinstance(task, pkgdb.CopyTask)
    assert (task.url, task.source_url, task.source_key) == (
        *("file:///srv/two", "file:///srv/one", here.object_key),
    )
    which = ("acme", "two", DIGEST, there.generation)
    assert registry.record_copy_failure(*which, task.attempt, "away").outcome == "recorded"
    assert registry.verify_copy(*which, DIGEST).outcome == "present"
    (first, second) = registry.locate_blob("acme", DIGEST)
    assert isinstance(first, pkgdb.BlobLocation)
    assert (first.object_key, second.object_key) == (here.object_key, there.object_key)
    assert registry.verify_copy(*which, None).outcome == "lost"
    opened.commit()
    assert registry.promote_backends("acme") == 0
    repo.delete_version("pypi", "demo", "1.0")
    opened.commit()
    repo.purge()
    (taken,) = registry.collect_blobs("acme")
    assert (taken.sha256, taken.backend, taken.object_key) == (DIGEST, None, None)
    assert registry.collect_blobs("acme") == []
    (gone,) = registry.collect_blobs("acme", "one", one.installation_id)
    assert gone.source_url is None
    confirmed = registry.confirm_blob_deleted("acme", "one", DIGEST, gone.generation, gone.attempt)
    assert (confirmed.state, confirmed.outcome) == ("deleting", "postponed")
    adopted = registry.adopt_backend("acme", "one")
    assert adopted.installation_id != one.installation_id
    opened.commit()
    repo.set_backend("one", "none")
    assert registry.retire_backend("acme", "one", abandon=True).outcome == "retired"


def test_the_feed(opened: Any, repo: Any) -> None:
    registry = opened.registry
    made = repo.publish("pypi", "demo", "1.0", actor="me")
    opened.commit()
    assert registry.sequence_events("acme") == 2
    opened.commit()
    created, published = registry.read_events("acme")
    assert (created.event, created.ecosystem) == ("repository_created", None)
    assert (published.position, published.version_id, published.actor) == (2, made.version_id, "me")
    assert isinstance(published, pkgdb.FeedEvent)
    kept = registry.register_consumer("acme", "index")
    assert (kept.consumer, kept.position, kept.outcome) == ("index", 0, "registered")
    moved = registry.acknowledge_events("acme", "index", 1, incarnation=created.incarnation)
    assert (moved.position, moved.incarnation) == (1, created.incarnation)
    assert registry.read_events("acme", consumer="index") == [published]
    assert registry.read_events("acme", 2, incarnation=published.incarnation) == []
    assert registry.drop_consumer("acme", "index") is True
    assert registry.drop_consumer("acme", "index") is False
    opened.commit()
    assert registry.prune_events("acme", keep=timedelta()) == 2


def test_many_at_once(repo: Any) -> None:
    items = [
        pkgdb.Item("pypi", "demo", "1.0", files=[WHEEL], metadata={"a": 1}),
        {"ecosystem": "pypi", "name": "demo", "version": "not a version"},
        pkgdb.Item("pkg:pypi/demo@2.0"),
    ]
    done = repo.publish_many(iter(items), strict=False)
    assert [(ref.item, ref.outcome, ref.sqlstate) for ref in done] == [
        (1, "created", None),
        (2, "refused", "RG400"),
        (3, "created", None),
    ]
    assert done[1].message


def test_pages_of_versions(repo: Any) -> None:
    repo.publish_many([pkgdb.Item("pypi", "demo", version) for version in ("1.9", "1.10", "1.0")])
    first = repo.versions("pypi", "demo", limit=2)
    assert [version.version for version in first] == ["1.10", "1.9"]
    rest = repo.versions("pypi", "demo", limit=2, after_version_id=first[-1].version_id)
    assert [version.version for version in rest] == ["1.0"]


def test_order_functions(registry: Any) -> None:
    low = registry.version_key("npm", "1.0.0-rc.1")
    high = registry.version_key("npm", "1.0.0")
    assert isinstance(low, bytes)
    assert low < high
    assert registry.is_prerelease("npm", "1.0.0-rc.1") is True
    assert registry.is_prerelease("npm", "1.0.0") is False
    assert registry.normalize_version("pypi", "1.0-RC1") == registry.normalize_version(
        "pypi", "1.0rc1"
    )
    assert registry.normalize_name("pypi", "A_b.C") == "a-b-c"


def test_violations_are_typed(opened: Any, repo: Any, db: psycopg.Connection) -> None:
    repo.publish("pypi", "demo", "1.0")
    assert opened.registry.check_integrity("acme") == []
    assert opened.registry.check_integrity() == []
    opened.commit()
    db.execute("update pkgdb.registration set latest_version_id = null")
    violations = opened.registry.check_integrity("acme")
    assert violations
    assert all(isinstance(violation, pkgdb.Violation) for violation in violations)


def test_errors_by_class(registry: Any) -> None:
    """Each in a block of its own, which a caller's transaction survives."""

    def refused(
        expected: type[pkgdb.PkgdbError], sqlstate: str, method: str, *args: Any, **kwargs: Any
    ) -> Any:
        with pytest.raises(expected) as caught, registry.transaction() as tx:
            getattr(tx.repository("acme", "main"), method)(*args, **kwargs)
        assert type(caught.value) is expected
        assert caught.value.sqlstate == sqlstate
        assert caught.value.message
        assert caught.value.__cause__ is not None
        return caught.value

    refused(pkgdb.NotFound, "RG404", "publish", "pypi", "demo", "1.0")
    repo = registry.repository("acme", "main")
    repo.create(policy={"protected_names": ["secret-*"]})
    refused(pkgdb.NotFound, "RG404", "resolve", "pypi", "demo", "latest")
    refused(pkgdb.MalformedArgument, "RG400", "publish", "pypi", "demo", "not a version")
    refused(pkgdb.MalformedArgument, "RG400", "publish", "pypi", None, "1.0")
    refused(pkgdb.Conflict, "RG409", "create", "mirror")
    made = repo.publish("pypi", "demo", "1.0", files=[WHEEL])
    changed = {"filename": WHEEL.filename, "sha256": OTHER, "size": 10}
    refused(pkgdb.Conflict, "RG409", "publish", "pypi", "demo", "1.0", files=[changed])
    refused(
        pkgdb.StaleRevision, "RG412", "yank", "pypi", "demo", "1.0", if_revision=made.revision + 9
    )
    refused(pkgdb.Forbidden, "RG403", "publish", "pypi", "secret-sauce", "1.0")
    repo.delete_version("pypi", "demo", "1.0")
    refused(pkgdb.Gone, "RG410", "publish", "pypi", "demo", "1.0", files=[WHEEL])


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "a\x00b"},
        {"name": "\ud800"},
        {"metadata": {"a": float("nan")}},
        {"metadata": {"a": object()}},
        {"metadata": {"a": "\x00"}},
        {"metadata": {"a": "\ud800"}},
        {"if_revision": 2**80},
        {"files": [{"filename": "x", "sha256": "zz", "size": 1}]},
    ],
    ids=lambda arguments: ascii(arguments)[:40],
)
def test_what_cannot_be_sent_is_malformed(repo: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(pkgdb.MalformedArgument):
        repo.publish("pypi", **({"name": "demo", "version": "1.0"} | arguments))


def test_a_limit_beyond_the_type_is_malformed(repo: Any) -> None:
    with pytest.raises(pkgdb.MalformedArgument):
        repo.versions("pypi", "demo", limit=2**40)


@pytest.fixture
def reader(db: psycopg.Connection) -> Iterator[str]:
    """A login role that may only read."""
    role = f"reader_of_{db.info.dbname}"
    db.execute(sql.SQL("create role {} login in role pkgdb_reader").format(sql.Identifier(role)))
    yield role
    db.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def test_no_permission(owning: Any, dsn: str, reader: str) -> None:
    registry = owning(make_conninfo(dsn, user=reader)).registry
    with pytest.raises(pkgdb.PermissionDenied):
        registry.create_repository("acme", "main")
    with pytest.raises(pkgdb.NotFound):
        registry.resolve("acme", "main", "pypi", "demo", "latest")


def test_a_transaction_takes_effect_whole_or_not_at_all(
    opened: Any, repo: Any, db: psycopg.Connection
) -> None:
    with opened.registry.transaction() as tx:
        both = tx.repository("acme", "main")
        both.publish("pypi", "one", "1.0")
        both.publish("pypi", "two", "1.0")

    class Stop(Exception):
        pass

    def interrupted() -> None:
        with opened.registry.transaction() as tx:
            tx.repository("acme", "main").publish("pypi", "three", "1.0")
            raise Stop

    with pytest.raises(Stop):
        interrupted()
    opened.commit()
    names = db.execute("select name from pkgdb.registrations order by 1").fetchall()
    assert names == [("one",), ("two",)]


def publish_then_fail(repo: Any) -> None:
    repo.publish("pypi", "undone", "1.0")
    repo.publish("pypi", "undone", "not a version")


def test_a_nested_transaction_is_a_savepoint(
    opened: Any, repo: Any, db: psycopg.Connection
) -> None:
    with opened.registry.transaction() as outer:
        outer.repository("acme", "main").publish("pypi", "kept", "1.0")
        with pytest.raises(pkgdb.MalformedArgument), outer.transaction() as inner:
            publish_then_fail(inner.repository("acme", "main"))
        outer.repository("acme", "main").publish("pypi", "kept-too", "1.0")
    opened.commit()
    names = db.execute("select name from pkgdb.registrations order by 1").fetchall()
    assert names == [("kept",), ("kept-too",)]


@pytest.mark.parametrize("name", ["we'ird%1", "%s", "%(p_name)s", ":x", "$1"])
def test_hostile_names(registry: Any, name: str) -> None:
    repo = registry.repository(name, name)
    repo.create(actor=name)
    repo.publish("generic", name, "1.0", metadata={name: name}, request_key=name)
    assert repo.resolve("generic", name, "latest").metadata == {name: name}


def test_closing_leaves_a_callers_connection_open(joined: Any) -> None:
    opened = joined()
    opened.registry.close()
    assert opened.registry.create_repository("acme", "main").outcome == "created"
