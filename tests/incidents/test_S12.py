"""aptly, merge: 1, 2, 3 merged with 2 gives 2, 2, 3. Right: what a merge has is a set, and which is
written down: a package is an ecosystem, a name and a variant, and sources count from left to
right."""

from collections.abc import Callable
from itertools import permutations

import pytest

from tests.incidents.curation import array, deb, freeze, merge
from tests.incidents.support import NAMESPACE, Call, Package, World, call, content, outcomes

Version = tuple[str, str, str] | tuple[str, str, str, str]
"""Name, version, variant; and its bytes, where they are not as usual."""
Merged = Callable[..., list[tuple[str, ...]]]


def publish(repository: str, version: Version) -> Call:
    name, number, variant, *text = version
    file = content(f"{name}_{variant}.deb", text[0] if text else f"{name} {number} {variant}")
    return deb(name, repository)("publish", number, variant, p_files=[file])


def bytes_of(text: str) -> str:
    return str(content("", text)["sha256"])


@pytest.fixture
def merged(world: World) -> Merged:
    """Makes sources s1, s2 and so on of such versions; what a merge of them has, with the bytes
    where the versions of a source say what they are."""

    def make(
        *sources: list[Version], order: tuple[int, ...] | None = None, **flags: object
    ) -> list[tuple[str, ...]]:
        for number, versions in enumerate(sources, start=1):
            world.repository(f"r{number}")
            world.given(*(publish(f"r{number}", version) for version in versions))
            world.given(freeze(f"s{number}", f"r{number}"))
        wanted = order or tuple(range(1, len(sources) + 1))
        world.given(merge("merged", *(f"s{number}" for number in wanted), **flags))
        assert world.violated() == set()
        return listing(world, "merged", texts={v[3] for s in sources for v in s if len(v) == 4})

    return make


def listing(world: World, snapshot: str, texts: set[str] | None = None) -> list[tuple[str, ...]]:
    names = {bytes_of(text): text for text in texts or ()}
    rows = world.db.execute(
        "select name, version, variant, files -> 0 ->> 'sha256'"
        " from pkgdb.search_versions(%s, p_snapshot => %s, p_files => true)",
        [NAMESPACE, snapshot],
    )
    found = [(name, version, variant, names.get(sha, "")) for name, version, variant, sha in rows]
    return sorted(tuple(filter(None, row)) for row in found)


def versions(name: str, *numbers: str, variant: str = "all") -> list[Version]:
    return [(name, number, variant) for number in numbers]


ONE_TWO_THREE, TWO = versions("curl", "1", "2", "3"), versions("curl", "2")


def test_the_incident(merged: Merged) -> None:
    assert merged(ONE_TWO_THREE, TWO) == TWO


def test_fails_without_whole_packages(world: World, merged: Merged) -> None:
    """One version of the package is replaced, and what else it had stays."""
    world.without("whole packages")
    assert merged(ONE_TWO_THREE, TWO) == ONE_TWO_THREE


@pytest.mark.parametrize(
    ("order", "expected"),
    [((1, 2), TWO), ((2, 1), ONE_TWO_THREE), ((1, 2, 1), ONE_TWO_THREE), ((1, 1), ONE_TWO_THREE)],
)
def test_a_later_source_replaces_the_package(
    merged: Merged, order: tuple[int, ...], expected: list[Version]
) -> None:
    assert merged(ONE_TWO_THREE, TWO, order=order) == expected


def test_and_no_other_package(merged: Merged) -> None:
    """Not another name, nor the same for another architecture."""
    left = [*versions("curl", "1", variant="amd64"), *versions("wget", "1", "2")]
    right = [*versions("curl", "2", variant="arm64"), *versions("nano", "1")]
    assert merged(left, right) == sorted(left + right)


def test_nor_the_same_name_of_another_ecosystem(world: World) -> None:
    for repository, ecosystem in (("r1", "deb"), ("r2", "gem")):
        world.repository(repository)
        world.given(
            Package(ecosystem, "rails", repository)("publish", "1"),
            freeze(f"s-{repository}", repository),
        )
    world.given(merge("merged", "s-r1", "s-r2"))
    rows = world.db.execute(
        "select ecosystem, name from pkgdb.search_versions('acme', p_snapshot => 'merged')"
    ).fetchall()
    assert rows == [("deb", "rails"), ("gem", "rails")]


