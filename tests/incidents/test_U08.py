"""crates.io #1059: 614 versions that differ in their build metadata only. Right: the identity
leaves it out where the ecosystem does."""

import pytest

from tests.incidents.support import Package, World, content, outcomes

BUILDS = 8


def builds(world: World, ecosystem: str) -> tuple[dict[str, int], list[str]]:
    """One version with other build metadata, and other bytes, each time."""
    world.repository()
    package = Package(ecosystem, "libc")
    answers = [
        world.session().do(
            package("publish", f"1.0.0+{n}", p_files=[content(f"libc-{n}.crate", str(n))])
        )
        for n in range(BUILDS)
    ]
    return outcomes(answers), world.live(package)


@pytest.mark.parametrize("ecosystem", ["cargo", "npm"])
def test_holds(world: World, ecosystem: str) -> None:
    assert builds(world, ecosystem) == ({"RG409": BUILDS - 1, "created": 1}, ["1.0.0+0"])
    libc = Package(ecosystem, "libc")
    assert world.session().do(libc("publish", "1.0.0+again")) == "unchanged"
    assert world.session().do(libc("resolve", "1.0.0")) == "1.0.0+0"
    assert world.violated() == set()


@pytest.mark.parametrize("ecosystem", ["cargo", "npm"])
def test_fails_without_normal_form(world: World, ecosystem: str) -> None:
    answers, live = builds(world.without("normal form"), ecosystem)
    assert answers == {"created": BUILDS}
    assert len(live) == BUILDS


def test_where_the_ecosystem_keeps_it_these_are_versions(world: World) -> None:
    """PEP 440: a local version, after the plus sign, is another version."""
    assert builds(world, "pypi")[0] == {"created": BUILDS}
    assert world.latest(Package("pypi", "libc")) == ("1.0.0+7", "1.0.0+7")
    assert world.violated() == set()
