"""Names are given back where nothing was ever published under them."""

import pytest

from tests.behaviour.calls import Calls, file
from tests.support import backend_pid, wait_until_blocked


def registrations(api):
    return [row.name for row in api.ask("select name::text from pkgdb.registration order by 1")]


@pytest.fixture(params=["abort", "expire", "reject", "delete"])
def give_up(request, api, repo, ledger, clock):
    """Each of the ways in which an attempt ends."""

    def end(publication):
        if request.param == "abort":
            ledger.abort(publication)
        elif request.param == "expire":
            clock.advance(hours=1)
            api.expire_publications()
        elif request.param == "reject":
            ledger.validate(publication, "scan", "failed")
        else:
            row = api.ask(
                "select * from pkgdb.publications where publication_id = %s",
                publication.publication_id,
            )[0]
            repo.delete_version(row.ecosystem, row.name, row.version)

    repo.alter_repository({"validators": {"scan": "required"}})
    return end


def test_a_name_without_versions_is_given_back(api, repo, demo, give_up):
    publication = demo.begin_publication("1.0", files=[file("a")])
    assert registrations(api) == ["demo"]
    give_up(publication)
    assert registrations(api) == []
    assert api.ask("select * from pkgdb.package_version") == []
    with api.refused("RG404"):
        demo.resolve("latest")
    assert demo.reserve_name().outcome == "reserved"


def test_its_bytes_go_to_the_collector(api, demo, disk, ledger, give_up, clock):
    publication = demo.begin_publication("1.0", files=[file("a")])
    ledger.record(publication)
    give_up(publication)
    ledger.long_ago()
    (task,) = ledger.collect()
    assert ledger.confirm(task).outcome == "deleted"
    assert api.ask("select * from pkgdb.blob") == []


def test_as_long_as_another_is_open_it_is_kept(api, demo, ledger):
    one, other = demo.begin_publication("1.0"), demo.begin_publication("2.0")
    ledger.abort(one)
    assert registrations(api) == ["demo"]
    ledger.abort(other)
    assert registrations(api) == []


def test_once_published_it_is_kept(api, demo, ledger):
    ledger.commit(demo.begin_publication("1.0"))
    demo.delete_version("1.0")
    api.purge()
    ledger.abort(demo.begin_publication("2.0"))
    assert registrations(api) == ["demo"]


def test_in_the_scope_of_the_namespace(api, repo, give_up):
    api.create_repository("other")
    publication = repo.begin_publication("npm", "demo", "1.0.0")
    theirs = api.at("other", "npm", "demo")
    with api.refused("RG409"):
        theirs.begin_publication("1.0.0")
    give_up(publication)
    assert theirs.begin_publication("1.0.0").outcome == "begun"


def test_with_the_lookalike_guard(api, repo, give_up):
    repo.alter_repository({"lookalike_guard": True})
    publication = repo.begin_publication("pypi", "left-pad", "1.0")
    with api.refused("RG409"):
        repo.publish("pypi", "leftpad", "1.0")
    give_up(publication)
    assert repo.begin_publication("pypi", "leftpad", "1.0").outcome == "begun"


def test_the_lookalike_key_goes_to_who_has_waited_for_it(api, repo, give_up):
    publication = repo.begin_publication("pypi", "left-pad", "1.0")
    repo.begin_publication("pypi", "leftpad", "1.0", lease="1 day")
    repo.alter_repository({"lookalike_guard": True})
    give_up(publication)
    with api.refused("RG409"):
        repo.begin_publication("pypi", "left-pad", "1.0")


def test_who_waited_for_the_lock_claims_it_anew(api, demo, ledger, connect, background):
    publication = demo.begin_publication("1.0", files=[file("a")])
    first, second = connect(autocommit=False), connect()
    api.on(first).abort_publication(publication.publication_id, publication.fence)
    other = background.submit(demo.on(second).begin_publication, "1.0", files=[file("a", "b")])
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    begun = other.result()
    assert begun.outcome == "begun"
    assert begun.registration_id != publication.registration_id
    assert ledger.commit(begun).outcome == "created"


