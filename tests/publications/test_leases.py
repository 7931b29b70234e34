"""Who has the fence, and for how long."""

from datetime import timedelta

import pytest

from tests.behaviour.calls import Calls, file
from tests.support import backend_pid, wait_until_blocked

FILES = [file("a.whl", "a")]


def begin(demo, actor, **more):
    return demo.begin_publication("1.0", files=FILES, actor=actor, **more)


def everything(api, publication):
    """All calls that need the fence."""
    ref = (publication.publication_id, publication.fence)
    yield lambda: api.renew_publication(*ref)
    yield lambda: record_on(api, publication)
    yield lambda: api.commit_publication(*ref)
    yield lambda: api.abort_publication(*ref)


def record_on(api, publication):
    (copy,) = publication.copies
    return api.record_copy(
        publication.publication_id, publication.fence, "disk", copy["sha256"], copy["generation"]
    )


def test_before_the_lease_ends_others_are_told(api, demo, disk):
    first = begin(demo, "one")
    with api.changes_nothing():
        for actor in ("other", "one", None):
            found = begin(demo, actor)
            assert (found.outcome, found.state, found.fence) == ("in_progress", "open", None)
            assert found.publication_id == first.publication_id
            assert found.lease_until == first.lease_until


def test_the_same_request_gets_a_new_fence(api, demo, disk):
    mine = {"request_key": "k"}
    fences = [begin(demo, "one", **mine).fence for _ in range(3)]
    assert fences == [1, 2, 3]
    assert begin(demo, "other", **mine).outcome == "in_progress"
    assert begin(demo, "one", request_key="another").outcome == "in_progress"


def test_after_the_lease_anyone_with_the_content_takes_over(api, demo, disk, clock):
    first = begin(demo, "one", lease=timedelta(minutes=1))
    clock.advance(minutes=2)
    second = begin(demo, "other", request_key="k")
    assert (second.outcome, second.fence) == ("resumed", 2)
    assert (second.publication_id, second.version_id) == (first.publication_id, first.version_id)
    assert second.copies == first.copies
    (row,) = api.ask("select * from pkgdb.publications")
    assert (row.actor, row.request_key) == ("other", "k")
    assert begin(demo, "one").outcome == "in_progress"


@pytest.mark.parametrize("fence", [0, 1, 3, -1])
def test_an_old_fence_is_good_for_nothing(api, demo, disk, fence):
    begin(demo, "one", request_key="k")
    held = begin(demo, "one", request_key="k")
    for call in everything(api, held._replace(fence=fence)):
        with api.refused("RG412"):
            call()


def test_an_expired_lease_is_still_its_holders(api, demo, disk, ledger, clock):
    """Lost only to the reaper, or to a new fence."""
    publication = begin(demo, "one")
    clock.advance(days=100)
    ledger.record(publication)
    assert ledger.commit(publication).outcome == "created"


def test_an_expired_lease_is_renewed(api, demo, disk, clock):
    publication = begin(demo, "one")
    clock.advance(days=100)
    renewed = api.renew_publication(publication.publication_id, 1, timedelta(hours=1))
    assert (renewed.outcome, renewed.fence, renewed.state) == ("renewed", 1, "open")
    assert renewed.copies == publication.copies
    assert api.expire_publications() == (0,)
    assert begin(demo, "other").outcome == "in_progress"
    clock.advance(hours=2)
    assert api.expire_publications() == (1,)
    *others, abort = everything(api, publication)
    for call in others:
        with api.refused("RG422"):
            call()
    with api.changes_nothing():
        assert abort().outcome == "unchanged"


def test_renewing_may_shorten(api, demo, clock):
    publication = begin(demo, "one")
    api.renew_publication(publication.publication_id, 1, timedelta(seconds=1))
    clock.advance(seconds=2)
    assert begin(demo, "other").outcome == "resumed"


@pytest.mark.parametrize(
    "lease", [None, timedelta(0), timedelta(seconds=-1), timedelta(days=7, seconds=1)]
)
def test_leases_that_are_none(api, demo, lease):
    publication = begin(demo, "one")
    with api.refused("RG400"):
        api.renew_publication(publication.publication_id, 1, lease)