def test_names_are_the_same_however_they_are_written(world: World) -> None:
    for repository, name in (("r1", "Django"), ("r2", "django")):
        world.repository(repository)
        world.given(
            Package("pypi", name, repository)("publish", "1.0"),
            freeze(f"s-{repository}", repository),
        )
    world.given(merge("merged", "s-r1", "s-r2"), merge("all", "s-r1", "s-r2", p_no_remove=True))
    for snapshot in ("merged", "all"):
        assert listing(world, snapshot) == [("django", "1.0")]
    assert world.violated() == set()


# All versions.


def test_all_versions_stay(merged: Merged) -> None:
    left, right = versions("curl", "1", "2"), versions("curl", "2", "3")
    expected = versions("curl", "1", "2", "3")
    assert merged(left, right, p_no_remove=True) == expected


def test_of_one_version_the_later(merged: Merged) -> None:
    left: list[Version] = [("curl", "1", "all", "left"), ("curl", "2", "all", "left")]
    right: list[Version] = [("curl", "2", "all", "right"), ("curl", "3", "all", "right")]
    assert merged(left, right, p_no_remove=True) == [
        ("curl", "1", "all", "left"),
        ("curl", "2", "all", "right"),
        ("curl", "3", "all", "right"),
    ]


def test_one_version_in_another_spelling(world: World) -> None:
    """5.0 and 5 are one version on PyPI: the later stays, as it is written. To Debian 1.0 and 1.0-0
    compare equal, and are two."""
    for number, (python, debian) in enumerate((("5.0", "1.0"), ("5", "1.0-0")), start=1):
        repository = f"r{number}"
        world.repository(repository)
        world.given(
            Package("pypi", "django", repository)("publish", python),
            deb("curl", repository)("publish", debian),
            freeze(f"s{number}", repository),
        )
    world.given(merge("merged", "s1", "s2", p_no_remove=True))
    assert listing(world, "merged") == [("curl", "1.0"), ("curl", "1.0-0"), ("django", "5")]
    assert world.violated() == set()


# The latest.


def test_the_latest(merged: Merged) -> None:
    left = [*versions("curl", "1:0.1", "9"), *versions("wget", "1.0~rc1")]
    right = [*versions("curl", "10"), *versions("wget", "1.0"), *versions("nano", "1", "2")]
    expected = [*versions("curl", "1:0.1"), *versions("nano", "2"), *versions("wget", "1.0")]
    assert merged(left, right, p_latest=True) == expected


ORDERS = list(permutations((1, 2, 3)))


@pytest.mark.parametrize("order", ORDERS)
def test_ties_are_the_same_in_any_order(merged: Merged, order: tuple[int, ...]) -> None:
    """Two of one version: the greater text; then the greater digest of what they are. aptly keeps
    what it comes to first."""
    sources: list[list[Version]] = [
        [("curl", "1.0", "all"), ("wget", "1", "all", "left")],
        [("curl", "1.0-0", "all"), ("wget", "1", "all", "middle")],
        [("curl", "0:1.0", "all"), ("wget", "1", "all", "right")],
    ]
    found = merged(*sources, order=order, p_latest=True)
    assert found == [("curl", "1.0-0", "all"), ("wget", "1", "all", "middle")]


def tied(world: World) -> dict[str, list[tuple[str, ...]]]:
    """By mode: two versions that are the same, but for their bytes, merged either way."""
    for number, text in ((1, "left"), (2, "right")):
        world.repository(f"r{number}")
        world.given(publish(f"r{number}", ("curl", "1", "all", text)))
        world.given(freeze(f"s{number}", f"r{number}"))
    found: dict[str, list[tuple[str, ...]]] = {}
    for mode in ("p_latest", "p_no_remove"):
        for order in (("s1", "s2"), ("s2", "s1")):
            world.given(merge(f"{mode} {order}", *order, **{mode: True}))
            found.setdefault(mode, []).extend(listing(world, f"{mode} {order}", {"left", "right"}))
    return found


