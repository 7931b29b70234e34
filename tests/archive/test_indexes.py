"""What the indexes of an apt archive say."""

from __future__ import annotations

import lzma
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from debian.deb822 import Deb822
from hypothesis import given
from hypothesis import strategies as st

import pkgdb
from pkgdb import indexes
from pkgdb.archive import ArchiveError
from pkgdb.archive.apt import AptEdition, paragraph, stanza
from pkgdb.models import StoredFile
from tests.archive.support import Apt, Served, Site, check, entry

SAMPLE = Path(pkgdb.__file__).parent / "sample" / "debian" / "Packages.xz"


async def test_a_release_with_all_settings(site: Site) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    await site.render(
        site.deb("demo", "1.0", "amd64"),
        site.deb("data", "1.0"),
        settings={
            "origin": "Example",
            "label": "Example packages",
            "suite": "stable",
            "codename": "first",
            "version": "1.1",
            "description": "What was tested",
            "architectures": ["arm64"],
            "not_automatic": True,
            "but_automatic_upgrades": True,
            "valid_for": 600,
        },
        components=("extra", "main"),
    )
    release = site.release()
    dates = [parsedate_to_datetime(release.pop(name)) for name in ("Date", "Valid-Until")]
    assert (dates[1] - dates[0]).total_seconds() == 600
    assert began <= dates[0].replace(tzinfo=UTC) <= datetime.now(UTC)
    paths = [line.split()[2] for line in release.pop("SHA256").strip().split("\n")]
    assert paths == [
        f"{component}/binary-{architecture}/Packages{suffix}"
        for component in ("extra", "main")
        for architecture in ("amd64", "arm64")
        for suffix in ("", ".gz", ".xz")
    ]
    assert dict(release) == {
        "Origin": "Example",
        "Label": "Example packages",
        "Suite": "stable",
        "Version": "1.1",
        "Codename": "first",
        "NotAutomatic": "yes",
        "ButAutomaticUpgrades": "yes",
        "Acquire-By-Hash": "yes",
        "Architectures": "amd64 arm64",
        "Components": "extra main",
        "Description": "What was tested",
    }
    assert check(site.path) == {"demo_1.0_amd64.deb", "data_1.0_all.deb"}


async def test_packages_of_each_architecture(site: Site) -> None:
    """Those for any are in the index of every one."""
    await site.render(
        *(site.deb("demo", "1.0", each) for each in ("arm64", "amd64", "all")),
        replace(site.deb("more", "1.0"), component="extra"),
        components=("empty", "extra", "main"),
    )
    shown = {
        f"{component} {each}": [
            (package["Package"], package["Architecture"])
            for package in site.packages(f"{component}/binary-{each}")
        ]
        for component in ("empty", "extra", "main")
        for each in ("amd64", "arm64")
    }
    assert shown == {
        "empty amd64": [],
        "empty arm64": [],
        "extra amd64": [("more", "all")],
        "extra arm64": [("more", "all")],
        "main amd64": [("demo", "all"), ("demo", "amd64")],
        "main arm64": [("demo", "all"), ("demo", "arm64")],
    }


def test_fields_come_as_in_debian() -> None:
    written = Deb822(ORDER.splitlines())
    found = entry("demo", "1.0", variant="amd64", metadata=shuffled(dict(written)))
    file = StoredFile("x.deb", "0" * 64, 1, None, {}, "main")
    assert list(Deb822(stanza(replace(found, files=(file,))).splitlines())) == list(written)


ORDER = """\
Package: demo
Source: demo-source
Version: 1.0
Essential: yes
Installed-Size: 10
Maintainer: Some One <one@example.org>
Architecture: amd64
Replaces: a
Provides: a
Depends: a
Pre-Depends: a
Recommends: a
Suggests: a
Enhances: a
Conflicts: a
Breaks: a
Description: short
Multi-Arch: same
Homepage: x
Built-Using: a (= 1)
Description-md5: 0
Python-Version: 3
Tag: a
Section: misc
Priority: optional
Filename: x
Size: 1
SHA256: 0
"""


def test_a_real_index() -> None:
    """Every stanza, taken apart and put together again."""
    stanzas = Deb822.iter_paragraphs(lzma.decompress(SAMPLE.read_bytes()), use_apt_pkg=False)
    compared = 0
    for original, read in zip(stanzas, indexes.read(SAMPLE), strict=True):
        assert isinstance(read, indexes.Entry)
        (file,) = read.item["files"]
        found = entry(
            read.item["name"],
            read.item["version"],
            variant=read.item["variant"],
            metadata=shuffled(read.item["metadata"]),
            files=(StoredFile.from_row(file | {"media_type": None, "role": "main"}),),
        )
        written = Deb822(stanza(found).splitlines())
        assert dict(written) == dict(original) | {"Filename": written["Filename"]}
        compared += 1
    assert compared > 5000


def shuffled(fields: dict[str, Any]) -> dict[str, Any]:
    """In the order in which PostgreSQL keeps the keys of an object."""
    return dict(sorted(fields.items(), key=lambda field: (len(field[0]), field[0])))


