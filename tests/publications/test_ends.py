"""How a publication ends, and what is left of it."""

import pytest

from tests.behaviour.calls import file
from tests.support import backend_pid, wait_until_blocked


def test_a_commit_is_repeated(api, demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    done = ledger.commit(publication, actor="jo")
    assert done == (publication.registration_id, publication.version_id, 1, "created")
    for fence in (publication.fence, 99):
        with api.changes_nothing():
            again = api.commit_publication(publication.publication_id, fence)
        assert again == done._replace(outcome="unchanged")
    (row,) = api.ask("select * from pkgdb.publications")
    assert (row.status, row.outcome, row.version_id) == (
        "committed", "created", publication.version_id,
    )  # fmt: skip
    (event,) = api.ask("select event, actor from pkgdb.outbox where registration_id is not null")
    assert event == ("created", "jo")


def test_a_commit_answers_with_its_own_revision(demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    ledger.commit(publication)
    demo.yank("1.0")
    assert ledger.commit(publication).revision == 1


def test_committed_is_not_aborted(api, demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    ledger.commit(publication)
    with api.refused("RG422"):
        ledger.abort(publication)
    with api.refused("RG422"):
        api.renew_publication(publication.publication_id, publication.fence)


def test_an_abort_is_repeated(api, demo, disk, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    done = ledger.abort(publication, "the build broke")
    assert (done.state, done.outcome, done.fence) == ("aborted", "aborted", None)
    assert (done.publication_id, done.copies) == (publication.publication_id, [])
    assert ledger.publications() == [("aborted", "the build broke")]
    for fence in (publication.fence, 99):
        with api.changes_nothing():
            again = api.abort_publication(publication.publication_id, fence, "another reason")
        assert (again.state, again.outcome) == ("aborted", "unchanged")
    with api.refused("RG422"):
        ledger.commit(publication)


def test_malformed_arguments(api, demo):
    publication = demo.begin_publication("1.0")
    ref = (publication.publication_id, publication.fence)
    with api.refused("RG400"):
        api.abort_publication(*ref, "x" * 65537)
    for actor in ("", "a\nb", "x" * 256):
        with api.refused("RG400"):
            api.abort_publication(*ref, actor=actor)
        with api.refused("RG400"):
            api.commit_publication(*ref, actor=actor)


def test_files_of_what_ended_are_ghosts(api, demo, disk, ledger):
    demo.publish("0.9")
    publication = demo.begin_publication("1.0", files=[file("a"), file("b")])
    ledger.record(publication)
    ledger.abort(publication)
    rows = api.ask("select status, publication_id from pkgdb.file")
    assert rows == [("failed", None)] * 2
    assert ledger.collect() == []
    report = api.purge()
    assert (report.versions, report.files) == (1, 2)
    assert len(ledger.collect()) == 1


def test_files_of_what_ended_in_a_version_that_lives(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a", "a"))
    publication = demo.begin_publication("1.0", files=[file("b", "b")])
    ledger.abort(publication)
    report = api.purge()
    assert (report.versions, report.files) == (0, 1)
    assert [f["filename"] for f in demo.resolve("1.0").files] == ["a"]
    (task,) = ledger.collect()
    assert ledger.confirm(task).outcome == "postponed"


def test_what_ended_is_purged_after_a_week(api, demo, ledger, clock):
    ended = demo.begin_publication("1.0", files=[file("a")])
    ledger.abort(ended)
    demo.begin_publication("2.0", lease="7 days")
    ledger.commit(demo.begin_publication("3.0"))
    clock.advance(days=6, hours=23)
    assert api.purge().publications == 0
    clock.advance(hours=2)
    assert api.purge().publications == 1
    assert [status for status, _ in ledger.publications()] == ["open", "committed"]
    with api.refused("RG404"):
        ledger.abort(ended)


def test_validations_go_with_it(api, repo, demo, ledger, clock):
    repo.alter_repository({"validators": {"scan": "required"}})
    ledger.abort(demo.begin_publication("1.0"))
    assert len(api.ask("select * from pkgdb.validations")) == 1
    clock.advance(days=8)
    api.purge()
    assert api.ask("select * from pkgdb.validations") == []


def test_a_purge_takes_so_many(api, demo, ledger, clock):
    for version in "12345":
        ledger.abort(demo.begin_publication(version))
    clock.advance(days=8)
    assert [api.purge(limit=2).publications for _ in range(4)] == [2, 2, 1, 0]


def test_what_is_committed_stays_as_long_as_its_version(api, demo, ledger, clock):
    ledger.commit(demo.begin_publication("1.0"))
    clock.advance(days=1000)
    assert api.purge().publications == 0
    demo.delete_version("1.0")
    clock.advance(days=1000)
    assert api.purge().publications == 1  # its week was over long ago
    assert ledger.publications() == []


def test_a_restored_version_is_another_row(api, demo, ledger, clock):
    publication = demo.begin_publication("1.0", files=[file("a")], request_key="k")
    ledger.commit(publication)
    demo.delete_version("1.0")
    restored = demo.restore_version("1.0")
    assert restored.version_id != publication.version_id
    again = demo.begin_publication("1.0", files=[file("a")], request_key="k")
    assert (again.outcome, again.version_id) == ("unchanged", publication.version_id)


@pytest.mark.parametrize("first", ["commit_publication", "abort_publication"])
@pytest.mark.parametrize("second", ["commit_publication", "abort_publication"])
def test_two_ends_wait_for_each_other(api, demo, ledger, connect, background, first, second):
    demo.publish("0.9")
    publication = demo.begin_publication("1.0", files=[file("a")])
    ref = (publication.publication_id, publication.fence)
    one, other = connect(autocommit=False), connect()
    getattr(api.on(one), first)(*ref)
    late = background.submit(getattr(api.on(other), second), *ref)
    wait_until_blocked(api.connection, backend_pid(other))
    one.commit()
    if first == second:
        assert late.result().outcome == "unchanged"
    else:
        assert getattr(late.exception(), "sqlstate", None) == "RG422"


def test_an_end_that_is_rolled_back_ends_nothing(api, demo, ledger, connect):
    publication = demo.begin_publication("1.0", files=[file("a")])
    session = connect(autocommit=False)
    api.on(session).abort_publication(publication.publication_id, publication.fence)
    session.rollback()
    assert ledger.commit(publication).outcome == "created"
