from datetime import timedelta

import psycopg
import pytest

from tests.behaviour.calls import file, take_snapshot
from tests.support import backend_pid, wait_until_blocked

NOTHING = (0, 0, 0, 0, 0, 0, 0)
LATER = timedelta(hours=1)


@pytest.fixture
def demo(repo):
    return repo.at("generic", "demo")


def bury(package, *versions):
    for version in versions:
        package.publish(version, files=[file("a", version), file("b", version)])
        package.delete_version(version)


def ghosts(api):
    query = "select version from pkgdb.package_version where status = 'pending_destruction'"
    return [row.version for row in api.ask(f"{query} order by version_id")]


def drop_snapshot(api, name="s"):
    api.ask("delete from pkgdb.snapshot where name = %s returning 1", name)


def test_it_removes_ghosts_with_their_files_and_nothing_else(api, demo):
    demo.publish("1", files=[file("a")])
    bury(demo, "2", "3")
    live = api.ask("select * from pkgdb.package_versions"), api.ask("select * from pkgdb.files")
    assert api.purge("acme") == (2, 4, 0, 0, 0, 0, 0)
    assert ghosts(api) == []
    assert (
        api.ask("select * from pkgdb.package_versions"), api.ask("select * from pkgdb.files")
    ) == live  # fmt: skip
    with api.changes_nothing():
        assert api.purge("acme") == NOTHING


def test_bytes_stay_for_the_collector(api, demo):
    bury(demo, "1")
    blobs = api.ask("select sha256, unneeded_since is not null from pkgdb.blob order by 1")
    api.purge("acme")
    marked = api.ask("select sha256, unneeded_since is not null from pkgdb.blob order by 1")
    assert marked == [(sha256, True) for sha256, _ in blobs]
    assert {needless for _, needless in blobs} == {False}


def test_publications_that_ended_a_week_ago(api, repo, demo):
    """What is committed answers until a week after its version was purged."""
    committed = demo.begin_publication("1")
    api.commit_publication("acme", committed.publication_id, committed.fence)
    aborted = demo.begin_publication("2")
    api.record_validation("acme", aborted.publication_id, "scan", "error")
    api.abort_publication("acme", aborted.publication_id, aborted.fence)
    demo.begin_publication("3")

    expires = "select status, expires_at is null as forever from pkgdb.publication order by 1"
    assert api.ask(expires) == [("aborted", False), ("committed", True), ("open", True)]
    assert api.purge("acme").publications == 0
    api.ask("update pkgdb.publication set expires_at = now() where status = 'aborted' returning 1")
    assert api.purge("acme").publications == 1
    demo.delete_version("1")
    assert api.purge("acme")[:1] == (1,)
    assert api.ask(expires) == [("committed", False), ("open", True)]
    api.ask("update pkgdb.publication set expires_at = now() where status <> 'open' returning 1")
    assert api.purge("acme").publications == 1
    assert api.ask("select status from pkgdb.publications") == [("open",)]


def test_a_bounded_batch_oldest_first(api, demo):
    bury(demo, *"12345")
    assert api.purge("acme", limit=2)[:2] == (2, 4)
    assert ghosts(api) == ["3", "4", "5"]
    assert api.purge("acme", limit=2)[:2] == (2, 4)
    assert api.purge("acme", limit=2)[:2] == (1, 2)
    assert api.purge("acme", limit=2) == NOTHING


def test_files_deleted_from_versions_that_live_on(api, demo):
    demo.publish("1", files=[file(name) for name in "abcde"])
    for name in "abc":
        demo.delete_file("1", filename=name)
    assert api.purge("acme", limit=2) == (0, 2, 0, 0, 0, 0, 0)
    assert api.purge("acme", limit=2) == (0, 1, 0, 0, 0, 0, 0)
    assert [f["filename"] for f in demo.resolve("1").files] == ["d", "e"]


def test_only_what_is_old_enough(api, demo):
    bury(demo, "1")
    demo.publish("2", files=[file("a"), file("b")])
    demo.delete_file("2", filename="a")
    with api.changes_nothing():
        assert api.purge("acme", older_than=LATER) == NOTHING
    api.ask("update pkgdb.package_version set removed_at = removed_at - interval '2 h' returning 1")
    api.ask("update pkgdb.file set removed_at = removed_at - interval '2 h' returning 1")
    assert api.purge("acme", older_than=LATER) == (1, 3, 0, 0, 0, 0, 0)


def test_of_one_repository(api, repo, demo):
    api.create_repository("acme", "other")
    bury(demo, "1")
    bury(api.at("acme", "other", "generic", "demo"), "2")
    assert api.purge("acme", "other")[:2] == (1, 2)
    assert ghosts(api) == ["1"]