def test_who_waited_to_commit_is_told(api, demo, ledger, connect, background):
    publication = demo.begin_publication("1.0", files=[file("a")])
    ref = (publication.publication_id, publication.fence)
    first, second = connect(autocommit=False), connect()
    api.on(first).abort_publication(*ref, "never mind")
    late = background.submit(api.on(second).abort_publication, *ref)
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert late.result().outcome == "unchanged"
    with api.refused("RG422"):
        ledger.commit(publication)


def test_attempts_of_a_name_that_was_given_back_are_remembered(api, demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    ledger.abort(publication, "never mind")
    with api.changes_nothing():
        assert ledger.abort(publication).outcome == "unchanged"
        late = ledger.validate(publication, "scan", "succeeded")
        assert (late.outcome, late.status) == ("unchanged", None)
    with api.refused("RG422"):
        api.renew_publication(publication.publication_id, publication.fence)
    (row,) = api.ask("select * from pkgdb.publications")
    assert (row.name, row.version, row.status, row.reason) == (
        "demo", "1.0", "aborted", "never mind",
    )  # fmt: skip


def test_ghosts_of_the_name_that_a_purge_is_removing(api, demo, ledger, connect):
    """A purge holds what is left of one attempt when the last one ends."""
    one, other = demo.begin_publication("1.0", files=[file("a")]), demo.begin_publication("2.0")
    ledger.abort(one)
    purging = connect(autocommit=False)
    assert api.on(purging).purge().versions == 1
    purging.rollback()
    ledger.abort(other)
    assert registrations(api) == []
    assert api.purge().versions == 0


def test_an_end_that_waits_for_a_purge_is_not_in_the_way_of_another(
    api, demo, ledger, connect, background
):
    """It holds nothing of one ghost while it waits for an older one."""
    bare, other = demo.begin_publication("1.0"), demo.begin_publication("2.0", files=[file("a")])
    last = demo.begin_publication("3.0")
    ledger.abort(bare)
    ledger.abort(other)
    purging, ending, also_purging = connect(autocommit=False), connect(), connect()
    assert api.on(purging).purge(limit=1).versions == 1
    ended = background.submit(api.on(ending).abort_publication, last.publication_id, last.fence)
    wait_until_blocked(api.connection, backend_pid(ending))
    also_purging.execute("set lock_timeout = '20ms'")
    report = api.on(also_purging).purge()
    assert (report.versions, report.files) == (1, 1)
    purging.commit()
    assert ended.result().outcome == "aborted"
    assert registrations(api) == []


def test_an_end_waits_for_no_purge_of_what_was_published(api, demo, connect):
    demo.publish("1.0")
    demo.delete_version("1.0")
    publication = demo.begin_publication("2.0")
    purging, ending = connect(autocommit=False), connect()
    assert api.on(purging).purge().versions == 1
    ending.execute("set lock_timeout = '20ms'")
    ended = api.on(ending).abort_publication(publication.publication_id, publication.fence)
    assert ended.outcome == "aborted"
    purging.commit()


def test_the_end_waits_for_a_purge(api, demo, ledger, connect, background):
    one, other = demo.begin_publication("1.0", files=[file("a")]), demo.begin_publication("2.0")
    ledger.abort(one)
    purging, ending = connect(autocommit=False), connect()
    api.on(purging).purge()
    ended = background.submit(api.on(ending).abort_publication, other.publication_id, other.fence)
    wait_until_blocked(api.connection, backend_pid(ending))
    purging.commit()
    assert ended.result().outcome == "aborted"
    assert registrations(api) == []


def test_of_another_namespace(api, demo, ledger):
    elsewhere = Calls(api.connection, ("elsewhere",))
    elsewhere.create_repository("main")
    elsewhere.at("main", "pypi", "demo").begin_publication("1.0")
    ledger.abort(demo.begin_publication("1.0"))
    assert registrations(api) == ["demo"]
