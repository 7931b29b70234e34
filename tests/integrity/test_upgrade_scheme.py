"""The way to a corrected order: a scheme of another name; packages move to it one by one."""

import threading
from collections.abc import Callable, Iterator
from itertools import islice

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from pkgdb.cli.app import cli
from pkgdb.migrate import upgrade_schemes
from tests.incidents.support import Call, Package, Race, World, call

TOOL = Package("generic", "tool")
OTHER = Package("generic", "other")

# A scheme that orders 2 < 3 < 1 ..., reads small letters for capitals, and refuses "bad".
BRANCHES = {
    "scheme_version_key": "convert_to(lower(translate(v_version, '123', '312')), 'UTF8')",
    "scheme_normalize_version": """
        case when v_version = 'bad' then pkgdb.unknown_scheme(v_version)
             else lower(translate(v_version, '123', '231')) end""",
    "scheme_is_prerelease": "v_version like '%-%'",
}


@pytest.fixture
def world(db: psycopg.Connection, connect: Callable[..., psycopg.Connection]) -> Iterator[World]:
    with World(db, connect) as world:
        world.repository()
        yield world


def correct_the_order(db: psycopg.Connection) -> None:
    """What a migration does: the functions know another scheme, and the ecosystem uses it."""
    for function, expression in BRANCHES.items():
        [definition] = db.execute(
            "select pg_get_functiondef(%s::regproc)", [f"pkgdb.{function}"]
        ).fetchone() or [""]
        first = "if v_scheme = 'semver53' then"
        assert first in definition
        branch = f"if v_scheme = 'natural2' then return {expression}; els{first}"
        db.execute(sql.SQL(definition.replace(first, branch)))
    db.execute("insert into pkgdb.version_scheme values ('natural2', 'corrected')")
    db.execute("update pkgdb.ecosystem set scheme = 'natural2' where ecosystem = 'generic'")


def move(world: World, package: Package = TOOL) -> Call:
    """The call that moves a package, or one that is as if it had no id."""
    row = world.db.execute(
        """
        select registration_id from pkgdb.registrations
         where (namespace, repository, ecosystem, name) = (%s, %s, %s, %s)
        """,
        [package.namespace, package.repository, package.ecosystem, package.name],
    ).fetchone()
    return call("upgrade_scheme", package.namespace, row and row[0])


def outdated(world: World) -> list[tuple[str, ...]]:
    return world.db.execute(
        "select name, scheme, current_scheme from pkgdb.outdated_registrations order by 1"
    ).fetchall()


def violations(world: World) -> list[tuple[str, str]]:
    return world.db.execute(
        "select promise, detail from pkgdb.check_integrity() order by 1, 2"
    ).fetchall()


def test_everything_of_a_package_moves(world: World) -> None:
    world.given(*(TOOL("publish", v) for v in ("1", "2", "3", "2-a", "0.9", "8")))
    world.given(TOOL("yank", "1"), TOOL("delete_version", "8"), TOOL("set_tag", "2", p_tag="lts"))
    assert world.latest(TOOL) == ("3", "3")
    correct_the_order(world.db)
    assert outdated(world) == [("tool", "natural", "natural2")]
    assert violations(world) == [
        ("identity and order", "scheme is natural, the ecosystem's is natural2")
    ]

    assert move(world).execute(world.db) == "scheme_upgraded"
    # 2 < 2-a < 0.9 < 3 < 1 in an order that reads 1, 2, 3 as 3, 1, 2; 1 is not listed.
    assert world.latest(TOOL) == ("3", "3")
    assert TOOL("unyank", "1").answer(world.db) == "unyanked"
    assert world.latest(TOOL) == ("1", "1")
    # The same text is still the same version, and was deleted where it was deleted.
    assert TOOL("publish", "2").answer(world.db) == "unchanged"
    assert TOOL("publish", "8").answer(world.db) == "RG410"
    assert TOOL("resolve", "tag:lts").answer(world.db) == "2"
    assert TOOL("versions").answer(world.db) == "1 3 2-a 2 0.9"
    assert outdated(world) == []
    assert violations(world) == []
    event = "select event, revision, version from pkgdb.outbox order by event_id desc offset 1"
    assert world.db.execute(event).fetchone() == ("scheme_upgraded", 10, None)
    assert move(world).execute(world.db) == "unchanged"


