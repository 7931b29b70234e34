"""set_repository_backend and promote_backends: what a repository asks of its backends."""

import pytest

from tests.behaviour.calls import Calls, file, take_snapshot
from tests.publications.ledger import digest
from tests.support import backend_pid, wait_until_blocked


def requirement(api, backend="disk"):
    rows = api.ask("select * from pkgdb.repository_backends where backend = %s", backend)
    return [(row.repository, row.requirement) for row in rows]


def test_of_an_empty_repository_it_is_required_at_once(api, repo, ledger):
    ledger.backend("disk")
    done = repo.set_repository_backend("disk")
    assert (done.outcome, done.revision) == ("altered", 2)
    assert requirement(api) == [("main", "required")]
    with api.changes_nothing():
        assert repo.set_repository_backend("disk") == done._replace(outcome="unchanged")
    (event,) = api.ask("select event from pkgdb.outbox order by event_id desc limit 1")
    assert event.event == "repository_altered"


def test_metadata_needs_no_bytes(api, repo, demo, ledger):
    demo.publish("1.0")
    ledger.backend("disk", "required")
    assert requirement(api) == [("main", "required")]


def test_it_is_filling_until_every_blob_is_there(api, repo, demo, ledger):
    ledger.backend("old", "required")
    ledger.publish(demo, "1.0", file("a", "a"), file("b", "b"))
    ledger.backend("disk", "required")
    assert requirement(api) == [("main", "filling")]
    assert repo.set_repository_backend("disk").outcome == "unchanged"
    assert api.promote_backends() == (0,)
    assert ledger.make(limit=1) == 1
    assert api.promote_backends() == (0,)
    assert ledger.make() == 1
    revision = api.ask("select revision from pkgdb.repositories")[0].revision
    assert api.promote_backends() == (1,)
    assert requirement(api) == [("main", "required")]
    assert api.ask("select revision from pkgdb.repositories")[0].revision == revision + 1
    with api.changes_nothing():
        assert api.promote_backends() == (0,)


def test_setting_it_again_promotes_as_well(api, repo, demo, ledger):
    ledger.backend("old", "required")
    ledger.publish(demo, "1.0", file("a"))
    ledger.backend("disk", "required")
    ledger.make()
    assert repo.set_repository_backend("disk").outcome == "altered"
    assert requirement(api) == [("main", "required")]


def test_while_it_fills_new_commits_have_to_be_there(api, repo, demo, ledger):
    ledger.backend("old", "required")
    ledger.publish(demo, "1.0", file("a", "a"))
    ledger.backend("disk", "required")
    publication = demo.begin_publication("2.0", files=[file("b", "b")])
    ledger.record(publication, "old")
    with api.refused("RG422"):
        ledger.commit(publication)
    ledger.record(publication, "disk")
    assert ledger.commit(publication).outcome == "created"


def test_what_can_be_restored_or_a_snapshot_contains_counts(api, repo, demo, ledger):
    ledger.backend("old", "required")
    ledger.publish(demo, "1.0", file("a", "a"))
    take_snapshot(api)
    demo.delete_version("1.0")
    ledger.backend("disk", "required")
    assert requirement(api) == [("main", "filling")]
    ledger.make()
    assert api.promote_backends() == (1,)
    assert demo.restore_version("1.0").outcome == "restored"


def test_what_nobody_has_published_does_not_count(api, repo, demo, ledger):
    demo.begin_publication("1.0", files=[file("a")])
    ended = demo.begin_publication("2.0", files=[file("b")])
    ledger.abort(ended)
    ledger.backend("disk", "required")
    assert requirement(api) == [("main", "required")]


