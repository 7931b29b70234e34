"""What versions say of other packages: how it comes in, how it is kept, and what satisfies it."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from pkgdb.relations import dependencies_of
from tests.behaviour.calls import Calls
from tests.curation.support import add, described, in_snapshot, package, stock


def relation(*alternatives: Any, kind: Any = "depends") -> dict[str, Any]:
    return {"kind": kind, "alternatives": list(alternatives)}


def named(name: Any = "libc6", **more: Any) -> dict[str, Any]:
    return {"name": name} | more


def bounded(*constraints: Any) -> list[dict[str, Any]]:
    return [relation(named(constraints=list(constraints)))]


@pytest.fixture
def repo(api: Calls) -> Calls:
    api.create_repository("main")
    return api.at("main")


def said(api: Calls, name: str = "app", version: str = "1") -> list[tuple[str, str]]:
    """Kind and relation of each alternative, as people read them."""
    rows = api.ask(
        "select kind, relation from pkgdb.dependencies"
        " where namespace = %s and name = %s and version = %s order by position, alternative",
        api.first[0], name, version,
    )  # fmt: skip
    return [(row.kind, row.relation) for row in rows]


# -- what is malformed -----------------------------------------------------------------------------

LONG = "x" * 256
MALFORMED: dict[str, Any] = {
    "null": Jsonb(None),
    "no array": {"kind": "depends", "alternatives": []},
    "a text": Jsonb("libc6"),
    "a relation that is null": [None],
    "a relation that is a text": ["libc6"],
    "a relation that is an array": [[named()]],
    "no kind": [{"alternatives": [named()]}],
    "a kind that is null": [relation(named(), kind=None)],
    "a kind that is a number": [relation(named(), kind=1)],
    "a kind with a capital": [relation(named(), kind="Depends")],
    "a kind with a space": [relation(named(), kind="pre depends")],
    "a kind that begins with a dash": [relation(named(), kind="-depends")],
    "an empty kind": [relation(named(), kind="")],
    "a long kind": [relation(named(), kind="d" * 64)],
    "another key": [relation(named()) | {"optional": True}],
    "no alternatives": [{"kind": "depends"}],
    "alternatives that are null": [{"kind": "depends", "alternatives": None}],
    "alternatives that are an object": [{"kind": "depends", "alternatives": named()}],
    "none of them": [relation()],
    "an alternative that is null": [relation(None)],
    "an alternative that is a text": [relation("libc6")],
    "an alternative with another key": [relation(named(version="1"))],
    "no name": [relation({})],
    "a name that is null": [relation(named(None))],
    "a name that is a number": [relation(named(6))],
    "an empty name": [relation(named(""))],
    "a name with a space": [relation(named("libc6 (>= 2)"))],
    "a name with a new line": [relation(named("libc6\n"))],
    "a long name": [relation(named(LONG))],
    "an architecture that is a number": [relation(named(architecture=64))],
    "an empty architecture": [relation(named(architecture=""))],
    "an architecture with a space": [relation(named(architecture="a b"))],
    "a long architecture": [relation(named(architecture="a" * 64))],
    "constraints that are null": [relation(named(constraints=None))],
    "constraints that are a text": [relation(named(constraints=">= 1"))],
    "constraints that are an object": [relation(named(constraints={">=": "1"}))],
    "a constraint that is a text": bounded(">= 1"),
    "a constraint that is null": bounded(None),
    "a constraint of one": bounded([">="]),
    "a constraint of three": bounded([">=", "1", "2"]),
    "a constraint of none": bounded([]),
    "an operator that is none": bounded(["==", "1"]),
    "an operator that is null": bounded([None, "1"]),
    "an operator that is a number": bounded([1, "1"]),
    "an empty operator": bounded(["", "1"]),
    "a version that is null": bounded([">=", None]),
    "a version that is a number": bounded([">=", 1]),
    "an empty version": bounded([">=", ""]),
    "a version that is none": bounded([">=", "not a version"]),
    "a version that is too long": bounded([">=", "1" * 300]),
    "two lower bounds": bounded([">=", "1"], [">>", "2"]),
    "two upper bounds": bounded(["<=", "1"], ["<<", "2"]),
    "an equal and a lower": bounded(["=", "1"], [">=", "1"]),
    "an equal and an upper": bounded(["<", "2"], ["=", "1"]),
    "twice equal": bounded(["=", "1"], ["=", "1"]),
    "the second is wrong": [relation(named()), relation(named(""))],
    "the second alternative is wrong": [relation(named(), named(""))],
    "too much": [relation(named(f"lib{number:06}" + "x" * 200)) for number in range(5000)],
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused(repo: Calls, malformed: Any) -> None:
    """By publish and begin_publication."""
    for function in ("publish", "begin_publication"):
        with repo.refused("RG400"):
            getattr(repo, function)("deb", "app", "1", "all", dependencies=malformed)


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
def test_and_in_bulk(repo: Calls, malformed: Any) -> None:
    """The item is refused, and the others are published; nothing of a mirror's chunk is staged."""
    given = malformed.obj if isinstance(malformed, Jsonb) else malformed
    item = package("app") | {"dependencies": given}
    bulk = repo.rows("publish_many", [item, package("other")], strict=False)
    assert [row.outcome for row in bulk] == ["refused", "created"]
    assert bulk[0].sqlstate == "RG400"

    api = Calls(repo.connection, repo.first[:1])
    api.create_repository("up", "mirror")
    update = api.begin_mirror_update("up")
    with repo.refused("RG400"):
        api.stage_mirror_items(update.update_id, update.fence, [package("other"), item])


