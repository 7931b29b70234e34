"""aptly, mirror update: a long update overwrites what was edited meanwhile, and two updates of one
mirror run at once. Right: one has the lease, under a fence; who changes the mirror's settings or
drops it fences the update out; what people decided about versions survives it."""

import pytest

from tests.incidents.curation import (
    begin,
    deb,
    delete,
    digest,
    fill,
    freeze,
    in_repository,
    item,
    mirror,
)
from tests.incidents.support import Call, Race, World, call
from tests.publications.clock import Clock

CURL, WGET = item("curl"), item("wget")
CHANGED = item("curl", text="built again"), item("wget", text="built again")


def stage(number: int, fence: int, *items: dict[str, object]) -> Call:
    return call("stage_mirror_items", "acme", number, fence, [*items])


def commit(number: int, fence: int = 1) -> Call:
    return call("commit_mirror_update", "acme", number, fence)


def begin_as(actor: str, release: str = "monday", **named: object) -> Call:
    lease = {"p_release": release, "p_lease": "1 hour", "p_actor": actor}
    return call("begin_mirror_update", "acme", "up", **lease | named)


# Two at once.


def two_begin(world: World) -> tuple[Race, int]:
    world.repository("up", "mirror")
    race = world.race(begin_as("first"), begin_as("second"))
    (at_it,) = world.db.execute("select count(*) from pkgdb.mirror_updates").fetchone() or (0,)
    return race, at_it


def test_one_has_the_lease(world: World) -> None:
    assert two_begin(world) == (Race("begun", "row", "in_progress"), 1)
    assert world.violated() == set()


def test_two_have_it_without_open_updates(world: World) -> None:
    """Each brings the mirror to what it found itself, and is told that all went well."""
    world.without("open updates")
    assert two_begin(world) == (Race("begun", "nothing", "begun"), 2)
    assert world.violated() == {"unique names"}
    session = world.session()
    steps = [stage(1, 1, CURL), stage(2, 1, WGET), commit(1), commit(2)]
    assert [session.do(step) for step in steps] == ["staged", "staged", "committed", "committed"]
    assert in_repository(world, "up") == ["wget 1"]


def test_who_asks_again_goes_on(world: World) -> None:
    world.repository("up", "mirror")
    session = world.session()
    again = begin_as("first", p_request_key="update 1")
    assert [session.do(one) for one in (again, again)] == ["begun", "resumed"]
    assert session.do(begin_as("second", p_request_key="update 1")) == "in_progress"
    assert session.do(stage(1, 1, CURL)) == "RG412"
    assert [session.do(one) for one in (stage(1, 2, CURL), commit(1, 2))] == ["staged", "committed"]
    assert in_repository(world, "up") == ["curl 1"]
    assert world.violated() == set()


def taken_over(world: World, release: str) -> None:
    """The first has found one of two packages when its lease ends, and another one takes over."""
    clock = Clock(world.db)
    world.repository("up", "mirror")
    world.given(begin_as("first"), stage(1, 1, CURL))
    assert world.session().do(begin_as("second", release)) == "in_progress"
    clock.advance(hours=2)
    assert world.session().do(begin_as("second", release)) == "resumed"


def test_what_was_staged_of_the_same_release_stays(world: World) -> None:
    taken_over(world, "monday")
    session = world.session()
    assert [session.do(one) for one in (stage(1, 1, WGET), commit(1))] == ["RG412", "RG412"]
    assert [session.do(one) for one in (stage(1, 2, WGET), commit(1, 2))] == ["staged", "committed"]
    assert in_repository(world, "up") == ["curl 1", "wget 1"]
    assert session.do(begin_as("third")) == "unchanged"
    assert world.violated() == set()


def woken_up(world: World) -> tuple[str, list[str], str]:
    """The second is in the middle of another release when the first goes on; what the first is
    told, what the mirror has then, and what the second is told in the end."""
    taken_over(world, "tuesday")
    session = world.session()
    assert session.do(stage(1, 2, item("nano"))) == "staged"
    first = session.do(commit(1))
    meanwhile = in_repository(world, "up")
    session.do(stage(1, 2, item("vim")))
    return first, meanwhile, session.do(commit(1, 2))


def test_who_was_taken_over_can_do_nothing(world: World) -> None:
    assert woken_up(world) == ("RG412", [], "committed")
    assert in_repository(world, "up") == ["nano 1", "vim 1"]
    assert world.violated() == set()


def test_fails_without_fence_of_updates(world: World) -> None:
    """Half of a release is committed, and the other half never."""
    seen = woken_up(world.without("fence of updates"))
    assert seen == ("committed", ["nano 1"], "unchanged")
    assert in_repository(world, "up") == ["nano 1"]


