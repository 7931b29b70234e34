"""Merge, pull, filter, verify and diff beside the real aptly, on random packages.

Where the two differ on purpose is in the second half, case by case with the reason.
"""

import random
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pkgdb.indexes import Source, debian
from pkgdb.indexes.entry import Entry
from tests.behaviour.calls import Calls
from tests.packages.making import ar, tar
from tests.support import missing, oracle

SEEDS = [1, 2, 3]
VERSIONS = ["0.9", "1.0~rc1", "1.0", "1.0-2", "1.0+b1", "2.0-1~bpo1", "2.0-1", "10.0", "1:0.5"]
NAMES = [f"pkg{number}" for number in range(34)]
FLAGS = {"follow": "-no-deps", "no_remove": "-no-remove", "all_matches": "-all-matches"}

Content = set[tuple[str, str, str, str]]
"""Name, version, architecture and the digest of the file."""
Member = tuple[str, str, str]


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    architecture: str = "amd64"
    depends: str = ""
    provides: str = ""
    text: str = "the same for all"

    @property
    def filename(self) -> str:
        """To aptly another one makes another package."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    def stanza(self) -> str:
        fields = {
            "Package": self.name, "Version": self.version, "Architecture": self.architecture,
            "Maintainer": "Some One <one@example.org>", "Depends": self.depends,
            "Provides": self.provides, "Description": self.text,
        }  # fmt: skip
        return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)

    def deb(self) -> bytes:
        control = tar({"./control": self.stanza()})
        return ar({"debian-binary": b"2.0\n", "control.tar": control, "data.tar": tar({})})

    def indexed(self) -> str:
        """The stanza as in an index."""
        data = self.deb()
        return (
            f"{self.stanza()}Filename: pool/{self.filename}\n"
            f"Size: {len(data)}\nSHA256: {sha256(data).hexdigest()}\n\n"
        )


@dataclass
class Pair:
    """The same snapshots in aptly and in a namespace of pkgdb."""

    root: Path
    api: Calls
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [oracle("aptly"), f"-config={self.root / 'aptly.conf'}", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    def aptly(self, *arguments: str) -> str:
        done = self.attempt(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def name(self) -> str:
        return f"snapshot-{next(self.numbers)}"

    def make(self, name: str, packages: Sequence[Package]) -> None:
        """A repository of these packages, and a snapshot of it with the same name."""
        incoming = self.root / name
        incoming.mkdir()
        for package in packages:
            (incoming / package.filename).write_bytes(package.deb())
        self.aptly("repo", "create", name)
        self.aptly("repo", "add", name, str(incoming))
        self.aptly("snapshot", "create", name, "from", "repo", name)

        index = incoming / "Packages"
        index.write_text("".join(package.indexed() for package in packages))
        with Source(index) as source:
            entries = list(debian.read(source))
        items = [entry.item for entry in entries if isinstance(entry, Entry)]
        assert len(items) == len(packages)
        self.api.create_repository(name)
        self.api.rows("publish_many", name, items)
        self.api.create_snapshot(name, name)

    def theirs(self, snapshot: str) -> Content:
        form = "{{.Package}} {{.Version}} {{.Architecture}} {{.SHA256}}"
        done = self.attempt("snapshot", "search", f"-format={form}", snapshot, "Name")
        assert done.returncode == 0 or done.stderr == "ERROR: no results\n", done
        rows = [line.split() for line in done.stdout.splitlines()]
        return {(name, version, arch, digest) for name, version, arch, digest in rows}

    def ours(self, snapshot: str) -> Content:
        return {
            (row.name, row.version, row.variant, row.files[0]["sha256"])
            for row in self.api.rows("search_versions", snapshot=snapshot, files=True)
        }

    def merge(self, sources: Sequence[str], how: str) -> tuple[Content, Content]:
        name = self.name()
        flags = [f"-{how}"] if how else []
        self.aptly("snapshot", "merge", *flags, name, *sources)
        self.api.merge_snapshots(
            name, tuple(sources), latest=how == "latest", no_remove=how == "no-remove"
        )
        return self.theirs(name), self.ours(name)

    def pull(
        self, target: str, source: str, queries: Sequence[str], **flags: bool
    ) -> tuple[Content, Content]:
        name = self.name()
        given = {"follow": True, "no_remove": False, "all_matches": False} | flags
        options = [FLAGS[flag] for flag in FLAGS if given[flag] == (flag != "follow")]
        self.aptly("snapshot", "pull", *options, target, source, name, *queries)
        self.api.pull_snapshot(name, target, source, tuple(queries), **given)
        return self.theirs(name), self.ours(name)

    def filter(self, source: str, queries: Sequence[str], follow: bool) -> tuple[Content, Content]:
        name = self.name()
        options = ["-with-deps"] if follow else []
        self.aptly("snapshot", "filter", *options, source, name, *queries)
        self.api.filter_snapshot(name, source, tuple(queries), follow=follow)
        return self.theirs(name), self.ours(name)

    def their_missing(self, *snapshots: str, architectures: str = "") -> set[str]:
        said = self.aptly(f"-architectures={architectures}", "snapshot", "verify", *snapshots)
        return set(re.findall(r"^  (\S.*\])$", said, re.MULTILINE))

    def our_missing(self, *snapshots: str) -> set[str]:
        """In aptly's form: each alternative, with the architecture."""
        return {
            f"{alternative} [{row.architecture}]"
            for row in self.api.rows("verify_snapshot", snapshots[0], snapshots[1:])
            for alternative in row.relation.split(" | ")
        }

    def differences(self, left: str, right: str) -> tuple[Counter[Any], Counter[Any]]:
        """Theirs and ours: what only the one side has."""
        theirs, ours = Counter[Any](), Counter[Any]()
        for line in self.aptly("snapshot", "diff", left, right).splitlines():
            if match := re.match(r"[-+!] (\S+) *\| (\S+) *\| (\S+) *\| (\S+) *$", line):
                variant, name, *versions = match.groups()
                theirs.update(
                    (side, name, version, variant)
                    for side, version in zip(("left", "right"), versions, strict=True)
                    if version != "-"
                )
        for row in self.api.rows("diff_snapshots", left, right):
            ours.update(
                (side, row.name, version, row.variant)
                for side, version in (("left", row.left_version), ("right", row.right_version))
                if version is not None
            )
        return theirs, ours