def test_the_longest_and_the_shortest_lease(demo, clock):
    begin(demo, "one", lease=timedelta(days=7))
    clock.advance(days=6, hours=23)
    assert begin(demo, "other").outcome == "in_progress"
    clock.advance(hours=2)
    assert begin(demo, "other", lease=timedelta(milliseconds=1)).outcome == "resumed"


def test_what_does_not_exist(api, demo):
    publication = begin(demo, "one")
    for publication_id in (0, -1, publication.publication_id + 1):
        for function in ("renew_publication", "commit_publication", "abort_publication"):
            with api.refused("RG404"):
                getattr(api, function)(publication_id, 1)
        with api.refused("RG404"):
            api.record_validation(publication_id, "scan", "succeeded")
    elsewhere = Calls(api.connection, ("elsewhere",))
    with api.refused("RG404"):
        elsewhere.commit_publication(publication.publication_id, publication.fence)


def test_what_is_not_given(api, demo):
    publication = begin(demo, "one")
    for function in ("renew_publication", "commit_publication", "abort_publication"):
        for ref in ((None, 1), (publication.publication_id, None)):
            with api.refused("RG400"):
                getattr(api, function)(*ref)
    with api.refused("RG400"):
        api.record_validation(None, "scan", "succeeded")


def test_two_take_over_at_once(api, demo, clock, connect, background):
    """One gets the fence, the other is told."""
    begin(demo, "one")
    clock.advance(hours=1)
    first, second = connect(autocommit=False), connect()
    assert begin(demo.on(first), "two").fence == 2
    other = background.submit(begin, demo.on(second), "three")
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert other.result().outcome == "in_progress"


@pytest.mark.parametrize(
    ("function", "status"),
    [("renew_publication", "open"), ("commit_publication", "committed"),
     ("abort_publication", "aborted")],
)  # fmt: skip
def test_the_reaper_reads_again(api, demo, ledger, clock, connect, background, function, status):
    publication = begin(demo, "one")
    clock.advance(hours=1)
    holder, reaper = connect(autocommit=False), connect()
    getattr(api.on(holder), function)(publication.publication_id, 1)
    expired = background.submit(api.on(reaper).expire_publications)
    wait_until_blocked(api.connection, backend_pid(reaper))
    holder.commit()
    assert expired.result() == (0,)
    assert ledger.publications() == [(status, None)]


def test_who_takes_over_waits_for_an_upload_and_sees_it(
    api, demo, disk, clock, connect, background
):
    publication = begin(demo, "one")
    clock.advance(hours=1)
    recording, taking = connect(autocommit=False), connect()
    record_on(api.on(recording), publication)
    taken = background.submit(begin, demo.on(taking), "other")
    wait_until_blocked(api.connection, backend_pid(taking))
    recording.commit()
    assert (taken.result().fence, taken.result().copies) == (2, [])


def test_an_upload_waits_for_who_takes_over_and_is_refused(
    api, demo, disk, clock, connect, background
):
    publication = begin(demo, "one")
    clock.advance(hours=1)
    taking, recording = connect(autocommit=False), connect()
    taken = begin(demo.on(taking), "other")
    late = background.submit(record_on, api.on(recording), publication)
    wait_until_blocked(api.connection, backend_pid(recording))
    taking.commit()
    assert getattr(late.exception(), "sqlstate", None) == "RG412"
    assert record_on(api, taken).outcome == "recorded"


def test_the_reaper_ends_at_most_so_many_oldest_first(api, demo, ledger, clock):
    for version in ("1", "2", "3"):
        demo.begin_publication(version)
        clock.advance(minutes=1)
    clock.advance(hours=1)
    assert api.expire_publications(2) == (2,)
    ended = [("expired", "its lease ended")] * 2
    assert ledger.publications() == [*ended, ("open", None)]
    assert api.expire_publications(2) == (1,)  # those that have ended do not count
    assert api.expire_publications() == (0,)
    for limit in (None, 0, -1, 1001):
        with api.refused("RG400"):
            api.expire_publications(limit)
    with api.refused("RG400"):
        Calls(api.connection).expire_publications(None)