def test_only_the_latest_does_not_depend_on_the_order(world: World) -> None:
    left, right = ("curl", "1", "all", "left"), ("curl", "1", "all", "right")
    found = tied(world)
    assert found["p_no_remove"] == [right, left]
    assert found["p_latest"] in ([left, left], [right, right])


def test_it_does_without_digests(world: World) -> None:
    """The younger row comes first, whichever source it is in: at the mercy of who publishes."""
    assert tied(world.without("digests of ties"))["p_latest"] == [("curl", "1", "all", "right")] * 2


# Each once.


@pytest.mark.parametrize("flags", [{}, {"p_latest": True}, {"p_no_remove": True}])
def test_each_version_once(world: World, flags: dict[str, object]) -> None:
    """Sources that have the very same rows, of one epoch or another, and twice the same."""
    world.repository("r1")
    world.given(
        *(publish("r1", version) for version in ONE_TWO_THREE),
        freeze("s1", "r1"),
        freeze("s2", "r1"),
        merge("s3", "s1", "s2"),
        merge("merged", "s1", "s2", "s3", "s1", **flags),
    )
    expected = versions("curl", "3") if flags == {"p_latest": True} else ONE_TWO_THREE
    assert listing(world, "merged") == expected
    members = world.db.execute(
        "select members, (select count(*) from pkgdb.snapshot_sources o"
        " where o.snapshot = s.snapshot) from pkgdb.snapshots s where snapshot = 'merged'"
    ).fetchone()
    assert members == (len(expected), 3)
    assert world.violated() == set()


def test_a_version_as_the_later_source_has_it(world: World) -> None:
    """Two snapshots of one version: before and after a file was added to it."""
    demo = Package("pypi", "demo")
    world.repository()
    world.given(
        demo("publish", "1.0", p_files=[content("demo.tar.gz")]),
        freeze("before"),
        demo("add_files", "1.0", p_files=[content("demo.whl")]),
        freeze("after"),
        merge("forth", "before", "after"),
        merge("back", "after", "before"),
        merge("all", "after", "before", p_no_remove=True),
        merge("latest", "after", "before", p_latest=True),
    )
    files = {
        snapshot: [file["filename"] for file in row[0]]
        for snapshot in ("forth", "back", "all", "latest")
        for row in world.db.execute(
            "select files from pkgdb.search_versions('acme', null, %s, null, true)", [snapshot]
        )
    }
    both = ["demo.tar.gz", "demo.whl"]
    assert (files["forth"], files["back"], files["all"]) == (both, both[:1], both[:1])
    assert world.violated() == set()


@pytest.mark.parametrize("flags", [{}, {"p_latest": True}, {"p_no_remove": True}])
def test_of_nothing(world: World, flags: dict[str, object]) -> None:
    world.repository()
    world.given(freeze("s1"), freeze("s2", None), merge("merged", "s1", "s2", **flags))
    assert listing(world, "merged") == []
    assert world.violated() == set()


@pytest.mark.parametrize("sources", ["{}", array("s1", "no such"), "{NULL}", None])
def test_of_what_is_not_there(world: World, sources: str | None) -> None:
    world.repository()
    world.given(freeze("s1"))
    asked = call("merge_snapshots", "acme", "merged", sources)
    answer = world.session().do(asked)
    assert answer == ("RG404" if sources == array("s1", "no such") else "RG400")
    assert listing_names(world) == ["s1"]


def listing_names(world: World) -> list[str]:
    rows = world.db.execute("select snapshot from pkgdb.snapshots order by 1").fetchall()
    return [name for (name,) in rows]


def test_both_flags_are_an_error(world: World) -> None:
    world.repository()
    world.given(freeze("s1"))
    asked = [
        merge("merged", "s1", p_latest=latest, p_no_remove=keep)
        for latest, keep in ((True, True), (None, False), (False, None))
    ]
    assert outcomes([world.session().do(each) for each in asked]) == {"RG400": 3}
    assert listing_names(world) == ["s1"]
