import pytest

from tests.behaviour.calls import Calls, file

MINE = {"request_key": "k", "actor": "jo"}
FILES = [file("a.whl", "a")]


def test_the_same_actor_goes_on(demo, disk, ledger):
    first = demo.begin_publication("1.0", files=FILES, **MINE)
    second = demo.begin_publication("1.0", files=FILES, **MINE)
    assert (second.outcome, second.fence) == ("resumed", 2)
    assert second.publication_id == first.publication_id
    assert second.copies == first.copies
    assert ledger.record(second) == ["recorded"]
    assert demo.begin_publication("1.0", files=FILES, **MINE).copies == []


@pytest.mark.parametrize(
    "other",
    [
        {"files": [file("a.whl", "b")]}, {"files": [file("b.whl", "a")]}, {"files": []},
        {"files": [*FILES, file("b.whl")]}, {"files": [file("a.whl", "a", media_type="m")]},
        {"files": [file("a.whl", "a", attributes={"a": 1})]}, {"metadata": {"m": 1}},
        {"version": "2.0"}, {"variant": "x"}, {"name": "other"}, {"ecosystem": "generic"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("committed", [False, True])
def test_for_other_content_it_is_refused(api, repo, ledger, other, committed):
    given = {"ecosystem": "pypi", "name": "demo", "version": "1.0", "files": FILES}
    publication = repo.begin_publication(**given, **MINE)
    if committed:
        ledger.commit(publication)
    with api.refused("RG409"):
        repo.begin_publication(**given | other, **MINE)


def test_in_another_repository_it_is_refused(api, demo):
    api.create_repository("other", policy={"name_scope": "repository"})
    demo.begin_publication("1.0", files=FILES, **MINE)
    with api.refused("RG409"):
        api.at("other", "pypi", "demo").begin_publication("1.0", files=FILES, **MINE)


def test_another_actor_has_other_keys(demo, api):
    demo.begin_publication("1.0", files=FILES, **MINE)
    other = demo.begin_publication("2.0", request_key="k", actor="kim")
    assert other.outcome == "begun"
    assert demo.begin_publication("3.0", request_key="k").outcome == "begun"
    assert demo.begin_publication("3.0", request_key="k").outcome == "resumed"
    rows = api.ask("select actor, login = session_user from pkgdb.publications order by 1")
    assert [actor for actor, _ in rows] == ["jo", "kim", api.ask("select session_user")[0][0]]
    assert all(is_session for _, is_session in rows)


def test_in_another_namespace_it_is_another_key(api, demo):
    demo.begin_publication("1.0", files=FILES, **MINE)
    elsewhere = Calls(api.connection, ("elsewhere",))
    elsewhere.create_repository("main")
    found = elsewhere.at("main", "pypi", "demo").begin_publication("2.0", files=FILES, **MINE)
    assert found.outcome == "begun"


def test_what_was_committed_answers_unchanged_even_after_a_delete(api, repo, demo, ledger):
    publication = demo.begin_publication("1.0", files=FILES, **MINE)
    done = ledger.commit(publication)
    for end in (lambda: None, lambda: demo.delete_version("1.0"), api.purge):
        end()
        with api.changes_nothing():
            again = demo.begin_publication("1.0", files=FILES, **MINE)
            assert (again.state, again.outcome, again.fence) == ("committed", "unchanged", None)
            assert again.publication_id == publication.publication_id
            assert again.version_id == done.version_id
            repeated = ledger.commit(publication)
        assert repeated == done._replace(outcome="unchanged")


def test_it_answers_for_a_week_after_what_it_published_is_gone(api, repo, demo, ledger, clock):
    repo.alter_repository({"reuse": "always"})
    ledger.commit(demo.begin_publication("1.0", files=FILES, **MINE))
    demo.delete_version("1.0")
    assert api.purge().publications == 0
    clock.advance(days=6)
    assert api.purge().publications == 0
    assert demo.begin_publication("1.0", files=FILES, **MINE).outcome == "unchanged"
    clock.advance(days=2)
    assert api.purge().publications == 1
    assert demo.begin_publication("1.0", files=FILES, **MINE).outcome == "begun"


@pytest.mark.parametrize("how", ["aborted", "expired", "rejected"])
def test_an_attempt_that_ended_frees_its_key(api, repo, demo, ledger, clock, how):
    repo.alter_repository({"validators": {"scan": "required"}})
    publication = demo.begin_publication("1.0", files=FILES, **MINE)
    if how == "aborted":
        ledger.abort(publication)
    elif how == "rejected":
        ledger.validate(publication, "scan", "failed")
    else:
        clock.advance(hours=1)
        api.expire_publications()
    again = demo.begin_publication("1.0", files=[file("a.whl", "corrected")], **MINE)
    assert (again.outcome, again.fence) == ("begun", 1)
    assert [status for status, _ in ledger.publications()] == [how, "open"]


def test_also_for_another_call(demo, ledger):
    ledger.abort(demo.begin_publication("1.0", files=FILES, **MINE))
    assert demo.publish("0.1", **MINE).outcome == "created"


def test_a_key_of_another_call(api, demo):
    demo.publish("0.1", **MINE)
    with api.refused("RG409"):
        demo.begin_publication("1.0", files=FILES, **MINE)


def test_a_key_for_another_call(api, demo):
    demo.begin_publication("1.0", files=FILES, **MINE)
    with api.refused("RG409"):
        demo.publish("0.1", **MINE)


def test_who_took_over_has_it_under_a_key_of_their_own(demo, ledger, clock):
    demo.begin_publication("1.0", files=FILES, **MINE)
    clock.advance(hours=1)
    taken = demo.begin_publication("1.0", files=FILES, request_key="other", actor="kim")
    assert taken.outcome == "resumed"
    assert demo.begin_publication("1.0", files=FILES, **MINE).outcome == "in_progress"
    ledger.commit(taken)
    assert demo.begin_publication("1.0", files=FILES, **MINE).outcome == "unchanged"