@pytest.mark.parametrize("place", [1, 2, 3])
def test_the_message_says_which(repo: Calls, place: int) -> None:
    relations = [relation(named()) for _ in range(3)]
    relations[place - 1] = relation(named(""))
    row = repo.rows("publish_many", [package("app") | {"dependencies": relations}], strict=False)[0]
    assert row.message == (
        f"dependency {place} is malformed: an alternative needs a name of 1 to 255 bytes without"
        " spaces"
    )


# -- there and back --------------------------------------------------------------------------------

WRITTEN = {
    "libc6": "libc6",
    "libc6 (>= 2.34)": "libc6 (>= 2.34)",
    "libc6 (>> 2.34)": "libc6 (>> 2.34)",
    "libc6 (<< 3)": "libc6 (<< 3)",
    "libc6 (<= 3)": "libc6 (<= 3)",
    "libc6 (= 1:2.34-5+deb12u1~rc1)": "libc6 (= 1:2.34-5+deb12u1~rc1)",
    "python3:any": "python3:any",
    "python3:any (>= 3.9)": "python3:any (>= 3.9)",
    "gcc:native": "gcc:native",
    "libc6:i386 (= 2)": "libc6:i386 (= 2)",
    "libstdc++6": "libstdc++6",
}


@pytest.mark.parametrize(("written", "read"), WRITTEN.items())
def test_a_relation_comes_back_as_it_was(repo: Calls, written: str, read: str) -> None:
    repo.publish("deb", "app", "1", dependencies=dependencies_of({"Depends": written}))
    assert said(repo) == [("depends", read)]


KINDS = ["depends", "pre-depends", "recommends", "suggests", "enhances", "conflicts", "breaks",
         "replaces", "provides", "build-depends", "a", "z" * 63]  # fmt: skip


def test_every_kind_in_its_order(repo: Calls) -> None:
    given = [relation(named(f"lib{place}"), kind=kind) for place, kind in enumerate(KINDS)]
    repo.publish("deb", "app", "1", dependencies=given)
    assert said(repo) == [(kind, f"lib{place}") for place, kind in enumerate(KINDS)]


def test_alternatives_in_their_order(repo: Calls) -> None:
    repo.publish(
        "deb", "app", "1", dependencies=dependencies_of({"Depends": "zz | aa (>= 2) | mm:any, bb"})
    )
    assert said(repo) == [
        ("depends", "zz"), ("depends", "aa (>= 2)"), ("depends", "mm:any"), ("depends", "bb"),
    ]  # fmt: skip


BOUNDS = {
    "(>= 1)": [[">=", "1"]],
    "(>> 1)": [[">", "1"]],
    "(<< 1)": [["<", "1"]],
    "(>= 1, << 2)": [["<<", "2"], [">=", "1"]],
    "(>> 1, <= 2)": [[">>", "1"], ["<=", "2"]],
    "(= 1)": [[">=", "1"], ["<=", "1"]],
    "(>= 2, <= 1)": [[">=", "2"], ["<=", "1"]],
    "": [],
}