async def test_the_same_content_gives_the_same_bytes(site: Site) -> None:
    entries = [site.deb(name, version) for name in "ba" for version in ("1.0", "0.9")]
    await site.render(*entries)
    await site.render(*reversed(entries), distribution="other", settings={"suite": "stable"})
    assert site.release()["SHA256"] == site.release("other")["SHA256"]
    assert [package["Package"] for package in site.packages("main/binary-all")] == [*"aabb"]


async def test_a_yanked_version_is_left_out(site: Site) -> None:
    """apt has no other way to pass over one."""
    kept, gone = site.deb("demo", "1.0"), site.deb("demo", "2.0")
    await site.render(kept, replace(gone, listed=False))
    assert check(site.path) == set(site.pool()) == {"demo_1.0_all.deb"}


# Values of strangers

HOSTILE = (
    "short\nDepends: missing\n\nPackage: evil\nVersion: 1\nArchitecture: all\n"
    "Filename: x\nSize: 1\nSHA256: " + "0" * 64
)


async def test_metadata_is_no_way_to_other_fields(site: Site, served: Served) -> None:
    found = site.deb("demo", "1.0")
    hostile = {
        "Description": HOSTILE,
        "Depends: missing\nSection": "x",
        "Filename": "../../etc/passwd",
        "filename": "other",
        "SHA256": "0" * 64,
        "Version": "9",
        "Section": "a\x0bDepends: missing\x85Depends: missing\u2028Depends: missing\r\nDepends: x",
        "Priority": "\n\nDepends: missing",
        "Installed-Size": 12,
        "Essential": True,
        "Homepage": {"a": 1},
        "Tag": ["a"],
        "-Comment": "x",
        "#Comment": "x",
        "Empty": " \n ",
    }
    await site.render(replace(found, metadata=hostile))
    (package,) = site.packages("main/binary-all")
    assert {**package, "Description": "", "Section": "", "Priority": ""} == {
        "Package": "demo",
        "Version": "1.0",
        "Architecture": "all",
        "Description": "",
        "Section": "",
        "Priority": "",
        "Installed-Size": "12",
        "Filename": package["Filename"],
        "Size": str(found.files[0].size),
        "SHA256": found.files[0].sha256,
    }
    assert package["Description"].split("\n")[:4] == [
        "short",
        " Depends: missing",
        " .",
        " Package: evil",
    ]
    assert check(site.path) == {"demo_1.0_all.deb"}
    apt = Apt(site.base, f"deb [trusted=yes] {served.url}/debian stable main")
    assert (apt.update(), apt.download("demo")) == ("", "")
    assert "Unable to locate package evil" in apt.download("evil")


texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from("\n\n\r \t:.-#ab\x85\u2028")
    )
)


@given(st.dictionaries(st.one_of(st.sampled_from(["Depends", "Tag"]), texts), texts))
def test_any_text_stays_in_its_field(fields: dict[str, str]) -> None:
    text = paragraph(fields)
    lines = text.split("\n")
    assert lines.pop() == ""
    named = [line.partition(":")[0] for line in lines if line[0] not in " \t"]
    assert {name.lower() for name in named} <= {name.lower() for name in fields}
    assert len({name.lower() for name in named}) == len(named)
    assert all(line.strip() for line in lines)
    assert text == "" or len(list(Deb822.iter_paragraphs(text.split("\n"), use_apt_pkg=False))) == 1
    for name, value in Deb822(lines).items():
        said = {fields[each] for each in fields if each.lower() == name.lower()}
        plain = "".join(part for part in value.split() if part != ".")
        assert any(set(plain) <= set(one) for one in said)


# What cannot be an archive


async def test_refused(site: Site) -> None:
    found = site.deb("demo", "1.0", "amd64")
    await site.render(found)
    before = check(site.path)
    extra = replace(site.deb("demo", "1.0", "amd64", Section="x"), component="extra")
    for entries, why in (
        ([replace(found, files=())], "demo 1.0 amd64 has no file"),
        ([replace(found, variant="source")], "demo 1.0 source is no binary package"),
        ([replace(found, variant="../x")], "no binary package"),
        ([replace(found, variant="")], "demo 1.0 is no binary package"),
        ([found, extra], "demo 1.0 amd64 is in component main and with other content in extra"),
    ):
        with pytest.raises(ArchiveError, match=why):
            await site.render(*entries, components=("extra", "main"))
        assert check(site.path) == before
    await site.render(found, replace(found, component="extra"), components=("extra", "main"))
    for component in ("extra", "main"):
        assert len(site.packages(f"{component}/binary-amd64")) == 1


def test_a_component_that_is_no_path(site: Site) -> None:
    for name in ("..", "a/../../b", "/a", ".a", "a b", "a\n", ""):
        given = site.distribution(components=(name,))
        with pytest.raises(ArchiveError, match="component"):
            AptEdition(given, [], None)
