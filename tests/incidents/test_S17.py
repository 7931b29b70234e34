"""aptly #1119, #583: cleaning up races with publishing, and takes files that what is published
needs. Right: what a snapshot contains is pinned for as long as it is there, what is removed never
enters a later one, and bytes go only when no row needs them."""

import pytest

from tests.incidents.curation import (
    array,
    begin,
    deb,
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
    select,
    serve,
    served,
    switch,
)
from tests.incidents.pipeline import BACKEND, Pipeline, refusal, texts
from tests.incidents.support import PAUSE_KEY, Call, Package, Race, World, call, content

PURGE = call("purge", "acme")
NEEDED = ["curl 1", "wget 1"]


def cleaned_up(world: World, *calls: Call) -> World:
    """Everything in the repository is deleted, and swept away."""
    fill(world, "main", "curl", "wget")
    world.given(freeze("tested"), *calls, delete("curl"), delete("wget"), PURGE)
    return world


def test_a_snapshot_keeps_what_it_contains(world: World) -> None:
    cleaned_up(world)
    assert (in_snapshot(world, "tested"), in_repository(world)) == (NEEDED, [])
    world.given(drop("tested"))
    assert world.session().do(PURGE) == "2"
    assert world.violated() == set()


MAKING = {
    "merge": merge("made", "tested"),
    "pull": pull("made", "empty", "tested"),
    "filter": select("made", "tested"),
}


@pytest.mark.parametrize("making", MAKING.values(), ids=MAKING)
def test_so_does_one_made_of_others(world: World, making: Call) -> None:
    cleaned_up(world, freeze("empty", None), making)
    world.given(drop("tested", p_force=True), PURGE)
    assert in_snapshot(world, "made") == NEEDED
    world.given(drop("made"))
    assert world.session().do(PURGE) == "2"
    assert world.violated() == set()


def test_so_does_one_of_a_repository_that_is_gone(world: World) -> None:
    fill(world, "main", "curl", "wget")
    world.given(freeze("tested"), serve(main="tested"))
    world.given(call("drop_repository", "acme", "main", p_force=True), PURGE)
    assert served(world) == ["main curl 1", "main wget 1"]
    assert world.violated() == set()


def test_it_fails_without_pins(world: World) -> None:
    """The snapshot is there, what is served is there, and both are empty."""
    cleaned_up(world.without("pins"), serve(main="tested"))
    assert (in_snapshot(world, "tested"), served(world)) == ([], [])


def test_members_are_held_by_a_foreign_key(world: World) -> None:
    """Without the pins a purge fails, as long as there is one."""
    fill(world, "main", "curl")
    world.given(freeze("tested"), merge("made", "tested"), delete("curl"))
    assert world.without("pins").session().do(PURGE) == "23503"
    assert in_snapshot(world, "made") == ["curl 1"]


DEMO = Package("pypi", "demo")
FILES = [content("demo.tar.gz"), content("demo.whl")]
DELETE_FILE = DEMO("delete_file", "1.0", p_filename="demo.whl")


def files_in(world: World, snapshot: str) -> list[str]:
    rows = world.db.execute(
        "select f ->> 'filename' from pkgdb.search_versions('acme', null, %s, null, true),"
        " jsonb_array_elements(files) f order by 1",
        [snapshot],
    ).fetchall()
    return [name for (name,) in rows]


def test_files_of_versions_that_live_on(world: World) -> None:
    world.repository()
    world.given(
        DEMO("publish", "1.0", p_files=FILES), freeze("tested"), merge("made", "tested"),
        DELETE_FILE, freeze("later"), PURGE,
    )  # fmt: skip
    both = ["demo.tar.gz", "demo.whl"]
    assert [files_in(world, name) for name in ("tested", "made", "later")] == [both, both, both[:1]]
    world.given(drop("tested", p_force=True), PURGE)
    assert files_in(world, "made") == both
    assert world.violated() == set()


# At the same moment.


def deleted_beside(world: World, commits: bool = True) -> tuple[str, str, list[str], str]:
    """A version is deleted while a snapshot is being taken, and the purge comes at once; what the
    deletion waited for, its answer, what the snapshot has then, and what the purge took."""
    fill(world, "main", "curl", "wget")
    freezing, deleting = world.session(), world.session()
    freezing.begin()
    freezing.do(freeze("tested"))
    deleting.start(delete("curl"))
    waited = deleting.settle()
    if commits:
        freezing.commit()
    else:
        freezing.rollback()
    answer, purged = deleting.answer(), world.session().do(PURGE)
    return waited, answer, in_snapshot(world, "tested") if commits else [], purged


