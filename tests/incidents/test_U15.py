"""GitLab: rows that failed, or are stuck in processing, hold their version for ever. Right: a
failed one frees it at once, a stuck one when its lease ends."""

from tests.incidents.support import Package, Race, World, call
from tests.publications.clock import Clock

MAVEN = Package("generic", "maven")
PUSH, EXPIRE = MAVEN("publish", "2.0"), call("expire_publications", "acme")
COMMIT = call("commit_publication", "acme", 1, 1)


def begun(world: World) -> Clock:
    """2.0 is being published, as the first publication of all, with a lease of an hour."""
    clock = Clock(world.db)
    world.repository()
    world.given(MAVEN("publish", "1.0"), MAVEN("begin_publication", "2.0", p_lease="1 hour"))
    return clock


def given_up(world: World) -> None:
    """The lease of 2.0 has ended, and nobody has come to it."""
    begun(world).advance(hours=2)


def pushed_over_a_failed_one(world: World) -> tuple[str, list[str], set[str]]:
    begun(world)
    world.given(call("abort_publication", "acme", 1, 1))
    return world.session().do(PUSH), world.live(MAVEN), world.violated()


def test_holds_for_failed(world: World) -> None:
    assert pushed_over_a_failed_one(world) == ("created", ["1.0", "2.0"], set())
    assert world.latest(MAVEN) == ("2.0", "2.0")


def test_fails_without_live_rows_only_in_the_live_index(world: World) -> None:
    world.without("live rows only in the live index")
    assert pushed_over_a_failed_one(world) == ("23505", ["1.0"], set())


def test_fails_without_ghosts_are_not_found(world: World) -> None:
    world.without("ghosts are not found")
    assert pushed_over_a_failed_one(world) == ("unchanged", ["1.0"], set())


def test_processing_expires(world: World) -> None:
    given_up(world)
    session = world.session()
    assert [session.do(one) for one in (PUSH, EXPIRE, PUSH, EXPIRE)] == [
        "RG422",
        "1",
        "created",
        "0",
    ]
    assert world.rows(MAVEN) == [("1.0", "available"), ("2.0", "failed"), ("2.0", "available")]
    assert world.violated() == set()


def test_a_new_attempt_needs_no_reaper(world: World) -> None:
    """Who publishes something else as 2.0 takes the place of the one who was given up."""
    given_up(world)
    other = MAVEN("begin_publication", "2.0", p_metadata={"attempt": 2})
    assert [world.session().do(one) for one in (other, EXPIRE)] == ["begun", "0"]
    assert world.rows(MAVEN) == [("1.0", "available"), ("2.0", "failed"), ("2.0", "processing")]
    assert world.violated() == set()


def test_a_lease_that_lasts_holds(world: World) -> None:
    begun(world)
    session = world.session()
    assert [session.do(one) for one in (EXPIRE, PUSH, EXPIRE)] == ["0", "RG422", "0"]
    assert session.do(MAVEN("resolve", "2.0")) == "RG404"
    assert session.do(MAVEN("delete_version", "2.0")) == "deleted"
    assert session.do(PUSH) == "created"
    assert world.violated() == set()


def pushed_while_it_expires(world: World) -> tuple[Race, list[str], set[str]]:
    given_up(world)
    return world.race(EXPIRE, PUSH), world.live(MAVEN), world.violated()


def test_a_push_waits_for_the_reaper(world: World) -> None:
    race = Race("1", "lock", "created")
    assert pushed_while_it_expires(world) == (race, ["1.0", "2.0"], set())


def test_a_push_does_not_wait_without_registration_lock(world: World) -> None:
    """It is refused because of a row that has been given up."""
    race = Race("1", "nothing", "RG422")
    world.without("registration lock")
    assert pushed_while_it_expires(world) == (race, ["1.0"], set())


def committed_while_it_expires(world: World) -> tuple[str, str, str, str]:
    """A publication is committed after its lease, and before the reaper has come to it. What the
    reaper waited for and answered, and what became of the version and of its publication."""
    given_up(world)
    publisher, reaper = world.session(), world.session()
    publisher.begin()
    assert publisher.do(COMMIT) == "created"
    reaper.start(EXPIRE)
    waited = reaper.settle()
    publisher.commit()
    answer = reaper.answer()
    (ended,) = world.db.execute("select status from pkgdb.publications").fetchone() or ("gone",)
    return waited, answer, dict(world.rows(MAVEN))["2.0"], ended


def test_what_was_committed_does_not_expire(world: World) -> None:
    assert committed_while_it_expires(world) == ("lock", "0", "available", "committed")
    assert world.session().do(COMMIT) == "unchanged"
    assert world.violated() == set()


def test_the_check_is_the_backstop(world: World) -> None:
    world.without("registration lock")
    assert committed_while_it_expires(world) == ("row", "23514", "available", "committed")


def test_what_was_committed_expires_without(world: World) -> None:
    """The publisher who asks again is told that what it published was given up."""
    world.without("registration lock", "committed check")
    assert committed_while_it_expires(world) == ("row", "1", "available", "expired")
    assert world.session().do(COMMIT) == "RG422"