@pytest.mark.parametrize(("written", "constraints"), BOUNDS.items())
def test_one_bound_at_each_end(repo: Calls, written: str, constraints: Any) -> None:
    repo.publish("deb", "app", "1", dependencies=bounded(*constraints))
    assert said(repo) == [("depends", f"libc6 {written}".strip())]


def test_each_way_of_publishing(api: Calls, repo: Calls) -> None:
    """publish, publish_many, a publication, a copy, a move, an update of a mirror; and what was
    deleted and restored."""
    given = dependencies_of({"Depends": "libc6 (>= 2.34), exim4 | postfix", "Provides": "mta"})
    expected = [
        ("depends", "libc6 (>= 2.34)"), ("depends", "exim4"), ("depends", "postfix"),
        ("provides", "mta"),
    ]  # fmt: skip
    repo.publish("deb", "app", "1", dependencies=given)
    add(api, "main", package("app 2") | {"dependencies": given})
    begun = repo.begin_publication("deb", "app", "3", dependencies=given)
    api.commit_publication(begun.publication_id, begun.fence)
    assert [said(api, version=version) for version in "123"] == [expected] * 3

    repo.delete_version("deb", "app", "1")
    repo.restore_version("deb", "app", "1")
    api.create_snapshot("frozen", "main")
    api.purge()
    assert said(api) == expected

    def of(repository: str) -> list[tuple[str, str]]:
        return [
            tuple(row)
            for row in api.ask(
                "select kind, relation from pkgdb.dependencies where namespace = %s and"
                " repository = %s and version = '3' order by position, alternative",
                api.first[0], repository,
            )
        ]  # fmt: skip

    for name in ("copied", "of a snapshot", "moved"):
        api.create_repository(name)
    api.copy_versions("copied", ("app (= 3)",), "main")
    api.copy_versions("of a snapshot", ("app (= 3)",), from_snapshot="frozen")
    api.move_versions("moved", "main", ("app (= 3)",))
    api.create_repository("up", "mirror")
    update = api.begin_mirror_update("up")
    staged = package("app 3") | {"dependencies": given}
    api.stage_mirror_items(update.update_id, update.fence, [staged])
    api.commit_mirror_update(update.update_id, update.fence)
    for name in ("copied", "of a snapshot", "moved", "up"):
        assert of(name) == expected


def test_names_are_those_of_the_ecosystem(repo: Calls) -> None:
    """Read as the ecosystem reads them; what could be no package's name stays as it is."""
    repo.publish("pypi", "app", "1", dependencies=[relation(named("Flask_SQLAlchemy"))])
    repo.publish("deb", "app", "1", dependencies=[relation(named("/usr/bin/Perl"))])
    rows = repo.ask(
        "select ecosystem, relation from pkgdb.dependencies where namespace = %s order by 1",
        repo.first[0],
    )
    assert rows == [("deb", "/usr/bin/Perl"), ("pypi", "flask-sqlalchemy")]


def test_versions_are_those_of_the_ecosystem(repo: Calls) -> None:
    repo.publish("pypi", "app", "1", dependencies=bounded([">=", "1!2.0rc1"], ["<", "2!0"]))
    with repo.refused("RG400"):
        repo.publish("npm", "app", "1.0.0", dependencies=bounded([">=", "1!2.0rc1"]))


# -- the same, and other ones ----------------------------------------------------------------------

GIVEN = dependencies_of({"Depends": "libc6 (>= 2.34) | musl, bash", "Suggests": "vim"})
OTHERS: dict[str, str] = {
    "another name": "libc7 (>= 2.34) | musl, bash",
    "another bound": "libc6 (>= 2.35) | musl, bash",
    "a strict bound": "libc6 (>> 2.34) | musl, bash",
    "the other end": "libc6 (<= 2.34) | musl, bash",
    "no bound": "libc6 | musl, bash",
    "an architecture": "libc6:any (>= 2.34) | musl, bash",
    "another order": "bash, libc6 (>= 2.34) | musl",
    "another order of alternatives": "musl | libc6 (>= 2.34), bash",
    "no alternative": "libc6 (>= 2.34), musl, bash",
    "one less": "libc6 (>= 2.34) | musl",
    "one more": "libc6 (>= 2.34) | musl, bash, dash",
}
PLACE = ("deb", "app", "1", "all")