def test_a_deletion_waits_for_a_snapshot(world: World) -> None:
    assert deleted_beside(world) == ("lock", "deleted", NEEDED, "0")
    assert world.violated() == set()


def test_a_snapshot_that_was_not_taken_pins_nothing(world: World) -> None:
    assert deleted_beside(world, commits=False) == ("lock", "deleted", [], "1")
    assert world.violated() == set()


def test_it_is_deleted_from_the_snapshot_without_repository_lock(world: World) -> None:
    seen = deleted_beside(world.without("repository lock"))
    assert seen == ("nothing", "deleted", ["wget 1"], "1")


def frozen_beside(world: World, cleaning: Call, *before: Call) -> tuple[Race, list[str], bool]:
    """A snapshot is taken while something is being cleaned up; what it has, and whether it stays
    so."""
    fill(world, "main", "curl", "wget", "nano")
    world.given(*before)
    race = world.race(cleaning, freeze("tested"))
    found, frozen = in_snapshot(world, "tested"), digest(world, "tested")
    world.given(PURGE)
    return race, found, (in_snapshot(world, "tested"), digest(world, "tested")) == (found, frozen)


def test_a_snapshot_waits_for_a_deletion(world: World) -> None:
    race = Race("deleted", "lock", "created")
    assert frozen_beside(world, delete("nano")) == (race, NEEDED, True)
    assert world.violated() == set()


def test_a_snapshot_beside_a_purge(world: World) -> None:
    """What a purge takes is in no later snapshot: neither waits for the other."""
    race = Race("1", "nothing", "created")
    assert frozen_beside(world, PURGE, delete("nano")) == (race, NEEDED, True)
    assert world.violated() == set()


def lost_file(
    world: World, making: Call = MAKING["merge"]
) -> tuple[str, str, list[str], list[str]]:
    """A merge is on its way when its source is dropped and a purge comes: what the drop waited
    for, its answer, the files that the merge has, and had read."""
    world.repository()
    world.given(
        DEMO("publish", "1.0", p_files=FILES), freeze("tested"), freeze("empty", None), DELETE_FILE
    )
    merging, dropping = world.session(), world.session()
    merging.begin()
    merging.do(making)
    read = [
        name
        for (name,) in merging.connection.execute(
            "select f ->> 'filename' from pkgdb.search_versions('acme', null, 'made', null, true),"
            " jsonb_array_elements(files) f order by 1"
        )
    ]
    dropping.start(drop("tested"))
    waited = dropping.settle()
    if waited == "nothing":
        world.given(PURGE)
    merging.commit()
    answer = dropping.answer()
    world.given(PURGE)
    return waited, answer, files_in(world, "made"), read


@pytest.mark.parametrize("making", MAKING.values(), ids=MAKING)
def test_a_drop_waits_for_who_uses_the_snapshot(world: World, making: Call) -> None:
    both = ["demo.tar.gz", "demo.whl"]
    assert lost_file(world, making) == ("lock", "RG423", both, both)
    assert world.violated() == set()


def test_a_file_is_lost_without_snapshot_lock(world: World) -> None:
    """The version is held by a foreign key; a file of it is not."""
    world.without("snapshot lock", "snapshot references")
    both = ["demo.tar.gz", "demo.whl"]
    assert lost_file(world) == ("nothing", "dropped", both[:1], both)


SWITCH = switch(main="new")
CONTENT = call("distribution_content", "acme", "", "stable")


def switched_beside(world: World, second: Call, *, commits: bool = True) -> tuple[str, str, str]:
    """A distribution is switched from old to new, and somebody drops one of them: what that waited
    for, and its answer; which versions are served in the end."""
    fill(world, "main", "curl")
    world.given(freeze("old"), publish("wget", "2"), freeze("new"), serve(main="old"))
    switching, dropping = world.session(), world.session()
    switching.begin()
    switching.do(SWITCH)
    dropping.start(second)
    waited = dropping.settle()
    if commits:
        switching.commit()
    else:
        switching.rollback()
    answer = dropping.answer()
    world.given(delete("curl"), delete("wget", "2"), PURGE)
    return waited, answer, dropping.do(CONTENT)


def test_what_is_being_served_is_not_dropped(world: World) -> None:
    seen = switched_beside(world, drop("new"))
    assert seen == ("lock", "RG423", "1 2")
    assert world.violated() == set()


def test_what_was_to_be_served_and_is_not(world: World) -> None:
    seen = switched_beside(world, drop("new"), commits=False)
    assert seen == ("lock", "dropped", "1")
    assert world.violated() == set()


@pytest.mark.parametrize("commits", [True, False])
def test_what_is_served_still_is_not_dropped(world: World, commits: bool) -> None:
    """The switch may yet be given up: the drop is refused at once."""
    seen = switched_beside(world, drop("old"), commits=commits)
    assert seen == ("nothing", "RG423", "1 2" if commits else "1")
    assert world.violated() == set()


