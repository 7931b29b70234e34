"""Gitea #21822, #30171 and #30973: get, then insert: the loser of a race gets HTTP 500. Right: a
documented outcome for each loser, never an internal error."""

from typing import NamedTuple

import pytest

from tests.incidents.support import Call, Package, World, call, content

LEFT_PAD, LEFTPAD = Package("cargo", "left-pad"), Package("cargo", "leftpad")
DJANGO = Package("pypi", "django")
NPM, OTHER_NPM = Package("npm", "left-pad"), Package("npm", "left-pad", repository="other")
ONE = LEFT_PAD("publish", "1.0.0")
WHEEL, OTHER_WHEEL = [content("a.whl", "1")], [content("a.whl", "2")]


class Duel(NamedTuple):
    first: Call
    second: Call
    told: str  # to the second
    given: tuple[Call, ...] = ()


def bulk(*versions: str) -> Call:
    items = [{"ecosystem": "cargo", "name": "left-pad", "version": v} for v in versions]
    return call("publish_many", "acme", "main", items)


def create(name: str, **policy: object) -> Call:
    return call("create_repository", "acme", name, "hosted", policy)


def keyed(version: str) -> Call:
    return LEFT_PAD("publish", version, p_request_key="message 1")


def rename(name: str) -> Call:
    return call("rename_repository", "acme", name, "new")


DROP = call("drop_repository", "acme", "main")
DELETE = LEFT_PAD("delete_version", "1.0.0")
GONE = (ONE, DELETE)
ALTER = call("alter_repository", "acme", "main", {"reuse": "always"})

DUELS = {
    "create repository": Duel(create("new"), create("new"), "unchanged"),
    "create repository otherwise": Duel(create("new"), create("new", immutable=True), "RG409"),
    "publish a name": Duel(ONE, ONE, "unchanged"),
    "publish a version": Duel(ONE, ONE, "unchanged", (LEFT_PAD("publish", "0.1.0"),)),
    "publish otherwise": Duel(
        DJANGO("publish", "5.0", p_files=WHEEL),
        DJANGO("publish", "5.0", p_files=OTHER_WHEEL),
        "RG409",
        (DJANGO("publish", "4.0"),),
    ),
    "publish a file": Duel(
        DJANGO("publish", "5.0", p_files=WHEEL),
        DJANGO("publish", "5.0", p_files=WHEEL),
        "unchanged",
        (DJANGO("publish", "5.0"),),
    ),
    "publish a file of another version": Duel(
        DJANGO("publish", "5.0", p_files=WHEEL),
        DJANGO("publish", "5.1", p_files=WHEEL),
        "RG409",
        (DJANGO("publish", "4.0"),),
    ),
    "attach a file": Duel(
        LEFT_PAD("add_files", "1.0.0", p_files=WHEEL),
        LEFT_PAD("add_files", "1.0.0", p_files=WHEEL),
        "unchanged",
        (ONE,),
    ),
    "publish in bulk": Duel(bulk("1.0.0", "2.0.0"), ONE, "unchanged"),
    "publish beside bulk": Duel(ONE, bulk("1.0.0", "2.0.0"), "unchanged created"),
    "bulk and bulk": Duel(bulk("1.0.0"), bulk("1.0.0"), "unchanged"),
    "one name, two repositories": Duel(
        NPM("publish", "1.0.0"), OTHER_NPM("publish", "1.0.0"), "RG409"
    ),
    "look-alikes": Duel(
        ONE,
        LEFTPAD("publish", "1.0.0"),
        "RG409",
        (call("alter_repository", "acme", "main", {"lookalike_guard": True}),),
    ),
    "one request twice": Duel(keyed("1.0.0"), keyed("1.0.0"), "created"),
    "one key for two requests": Duel(keyed("1.0.0"), keyed("2.0.0"), "RG409"),
    "publish after delete": Duel(DELETE, ONE, "RG410", (ONE,)),
    "attach after delete": Duel(
        DELETE, LEFT_PAD("add_files", "1.0.0", p_files=WHEEL), "RG404", (ONE,)
    ),
    "yank after delete": Duel(DELETE, LEFT_PAD("yank", "1.0.0"), "RG404", (ONE,)),
    "tag after delete": Duel(DELETE, LEFT_PAD("set_tag", "1.0.0", p_tag="x"), "RG404", (ONE,)),
    "delete": Duel(DELETE, DELETE, "unchanged", (ONE,)),
    "restore": Duel(
        LEFT_PAD("restore_version", "1.0.0"),
        LEFT_PAD("restore_version", "1.0.0"),
        "unchanged",
        GONE,
    ),
    "delete a file": Duel(
        DJANGO("delete_file", "5.0", p_filename="a.whl"),
        DJANGO("delete_file", "5.0", p_filename="a.whl"),
        "unchanged",
        (DJANGO("publish", "5.0", p_files=WHEEL),),
    ),
    "yank": Duel(LEFT_PAD("yank", "1.0.0"), LEFT_PAD("yank", "1.0.0"), "unchanged", (ONE,)),
    "tag": Duel(
        LEFT_PAD("set_tag", "1.0.0", p_tag="x"),
        LEFT_PAD("set_tag", "1.0.0", p_tag="x"),
        "unchanged",
        (ONE,),
    ),
    "drop a tag": Duel(
        LEFT_PAD("drop_tag", "x"),
        LEFT_PAD("drop_tag", "x"),
        "unchanged",
        (ONE, LEFT_PAD("set_tag", "1.0.0", p_tag="x")),
    ),
    "one revision": Duel(
        LEFT_PAD("publish", "1.0.0", p_if_revision=0),
        LEFT_PAD("publish", "2.0.0", p_if_revision=0),
        "RG412",
    ),
    "reserve": Duel(LEFT_PAD("reserve_name"), LEFT_PAD("reserve_name"), "unchanged"),
    "release": Duel(
        LEFT_PAD("release_name"),
        LEFT_PAD("release_name"),
        "unchanged",
        (LEFT_PAD("reserve_name"),),
    ),
    "alter": Duel(ALTER, ALTER, "unchanged"),
    "rename to one name": Duel(rename("main"), rename("other"), "RG409"),
    "publish after rename": Duel(rename("main"), ONE, "RG404"),
    "drop": Duel(DROP, DROP, "RG404"),
    "publish after drop": Duel(DROP, ONE, "RG404"),
}