def test_the_same_is_no_change(repo: Calls) -> None:
    file = package("app")["files"]
    repo.publish(*PLACE, file, dependencies=GIVEN)
    with repo.changes_nothing():
        assert repo.publish(*PLACE, file, dependencies=GIVEN).outcome == "unchanged"
        assert repo.publish(*PLACE, file).outcome == "unchanged"  # nothing is stated
        assert repo.begin_publication(*PLACE, file, dependencies=GIVEN).outcome == "unchanged"
        item = package("app") | {"dependencies": GIVEN}
        assert repo.rows("publish_many", [item])[0].outcome == "unchanged"


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_others_are_a_conflict(repo: Calls, other: str) -> None:
    repo.publish(*PLACE, package("app")["files"], dependencies=GIVEN)
    given = dependencies_of({"Depends": other, "Suggests": "vim"})
    for function in ("publish", "begin_publication"):
        with repo.refused("RG409"):
            getattr(repo, function)(*PLACE, package("app")["files"], dependencies=given)
    (row,) = repo.rows("publish_many", [package("app") | {"dependencies": given}], strict=False)
    assert (row.outcome, row.sqlstate) == ("refused", "RG409")


def test_another_kind_is_a_conflict(repo: Calls) -> None:
    repo.publish(*PLACE, dependencies=[relation(named())])
    with repo.refused("RG409"):
        repo.publish(*PLACE, dependencies=[relation(named(), kind="recommends")])


def test_some_where_there_are_none(repo: Calls) -> None:
    repo.publish(*PLACE)
    with repo.refused("RG409"):
        repo.publish(*PLACE, dependencies=GIVEN)


def test_files_are_added_to_what_says_the_same(repo: Calls) -> None:
    one, two = ({"filename": name, "sha256": "0" * 64, "size": 1} for name in ("a", "b"))
    repo.publish("pypi", "app", "1", files=[one], dependencies=GIVEN)
    with repo.refused("RG409"):
        repo.publish("pypi", "app", "1", files=[two], dependencies=GIVEN[:1])
    assert (
        repo.publish("pypi", "app", "1", files=[two], dependencies=GIVEN).outcome == "files_added"
    )
    assert len(said(repo)) == 4


def test_two_publications_of_one_version(api: Calls, repo: Calls) -> None:
    """Side by side with the same relations; with others the second is refused."""
    one, two = ({"filename": name, "sha256": "0" * 64, "size": 1} for name in ("a", "b"))
    first = repo.begin_publication("pypi", "app", "1", files=[one], dependencies=GIVEN)
    with repo.refused("RG409"):
        repo.begin_publication("pypi", "app", "1", files=[two], dependencies=GIVEN[:1])
    second = repo.begin_publication("pypi", "app", "1", files=[two], dependencies=GIVEN)
    assert said(api) == []  # nobody sees them yet
    for begun in (second, first):
        api.commit_publication(begun.publication_id, begun.fence)
    assert len(said(api)) == 4


# -- the end of a version --------------------------------------------------------------------------


def rows_kept(api: Calls) -> int:
    (row,) = api.ask("select count(*) from pkgdb.dependency where namespace = %s", api.first[0])
    return int(row[0])


def test_they_go_with_the_purge(api: Calls, repo: Calls) -> None:
    repo.publish(*PLACE, dependencies=GIVEN)
    repo.delete_version(*PLACE)
    assert (said(api), rows_kept(api)) == ([], 4)
    api.purge()
    assert rows_kept(api) == 0


def test_what_a_snapshot_contains_keeps_them(api: Calls, repo: Calls) -> None:
    repo.publish(*PLACE, dependencies=GIVEN)
    api.create_snapshot("frozen", "main")
    repo.delete_version(*PLACE)
    api.purge()
    assert rows_kept(api) == 4
    missing = api.rows("verify_snapshot", "frozen")
    assert [row.relation for row in missing] == ["libc6 (>= 2.34) | musl", "bash"]
    api.drop_snapshot("frozen")
    api.purge()
    assert rows_kept(api) == 0