def test_versions_may_take_each_others_identity(world: World) -> None:
    """1 becomes what 2 was, 2 what 3 was, 3 what 1 was: live ones and remembered ones."""
    world.given(*(TOOL("publish", v, variant) for v in "123" for variant in ("", "arm")))
    world.given(*(OTHER("publish", v) for v in "123"), *(OTHER("delete_version", v) for v in "12"))
    correct_the_order(world.db)
    assert move(world).execute(world.db) == "scheme_upgraded"
    assert move(world, OTHER).execute(world.db) == "scheme_upgraded"
    assert violations(world) == []
    assert [TOOL("publish", v, "arm").answer(world.db) for v in "123"] == ["unchanged"] * 3
    assert [OTHER("publish", v).answer(world.db) for v in "123"] == ["RG410", "RG410", "unchanged"]


def test_deleted_versions_that_become_one(world: World) -> None:
    for version in ("a", "A"):
        world.given(TOOL("publish", version), TOOL("delete_version", version))
    correct_the_order(world.db)
    assert move(world).execute(world.db) == "scheme_upgraded"
    remembered = "select normalized_version, version from pkgdb.tombstone"
    assert world.db.execute(remembered).fetchall() == [("a", "A")]
    assert violations(world) == []


@pytest.mark.parametrize(
    ("versions", "refusal", "way_out"), [(["a", "A"], "RG409", "A"), (["1", "bad"], "RG400", "bad")]
)
def test_what_cannot_move_stays_as_it_was(
    world: World, versions: list[str], refusal: str, way_out: str
) -> None:
    world.given(*(TOOL("publish", version) for version in versions))
    correct_the_order(world.db)
    before = world.db.execute("select * from pkgdb.package_version order by 1, 2, 3").fetchall()
    assert move(world).answer(world.db) == refusal
    after = world.db.execute("select * from pkgdb.package_version order by 1, 2, 3").fetchall()
    assert after == before
    # It goes on in the old order; without what stands in the way it moves.
    assert TOOL("publish", "9").answer(world.db) == "created"
    assert world.latest(TOOL) == ("9", "9")
    world.given(TOOL("delete_version", way_out), call("purge", "acme"))
    assert move(world).answer(world.db) == "scheme_upgraded"
    assert violations(world) == []
    # What was deleted as "A" is "a" now, which is there; "bad" is no version any more.
    assert TOOL("publish", way_out).answer(world.db) == ("unchanged" if way_out == "A" else "RG400")


def test_who_is_not_there(world: World) -> None:
    for identity in (0, -1, None):
        assert call("upgrade_scheme", "acme", identity).answer(world.db) == "RG404"
    assert call("upgrade_scheme", "nobody", 1).answer(world.db) == "RG404"
    assert call("upgrade_scheme", None, 1).answer(world.db) == "RG400"
    session = world.session()
    session.begin("repeatable read")
    assert session.do(call("upgrade_scheme", "acme", 1)) == "RG405"


def test_names_without_versions_move_too(world: World) -> None:
    world.given(TOOL("reserve_name"), OTHER("publish", "1"))
    world.given(call("drop_repository", "acme", "main", True))
    correct_the_order(world.db)
    for identity in world.db.execute("select registration_id from pkgdb.registration").fetchall():
        assert call("upgrade_scheme", "acme", *identity).answer(world.db) == "scheme_upgraded"
    assert violations(world) == []


def test_publishing_goes_on_in_either_order(world: World) -> None:
    """Before it has moved, a package takes versions in its old order, one by one or in bulk."""
    world.given(TOOL("publish", "2"))
    correct_the_order(world.db)
    items = [
        {"ecosystem": "generic", "name": name, "version": version}
        for name in ("tool", "new")
        for version in ("3", "1", "2", "bad")
    ]
    done = call("publish_many", "acme", "main", items, False).answer(world.db)
    assert done == "created created unchanged created created created created refused"
    world.given(TOOL("delete_version", "bad"), call("purge", "acme"))
    assert world.latest(TOOL) == ("3", "3")
    assert world.latest(Package("generic", "new")) == ("1", "1")
    assert outdated(world) == [("tool", "natural", "natural2")]
    assert move(world).answer(world.db) == "scheme_upgraded"
    assert world.latest(TOOL) == ("1", "1")
    assert violations(world) == []


def moved_beside_a_publish(world: World) -> tuple[Race, object, set[str]]:
    world.given(TOOL("publish", "2"))
    correct_the_order(world.db)
    race = world.race(move(world), TOOL("publish", "1"))
    return race, world.latest(TOOL), world.violated()


def test_a_publish_waits_for_the_move(world: World) -> None:
    assert moved_beside_a_publish(world) == (
        Race("scheme_upgraded", "lock", "created"),
        ("1", "1"),
        set(),
    )