# -- random packages -------------------------------------------------------------------------------


def universe(rng: random.Random, wild: bool = False) -> list[Package]:
    """Some 200 packages that need each other.

    aptly's answers depend on the order in which it looks at packages where one name is asked for
    in several ways (also through what provides it), and of several that provide a name it takes
    any. So each name is asked for in one way only, unless they are to be `wild`.
    """
    providers = dict(zip(NAMES[:4], ["virtual0", "virtual1", "virtual2", "virtual3"], strict=True))
    hidden = NAMES[4:7]  # each is the second alternative of one relation
    plain = NAMES[7:]
    ways = {
        name: rng.choice([name, name, f"{name} ({rng.choice(['>=', '<<', '=', '<=', '>>'])} "
                          f"{rng.choice(VERSIONS)})"])
        for name in plain
    }  # fmt: skip
    ways |= {name: f"absent{number} | {name}" for number, name in enumerate(hidden)}
    ways |= {virtual: virtual for virtual in providers.values()}
    ways |= {f"absent-{number}": f"absent-{number} (>= 1)" for number in range(2)}

    def relation() -> str:
        if not wild:
            return ways[rng.choice(list(ways))]
        names = rng.sample([*NAMES, "virtual0", "virtual1", "absent"], rng.choice([1, 1, 2, 3]))
        return " | ".join(
            rng.choice([name, f"{name} ({rng.choice(['>=', '<<', '='])} {rng.choice(VERSIONS)})"])
            for name in names
        )

    packages = []
    for name in NAMES:
        architectures = rng.choice([["all"], ["amd64", "i386"], ["amd64", "i386"]])
        versions = rng.sample(VERSIONS, rng.randint(1, 6))
        for version in versions:
            provides = providers.get(name, "") if wild or version == versions[0] else ""
            for architecture in architectures:
                relations = {relation() for _ in range(rng.randint(0, 3))}
                packages.append(
                    Package(name, version, architecture, ", ".join(sorted(relations)), provides)
                )
    return packages


