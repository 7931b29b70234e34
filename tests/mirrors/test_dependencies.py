"""What packages say of each other, read out of control files and indexes alike."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from debian.deb822 import PkgRelation

import pkgdb
from pkgdb.indexes import Bad, Entry, read
from pkgdb.packages import PackageError, read_package
from pkgdb.relations import FIELDS, KINDS, RelationError, dependencies_of
from tests.mirrors.archives import Deb
from tests.support import oracle

SAMPLE = Path(pkgdb.__file__).parent / "sample/debian/Packages.xz"


def one(name: str, *constraints: list[str], **more: str) -> dict[str, Any]:
    return {"name": name, "constraints": list(constraints), **more}


@pytest.mark.parametrize(
    ("text", "relations"),
    [
        ("", []),
        ("a", [[one("a")]]),
        ("a, b", [[one("a")], [one("b")]]),
        ("a,\n b | c,", [[one("a")], [one("b"), one("c")]]),
        ("a (>= 1:2.0~rc1-1+b1)", [[one("a", [">=", "1:2.0~rc1-1+b1"])]]),
        ("a(<<1)", [[one("a", ["<<", "1"])]]),
        ("a ( = 1 )", [[one("a", ["=", "1"])]]),
        ("a (<= 1) | b (>> 2)", [[one("a", ["<=", "1"]), one("b", [">>", "2"])]]),
        ("a:any (>= 1), b:amd64", [[one("a", [">=", "1"], architecture="any")],
                                   [one("b", architecture="amd64")]]),
        ("libstdc++6, Upper_1.0", [[one("libstdc++6")], [one("Upper_1.0")]]),
        # What dpkg warns of, and how it reads it.
        ("a (< 1), b (> 1)", [[one("a", ["<=", "1"])], [one("b", [">=", "1"])]]),
        ("a (1)", [[one("a", ["=", "1"])]]),
    ],
)  # fmt: skip
def test_relations(text: str, relations: list[Any]) -> None:
    assert dependencies_of({"Depends": text}) == [
        {"kind": "depends", "alternatives": alternatives} for alternatives in relations
    ]


def test_kinds() -> None:
    """Each field's name is a kind; other fields are none, and neither are those of sources."""
    fields = dict.fromkeys([*FIELDS, "Build-Depends", "Description"], "a")
    found = dependencies_of(fields)
    assert tuple(relation["kind"] for relation in found) == KINDS
    assert set(KINDS) == {
        "depends", "pre-depends", "recommends", "suggests", "enhances", "conflicts", "breaks",
        "replaces", "provides",
    }  # fmt: skip


MALFORMED = [
    ",a", "a,,b", "a |", "| a", "a b", "a [amd64]", "a <!nocheck>", "-a", "a (>= 1", "a (>=)",
    "a (== 1)", "a (<> 1)", "a (>= x)", "a (>= 1_2)", "a (>= ${version})", "${misc:Depends}",
    "a (>= 1) (<< 2)", "a:", "a\u00e9",
]  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_ones(text: str) -> None:
    with pytest.raises(RelationError, match="Depends has a malformed relation: '"):
        dependencies_of({"Depends": text})


@pytest.mark.parametrize("field", ["Conflicts", "Breaks", "Replaces", "Provides"])
def test_fields_without_alternatives(field: str) -> None:
    with pytest.raises(RelationError, match=f"{field} has alternatives: 'a | b'"):
        dependencies_of({field: "a | b"})


@pytest.mark.parametrize("separator", [",", "|"])
def test_a_great_many(separator: str) -> None:
    """Each of a few bytes would become an object of many."""
    assert dependencies_of({"Depends": separator.join("a" * 10_000)})
    with pytest.raises(RelationError, match="more than 16384 relations"):
        dependencies_of({"Depends": separator.join("a" * 9_000), "Breaks": "a," * 9_000})


def test_a_long_one_is_not_shown_whole() -> None:
    with pytest.raises(RelationError) as caught:
        dependencies_of({"Depends": "(" * 100_000})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "line",
    [*(f"Depends: {text}" for text in MALFORMED if text.isascii()),
     "Depends: a(>=1) | b:any ( = 1 ), c", "Depends: a (1), b (< 1), A_b+c",
     "Conflicts: a | b", "Breaks: a | b", "Replaces: a | b", "Provides: a | b",
     "Enhances: a | b", "Suggests: a | b", "Recommends: a | b", "Pre-Depends: a | b"],
)  # fmt: skip
def test_dpkg_takes_the_same(tmp_path: Path, line: str) -> None:
    control = tmp_path / "DEBIAN/control"
    control.parent.mkdir()
    control.write_text(Deb("a", fields=f"{line}\n").control)
    built = subprocess.run(
        [oracle("dpkg-deb"), "--build", tmp_path, tmp_path.with_suffix(".deb")],
        capture_output=True,
        check=False,
    )
    field, _, text = line.partition(": ")
    try:
        dependencies_of({field: text})
        taken = True
    except RelationError:
        taken = False
    assert taken == (built.returncode == 0), built.stderr


