"""Several open publications fill one version: parallel uploads of wheels."""

import pytest

from tests.behaviour.calls import file
from tests.support import backend_pid, wait_until_blocked


def begin(demo, name, actor=None, **more):
    return demo.begin_publication("1.0", files=[file(name, name)], actor=actor or name, **more)


def depends(name):
    return [{"kind": "requires", "alternatives": [{"name": name}]}]


STATED = {"metadata": {"m": 1}, "dependencies": depends("base")}


def counters(api):
    return api.ask("select versions, files, bytes, revision from pkgdb.registrations")


def names(demo):
    return [f["filename"] for f in demo.resolve("1.0").files]


def test_the_first_commit_makes_it_available(api, demo, disk, ledger):
    publications = [begin(demo, name) for name in ("a", "bb", "ccc")]
    assert len({publication.version_id for publication in publications}) == 1
    assert len({publication.publication_id for publication in publications}) == 3
    for publication, outcome, seen in zip(
        publications[::-1],
        ["created", "files_added", "files_added"],
        [["ccc"], ["bb", "ccc"], ["a", "bb", "ccc"]],
        strict=True,
    ):
        ledger.record(publication)
        assert ledger.commit(publication).outcome == outcome
        assert names(demo) == seen
    assert counters(api) == [(1, 3, 6, 3)]
    assert [e.event for e in events(api)] == ["created", "files_added", "files_added"]


def events(api):
    return api.ask("select * from pkgdb.outbox where registration_id is not null order by event_id")


def test_the_end_of_one_leaves_the_others(api, demo, disk, ledger):
    gone, stays = begin(demo, "a"), begin(demo, "b")
    assert ledger.abort(gone).outcome == "aborted"
    ledger.record(stays)
    assert ledger.commit(stays).outcome == "created"
    assert names(demo) == ["b"]
    assert counters(api) == [(1, 1, 1, 1)]


def test_what_was_aborted_comes_again_to_the_same_version(demo, ledger):
    gone, stays = begin(demo, "a"), begin(demo, "b")
    ledger.abort(gone)
    again = begin(demo, "a")
    assert again.outcome == "begun"
    assert again.version_id == stays.version_id


def test_the_slot_frees_with_the_last_one(api, demo, ledger, clock):
    one, two, three = (begin(demo, name) for name in "abc")
    ledger.abort(one)
    assert statuses(api) == ["processing"]
    ledger.abort(two)
    assert statuses(api) == ["processing"]
    ledger.abort(three)
    assert statuses(api) == []  # nothing was ever published: the name is free as well
    assert demo.publish("1.0", files=[file("x")]).outcome == "created"


def statuses(api):
    rows = api.ask("select status from pkgdb.package_version order by version_id")
    return [row.status for row in rows]


def test_the_slot_frees_once_in_a_package_that_lives(api, demo, ledger):
    demo.publish("0.9")
    one, two = begin(demo, "a"), begin(demo, "b")
    ledger.abort(one)
    ledger.abort(two)
    assert statuses(api) == ["available", "failed"]
    assert demo.publish("1.0").outcome == "created"
    assert counters(api) == [(2, 0, 0, 2)]


def test_expired_ones_are_reaped_one_by_one(api, demo, ledger, clock):
    begin(demo, "a")
    clock.advance(minutes=10)
    begin(demo, "b")
    clock.advance(minutes=10)
    assert api.expire_publications() == (1,)
    assert [status for status, _ in ledger.publications()] == ["expired", "open"]
    assert statuses(api) == ["processing"]
    clock.advance(minutes=10)
    assert api.expire_publications() == (1,)
    assert statuses(api) == []


def test_who_comes_meets_no_expired_ones(api, demo, ledger, clock):
    begin(demo, "a")
    clock.advance(minutes=20)
    begin(demo, "b")
    assert ledger.publications() == [("expired", "its lease ended"), ("open", None)]
    other = demo.begin_publication("1.0", files=[file("a", "other")])
    assert other.outcome == "begun"


def test_who_comes_leaves_what_has_ended_as_it_is(demo, ledger, clock):
    ledger.commit(begin(demo, "a"))
    ledger.abort(begin(demo, "b"), "never mind")
    clock.advance(hours=1)
    begin(demo, "c")
    ended = [("committed", None), ("aborted", "never mind")]
    assert ledger.publications() == [*ended, ("open", None)]


