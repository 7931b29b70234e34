"""aptly, move: the destination is saved, then the source, in two commits: a crash between them
leaves the package in both. Right: one transaction: never in both, never in neither."""

import pytest

from tests.incidents.curation import copy, fill, in_repository, move, publish, remove
from tests.incidents.support import Call, Race, Session, World
from tests.support import backend_pid, wait_until

Both = tuple[list[str], list[str]]
ALL = ["curl 1", "nano 1", "wget 1"]

# What somebody else holds, in the order in which a move comes to it.
PLACES = {
    "the repository": "select from pkgdb.repository where name = 'source' for update",
    "bytes": "select from pkgdb.blob for update",
    "the name in the target": "select from pkgdb.registration g join pkgdb.repository r"
    " using (namespace, repository_id) where r.name = 'target' for update of g",
    "the name in the source": "select from pkgdb.registration g join pkgdb.repository r"
    " using (namespace, repository_id) where r.name = 'source' for update of g",
    "the file": "select from pkgdb.file for update",
    "the version": "select from pkgdb.package_version for update",
}
LOCK = "select pg_advisory_xact_lock((pkgdb.repository_lock('acme', repository_id, true)).key)"
LOCKED = f"{LOCK} from pkgdb.repository where name = 'target'"


def furnished(world: World) -> World:
    fill(world, "source", "curl", "nano", "wget", reuse="always")
    fill(world, "target", reuse="always")
    # The name in the target is there already, so that it can be held.
    world.given(copy("target", "source", "wget"), remove("target", "wget"))
    return world


def where(world: World) -> Both:
    return in_repository(world, "source"), in_repository(world, "target")


def kill(world: World, session: Session) -> None:
    pid = backend_pid(session.connection)
    world.db.execute("select pg_terminate_backend(%s)", [pid])
    wait_until(world.db, "select not exists (select from pg_stat_activity where pid = %s)", [pid])


def killed(world: World, call: Call, statement: str) -> tuple[str, str, Both]:
    """The server ends a session that waits in the middle of a call; what it waited for, what its
    client learns, and where the packages are then."""
    holder, session = world.connect(), world.session()
    with holder.transaction():
        holder.execute(statement.encode())
        session.start(call)
        waited = session.settle()
        assert where(world)[0] == ALL  # nobody sees a part of it
        kill(world, session)
    return waited, session.answer(), where(world)


@pytest.mark.parametrize("place", [LOCKED, *PLACES.values()], ids=["the lock", *PLACES])
def test_holds(world: World, place: str) -> None:
    furnished(world)
    waited, told, after = killed(world, move("target", "source"), place)
    assert waited == ("lock" if place == LOCKED else "row")
    assert (told, after) == ("57P01", (ALL, []))
    assert world.violated() == set()
    assert world.session().do(move("target", "source")) == "moved"
    assert where(world) == ([], ALL)
    assert world.violated() == set()


@pytest.mark.parametrize("place", [LOCKED, *PLACES.values()], ids=["the lock", *PLACES])
def test_it_goes_on_when_it_can(world: World, place: str) -> None:
    holder, session = furnished(world).connect(), world.session()
    with holder.transaction():
        holder.execute(place.encode())
        session.start(move("target", "source", "curl | wget"))
        assert session.settle() != "nothing"
        assert where(world) == (ALL, [])
    assert session.answer() == "moved"
    assert where(world) == (["nano 1"], ["curl 1", "wget 1"])
    assert world.violated() == set()


def test_fails_in_two_steps(world: World) -> None:
    """As in aptly: saved here, then there."""
    furnished(world)
    session = world.session()
    assert session.do(copy("target", "source")) == "copied"
    _, _, after = killed(world, remove("source"), PLACES["the version"])
    assert after == (ALL, ALL)


def two_moves(world: World) -> tuple[Race, list[str], list[str], list[str]]:
    """One package to two places at the same moment."""
    furnished(world)
    fill(world, "elsewhere")
    race = world.race(move("target", "source", "curl"), move("elsewhere", "source", "curl"))
    return race, *where(world), in_repository(world, "elsewhere")


def test_two_moves(world: World) -> None:
    left = ["nano 1", "wget 1"]
    assert two_moves(world) == (Race("moved", "lock", "unchanged"), left, ["curl 1"], [])
    assert world.violated() == set()


def test_two_moves_fail_without_repository_lock(world: World) -> None:
    """It was one, and is two; and counted out twice."""
    race, *content = two_moves(world.without("repository lock"))
    assert race == Race("moved", "row", "23514")
    assert content == [["nano 1", "wget 1"], ["curl 1"], []]


def test_two_moves_fail_without_counts_too(world: World) -> None:
    race, *content = two_moves(world.without("repository lock", "counts"))
    assert race == Race("moved", "row", "moved")
    assert content == [["nano 1", "wget 1"], ["curl 1"], ["curl 1"]]
    assert "latest is right" in world.violated()


def test_there_and_back(world: World) -> None:
    """Two moves in opposite directions: the second finds what the first brought."""
    furnished(world)
    race = world.race(move("target", "source"), move("source", "target"))
    assert race == Race("moved", "lock", "moved")
    assert where(world) == (ALL, [])
    assert world.violated() == set()


def test_a_refused_move_moves_nothing(world: World) -> None:
    """The last of three packages is there with other content."""
    fill(world, "source", "curl", "nano", "wget")
    fill(world, "target", reuse="always")
    world.given(publish("wget", "1", "target", text="other bytes"))
    session = world.session()
    assert session.do(move("target", "source")) == "RG409"
    assert where(world) == (ALL, ["wget 1"])
    assert session.do(move("target", "source", p_replace=True, p_dry_run=True)) == "planned"
    assert where(world) == (ALL, ["wget 1"])
    assert world.violated() == set()