def test_real_ones_are_read_as_python_debian_reads_them() -> None:
    relations = 0
    for entry in read(SAMPLE):
        assert isinstance(entry, Entry)
        fields = entry.item["metadata"]
        expected = []
        for field in FIELDS:
            for alternatives in (
                PkgRelation.parse_relations(fields[field]) if field in fields else ()
            ):
                expected.append(
                    {"kind": field.lower(), "alternatives": [plain(a) for a in alternatives]}
                )
        assert entry.item["dependencies"] == expected
        relations += len(expected)
    assert relations > 20_000


def plain(relation: Any) -> dict[str, Any]:
    """An alternative of python-debian's, in our form."""
    constraints = [list(relation["version"])] if relation["version"] else []
    qualifier = {"architecture": relation["archqual"]} if relation["archqual"] else {}
    return {"name": relation["name"], "constraints": constraints} | qualifier


FIELDS_OF_ONE = "Pre-Depends: a\nDepends: b (>= 1),\n c | d\nProvides: e (= 2)\nConflicts: f\n"


def test_a_package_and_its_index_say_the_same(tmp_path: Path) -> None:
    deb = Deb("demo", fields=FIELDS_OF_ONE)
    (tmp_path / "demo_1.0_amd64.deb").write_bytes(deb.content)
    (tmp_path / "Packages").write_text(deb.stanza)
    package = read_package(tmp_path / "demo_1.0_amd64.deb")
    (entry,) = read(tmp_path / "Packages")
    assert isinstance(entry, Entry)
    assert package.dependencies == entry.item["dependencies"]
    assert [dependency["kind"] for dependency in package.dependencies] == [
        "depends", "depends", "pre-depends", "conflicts", "provides",
    ]  # fmt: skip


def test_malformed_ones_in_a_package_and_in_an_index(tmp_path: Path) -> None:
    deb, good = Deb("demo", fields="Breaks: a b\n"), Deb("good")
    (tmp_path / "demo_1.0_amd64.deb").write_bytes(deb.content)
    (tmp_path / "Packages").write_text(f"{deb.stanza}\n{good.stanza}")
    reason = "Breaks has a malformed relation: 'a b'"
    with pytest.raises(PackageError, match=reason):
        read_package(tmp_path / "demo_1.0_amd64.deb")
    bad, entry = read(tmp_path / "Packages")
    assert bad == Bad(1, f"demo: {reason}")
    assert isinstance(entry, Entry)


def test_they_are_published(dsn: str, db: Any, run: Any, tmp_path: Path) -> None:
    """Out of a package, and by loading an index."""
    deb = Deb("demo", fields=FIELDS_OF_ONE)
    (tmp_path / "demo_1.0_amd64.deb").write_bytes(deb.content)
    (tmp_path / "Packages").write_text(Deb("other", fields="Depends: demo:any\n").stanza)
    (tmp_path / "lines.jsonl").write_text(
        '{"ecosystem": "deb", "name": "third", "version": "1", "variant": "all", "dependencies":'
        ' [{"kind": "depends", "alternatives": [{"name": "demo"}]}]}\n'
    )
    with pkgdb.connect(dsn) as registry:
        registry.create_repository("acme", "main")
        registry.create_repository("acme", "indexes")
    place = ("--namespace", "acme", "--repository")
    for arguments in (
        ("backend", "add", "disk", (tmp_path / "store").as_uri(), *place, "main"),
        ("publish", tmp_path / "demo_1.0_amd64.deb", *place, "main"),
        ("load", tmp_path / "Packages", tmp_path / "lines.jsonl", *place, "indexes"),
    ):
        done = run(*arguments)
        assert done.exit_code == 0, done.output

    found = db.execute(
        "select name, kind, relation from pkgdb.dependencies order by name, position, alternative"
    )
    assert found.fetchall() == [
        ("demo", "depends", "b (>= 1)"),
        ("demo", "depends", "c"),
        ("demo", "depends", "d"),
        ("demo", "pre-depends", "a"),
        ("demo", "conflicts", "f"),
        ("demo", "provides", "e (= 2)"),
        ("other", "depends", "demo:any"),
        ("third", "depends", "demo"),
    ]