def test_a_publication_that_fails_leaves_none(api: Calls, repo: Calls) -> None:
    begun = repo.begin_publication(*PLACE, dependencies=GIVEN)
    assert rows_kept(api) == 4
    api.abort_publication(begun.publication_id, begun.fence)
    assert repo.publish(*PLACE, dependencies=GIVEN[:1]).outcome == "created"
    api.purge()
    assert rows_kept(api) == 2


def test_a_repository_that_is_dropped_leaves_none(api: Calls, repo: Calls) -> None:
    repo.publish(*PLACE, dependencies=GIVEN)
    api.drop_repository("main")
    assert said(api) == []
    api.purge()
    assert rows_kept(api) == 0


# -- what satisfies them ---------------------------------------------------------------------------


def missing(api: Calls, *packages: str | dict[str, Any], **more: Any) -> list[str]:
    """What a snapshot of these packages lacks."""
    stock(api, "packages", *packages)
    api.create_snapshot("packages", "packages")
    rows = api.rows("verify_snapshot", "packages", **more)
    return [f"{row.name}[{row.architecture}] {row.kind}: {row.relation}" for row in rows]


def lacks(api: Calls, depends: str, *packages: str | dict[str, Any], variant: str = "all") -> bool:
    return missing(api, package(f"app 1 {variant}", depends=depends), *packages) != []


# In the order of Debian's versions, which is not that of texts.
ORDER = ["1.0~~", "1.0~rc1", "1.0", "1.0+b1", "1.0.1", "1.2A", "1.2a", "1.10", "9", "10", "1:0.1"]


@pytest.mark.parametrize("operator", ["<<", "<=", "=", ">=", ">>"])
@pytest.mark.parametrize("bound", [1, 4, 8, 10])
def test_bounds_are_in_the_order_of_versions(api: Calls, operator: str, bound: int) -> None:
    """The packages that no version satisfies, of one for each version."""
    stock(api, "packages", *(f"lib{place} {version}" for place, version in enumerate(ORDER)))
    for place in range(len(ORDER)):
        add(
            api, "packages",
            package(f"app{place:02}", depends=f"lib{place} ({operator} {ORDER[bound]})"),
        )  # fmt: skip
    api.create_snapshot("packages", "packages")
    found = {row.name for row in api.rows("verify_snapshot", "packages")}
    satisfied = {
        "<<": range(bound),
        "<=": range(bound + 1),
        "=": range(bound, bound + 1),
        ">=": range(bound, len(ORDER)),
        ">>": range(bound + 1, len(ORDER)),
    }[operator]
    assert found == {f"app{place:02}" for place in set(range(len(ORDER))) - set(satisfied)}


def test_equal_versions_are_equal_however_they_are_written(api: Calls) -> None:
    assert not lacks(api, "lib (= 0:1.0-0)", "lib 1.0")


@pytest.mark.parametrize(
    ("constraints", "lacking"),
    [
        ([[">=", "1"], ["<<", "3"]], False),
        ([[">>", "2"], ["<<", "3"]], True),
        ([[">=", "2"], ["<=", "2"]], False),
        ([[">=", "3"], ["<=", "1"]], True),
    ],
)
def test_two_bounds(api: Calls, constraints: Any, lacking: bool) -> None:
    app = package("app") | {"dependencies": [relation(named("lib", constraints=constraints))]}
    assert (missing(api, app, "lib 2") != []) == lacking


def test_one_version_has_to_lie_in_both(api: Calls) -> None:
    app = package("app") | {
        "dependencies": [relation(named("lib", constraints=[[">=", "2"], ["<<", "3"]]))]
    }
    assert missing(api, app, "lib 1", "lib 4") == ["app[] depends: lib (>= 2, << 3)"]


PROVIDED = [
    ("mta", "mta", False),
    ("mta (= 2)", "mta", False),
    ("mta", "mta (= 2)", True),  # what has no version has none that would do
    ("mta", "mta (>= 0)", True),
    ("mta (= 2)", "mta (= 2)", False),
    ("mta (= 2)", "mta (>= 1)", False),
    ("mta (= 2)", "mta (>= 3)", True),
    ("mta (= 2)", "mta (<< 10)", False),
    ("smtp", "mta", True),
]


