"""aptly 1.6.3: four clients publish to one endpoint at once; of 80 that were acknowledged there are
20. Right: an endpoint is unique, exactly one of its creators wins, and a switch is a
compare-and-set on the revision: what is acknowledged is there."""

import pytest

from tests.incidents.curation import fill, freeze, serve, served, switch
from tests.incidents.support import Call, Race, World, call, outcomes

CLIENTS, ENDPOINTS = 4, 20
SNAPSHOTS = [f"s{number}" for number in range(2 * CLIENTS)]


def furnished(world: World) -> World:
    """Snapshots s0, s1 and so on: each has one package more."""
    fill(world, "main")
    for number, snapshot in enumerate(SNAPSHOTS):
        world.given(
            call("publish", "acme", "main", "deb", f"pkg{number}", "1", "all"), freeze(snapshot)
        )
    return world


def endpoints(world: World) -> list[str]:
    rows = world.db.execute("select distribution from pkgdb.distributions order by 1").fetchall()
    return [name for (name,) in rows]


def four_at_once(world: World) -> tuple[dict[str, int], list[str]]:
    """Each client creates each endpoint; nobody writes before all have looked."""
    furnished(world)
    answers: list[str] = []
    for number in range(ENDPOINTS):
        with world.pause("distribution"):
            sessions = world.start_all(
                serve(f"endpoint{number:02}", main=snapshot) for snapshot in SNAPSHOTS[:CLIENTS]
            )
        answers += [session.answer() for session in sessions]
        world.db.execute("drop trigger pause on pkgdb.distribution; drop function public.pause()")
    return outcomes(answers), endpoints(world)


def test_holds(world: World) -> None:
    told, there = four_at_once(world)
    assert told == {"RG409": (CLIENTS - 1) * ENDPOINTS, "created": ENDPOINTS}
    assert there == [f"endpoint{number:02}" for number in range(ENDPOINTS)]
    assert world.violated() == set()


def test_fails_without_endpoint_names(world: World) -> None:
    """All are acknowledged; clients read one of four."""
    told, there = four_at_once(world.without("endpoint names"))
    assert told == {"created": CLIENTS * ENDPOINTS}
    assert len(there) == CLIENTS * ENDPOINTS
    assert len(set(there)) == ENDPOINTS
    assert world.violated() == {"unique names"}


def crowd(world: World, calls: list[Call]) -> dict[str, int]:
    """All at the same moment: they gather before the distribution, which then opens."""
    gate = world.connect()
    with gate.transaction():
        gate.execute("""
            select pg_advisory_xact_lock(
                       (pkgdb.distribution_lock(namespace, distribution_id, true)).key)
              from pkgdb.distribution""")
        sessions = world.start_all(calls)
    return outcomes([session.answer() for session in sessions])


def revision(world: World) -> int:
    (number,) = world.db.execute("select revision from pkgdb.distributions").fetchone() or (0,)
    return number


@pytest.mark.parametrize("clients", [2, CLIENTS])
def test_one_switch_wins_for_each_revision(world: World, clients: int) -> None:
    furnished(world)
    world.given(freeze("empty", None), serve(main="empty"))
    for round_ in range(1, 9):
        assert revision(world) == round_
        choices = SNAPSHOTS[round_ % 2 :: 2][:clients]  # none of them is what is served
        calls = [switch(main=choice, p_if_revision=round_) for choice in choices]
        before = served(world)
        told = crowd(world, calls)
        assert told == {"RG412": clients - 1, "switched": 1}
        assert served(world) != before
    assert world.violated() == set()


def two_switches(world: World, **second: str) -> tuple[Race, list[str], int]:
    """Both on what they have seen of revision 1."""
    furnished(world)
    world.given(serve(main="s0", extra="s0"))
    race = world.race(
        switch(main="s1", p_if_revision=1),
        switch(p_if_revision=1, **second),
    )
    return race, [line for line in served(world) if "pkg1 " in line], revision(world)


@pytest.mark.parametrize("second", [{"main": "s0"}, {"extra": "s1"}], ids=["same", "another"])
def test_the_second_is_told(world: World, second: dict[str, str]) -> None:
    seen = two_switches(world, **second)
    assert seen == (Race("switched", "lock", "RG412"), ["main pkg1 1"], 2)
    assert world.violated() == set()


def test_fails_without_distribution_lock(world: World) -> None:
    """Two decisions on one revision: clients get a state that nobody has decided on."""
    seen = two_switches(world.without("distribution lock"), extra="s1")
    assert seen == (
        Race("switched", "row", "switched"), ["extra pkg1 1", "main pkg1 1"], 3,
    )  # fmt: skip


def test_a_component_is_the_backstop(world: World) -> None:
    """Of one component: an internal error, and the first stands."""
    seen = two_switches(world.without("distribution lock"), main="s2")
    assert seen == (Race("switched", "row", "23505"), ["main pkg1 1"], 2)


def test_fails_without_compare_and_set(world: World) -> None:
    """The first is acknowledged, and nothing is left of it."""
    seen = two_switches(world.without("compare and set"), main="s0")
    assert seen == (Race("switched", "lock", "switched"), [], 3)


def test_without_a_revision_the_last_one_stands(world: World) -> None:
    furnished(world)
    world.given(serve(main="s0"))
    assert crowd(world, [switch(main=f"s{n}") for n in (1, 2, 3)]) == {"switched": 3}
    assert revision(world) == 4
    steps = [switch(main="s0"), switch(main="s0"), switch(main="s0", p_if_revision=5)]
    session = world.session()
    assert [session.do(step) for step in steps] == ["switched", "unchanged", "unchanged"]
    assert (revision(world), served(world)) == (5, ["main pkg0 1"])
    assert world.violated() == set()


@pytest.mark.parametrize(
    "first", [switch(main="s1"), call("drop_distribution", "acme", "", "stable")]
)
def test_a_switch_beside_a_drop(world: World, first: Call) -> None:
    furnished(world)
    world.given(serve(main="s0"))
    second = call("drop_distribution", "acme", "", "stable", p_if_revision=1)
    told = (
        ("switched", "RG412") if first.function == "switch_distribution" else ("dropped", "RG404")
    )
    race = world.race(first, second)
    assert race == Race(told[0], "lock", told[1])
    assert world.violated() == set()