def test_of_one_namespace(api, demo):
    bury(demo, "1")
    api.create_repository("elsewhere", "main")
    bury(api.at("elsewhere", "main", "generic", "demo"), "2")
    assert api.purge("elsewhere")[:2] == (1, 2)
    assert ghosts(api) == ["1"]
    assert api.purge("no such namespace") == NOTHING


def test_malformed_arguments(api, repo):
    for limit in (None, 0, -1, 100001):
        with api.refused("RG400"):
            api.purge("acme", limit=limit)
    for older_than in (None, timedelta(seconds=-1)):
        with api.refused("RG400"):
            api.purge("acme", older_than=older_than)
    for namespace in (None, ""):
        with api.refused("RG400"):
            api.purge(namespace)
    with api.refused("RG404"):
        api.purge("acme", "absent")


def test_expired_request_keys(api, repo):
    for key in ("a", "b", "c"):
        repo.publish("npm", key, "1.0.0", request_key=key)
    assert api.purge("acme").requests == 0
    api.ask("update pkgdb.request set expires_at = now() where request_key <> 'c' returning 1")
    assert api.purge("acme", limit=1).requests == 1
    assert api.purge("acme", older_than=LATER).requests == 1
    assert [row.request_key for row in api.ask("select * from pkgdb.request")] == ["c"]


def test_a_snapshot_pins_what_it_contains(api, demo):
    demo.publish("1", files=[file("a")])
    take_snapshot(api, "first")
    demo.publish("2", files=[file("a", "2"), file("b", "2")])
    demo.delete_version("1")
    take_snapshot(api, "second")
    demo.delete_file("2", filename="a")
    demo.delete_version("2")
    bury(demo, "3")

    assert api.purge("acme") == (1, 2, 2, 0, 0, 0, 0)
    assert ghosts(api) == ["1", "2"]
    with api.changes_nothing():
        assert api.purge("acme") == (0, 0, 2, 0, 0, 0, 0)
    drop_snapshot(api, "first")
    assert api.purge("acme") == (1, 1, 1, 0, 0, 0, 0)
    drop_snapshot(api, "second")
    assert api.purge("acme") == (1, 2, 0, 0, 0, 0, 0)


def test_a_snapshot_pins_a_file_that_its_version_lost(api, demo):
    demo.publish("1", files=[file("a"), file("b")])
    take_snapshot(api)
    demo.delete_file("1", filename="a")
    with api.changes_nothing():
        assert api.purge("acme").files == 0
    drop_snapshot(api)
    assert api.purge("acme").files == 1


def test_what_came_and_went_between_two_snapshots_is_in_none(api, demo):
    take_snapshot(api, "first")
    bury(demo, "1")
    take_snapshot(api, "second")
    assert api.purge("acme")[:3] == (1, 2, 0)


def test_what_was_removed_never_enters_a_later_snapshot(api, demo):
    bury(demo, "1")
    take_snapshot(api)
    assert api.purge("acme")[:3] == (1, 2, 0)


def test_what_is_restored_is_not_in_the_snapshots_of_its_absence(api, demo):
    demo.publish("1", files=[file("a")])
    demo.delete_version("1")
    take_snapshot(api)
    demo.restore_version("1")
    rows = api.ask("select added_epoch from pkgdb.package_version order by version_id")
    assert rows == [(1,), (2,)]


def test_a_snapshot_of_another_repository_pins_nothing(api, demo):
    api.create_repository("acme", "other")
    other = api.at("acme", "other", "generic", "demo")
    other.publish("1", files=[file("a")])
    demo.publish("1", files=[file("a")])
    take_snapshot(api)
    demo.delete_version("1")
    other.delete_version("1")
    assert api.purge("acme")[:3] == (1, 1, 1)


def test_it_passes_over_a_ghost_that_someone_holds(api, demo, connect):
    bury(demo, "1", "2", "3")
    holder = connect(autocommit=False)
    holder.execute("select from pkgdb.package_version where version = '2' for update")
    assert api.purge("acme")[:2] == (2, 4)
    assert ghosts(api) == ["2"]
    holder.rollback()
    assert api.purge("acme")[:2] == (1, 2)


def test_several_purges_share_the_work(api, demo, connect):
    bury(demo, *"12345")
    sessions = [connect(autocommit=False) for _ in range(3)]
    assert [api.on(s).purge("acme", limit=2).versions for s in sessions] == [2, 2, 1]
    assert api.purge("acme").versions == 0
    sessions[0].rollback()
    assert api.purge("acme").versions == 2
    for session in sessions[1:]:
        session.commit()
    assert ghosts(api) == []


def expire(api, table):
    api.ask(f"update pkgdb.{table} set expires_at = now() returning 1")


