"""GitLab: rows that failed, or are stuck in processing, hold their version for ever. Right: a
failed one frees it at once, a stuck one when its lease ends."""

import pytest

from tests.incidents.support import Package, Race, World, call

MAVEN = Package("generic", "maven")
PUSH, EXPIRE = MAVEN("publish", "2.0"), call("expire_publications", "acme")
NOT_YET, LONG_AGO = "infinity", "-infinity"


def given_row(world: World, status: str, **more: object) -> None:
    world.repository()
    world.given(MAVEN("publish", "1.0"))
    world.insert_version(MAVEN, "2.0", status, **more)


def pushed_over_a_failed_one(world: World) -> tuple[str, list[str], set[str]]:
    given_row(world, "failed", removed_at="2024-01-01T00:00Z")
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
    given_row(world, "processing", lease_until=LONG_AGO)
    session = world.session()
    assert [session.do(one) for one in (PUSH, EXPIRE, PUSH, EXPIRE)] == [
        "RG422",
        "1",
        "created",
        "0",
    ]
    assert world.rows(MAVEN) == [("1.0", "available"), ("2.0", "failed"), ("2.0", "available")]
    assert world.violated() == set()


def test_a_lease_that_lasts_holds(world: World) -> None:
    given_row(world, "processing", lease_until=NOT_YET)
    session = world.session()
    assert [session.do(one) for one in (EXPIRE, PUSH, EXPIRE)] == ["0", "RG422", "0"]
    assert session.do(MAVEN("resolve", "2.0")) == "RG404"
    assert session.do(MAVEN("delete_version", "2.0")) == "deleted"
    assert session.do(PUSH) == "created"
    assert world.violated() == set()


def pushed_while_it_expires(world: World) -> tuple[Race, list[str], set[str]]:
    given_row(world, "processing", lease_until=LONG_AGO)
    return world.race(EXPIRE, PUSH), world.live(MAVEN), world.violated()


def test_a_push_waits_for_the_reaper(world: World) -> None:
    race = Race("1", "lock", "created")
    assert pushed_while_it_expires(world) == (race, ["1.0", "2.0"], set())


def test_a_push_does_not_wait_without_registration_lock(world: World) -> None:
    """It is refused because of a row that has been given up."""
    race = Race("1", "nothing", "RG422")
    world.without("registration lock")
    assert pushed_while_it_expires(world) == (race, ["1.0"], set())


def committed_while_it_expires(world: World) -> tuple[str, str, list[tuple[str, str]]]:
    """A publication is committed after its lease, and before the reaper has come to it."""
    given_row(world, "processing", lease_until=LONG_AGO)
    publisher, reaper = world.session(), world.session()
    publisher.begin()
    publisher.do(MAVEN("deprecate", "1.0", p_message="use 2.0"))  # has the lock of the name now
    publisher.connection.execute("reset role")
    publisher.connection.execute(  # by hand: what the commit of a publication does
        """
        update pkgdb.package_version
           set status = 'available', lease_until = null, added_epoch = 1,
               published_at = clock_timestamp()
         where version = '2.0'
        """
    )
    reaper.start(EXPIRE)
    waited = reaper.settle()
    publisher.commit()
    return waited, reaper.answer(), world.rows(MAVEN)


def test_what_was_committed_does_not_expire(world: World) -> None:
    published = [("1.0", "available"), ("2.0", "available")]
    assert committed_while_it_expires(world) == ("lock", "0", published)


@pytest.mark.parametrize(
    ("protections", "answer", "status"),
    [
        (["registration lock"], "23514", "available"),
        (["registration lock", "added check"], "1", "failed"),
    ],
    ids=["the check is the backstop", "nothing is left"],
)
def test_what_was_committed_expires_without(
    world: World, protections: list[str], answer: str, status: str
) -> None:
    seen = committed_while_it_expires(world.without(*protections))
    assert seen == ("row", answer, [("1.0", "available"), ("2.0", status)])