def test_what_is_served_goes_without_snapshot_lock(world: World) -> None:
    """To list it is an internal error."""
    seen = switched_beside(world.without("snapshot lock", "snapshot references"), drop("new"))
    assert seen == ("nothing", "dropped", "P0002")
    assert world.violated() == {"served content"}


def test_two_who_seal_take_different_ones(world: World) -> None:
    fill(world, "main", "curl")
    world.given(freeze("one"), freeze("two"))
    seal = call("seal_snapshots", "acme", 1)
    assert world.race(seal, seal) == Race("1", "nothing", "1")
    sealed = "select snapshot from pkgdb.snapshots where digest is not null"
    assert world.db.execute(sealed).rowcount == 2


# Rendering.


def rendered_beside(world: World) -> tuple[str, str]:
    """A renderer is reading the first of two components when both are switched, what they had is
    dropped, and a purge takes it. What it waited at, and which versions it has rendered."""
    fill(world, "main", "curl")
    fill(world, "next", "wget 2")
    world.given(freeze("old"), freeze("new", "next"), serve(extra="old", main="old"))
    wait_in_first_component(world)
    renderer = world.session()
    with world.connect() as gate, gate.transaction():
        gate.execute("select pg_advisory_xact_lock(%s)", [PAUSE_KEY])
        renderer.start(CONTENT)
        waited = renderer.settle()
        world.given(switch(extra="new", main="new"), drop("old"), delete("curl"), PURGE)
    return waited, renderer.answer()


def wait_in_first_component(world: World) -> None:
    world.db.execute(
        f"""
        alter function pkgdb.without_quarantined rename to all_without_quarantined;
        create function pkgdb.without_quarantined(p_members pkgdb.member[])
        returns pkgdb.member[] language plpgsql stable as $$
        begin
            perform pg_advisory_xact_lock_shared({PAUSE_KEY});
            return pkgdb.all_without_quarantined(p_members);
        end $$""".encode()
    )


def test_a_renderer_sees_one_state(world: World) -> None:
    assert rendered_beside(world) == ("pause", "1 1")
    assert served(world) == ["extra wget 2", "main wget 2"]
    assert world.violated() == set()


def test_a_renderer_fails_without_one_look(world: World) -> None:
    """The second component is gone when it comes to it."""
    assert rendered_beside(world.without("one look")) == ("pause", "P0002")


# Bytes.


def kept(pipeline: Pipeline) -> None:
    """A version with bytes in a store; it is frozen and served."""
    package = pipeline.repository().package("demo")
    pipeline.publish(package, "1.0", "demo.whl", "bytes")
    pipeline.world.given(
        freeze("tested"),
        call("create_distribution", "acme", "", "stable", "pypi", {"main": {"snapshot": "tested"}}),
    )


def downloaded(pipeline: Pipeline) -> list[str | None]:
    """What a client of the distribution gets of the files that it names."""
    rows = pipeline.db.execute("""
        select c.object_key
          from pkgdb.distribution_content('acme', '', 'stable') d,
               jsonb_array_elements(d.files) f
          left join pkgdb.blob_copies c
            on c.namespace = 'acme' and c.sha256 = f ->> 'sha256'""").fetchall()
    return [pipeline.download(key) for (key,) in rows]


DELETE = Package("pypi", "demo")("delete_version", "1.0")
CLEANING: dict[str, list[Call]] = {
    "nothing": [],
    "delete": [DELETE],
    "purge": [DELETE, PURGE],
    "drop": [call("drop_repository", "acme", "main", p_force=True), PURGE],
    "merge": [merge("made", "tested"), switch(main="made"), drop("tested", p_force=True), DELETE,
              PURGE],
}  # fmt: skip


@pytest.mark.parametrize("cleaning", CLEANING)
def test_bytes_of_what_is_served_stay(pipeline: Pipeline, cleaning: str) -> None:
    kept(pipeline)
    pipeline.world.given(*CLEANING[cleaning])
    assert pipeline.collect() == []
    assert downloaded(pipeline) == ["bytes"]
    assert pipeline.violated() == set()


def test_bytes_go_with_the_last_snapshot(pipeline: Pipeline) -> None:
    kept(pipeline)
    pipeline.world.given(
        DELETE, call("drop_distribution", "acme", "", "stable"), drop("tested"), PURGE
    )
    assert pipeline.collect() == ["deleted"]
    assert pipeline.store.objects() == []
    assert pipeline.violated() == set()


