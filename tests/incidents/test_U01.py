"""GitLab #351795: a package in pending_destruction blocks the one that is published again under its
name and version, or swallows it, and the cleaner then destroys the new files. Right: a new live row
with its own files; the purge removes the old one only."""

import pytest

from tests.incidents.support import Call, Package, Race, World, call, content

LEFT_PAD = Package("npm", "left-pad")
PURGE = call("purge", "acme")


def push(text: str) -> dict[str, object]:
    return {"p_files": [content(f"left-pad-{text}.tgz", text)]}


def deleted(world: World) -> None:
    world.repository(reuse="always")
    world.given(LEFT_PAD("publish", "1.0.0", **push("old")), LEFT_PAD("delete_version", "1.0.0"))


def published_again(world: World) -> tuple[str, list[str], str, list[str], set[str]]:
    """What the publisher is told, then the files before; what the purge did, the files after."""
    deleted(world)
    answer = world.session().do(LEFT_PAD("publish", "1.0.0", **push("new")))
    before = world.rows(LEFT_PAD)
    purged = world.session().do(PURGE)
    after = [status for _, status in world.rows(LEFT_PAD)]
    return answer, [status for _, status in before], purged, after, world.violated()


def test_holds(world: World) -> None:
    both = ["pending_destruction", "available"]
    assert published_again(world) == ("created", both, "1", ["available"], set())
    assert world.files(LEFT_PAD, "1.0.0") == ["left-pad-new.tgz"]
    assert world.latest(LEFT_PAD) == ("1.0.0", "1.0.0")


def test_fails_without_live_rows_only_in_the_live_index(world: World) -> None:
    """Blocked."""
    answer, *_, after, _ = published_again(world.without("live rows only in the live index"))
    assert answer == "23505"
    assert after == []


def test_fails_without_ghosts_are_not_found(world: World) -> None:
    """Swallowed: the new file goes to the ghost, and is purged with it."""
    world.without("ghosts are not found")
    deleted(world)
    answer = world.session().do(LEFT_PAD("publish", "1.0.0"))
    assert answer == "unchanged"
    world.given(PURGE)
    assert world.rows(LEFT_PAD) == []


def test_a_file_name_is_free_again(world: World) -> None:
    django = Package("pypi", "django")
    name = "django-5.0.tar.gz"
    world.repository(reuse="always")
    world.given(
        django("publish", "5.0", p_files=[content(name, "old"), content("other")]),
        django("delete_file", "5.0", p_filename=name),
    )
    assert world.session().do(django("publish", "5.0", p_files=[content(name, "new")])) == (
        "files_added"
    )
    world.given(PURGE)
    assert world.files(django, "5.0") == [name, "other"]
    assert world.violated() == set()


def test_a_file_name_is_not_free_without_live_rows_only_in_the_file_index(world: World) -> None:
    django = Package("pypi", "django")
    world.without("live rows only in the file index").repository(reuse="always")
    world.given(
        django("publish", "5.0", p_files=[content("django.whl", "old")]),
        django("delete_file", "5.0", p_filename="django.whl"),
    )
    again = django("publish", "5.0", p_files=[content("django.whl", "new")])
    assert world.session().do(again) == "RG409"


AGAIN = LEFT_PAD("publish", "1.0.0", **push("new"))


@pytest.mark.parametrize("order", [(PURGE, AGAIN), (AGAIN, PURGE)], ids=["purge", "publish"])
def test_a_purge_at_the_same_time_changes_nothing(world: World, order: tuple[Call, Call]) -> None:
    deleted(world)
    race = world.race(*order)
    assert race.waited == "nothing"
    assert {race.first, race.second} == {"created", "1"}
    assert world.rows(LEFT_PAD) == [("1.0.0", "available")]
    assert world.files(LEFT_PAD, "1.0.0") == ["left-pad-new.tgz"]
    assert world.violated() == set()


def test_a_restore_waits_for_the_purge_that_takes_its_row(world: World) -> None:
    deleted(world)
    assert world.race(PURGE, LEFT_PAD("restore_version", "1.0.0")) == Race("1", "row", "RG404")
    assert world.rows(LEFT_PAD) == []
    assert world.violated() == set()


def test_a_purge_passes_over_the_row_that_a_restore_reads(world: World) -> None:
    deleted(world)
    race = world.race(LEFT_PAD("restore_version", "1.0.0"), PURGE)
    assert race == Race("restored", "nothing", "0")
    assert world.live(LEFT_PAD) == ["1.0.0"]
    assert world.violated() == set()