# What the second is told where no lock is taken: an internal error, a refusal of what was right, or
# a success that is none. The others lean on an index, below.
UNPROTECTED = {
    "publish in bulk": "RG409",
    "publish a name": "RG409",
    "publish beside bulk": "23505",
    "publish a version": "23505",
    "bulk and bulk": "23505",
    "publish otherwise": "23505",
    "publish a file": "RG409",
    "one request twice": "RG409",
    "attach a file": "RG409",
    "publish after delete": "unchanged",
    "yank after delete": "yanked",
    "attach after delete": "files_added",
    "tag after delete": "tagged",
    "one revision": "RG409",
    "delete": "23514",
    "reserve": "RG409",
    "restore": "23505",
    "release": "P0002",
    "delete a file": "23514",
    "alter": "altered",
    "publish after rename": "created",
    "yank": "yanked",
    "tag": "tagged",
    "drop": "dropped",
    "publish after drop": "created",
    "drop a tag": "tag_dropped",
}


def loser(world: World, name: str) -> tuple[str, set[str]]:
    duel = DUELS[name]
    world.repository()
    world.repository("other")
    world.given(*duel.given)
    return world.race(duel.first, duel.second).second, world.violated()


@pytest.mark.parametrize("name", DUELS)
def test_holds(world: World, name: str) -> None:
    assert loser(world, name) == (DUELS[name].told, set())


@pytest.mark.parametrize("name", UNPROTECTED)
def test_fails_without_locks(world: World, name: str) -> None:
    told, _ = loser(world.without("locks"), name)
    assert told == UNPROTECTED[name]
    assert told != DUELS[name].told


@pytest.mark.parametrize(
    ("protections", "name", "told"),
    [
        (["creation yields"], "create repository", "23505"),
        (["request lock"], "one key for two requests", "23505"),
        (["locks", "repository index"], "create repository otherwise", "created"),
        (["locks", "repository index"], "rename to one name", "renamed"),
        (["locks", "name index"], "one name, two repositories", "created"),
        (["locks", "look-alike index"], "look-alikes", "created"),
    ],
    ids=lambda value: " and ".join(value) if isinstance(value, list) else value,
)
def test_fails_without(world: World, protections: list[str], name: str, told: str) -> None:
    assert loser(world.without(*protections), name)[0] == told