def queries(rng: random.Random) -> list[str]:
    name, other, version = rng.choice(NAMES), rng.choice(NAMES), rng.choice(VERSIONS)
    makers: list[Callable[[], str]] = [
        lambda: name,
        lambda: f"{name} (>= {version})",
        lambda: f"{name} {{i386}}",
        lambda: f"{name} | {other} (<< {version})",
        lambda: "Name (% pkg1*), $Version (<= 1.0-2)",
        lambda: f"Name (~ [02468]$), !$Architecture (i386), Version (>= {version})",
        lambda: rng.choice(["virtual0", "virtual1"]),
    ]
    return [make() for make in rng.sample(makers, rng.randint(1, 2))]


def sample(rng: random.Random, packages: list[Package], share: float) -> list[Package]:
    return [package for package in packages if rng.random() < share]


@pytest.fixture(scope="module")
def connection(
    new_database: Callable[..., str], template: str
) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(new_database(template), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def new_pair(
    connection: psycopg.Connection[Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Pair]:
    numbers = count(1)

    def new() -> Pair:
        root = tmp_path_factory.mktemp("aptly")
        (root / "aptly.conf").write_text(f'{{"rootDir": "{root}"}}')
        return Pair(root, Calls(connection, (f"tenant-{next(numbers)}",)))

    oracle("aptly")
    return new


@pytest.fixture(scope="module", params=SEEDS)
def pair(new_pair: Callable[[], Pair], request: pytest.FixtureRequest) -> Pair:
    """Snapshots left and right; narrow, for one architecture; other, with other files; wild."""
    pair, rng = new_pair(), random.Random(request.param)
    packages = universe(rng)
    assert len(packages) > 120
    left, right = sample(rng, packages, 0.5), sample(rng, packages, 0.6)
    pair.make("left", left)
    pair.make("right", right)
    pair.make("narrow", [package for package in left if package.architecture != "i386"])
    changed = {package: rng.random() < 0.3 for package in packages}
    pair.make(
        "other",
        [
            replace(package, text="another") if changed[package] else package
            for package in sample(rng, packages, 0.5)
        ],
    )
    pair.make("wild", universe(rng, wild=True))
    return pair


def members(content: Content) -> set[Member]:
    return {(name, version, architecture) for name, version, architecture, _ in content}


def keys(content: Content) -> Counter[tuple[str, str]]:
    return Counter((name, architecture) for name, _, architecture, _ in content)


# -- agreement -------------------------------------------------------------------------------------


def test_snapshots_are_the_same(pair: Pair) -> None:
    for snapshot in ("left", "right", "narrow", "other", "wild"):
        assert pair.ours(snapshot) == pair.theirs(snapshot)


@pytest.mark.parametrize("sources", [("left", "right"), ("right", "other", "left")])
def test_merge(pair: Pair, sources: tuple[str, ...]) -> None:
    """Except where a package has several versions on a side that loses them: see S12 below."""
    theirs, ours = pair.merge(sources, "")
    expected: Content = set()
    several: set[tuple[str, str]] = set()
    for source in sources:
        content = pair.ours(source)
        has = keys(content)
        several |= {key for key, number in keys(expected).items() if number > 1 and key in has}
        expected = content | {row for row in expected if (row[0], row[2]) not in has}
    assert ours == expected
    assert several

    def single(content: Content) -> Content:
        return {row for row in content if (row[0], row[2]) not in several}

    assert single(theirs) == single(ours) != set()


@pytest.mark.parametrize("sources", [("left", "right"), ("right", "other", "left")])
def test_merge_that_keeps_all(pair: Pair, sources: tuple[str, ...]) -> None:
    theirs, ours = pair.merge(sources, "no-remove")
    assert ours == theirs


@pytest.mark.parametrize("sources", [("left", "right"), ("right", "other", "left")])
def test_merge_of_the_latest(pair: Pair, sources: tuple[str, ...]) -> None:
    """Which of two files of one version stays is decided otherwise: see below."""
    theirs, ours = pair.merge(sources, "latest")
    assert members(ours) == members(theirs)
    assert max(keys(ours).values()) == 1


@pytest.mark.parametrize("sides", [("left", "right"), ("right", "other"), ("left", "left")])
def test_diff(pair: Pair, sides: tuple[str, str]) -> None:
    theirs, ours = pair.differences(*sides)
    assert ours == theirs
    assert (ours == Counter()) == (sides == ("left", "left"))


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("no_remove", [True, False])
@pytest.mark.parametrize("all_matches", [True, False])
def test_pull(
    pair: Pair, request: pytest.FixtureRequest, follow: bool, no_remove: bool, all_matches: bool
) -> None:
    rng = random.Random(request.node.name)
    pulled = 0
    for target in ("left", "left", "narrow"):
        asked = queries(rng)
        theirs, ours = pair.pull(
            target, "right", asked, follow=follow, no_remove=no_remove, all_matches=all_matches
        )
        assert ours == theirs, (target, asked)
        pulled += ours != pair.ours(target)
    assert pulled


@pytest.mark.parametrize("follow", [True, False])
def test_filter(pair: Pair, request: pytest.FixtureRequest, follow: bool) -> None:
    rng = random.Random(request.node.name)
    found = 0
    for source in ("left", "right", "narrow"):
        asked = queries(rng)
        theirs, ours = pair.filter(source, asked, follow)
        assert ours == theirs, (source, asked)
        found += len(ours)
    assert found


@pytest.mark.parametrize("snapshots", [("left",), ("left", "right"), ("narrow", "right")])
def test_verify(pair: Pair, snapshots: tuple[str, ...]) -> None:
    theirs, ours = pair.their_missing(*snapshots), pair.our_missing(*snapshots)
    assert ours == theirs != set()


def test_what_is_filtered_lacks_nothing_to_aptly(
    pair: Pair, request: pytest.FixtureRequest
) -> None:
    """Whatever alternatives and versions are asked for: what is missing, the source has not."""
    rng = random.Random(request.node.name)
    lacking = 0
    for _ in range(4):
        asked = queries(rng)
        name = pair.name()
        pair.api.filter_snapshot(name, "wild", tuple(asked), follow=True)
        chosen = pair.ours(name)
        pair.aptly(
            "snapshot", "filter", "wild", name,
            " | ".join(f"{row[0]}_{row[1]}_{row[2]}" for row in sorted(chosen)) or "!Name",
        )  # fmt: skip
        assert pair.theirs(name) == chosen
        lacks, of_all = (
            pair.their_missing(*snapshots, architectures="amd64,i386")
            for snapshots in ((name,), (name, "wild"))
        )
        assert lacks == of_all
        lacking += len(lacks)
    assert lacking


# -- where we differ on purpose --------------------------------------------------------------------


def versions(content: Content) -> dict[str, set[str]]:
    """Versions by name."""
    found: dict[str, set[str]] = {}
    for name, version, _, _ in content:
        found.setdefault(name, set()).add(version)
    return found


@pytest.fixture
def two(new_pair: Callable[[], Pair]) -> Callable[..., Pair]:
    """Snapshots left and right, with packages as asked for."""
    if "version: 1.5" not in new_pair().aptly("version"):
        missing("aptly is not 1.5, of which the following is said")

    def make(left: Sequence[Package], right: Sequence[Package]) -> Pair:
        pair = new_pair()
        pair.make("left", left)
        pair.make("right", right)
        return pair

    return make


def test_a_merge_replaces_whole_packages(two: Callable[..., Pair]) -> None:
    """S12: aptly's merge of 1, 2, 3 with 2 has 2, 2, 3; its manual says what ours has."""
    pair = two([Package("aa", version) for version in "123"], [Package("aa", "2")])
    theirs, ours = pair.merge(("left", "right"), "")
    assert versions(ours) == {"aa": {"2"}}
    assert versions(theirs) == {"aa": {"2", "3"}}
    # It counts 2 twice, and lists it once.
    assert "Number of packages: 3\n" in pair.aptly("snapshot", "show", "snapshot-1")


def test_the_latest_is_the_same_in_any_order(two: Callable[..., Pair]) -> None:
    """Of equal versions aptly keeps the lesser text, and of two files the later source's.

    Ours: the greater text, then the greater digest, as everywhere.
    """
    pair = two(
        [Package("aa", "1.0"), Package("bb", "1", text="one")],
        [Package("aa", "1.0-0"), Package("bb", "1", text="two")],
    )
    forth, ours_forth = pair.merge(("left", "right"), "latest")
    back, ours_back = pair.merge(("right", "left"), "latest")
    assert ours_forth == ours_back
    assert versions(ours_forth) == {"aa": {"1.0-0"}, "bb": {"1"}}
    assert versions(forth) == versions(back) == {"aa": {"1.0"}, "bb": {"1"}}
    assert forth != back


def test_pulling_a_package_leaves_those_of_other_names(two: Callable[..., Pair]) -> None:
    """aptly removes what *provides* the name of a pulled package (until 1.6)."""
    pair = two([Package("postfix", "1", provides="mta")], [Package("mta", "1")])
    theirs, ours = pair.pull("left", "right", ["mta"])
    assert versions(ours) == {"postfix": {"1"}, "mta": {"1"}}
    assert versions(theirs) == {"mta": {"1"}}


def test_pulling_a_package_leaves_other_architectures(two: Callable[..., Pair]) -> None:
    """aptly removes the one for all architectures when one for some architecture comes.

    Ours keeps to the one rule of what a package is: ecosystem, name and variant.
    """
    others = Package("bb", "1")
    pair = two([Package("aa", "1", "all"), others], [Package("aa", "2", "amd64")])
    theirs, ours = pair.pull("left", "right", ["aa"])
    assert members(ours) == {("aa", "1", "all"), ("aa", "2", "amd64"), ("bb", "1", "amd64")}
    assert members(theirs) == {("aa", "2", "amd64"), ("bb", "1", "amd64")}


def test_what_is_pulled_replaces_the_same_version(two: Callable[..., Pair]) -> None:
    """Told to remove nothing, aptly reports that a package was added and leaves the old file."""
    pair = two([Package("aa", "1", text="old")], [Package("aa", "1", text="new")])
    theirs, ours = pair.pull("left", "right", ["aa"], no_remove=True)
    assert ours == pair.ours("right")
    assert theirs == pair.ours("left")


def test_one_alternative_is_enough(two: Callable[..., Pair]) -> None:
    """aptly pulls each alternative that the source has, of `aa | bb` both."""
    source = [Package("xx", "1", depends="aa | bb"), Package("aa", "1"), Package("bb", "1")]
    pair = two([Package("cc", "1")], source)
    theirs, ours = pair.pull("left", "right", ["xx"])
    assert set(versions(ours)) == {"cc", "xx", "aa"}
    assert set(versions(theirs)) == {"cc", "xx", "aa", "bb"}


def test_versions_of_what_is_provided_count(two: Callable[..., Pair]) -> None:
    """aptly 1.5 has no versions there: it takes `aa (= 2)` for a name. Debian Policy 7.5."""
    pair = two(
        [Package("xx", "1", depends="aa (>= 2)"), Package("pp", "1", provides="aa (= 2)")],
        [Package("xx", "1", depends="aa (>= 3)"), Package("pp", "1", provides="aa (= 2)")],
    )
    assert pair.our_missing("left") == set()
    assert pair.their_missing("left") == {"aa (>= 2) [amd64]"}
    assert pair.our_missing("right") == pair.their_missing("right") == {"aa (>= 3) [amd64]"}


def test_any_architecture_is_any(two: Callable[..., Pair]) -> None:
    """aptly takes aa:any for aa of the own architecture. Debian's multiarch: of any."""
    pair = two([Package("xx", "1", "i386", depends="aa:any"), Package("aa", "1", "amd64")], [])
    assert pair.our_missing("left") == set()
    assert pair.their_missing("left") == {"aa [i386]"}


def test_each_missing_relation_is_reported(two: Callable[..., Pair]) -> None:
    """aptly forgets a name that it has first seen as an alternative of something else.

    So it does not pull it either.
    """
    packages = [
        Package("bb", "1"),
        Package("xx", "1", depends="aa | bb"),
        Package("yy", "1", depends="aa"),
    ]
    pair = two(packages, [*packages, Package("aa", "1")])
    assert pair.our_missing("left") == {"aa [amd64]"}
    assert pair.their_missing("left") == set()