@pytest.mark.parametrize(
    ("ending", "told"),
    [("commit_mirror_update", "committed"), ("abort_mirror_update", "aborted")],
)
def test_who_was_taken_over_did_not_end_it(world: World, ending: str, told: str) -> None:
    """To be told that nothing is left to do would be to be told that it was done as they asked."""
    world.repository("up", "mirror")
    again = begin_as("first", p_request_key="update 1")
    world.given(again, again)
    session = world.session()
    asked = [(2, told), (1, "RG412"), (2, "unchanged")]
    for fence, answer in asked:
        assert session.do(call(ending, "acme", 1, fence)) == answer
    assert world.violated() == set()


def test_one_takes_it_over(world: World) -> None:
    """Of two who come when the lease has ended."""
    clock = Clock(world.db)
    world.repository("up", "mirror")
    world.given(begin_as("first"))
    clock.advance(hours=2)
    race = world.race(begin_as("second"), begin_as("third"))
    assert race == Race("resumed", "row", "in_progress")
    assert world.violated() == set()


def test_staging_renews_the_lease(world: World) -> None:
    clock = Clock(world.db)
    world.repository("up", "mirror")
    world.given(begin_as("first"))
    renew = call("stage_mirror_items", "acme", 1, 1, [], p_lease="1 hour")
    for _ in range(3):
        clock.advance(minutes=50)
        assert world.session().do(renew) == "staged"
        assert world.session().do(begin_as("second")) == "in_progress"
    clock.advance(minutes=70)
    assert world.session().do(renew) == "staged"  # late, and nobody has come meanwhile
    assert world.session().do(begin_as("second")) == "in_progress"


def test_given_up_for_good(world: World) -> None:
    """Nobody comes for a week: what was staged goes, and with it the claim on its bytes."""
    clock = Clock(world.db)
    world.repository("up", "mirror")
    world.given(begin_as("first"), stage(1, 1, CURL))
    purge, staged = call("purge", "acme"), "select from pkgdb.mirror_item"
    clock.advance(days=7)
    world.given(purge)
    assert world.db.execute(staged).rowcount == 1
    clock.advance(hours=2)
    world.given(purge)
    assert world.db.execute(staged).rowcount == 0
    assert world.session().do(stage(1, 1, CURL)) == "RG422"
    assert world.session().do(begin_as("second")) == "begun"
    assert world.violated() == set()


def test_what_was_committed_long_after_the_lease_stays(world: World) -> None:
    """For a week from then on, as any other update."""
    clock = Clock(world.db)
    world.repository("up", "mirror")
    world.given(begin_as("first"), stage(1, 1, CURL))
    clock.advance(days=6)
    world.given(commit(1))
    clock.advance(days=2)
    world.given(call("purge", "acme"))
    assert world.session().do(commit(1)) == "unchanged"


@pytest.mark.parametrize("first", ["purge", "begin"])
def test_whoever_comes_late_and_a_purge(world: World, first: str) -> None:
    """They begin anew, or go on with it and the purge leaves it alone."""
    clock = Clock(world.db)
    world.repository("up", "mirror")
    world.given(begin_as("first"), stage(1, 1, CURL))
    clock.advance(days=8)
    calls = [call("purge", "acme"), begin_as("second")]
    if first == "purge":
        race = world.race(*calls)
        assert (race.waited, race.second) == ("row", "begun")
    else:
        race = world.race(*reversed(calls))
        assert (race.first, race.waited) == ("resumed", "nothing")
        assert world.session().do(commit(1, 2)) == "committed"
        assert in_repository(world, "up") == ["curl 1"]
    assert world.violated() == set()


def test_what_comes_back(world: World) -> None:
    """Upstream has it no longer, and then again."""
    mirror(world, "up", CURL, WGET)
    for items in ([WGET], [CURL, WGET], [WGET], [CURL, WGET]):
        number = begin(world, "up")
        world.given(stage(number, 1, *items), commit(number))
        assert in_repository(world, "up") == ["curl 1", "wget 1"][-len(items) :]
    assert world.violated() == set()


def test_all_or_nothing(world: World) -> None:
    """Readers see none of it before the commit; whoever ended an update ends it for good."""
    mirror(world, "up", CURL)
    number = begin(world, "up")
    world.given(freeze("before", "up"), stage(number, 1, WGET))
    assert in_repository(world, "up") == ["curl 1"]
    session = world.session()
    abort = call("abort_mirror_update", "acme", number, 1)
    assert [session.do(one) for one in (abort, abort)] == ["aborted", "unchanged"]
    assert [session.do(one) for one in (stage(number, 1, WGET), commit(number))] == ["RG422"] * 2
    assert in_repository(world, "up") == ["curl 1"]
    assert world.violated() == set()


# Bytes.


