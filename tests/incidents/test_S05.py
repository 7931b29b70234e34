"""aptly, merge and pull: the sources are loaded before the lock, so that changes are missing.
Right: a source is looked up again under its lock; a snapshot cannot change; and what is frozen is
frozen at an epoch that nobody is half-way through adding to."""

import pytest

from tests.incidents.curation import (
    copy,
    delete,
    digest,
    drop,
    fill,
    freeze,
    in_repository,
    in_snapshot,
    merge,
    publish,
    pull,
    remove,
    rename,
    select,
)
from tests.incidents.support import (
    PAUSE_KEY,
    Call,
    Package,
    Race,
    Session,
    World,
    call,
    content,
)

MAKING = {
    "merge": merge("new", "tested"),
    "pull": pull("new", "empty", "tested"),
    "filter": select("new", "tested"),
}


def replaced(world: World, making: Call) -> tuple[str, str]:
    """Somebody gives the name of the source to another snapshot meanwhile; what the call waited
    for, and its answer."""
    fill(world, "main", "old")
    world.given(freeze("tested"), freeze("empty", None), publish("young"), freeze("candidate"))
    session, other = world.session(), world.session()
    session.begin()
    for step in (drop("tested"), rename("candidate", "tested")):
        assert session.do(step) in ("dropped", "renamed")
    other.start(making)
    waited = other.settle()
    session.commit()
    return waited, other.answer()


@pytest.mark.parametrize("making", MAKING)
def test_a_source_is_looked_up_under_its_lock(world: World, making: str) -> None:
    assert replaced(world, MAKING[making]) == ("lock", "created")
    assert in_snapshot(world, "new") == ["old 1", "young 1"]
    assert world.violated() == set()


@pytest.mark.parametrize("making", MAKING)
def test_fails_without_second_look(world: World, making: str) -> None:
    """An internal error: what it has loaded is gone."""
    world.without("second look at snapshots")
    assert replaced(world, MAKING[making]) == ("lock", "23503")


@pytest.mark.parametrize("making", MAKING)
def test_made_of_what_is_gone_without_references(world: World, making: str) -> None:
    world.without("second look at snapshots", "snapshot references")
    assert replaced(world, MAKING[making]) == ("lock", "created")
    assert in_snapshot(world, "new") == ["old 1"]
    assert world.violated() == {"references"}


EDITS = {
    "add": publish("young"),
    "bulk": call("publish_many", "acme", "main", [{"ecosystem": "deb", "name": "young",
                                                    "version": "1", "variant": "all"}]),
    "copy": copy("main", "other"),
    "delete": delete("old"),
    "remove": remove("main", "old"),
    "drop": call("drop_repository", "acme", "main", p_force=True),
}  # fmt: skip


@pytest.mark.parametrize("making", MAKING)
@pytest.mark.parametrize("edit", EDITS)
def test_a_snapshot_is_a_source_that_does_not_change(world: World, making: str, edit: str) -> None:
    """Nobody waits for anybody."""
    fill(world, "main", "old", "older")
    fill(world, "other", "young")
    world.given(freeze("tested"), freeze("empty", None))
    race = world.race(EDITS[edit], MAKING[making])
    assert race.waited == "nothing"
    assert race.second == "created"
    assert in_snapshot(world, "new") == ["old 1", "older 1"]
    assert world.violated() == set()


def frozen_beside(world: World, edit: Call, *, commits: bool = True) -> tuple[str, list[str], bool]:
    """A snapshot is taken while an edit is on its way: what it waited for, what it has as soon as
    it is there, and whether it has the same when the edit is over."""
    fill(world, "main", "old", "older")
    fill(world, "other", "young")
    session, other = world.session(), world.session()
    session.begin()
    session.do(edit)
    other.start(freeze("new"))
    waited = other.settle()
    if waited == "nothing":
        before = in_snapshot(world, "new"), digest(world, "new")
    end(session, commits=commits)
    assert other.answer() == "created"
    after = in_snapshot(world, "new"), digest(world, "new")
    return waited, after[0], waited == "lock" or before == after


def end(session: Session, *, commits: bool) -> None:
    if commits:
        session.commit()
    else:
        session.rollback()


@pytest.mark.parametrize("edit", ["add", "bulk", "copy", "delete", "remove"])
def test_freezing_waits_for_an_edit(world: World, edit: str) -> None:
    content = ["older 1"] if edit in ("delete", "remove") else ["old 1", "older 1", "young 1"]
    assert frozen_beside(world, EDITS[edit]) == ("lock", content, True)
    assert world.violated() == set()