@pytest.mark.parametrize(("provides", "depends", "lacking"), PROVIDED)
def test_what_is_provided(api: Calls, provides: str, depends: str, lacking: bool) -> None:
    exim = package("exim4 9", provides=provides)  # its own version does not matter
    assert lacks(api, depends, exim) == lacking


def test_what_provides_need_not_be_what_is_called_so(api: Calls) -> None:
    """The package is too old, but another one provides it in time."""
    assert not lacks(api, "mta (>= 2)", "mta 1", package("exim4", provides="mta (= 2)"))


@pytest.mark.parametrize(
    ("depends", "lacking"),
    [
        ("one | two", False),
        ("two | one", False),
        ("two | three", True),
        ("one (>= 2) | two", True),
        ("two | one (<< 2)", False),
        ("two | virtual", False),
        ("one, two", True),
        ("one, virtual", False),
    ],
)
def test_one_alternative_is_enough(api: Calls, depends: str, lacking: bool) -> None:
    assert lacks(api, depends, "one", package("real", provides="virtual")) == lacking


# Which package serves which architecture.
SERVED = [
    ("amd64", "lib", "amd64", False),
    ("amd64", "lib", "all", False),
    ("amd64", "lib", "i386", True),
    ("amd64", "lib:any", "i386", False),
    ("amd64", "lib:any", "amd64", False),
    ("amd64", "lib:native", "amd64", False),
    ("amd64", "lib:native", "i386", True),
    ("amd64", "lib:i386", "i386", False),
    ("amd64", "lib:i386", "amd64", True),
    ("amd64", "lib:i386", "all", False),
    ("all", "lib", "all", False),
]


@pytest.mark.parametrize(("variant", "depends", "served_by", "lacking"), SERVED)
def test_architectures_and_qualifiers(
    api: Calls, variant: str, depends: str, served_by: str, lacking: bool
) -> None:
    rows = missing(
        api, package(f"app 1 {variant}", depends=depends), f"lib 1 {served_by}",
        architectures=("amd64",),
    )  # fmt: skip
    assert (rows != []) == lacking


def test_a_package_for_all_needs_it_for_each(api: Calls) -> None:
    found = missing(
        api, package("app", depends="lib"), "lib 1 amd64", "other 1 i386", "other 1 arm64"
    )
    assert found == ["app[arm64] depends: lib", "app[i386] depends: lib"]


def test_only_for_the_architectures_asked_for(api: Calls) -> None:
    app = package("app", depends="lib")
    assert missing(api, app, "lib 1 amd64", architectures=("amd64",)) == []
    rows = api.rows("verify_snapshot", "packages", architectures=("i386", "arm64"))
    assert [row.architecture for row in rows] == ["arm64", "i386"]


def test_only_of_the_kinds_asked_for(api: Calls) -> None:
    app = package(
        "app", depends="aa", pre_depends="bb", recommends="cc", suggests="dd", conflicts="ee",
        breaks="ff", provides="gg",
    )  # fmt: skip
    assert missing(api, app) == ["app[] depends: aa", "app[] pre-depends: bb"]
    kinds = {
        (): set(),
        ("depends",): {"aa"},
        ("recommends", "suggests"): {"cc", "dd"},
        ("depends", "no such kind"): {"aa"},
        ("provides",): set(),
    }
    for asked, lacking in kinds.items():
        rows = api.rows("verify_snapshot", "packages", kinds=asked)
        assert {row.relation for row in rows} == lacking


def test_a_name_is_one_of_its_ecosystem(api: Calls) -> None:
    """What another ecosystem calls so is another thing."""
    assert lacks(api, "requests", package("requests 2.0", ecosystem="generic"))


def test_ecosystems_have_their_own_orders(api: Calls) -> None:
    """1.0rc1 is before 1.0 on PyPI, and after it among generic packages' numbers and words."""
    app = {"ecosystem": "pypi", "name": "app", "version": "1",
           "dependencies": bounded([">=", "1.0"])}  # fmt: skip
    lib = {"ecosystem": "pypi", "name": "libc6", "version": "1.0rc1"}
    stock(api, "packages", app, lib)
    api.create_snapshot("packages", "packages")
    (row,) = api.rows("verify_snapshot", "packages")
    assert (row.ecosystem, row.relation) == ("pypi", "libc6 (>= 1.0)")