def two_files(api, demo):
    demo.publish("1", files=[file("a", "a"), file("b", "b")])
    for name in "ab":
        demo.delete_file("1", filename=name)


def two_versions(api, demo):
    """Of the younger one an attempt to add to it is left, which goes with the older one."""
    for version in "12":
        demo.publish(version)
    begun = demo.begin_publication("2", files=[file("a")])
    api.abort_publication("acme", begun.publication_id, begun.fence)
    expire(api, "publication")
    for version in "12":
        demo.delete_version(version)


def two_requests(api, demo):
    for version in "12":
        demo.publish(version, request_key=version)
    expire(api, "request")


def two_publications(api, demo):
    for version in "12":
        begun = demo.begin_publication(version)
        api.abort_publication("acme", begun.publication_id, begun.fence)
    expire(api, "publication")


def two_updates(api, demo):
    for mirror in ("one", "two"):
        api.create_repository("acme", mirror, "mirror")
        begun = api.begin_mirror_update("acme", mirror)
        api.abort_mirror_update("acme", begun.update_id, begun.fence)
    expire(api, "mirror_update")


def two_names(api, demo):
    api.create_repository("acme", "dropped")
    for name in ("one", "two"):
        api.reserve_name("acme", "dropped", "npm", name)
    api.drop_repository("acme", "dropped")


def two_repositories(api, demo):
    for name in ("one", "two"):
        api.create_repository("acme", name)
        api.drop_repository("acme", name)


TWO = {
    two_files: "file",
    two_versions: "package_version",
    two_requests: "request",
    two_publications: "publication",
    two_updates: "mirror_update",
    two_names: "registration",
    two_repositories: "repository",
}


@pytest.mark.parametrize("make", TWO)
def test_two_purges_share_all_that_they_remove(api, demo, connect, make):
    """Neither waits for what the other has."""
    count = f"select count(*) from pkgdb.{TWO[make]}"
    make(api, demo)
    ((before,),) = api.ask(count)
    sessions = [connect(autocommit=False) for _ in range(2)]
    for session in sessions:
        session.execute("set lock_timeout = '1ms'")
        api.on(session).purge("acme", limit=1)
    for session in sessions:
        session.commit()
    assert api.ask(count) == [(before - 2,)]


def test_it_runs_beside_everything_else(api, repo, demo, connect):
    """Neither waits for the other: a purge that is not committed, and calls on the same package."""
    demo.publish("1", files=[file("a")])
    bury(demo, "2")
    purging = connect(autocommit=False)
    assert api.on(purging).purge("acme").versions == 1
    assert demo.publish("3").outcome == "created"
    assert demo.yank("3").outcome == "yanked"
    assert demo.delete_version("3").outcome == "deleted"
    assert repo.alter_repository({"reuse": "always"}).outcome == "altered"
    purging.commit()
    assert ghosts(api) == ["3"]

    busy = connect(autocommit=False)
    repo.on(busy).alter_repository({"reuse": "never"})
    assert api.purge("acme").versions == 1


def test_a_restore_waits_for_the_purge_and_finds_nothing_left(api, demo, connect, background):
    bury(demo, "1")
    purging, restoring = connect(autocommit=False), connect()
    api.on(purging).purge("acme")
    restored = background.submit(demo.on(restoring).restore_version, "1")
    wait_until_blocked(api.connection, backend_pid(restoring))
    purging.commit()
    with pytest.raises(psycopg.Error) as caught:
        restored.result()
    assert caught.value.sqlstate == "RG404"


def test_the_purge_passes_over_what_a_restore_holds(api, demo, connect):
    bury(demo, "1")
    restoring = connect(autocommit=False)
    demo.on(restoring).restore_version("1")
    assert api.purge("acme").versions == 0
    restoring.commit()
    assert api.purge("acme").versions == 1
    assert len(demo.resolve("1").files) == 2


def test_what_is_empty_and_lives_stays(api, repo):
    api.add_backend("acme", "disk", "file:///srv/disk")
    api.create_repository("acme", "up", "mirror")
    begun = api.begin_mirror_update("acme", "up")
    api.commit_mirror_update("acme", begun.update_id, begun.fence)
    repo.set_repository_backend("disk")
    with api.changes_nothing():
        assert api.purge("acme") == NOTHING


def test_of_a_repository_that_was_dropped(api, repo):
    repo.drop_repository()
    with api.refused("RG404"):
        api.purge("acme", "main")


def test_a_dropped_repository_is_kept_as_long_as_it_is_too_young(api, repo, demo):
    bury(demo, "1")
    repo.drop_repository()
    with api.changes_nothing():
        assert api.purge("acme", older_than=LATER) == NOTHING
    assert api.purge("acme") == (1, 2, 0, 0, 1, 0, 0)