@pytest.mark.parametrize("edit", ["add", "remove"])
def test_what_is_rolled_back_was_never_there(world: World, edit: str) -> None:
    seen = frozen_beside(world, EDITS[edit], commits=False)
    assert seen == ("lock", ["old 1", "older 1"], True)
    assert world.violated() == set()


@pytest.mark.parametrize("edit", ["add", "bulk", "delete"])
def test_a_snapshot_changes_without_repository_lock(world: World, edit: str) -> None:
    """The edit is of the epoch that was frozen."""
    world.without("repository lock")
    content = ["older 1"] if edit == "delete" else ["old 1", "older 1", "young 1"]
    assert frozen_beside(world, EDITS[edit]) == ("nothing", content, False)


def sealed_meanwhile(world: World) -> set[str]:
    """As above; its digest is noted before the edit is over."""
    fill(world, "main", "old")
    session = world.session()
    session.begin()
    session.do(publish("young"))
    freezing = world.session()
    freezing.start(freeze("new"))
    if freezing.settle() == "nothing":
        world.given(call("seal_snapshots", "acme"))
    session.commit()
    assert freezing.answer() == "created"
    world.given(call("seal_snapshots", "acme"))
    return world.violated()


def test_the_check_finds_what_changed(world: World) -> None:
    assert sealed_meanwhile(world.without("repository lock")) == {"immutable snapshots"}


def test_the_check_finds_nothing(world: World) -> None:
    assert sealed_meanwhile(world) == set()


def copied_beside(world: World) -> tuple[Race, list[str], list[str]]:
    """A version is copied from a repository while it is being removed there."""
    fill(world, "main", "old", "older")
    fill(world, "other")
    race = world.race(remove("main", "old"), copy("other", "main", "old"))
    return race, in_repository(world, "main"), in_repository(world, "other")


def test_copying_reads_its_source_under_the_lock(world: World) -> None:
    assert copied_beside(world) == (Race("removed", "lock", "unchanged"), ["older 1"], [])
    assert world.violated() == set()


def test_copying_fails_without_repository_lock(world: World) -> None:
    """Withdrawn and copied: the copy has not seen the change."""
    seen = copied_beside(world.without("repository lock"))
    assert seen == (Race("removed", "nothing", "copied"), ["older 1"], ["old 1"])


DEMO = Package("pypi", "demo")
FILES = [content("demo.tar.gz"), content("demo.whl")]


def copied_in_between(world: World) -> tuple[str, str, list[str], int]:
    """A version is deleted after a copy has found it, and before it reads what it has. What the
    copy waited at, and answered; the files that came, and how many versions."""
    fill(world, "main")
    fill(world, "other")
    world.given(DEMO("publish", "1.0", p_files=FILES))
    world.db.execute(
        f"""
        alter function pkgdb.match_members rename to match_all_members;
        create function pkgdb.match_members(
            p_namespace text, p_members pkgdb.member[], p_queries text[])
        returns pkgdb.member[] language plpgsql stable as $$
        begin
            perform pg_advisory_xact_lock_shared({PAUSE_KEY});
            return pkgdb.match_all_members(p_namespace, p_members, p_queries);
        end $$""".encode()
    )
    copying = world.session()
    with world.connect() as gate, gate.transaction():
        gate.execute("select pg_advisory_xact_lock(%s)", [PAUSE_KEY])
        copying.start(copy("other", "main", "demo"))
        waited = copying.settle()
        world.given(DEMO("delete_version", "1.0"))
    answer = copying.answer()
    files = [name for (name,) in world.db.execute(
        "select filename from pkgdb.files where repository = 'other' order by 1"
    )]  # fmt: skip
    return waited, answer, files, len(in_repository(world, "other"))


def test_copying_reads_its_source_at_one_moment(world: World) -> None:
    """Others publish and delete in the source meanwhile: the copy has all of it or none."""
    seen = copied_in_between(world)
    assert seen == ("pause", "copied", ["demo.tar.gz", "demo.whl"], 1)
    assert in_repository(world) == []
    assert world.violated() == set()


def test_copying_fails_without_one_moment(world: World) -> None:
    """The version came without its files."""
    seen = copied_in_between(world.without("one look at a source"))
    assert seen == ("pause", "copied", [], 1)