def test_a_publish_fails_without_registration_lock(world: World) -> None:
    """It knew the old scheme, which the foreign key does not let it write."""
    race, latest, violated = moved_beside_a_publish(world.without("registration lock"))
    assert race == Race("scheme_upgraded", "row", "23503")
    assert (latest, violated) == (("2", "2"), set())


def published_beside_the_move(world: World) -> tuple[Race, object, set[str]]:
    world.given(TOOL("publish", "2"))
    correct_the_order(world.db)
    race = world.race(TOOL("publish", "1"), move(world))
    return race, world.latest(TOOL), world.violated()


def test_the_move_waits_for_a_publish(world: World) -> None:
    assert published_beside_the_move(world) == (
        Race("created", "lock", "scheme_upgraded"),
        ("1", "1"),
        set(),
    )


def test_the_move_fails_without_registration_lock(world: World) -> None:
    """It does not see the new version, which keeps the registration where it is."""
    race, _, _ = published_beside_the_move(world.without("registration lock"))
    assert race == Race("created", "row", "23503")


def test_all_packages_move_and_an_interrupted_run_is_taken_up(world: World, dsn: str) -> None:
    names = [f"p{number}" for number in range(1_200)]
    items = [{"ecosystem": "generic", "name": n, "version": v} for n in names for v in ("1", "2")]
    items += [{"ecosystem": "generic", "name": "twins", "version": v} for v in ("a", "A")]
    world.given(call("publish_many", "acme", "main", items))
    correct_the_order(world.db)

    first = list(islice(upgrade_schemes(dsn), 100))
    assert [(p.name, p.scheme, p.current_scheme) for p in first[:2]] == [
        ("p0", "natural", "natural2"),
        ("p1", "natural", "natural2"),
    ]
    assert len(outdated(world)) == 1_101
    rest = list(upgrade_schemes(dsn))
    assert len(rest) == 1_101
    assert [(p.name, p.reason.sqlstate) for p in rest if p.reason] == [("twins", "RG409")]
    assert outdated(world) == [("twins", "natural", "natural2")]
    [(_, detail)] = violations(world)
    assert detail == "scheme is natural, the ecosystem's is natural2"

    run = CliRunner().invoke(cli, ["upgrade-schemes", "--dsn", dsn, "--json"])
    assert run.exit_code == 1
    assert '"moved": 0' in run.output
    assert "are one version in scheme natural2" in run.output
    world.given(Package("generic", "twins")("delete_version", "A"))
    run = CliRunner().invoke(cli, ["upgrade-schemes", "--dsn", dsn])
    assert (run.exit_code, "1 packages moved, 0 stayed" in run.output) == (0, True)
    assert violations(world) == []


def test_one_that_cannot_be_locked_does_not_stop_the_others(world: World, dsn: str) -> None:
    packages = [Package("generic", name) for name in ("p0", "p1", "p2")]
    world.given(*(package("publish", "1") for package in packages))
    correct_the_order(world.db)
    publisher = world.session()
    publisher.begin()
    publisher.do(packages[1]("publish", "2"))
    impatient = f"{dsn} options='-c lock_timeout=50ms'"
    reasons = {p.name: p.reason and p.reason.sqlstate for p in upgrade_schemes(impatient)}
    assert reasons == {"p0": None, "p1": "55P03", "p2": None}
    publisher.commit()
    assert [p.name for p in upgrade_schemes(impatient) if p.reason is None] == ["p1"]
    assert violations(world) == []


def test_beside_publishers(world: World, dsn: str) -> None:
    """Four publishers, one by one and in bulk, while everything moves; nothing but success."""
    names = [f"p{number}" for number in range(60)]
    world.given(*(Package("generic", name)("publish", "0.1") for name in names))
    correct_the_order(world.db)
    answers: set[str] = set()
    ready = threading.Barrier(5)

    def publish(number: int, connection: psycopg.Connection) -> None:
        ready.wait()
        for at in range(150):
            name, version = names[(at * 7 + number) % len(names)], f"{at % 3 + 1}.{at}.{number}"
            item = {"ecosystem": "generic", "name": name, "version": version}
            answers.add(
                call("publish_many", "acme", "main", [item]).answer(connection)
                if number == 3 and at % 10 == 0
                else Package("generic", name)("publish", version).answer(connection)
            )

    threads = [threading.Thread(target=publish, args=(n, world.connect())) for n in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    moved = list(upgrade_schemes(dsn))
    for thread in threads:
        thread.join()
    assert len(moved) == len(names)
    assert {package.reason for package in moved} == {None}
    assert answers == {"created"}
    assert violations(world) == []