def test_a_source_has_it(api: Calls) -> None:
    stock(api, "extra", "lib 2")
    api.create_snapshot("extra", "extra")
    app = package("app", depends="lib (>= 2), none")
    assert missing(api, app, "lib 1", sources=("extra",)) == ["app[] depends: none"]


def test_what_sources_lack_is_theirs(api: Calls) -> None:
    """Only the snapshot's own packages are looked at."""
    stock(api, "extra", package("broken", depends="none"))
    api.create_snapshot("extra", "extra")
    assert missing(api, "app", sources=("extra",)) == []


# -- following them --------------------------------------------------------------------------------


@pytest.fixture
def filtered(api: Calls) -> Any:
    """What a filter with dependencies brings of a snapshot of such packages."""

    def run(query: str, *packages: str | dict[str, Any], **more: Any) -> list[str]:
        stock(api, "packages", *packages)
        api.create_snapshot("packages", "packages")
        api.filter_snapshot("chosen", "packages", (query,), follow=True, **more)
        return [text.removesuffix(" all") for text in in_snapshot(api, "chosen")]

    return run


def test_a_chain(filtered: Any) -> None:
    chain = [package(f"p{n}", depends=f"p{n + 1}") for n in range(9)]
    assert filtered("p3", *chain, "p9") == [f"p{n} 1" for n in range(3, 10)]


def test_a_ring(filtered: Any) -> None:
    ring = [package(f"p{n}", depends=f"p{(n + 1) % 4}") for n in range(4)]
    assert filtered("p2", *ring, "other") == [f"p{n} 1" for n in range(4)]


def test_the_first_alternative_that_is_there(filtered: Any) -> None:
    app = package("app", depends="none | two | three")
    assert filtered("app", app, "two", "three") == ["app 1", "two 1"]


def test_none_where_one_is_chosen_already(filtered: Any) -> None:
    app = package("app", depends="one | two")
    assert filtered("app | two", app, "one", "two") == ["app 1", "two 1"]


def test_the_newest_that_will_do(filtered: Any) -> None:
    app = package("app", depends="lib (<< 3)")
    assert filtered("app", app, "lib 1", "lib 2", "lib 3") == ["app 1", "lib 2"]


def test_the_package_itself_before_what_provides_it(filtered: Any) -> None:
    app = package("app", depends="mta")
    assert filtered("app", app, "mta 1", package("exim4 9", provides="mta")) == ["app 1", "mta 1"]


def test_what_provides_it(filtered: Any) -> None:
    """One of them."""
    app = package("app", depends="mta (>= 2)")
    providers = package("exim4", provides="mta (= 1)"), package("postfix", provides="mta (= 2)")
    assert filtered("app", app, *providers) == ["app 1", "postfix 1"]


def test_for_each_architecture(filtered: Any) -> None:
    apps = [package(f"app 1 {variant}", depends="lib") for variant in ("amd64", "i386")]
    found = filtered("app", *apps, "lib 1 amd64", "lib 1 i386", "lib 1 arm64")
    assert found == ["app 1 amd64", "app 1 i386", "lib 1 amd64", "lib 1 i386"]


def test_for_the_architectures_asked_for(filtered: Any) -> None:
    app = package("app", depends="lib")
    found = filtered("app", app, "lib 1 amd64", "lib 1 i386", architectures=("i386",))
    assert found == ["app 1", "lib 1 i386"]


def test_of_the_kinds_asked_for(filtered: Any) -> None:
    app = package("app", depends="one", recommends="two")
    assert filtered("app", app, "one", "two", kinds=("recommends",)) == ["app 1", "two 1"]


def test_what_nobody_has_is_not_missed(filtered: Any) -> None:
    assert filtered("app", package("app", depends="none"), "other") == ["app 1"]


def test_a_query_asks_for_what_is_provided(api: Calls) -> None:
    stock(
        api, "packages", package("exim4 9", provides="mta (= 2)"),
        package("postfix", provides="mta"), "mta 1",
    )  # fmt: skip
    asked = {
        "mta": ["exim4", "mta", "postfix"],
        "mta (= 2)": ["exim4"],
        "mta (<< 2)": ["mta"],
        "Name (mta)": ["mta"],
    }
    for query, expected in asked.items():
        rows = api.rows("search_versions", "packages", query=query)
        assert [text.split()[0] for text in described(rows)] == expected