def uploads(world: World) -> list[Call]:
    """An update and a publication have a file each to bring to one backend. The update's holder
    reports the one and the other, under its own fence."""
    keeps = [call("set_repository_backend", "acme", name, "disk") for name in ("up", "main")]
    world.repository("up", "mirror")
    world.repository()
    world.given(
        call("add_backend", "acme", "disk", "file:///srv/disk"), *keeps,
        begin_as("first"), stage(1, 1, CURL), call("missing_mirror_copies", "acme", 1, 1),
        deb("wget")("begin_publication", "1", "all", WGET["files"]),
    )  # fmt: skip
    announced = world.db.execute(
        "select encode(sha256, 'hex'), generation from pkgdb.blob_copy order by generation"
    ).fetchall()
    return [call("record_mirror_copy", "acme", 1, 1, "disk", *copy) for copy in announced]


ENDINGS = {
    "committed": (commit(1), "RG422"),
    "aborted": (call("abort_mirror_update", "acme", 1, 1), "RG422"),
    "dropped": (call("drop_repository", "acme", "up"), "RG412"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_upload_is_of_what_an_update_brings(world: World, ending: str) -> None:
    """For as long as it goes on; then it is said that it has ended."""
    ours, theirs = uploads(world)
    end, told = ENDINGS[ending]
    session = world.session()
    steps = [theirs, ours, ours, end, ours]
    assert [session.do(one) for one in steps] == ["RG404", "recorded", "unchanged", ending, told]
    assert world.violated() == set()


def test_an_upload_beside_an_end(world: World) -> None:
    """Whoever comes second waits; a late upload counts for nothing."""
    ours, _ = uploads(world)
    end, told = ENDINGS["aborted"]
    assert world.race(end, ours) == Race("aborted", "row", told)
    assert world.violated() == set()


def test_an_end_beside_an_upload(world: World) -> None:
    ours, _ = uploads(world)
    assert world.race(ours, ENDINGS["aborted"][0]) == Race("recorded", "row", "aborted")
    assert world.violated() == set()


# What people decide meanwhile.


def statuses(world: World) -> list[tuple[str, str, bool, str | None, str | None]]:
    return world.db.execute(
        "select name, status, listed, yank_reason, deprecation"
        " from pkgdb.search_versions('acme', p_repository => 'up') order by name"
    ).fetchall()


DECISIONS = [
    deb("curl", "up")("quarantine", "1", "all", p_reason="a worm"),
    deb("wget", "up")("yank", "1", "all", p_reason="broken"),
    deb("wget", "up")("deprecate", "1", "all", p_message="use curl"),
    deb("wget", "up")("set_tag", "1", "all", p_tag="checked"),
]
DECIDED = [
    ("curl", "quarantined", True, None, None),
    ("wget", "available", False, "broken", "use curl"),
]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("items", [(CURL, WGET), CHANGED], ids=["the same", "other content"])
def test_decisions_survive(world: World, items: tuple[dict[str, object]], when: str) -> None:
    mirror(world, "up", CURL, WGET)
    if when == "before":
        world.given(*DECISIONS)
    number = begin(world, "up")
    world.given(stage(number, 1, *items))
    if when == "meanwhile":
        world.given(*DECISIONS)
    world.given(commit(number))
    assert statuses(world) == DECIDED
    tags = world.db.execute("select tag, name, version from pkgdb.tags").fetchall()
    assert tags == [("checked", "wget", "1")]


def test_what_was_blocked_is_blocked_when_it_comes_again(world: World) -> None:
    """Somebody deleted it, and upstream has it still; what was not blocked is available."""
    mirror(world, "up", CURL, WGET)
    world.given(deb("curl", "up")("quarantine", "1", "all"))
    world.given(delete("curl", "1", "up"), delete("wget", "1", "up"))
    number = begin(world, "up")
    world.given(stage(number, 1, CURL, WGET), commit(number))
    assert [row[:2] for row in statuses(world)] == [("curl", "quarantined"), ("wget", "available")]
    assert world.violated() == set()


QUARANTINE = deb("curl", "up")("quarantine", "1", "all")


def ready(world: World) -> int:
    """An update that will replace what the mirror has."""
    mirror(world, "up", CURL, WGET)
    number = begin(world, "up")
    world.given(stage(number, 1, *CHANGED))
    return number


def quarantined_beside(world: World, *, first: bool) -> tuple[Race, str]:
    """Quarantined while the update is being committed, and what it is then."""
    number = ready(world)
    calls = (QUARANTINE, commit(number)) if first else (commit(number), QUARANTINE)
    return world.race(*calls), statuses(world)[0][1]


def test_an_update_waits_for_a_decision(world: World) -> None:
    seen = quarantined_beside(world, first=True)
    assert seen == (Race("quarantined", "lock", "committed"), "quarantined")
    assert world.violated() == set()


def test_a_decision_waits_for_an_update(world: World) -> None:
    seen = quarantined_beside(world, first=False)
    assert seen == (Race("committed", "lock", "quarantined"), "quarantined")
    assert world.violated() == set()


def test_an_update_overwrites_a_decision_without_repository_lock(world: World) -> None:
    """What was blocked, and acknowledged as such, can be had again."""
    seen = quarantined_beside(world.without("repository lock"), first=True)
    assert seen == (Race("quarantined", "row", "committed"), "available")


def test_a_decision_fails_without_repository_lock(world: World) -> None:
    """It is about a row that was replaced: an internal error."""
    seen = quarantined_beside(world.without("repository lock"), first=False)
    assert seen == (Race("committed", "row", "23514"), "available")


# Settings changed, or the mirror gone.

ALTER = call("alter_repository", "acme", "up", {"upstream": {"filter": "wget"}})
DROP = call("drop_repository", "acme", "up")


def updates(world: World) -> list[tuple[str | None, str]]:
    """Of which mirror each was, and how it ended."""
    return world.db.execute(
        "select repository, status from pkgdb.mirror_updates order by update_id"
    ).fetchall()


def settings(world: World) -> list[tuple[object, object]]:
    return world.db.execute("select upstream, release from pkgdb.mirrors").fetchall()


@pytest.mark.parametrize(("ending", "told"), [(ALTER, "altered"), (DROP, "dropped")])
def test_an_update_is_fenced_out(world: World, ending: Call, told: str) -> None:
    number = ready(world)
    assert world.race(ending, commit(number)) == Race(told, "lock", "RG412")
    assert world.session().do(stage(number, 1, CURL)) == "RG412"
    if ending is ALTER:
        assert in_repository(world, "up") == ["curl 1", "wget 1"]
    assert world.violated() == set()


@pytest.mark.parametrize(("ending", "told"), [(ALTER, "altered"), (DROP, "dropped")])
def test_what_was_committed_came_first(world: World, ending: Call, told: str) -> None:
    assert world.race(commit(ready(world)), ending) == Race("committed", "lock", told)
    altered = ending is ALTER
    assert updates(world) == [("up" if altered else None, "committed")] * 2
    # What it has was found by other settings.
    assert settings(world) == ([({"filter": "wget"}, None)] if altered else [])
    assert world.violated() == set()


def test_settings_change_beside_a_purge(world: World) -> None:
    """An update that has ended stays as it ended."""
    clock = Clock(world.db)
    world.repository("up", "mirror")
    world.given(begin_as("first"))
    clock.advance(days=8)
    assert world.race(call("purge", "acme"), ALTER)[1:] == ("row", "altered")
    assert updates(world) == [("up", "aborted")]
    assert world.violated() == set()


@pytest.mark.parametrize(("ending", "told"), [(ALTER, "altered"), (DROP, "dropped")])
def test_the_row_is_the_backstop(world: World, ending: Call, told: str) -> None:
    number = ready(world.without("repository lock"))
    assert world.race(ending, commit(number)) == Race(told, "row", "RG412")


def altered_beside(world: World) -> tuple[Race, list[tuple[object, object]], list[str]]:
    """An update of wget and more ends while a filter for wget is set."""
    world.repository("up", "mirror")
    world.given(begin_as("first"), stage(1, 1, CURL, WGET))
    race = world.race(ALTER, commit(1))
    return race, settings(world), in_repository(world, "up")


def test_settings_are_not_overwritten(world: World) -> None:
    seen = altered_beside(world)
    assert seen == (Race("altered", "lock", "RG412"), [({"filter": "wget"}, None)], [])
    assert world.session().do(begin_as("first")) == "begun"
    assert world.violated() == set()


def test_settings_do_nothing_without_either_lock(world: World) -> None:
    """The mirror says that it is at that release, and has what its filter leaves out."""
    seen = altered_beside(world.without("repository lock", "row lock of updates"))
    release = ({"filter": "wget"}, "monday")
    assert seen == (Race("altered", "row", "committed"), [release], ["curl 1", "wget 1"])
    assert world.session().do(begin_as("first")) == "unchanged"


def test_an_update_follows_its_mirror_and_not_its_name(world: World) -> None:
    number = ready(world)
    world.given(
        call("rename_repository", "acme", "up", "attic"),
        call("create_repository", "acme", "up", "mirror"),
        commit(number),
    )
    assert in_repository(world, "attic") == ["curl 1", "wget 1"]
    assert in_repository(world, "up") == []
    assert world.violated() == set()


def test_a_snapshot_before_an_update_stays(world: World) -> None:
    number = ready(world)
    fill(world, "main")
    world.given(freeze("before", "up"))
    sealed = digest(world, "before")
    world.given(commit(number))
    assert digest(world, "before") == sealed
    world.given(freeze("after", "up"))
    assert digest(world, "after") != sealed
    assert world.violated() == set()
