"""NuGetGallery, functional test: sixteen concurrent pushes of one version, ten times: exactly one
is created, fifteen are told that it exists, and the bytes can be downloaded. Right: the same; and
with identical content the fifteen succeed as no-ops."""

import pytest

from tests.incidents.support import Call, Package, World, content, outcomes

SERVICE = Package("generic", "service")
PUSHES, ROUNDS = 16, 10


def pushes(version: str, identical: bool) -> list[Call]:
    return [
        SERVICE("publish", version, p_files=[content("service.tgz", "" if identical else str(n))])
        for n in range(PUSHES)
    ]


@pytest.mark.parametrize(
    ("identical", "told"), [(True, "unchanged"), (False, "RG409")], ids=["same", "other"]
)
def test_holds(world: World, identical: bool, told: str) -> None:
    world.repository()
    for number in range(ROUNDS):
        version = f"1.{number}"
        calls = pushes(version, identical)
        answers = world.crowd(calls)
        assert outcomes(answers) == dict(sorted({"created": 1, told: PUSHES - 1}.items()))
        assert world.live(SERVICE) == [f"1.{n}" for n in range(number + 1)]
        assert world.latest(SERVICE) == (version, version)

        winner = calls[answers.index("created")]
        stored = world.db.execute(
            "select jsonb_agg(jsonb_build_object('filename', filename, 'sha256', sha256,"
            " 'size', size)) from pkgdb.files where version = %s",
            [version],
        ).fetchone()
        assert stored == (winner.named["p_files"],)
    assert world.violated() == set()


def paused(world: World) -> tuple[dict[str, int], int]:
    """All have looked whether the version is there before the first one writes it."""
    world.repository()
    world.given(SERVICE("publish", "0.1"))
    with world.pause("package_version"):
        sessions = world.start_all(pushes("1.0", identical=True))
    return outcomes([session.answer() for session in sessions]), len(world.live(SERVICE)) - 1


def test_one_looks_at_a_time(world: World) -> None:
    assert paused(world) == ({"created": 1, "unchanged": PUSHES - 1}, 1)


def test_fails_without_registration_lock(world: World) -> None:
    """Fifteen internal errors; the index saves the version."""
    assert paused(world.without("registration lock")) == ({"23505": PUSHES - 1, "created": 1}, 1)


def test_fails_without_live_index_too(world: World) -> None:
    answers, live = paused(world.without("registration lock", "unique live index"))
    assert live > 1
    assert answers["created"] == live