def test_bytes_go_without_pins(pipeline: Pipeline) -> None:
    """What a client finds in the index is not there."""
    kept(pipeline.without("pins"))
    before = pipeline.db.execute("select c.object_key from pkgdb.blob_copies c").fetchall()
    pipeline.world.given(DELETE, PURGE)
    assert pipeline.collect() == ["deleted"]
    assert [pipeline.download(key) for (key,) in before] == [None]
    assert downloaded(pipeline) == []


@pytest.mark.parametrize("commits", [True, False])
def test_the_collector_beside_a_purge(pipeline: Pipeline, commits: bool) -> None:
    """What it is about to free is needed until it is freed; then it goes, and not before."""
    kept(pipeline)
    pipeline.world.given(DELETE, call("drop_distribution", "acme", "", "stable"), drop("tested"))
    pipeline.suspect_everything()
    purging = pipeline.world.session()
    purging.begin()
    assert purging.do(PURGE) == "1"
    assert pipeline.claim() == []
    if commits:
        purging.commit()
    else:
        purging.rollback()
    assert pipeline.collect() == (["deleted"] if commits else [])
    assert pipeline.violated() == set()


def test_bytes_of_what_is_being_copied_stay(pipeline: Pipeline) -> None:
    """A copy has read what a snapshot contains when that is dropped, and all is cleaned up."""
    package = pipeline.repository().package("demo")
    pipeline.publish(package, "1.0", "demo.whl", "bytes")
    world = pipeline.world
    world.repository("target")
    world.given(freeze("tested"), DELETE)
    copying, dropping = world.session(), world.session()
    with world.pause("package_version"):
        copying.start(
            call("copy_versions", "acme", "target", array("Name"), p_from_snapshot="tested")
        )
        assert copying.settle() == "pause"
        dropping.start(drop("tested"))
        waited = dropping.settle()
        if waited == "nothing":
            world.given(PURGE)
            pipeline.collect()
    assert (waited, copying.answer(), dropping.answer()) == ("lock", "copied", "dropped")
    world.given(PURGE)
    assert pipeline.collect() == []
    assert [pipeline.download(key) for key in pipeline.store.objects()] == ["bytes"]
    assert pipeline.violated() == set()


def brought(pipeline: Pipeline) -> int:
    """A mirror that keeps its bytes; an update that has brought them, and is not committed."""
    pipeline.repository().world.repository("up", "mirror")
    pipeline.api.set_repository_backend("up", BACKEND, "required")
    number = begin(pipeline.world, "up")
    files = texts(("demo-1.0.whl", "bytes"))
    found = {"ecosystem": "pypi", "name": "demo", "version": "1.0", "files": files}
    pipeline.api.stage_mirror_items(number, 1, [found])
    (missing,) = pipeline.api.rows("missing_mirror_copies", number, 1)
    pipeline.store.put(missing.object_key, b"bytes")
    pipeline.api.record_mirror_copy(number, 1, BACKEND, missing.sha256, missing.generation)
    pipeline.clock.advance(days=2)
    return number


def test_bytes_that_an_update_has_brought_stay(pipeline: Pipeline) -> None:
    number = brought(pipeline)
    assert pipeline.collect() == []
    pipeline.world.given(call("commit_mirror_update", "acme", number, 1))
    assert pipeline.seen() == {"demo-1.0.whl": "bytes"}
    assert pipeline.violated() == set()


def test_they_go_without_look_at_staged_files(pipeline: Pipeline) -> None:
    """They were brought in vain; and the collector gets an internal error, when it is too late."""
    number = brought(pipeline.without("look at staged files"))
    pipeline.suspect_everything()
    (task,) = pipeline.claim()
    assert refusal(pipeline.destroy, task) == "23503"
    assert pipeline.store.objects() == []
    commit = call("commit_mirror_update", "acme", number, 1)
    assert pipeline.world.session().do(commit) == "RG422"


def test_an_update_given_up_leaves_its_bytes_to_the_collector(pipeline: Pipeline) -> None:
    number = brought(pipeline)
    pipeline.world.given(call("abort_mirror_update", "acme", number, 1))
    assert pipeline.collect() == ["deleted"]
    assert pipeline.store.objects() == []
    assert pipeline.violated() == set()


def test_a_quarantined_version_is_kept_and_not_served(world: World) -> None:
    """What is blocked is not cleaned up: it comes back as it was."""
    fill(world, "main", "curl", "wget")
    world.given(freeze("tested"), serve(main="tested"), deb("curl")("quarantine", "1", "all"))
    assert served(world) == ["main wget 1"]
    world.given(PURGE, deb("curl")("release_quarantine", "1", "all"))
    assert served(world) == ["main curl 1", "main wget 1"]
    assert world.violated() == set()