def test_after_the_commit_others_are_told_when_they_begin(demo, ledger):
    first = begin(demo, "a")
    ledger.commit(first)
    late = begin(demo, "b")
    assert (late.outcome, late.version_id) == ("begun", first.version_id)
    assert ledger.commit(late).outcome == "files_added"


def test_metadata_has_to_agree(api, demo, ledger):
    begin(demo, "a", metadata={"m": 1})
    with api.refused("RG409"):
        begin(demo, "b", metadata={"m": 2})
    with api.refused("RG409"):
        begin(demo, "c")
    assert begin(demo, "b", metadata={"m": 1}).outcome == "begun"


def test_dependencies_have_to_agree(api, demo):
    begin(demo, "a", dependencies=STATED["dependencies"])
    for other in ([], depends("more")):
        with api.refused("RG409"):
            begin(demo, "b", dependencies=other)
    assert begin(demo, "b", dependencies=STATED["dependencies"]).outcome == "begun"


def test_metadata_alone_beside_files(demo, ledger):
    """It lacks no file, and yet it is not published."""
    with_files, bare = begin(demo, "a"), demo.begin_publication("1.0")
    assert bare.outcome == "begun"
    assert ledger.commit(bare).outcome == "created"
    assert names(demo) == []
    assert ledger.commit(with_files).outcome == "files_added"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_metadata_is_the_same_whoever_commits_first(demo, ledger, order):
    both = begin(demo, "a", metadata={"m": 1}), begin(demo, "b", metadata={"m": 1})
    for place in order:
        ledger.commit(both[place])
        assert demo.resolve("1.0").metadata == {"m": 1}


def test_metadata_of_what_was_given_up_does_not_count(demo, ledger):
    ledger.abort(begin(demo, "b", metadata={"m": 1}))
    ledger.commit(begin(demo, "a"))
    assert demo.resolve("1.0").metadata == {}


def test_metadata_of_a_published_version_stays(api, demo, ledger):
    ledger.commit(begin(demo, "a", metadata={"m": 1}))
    with api.refused("RG409"):
        begin(demo, "b", metadata={"m": 2})
    ledger.commit(begin(demo, "b"))
    assert demo.resolve("1.0").metadata == {"m": 1}


def test_what_is_published_need_not_be_stated_again(demo, ledger):
    """Whoever adds files to a version may, whatever others say who are on their way to it."""
    ledger.commit(begin(demo, "a", **STATED))
    others = begin(demo, "b"), begin(demo, "c", **STATED)
    assert [ledger.commit(other).outcome for other in others] == ["files_added"] * 2
    assert names(demo) == ["a", "b", "c"]
    assert demo.resolve("1.0").metadata == STATED["metadata"]


def test_begins_of_one_new_name_wait_for_each_other(api, demo, connect, background):
    first, second = connect(autocommit=False), connect()
    one = begin(demo.on(first), "a")
    other = background.submit(begin, demo.on(second), "b")
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert other.result().version_id == one.version_id


def test_begins_of_different_names_do_not(repo, connect):
    first = connect(autocommit=False)
    repo.on(first).begin_publication("pypi", "one", "1.0", files=[file("a")])
    other = repo.begin_publication("pypi", "other", "1.0", files=[file("b", "other")])
    assert other.outcome == "begun"


def test_uploads_of_one_publication_are_recorded_side_by_side(api, demo, disk, ledger, connect):
    publication = demo.begin_publication("1.0", files=[file("a", "a"), file("b", "b")])
    ref = (publication.publication_id, publication.fence)
    one, other = publication.copies
    first = connect(autocommit=False)
    api.on(first).record_copy(*ref, "disk", one["sha256"], one["generation"])
    recorded = api.record_copy(*ref, "disk", other["sha256"], other["generation"])
    assert recorded.outcome == "recorded"
    first.commit()
    assert ledger.commit(publication).outcome == "created"


def test_latest_moves_with_the_commit(api, demo, ledger):
    demo.publish("0.9")
    newer, newest = demo.begin_publication("1.0"), demo.begin_publication("2.0a1")
    assert latest(api) == [("0.9", "0.9")]
    ledger.commit(newest)
    assert latest(api) == [("2.0a1", "0.9")]
    ledger.commit(newer)
    assert latest(api) == [("2.0a1", "1.0")]


def latest(api):
    return api.ask("select latest, latest_stable from pkgdb.registrations")