def test_it_may_become_optional_and_go(api, repo, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a"))
    for wanted in ("optional", "none"):
        assert repo.set_repository_backend("disk", wanted).outcome == "altered"
        with api.changes_nothing():
            assert repo.set_repository_backend("disk", wanted).outcome == "unchanged"
    assert requirement(api) == []
    assert ledger.copies() == [("disk", "present")]  # it may come back
    assert repo.set_repository_backend("disk").outcome == "altered"
    assert requirement(api) == [("main", "required")]


def test_optional_ones_are_filled_by_nobody(api, repo, demo, ledger):
    ledger.backend("old", "required")
    ledger.publish(demo, "1.0", file("a"))
    ledger.backend("disk", "optional")
    assert ledger.claim() == []
    assert api.promote_backends() == (0,)


def test_what_was_not_published_fills_nothing(api, demo, ledger):
    """Also where another repository has published it, which keeps it there if it can."""
    ledger.backend("old", "required")
    ledger.publish(demo, "1.0", file("b", "b"))
    ledger.abort(demo.begin_publication("2.0", files=[file("a", "a")]))
    api.create_repository("other")
    api.set_repository_backend("other", "old")
    ledger.publish(api.at("other", "pypi", "demo"), "1.0", file("a", "a"))
    ledger.backend("disk", "required")
    api.set_repository_backend("other", "disk", "optional")
    assert [task.sha256 for task in ledger.claim()] == [digest("b")]


def test_several_repositories_have_each_its_own(api, repo, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a"))
    api.create_repository("other")
    api.at("other", "pypi", "demo").publish("1.0", files=[file("b", "b")])
    api.set_repository_backend("other", "disk")
    assert sorted(requirement(api)) == [("main", "required"), ("other", "filling")]


def test_revisions_and_request_keys(api, repo, ledger):
    ledger.backend("disk")
    with api.refused("RG412"):
        repo.set_repository_backend("disk", if_revision=2)
    done = repo.set_repository_backend("disk", if_revision=1, request_key="k")
    repo.set_repository_backend("disk", "none")
    with api.changes_nothing():
        assert repo.set_repository_backend("disk", if_revision=1, request_key="k") == done
    with api.refused("RG409"):
        repo.set_repository_backend("disk", "optional", request_key="k")


@pytest.mark.parametrize("wanted", [None, "", "filling", "Required", "always"])
def test_malformed_requirements(api, repo, disk, wanted):
    with api.refused("RG400"):
        repo.set_repository_backend("disk", wanted)


def test_what_does_not_exist(api, repo, disk):
    with api.refused("RG404"):
        repo.set_repository_backend("absent")
    with api.refused("RG404"):
        api.set_repository_backend("absent", "disk")
    with api.refused("RG404"):
        Calls(api.connection, ("elsewhere",)).set_repository_backend("main", "disk")
    for backend in (None, ""):
        with api.refused("RG400"):
            repo.set_repository_backend(backend)
    with api.refused("RG400"):
        Calls(api.connection).promote_backends(None)


def test_it_takes_the_repository_for_itself(api, repo, demo, ledger, connect, background):
    ledger.backend("disk")
    publishing, setting = connect(autocommit=False), connect()
    demo.on(publishing).publish("1.0", files=[file("a")])
    given = background.submit(repo.on(setting).set_repository_backend, "disk")
    wait_until_blocked(api.connection, backend_pid(setting))
    publishing.commit()
    assert given.result().outcome == "altered"
    assert requirement(api) == [("main", "filling")]


def test_promoting_reads_again_under_the_lock(api, repo, demo, ledger, connect, background):
    """While it waits a copy is lost: then it is not full."""
    ledger.backend("old", "required")
    ledger.publish(demo, "1.0", file("a"))
    ledger.backend("disk", "required")
    ledger.make()
    holding, promoting = connect(autocommit=False), connect()
    demo.on(holding).yank("1.0")
    promoted = background.submit(api.on(promoting).promote_backends)
    wait_until_blocked(api.connection, backend_pid(promoting))
    ledger.verify(ledger.present("disk"), None)
    holding.commit()
    assert promoted.result() == (0,)
    assert requirement(api) == [("main", "filling")]


def test_after_the_lock_held_shared(api, repo, disk, connect):
    session = connect(autocommit=False)
    repo.on(session).publish("pypi", "x", "1.0")
    with pytest.raises(Exception, match="already uses the repository"):
        repo.on(session).set_repository_backend("disk", "none")
