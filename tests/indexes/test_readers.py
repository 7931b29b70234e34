"""Every format, plain and compressed, and everything that can be wrong with a file."""

import bz2
import gzip
import json
import lzma
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import lz4.frame
import pytest

from pkgdb.indexes import Bad, Entry, Source, UnknownFormat, detect, read

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SHA = "0123456789abcdef" * 4
PACKAGES = f"""\
Package: hello
Version: 2.10-3
Architecture: amd64
Depends: libc6 (>= 2.34)
Description: example package
 with a second line
Filename: pool/main/h/hello/hello_2.10-3_amd64.deb
Size: 53080
MD5sum: 00000000000000000000000000000000
SHA256: {SHA}

Package: hello
Version: 2.10-3
Architecture: i386
Tag: devel::examples
Filename: pool/main/h/hello/hello_2.10-3_i386.deb
Size: 52000
SHA256: {SHA}
"""
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "Packages": lambda data: data,
    "Packages.gz": gzip.compress,
    "Packages.xz": lzma.compress,
    "Packages.bz2": lambda data: bz2.compress(data, 1),
    "Packages.lz4": lambda data: lz4.frame.compress(data, content_checksum=True),
    "Packages.zst": lambda data: zstd.compress(
        data, options={zstd.CompressionParameter.checksum_flag: 1}
    ),
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes | dict, name: str = "index") -> Path:
        if isinstance(content, dict):
            content = json.dumps(content)
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def entries(path: Path, format: str | None = None) -> list[Entry]:
    found = list(read(path, format))
    assert not [entry for entry in found if isinstance(entry, Bad)]
    return found


def bad(path: Path, format: str | None = None) -> list[tuple[int, str]]:
    return [(entry.line, entry.reason) for entry in read(path, format) if isinstance(entry, Bad)]


def good(path: Path, format: str | None = None) -> list[str]:
    return [entry.label for entry in read(path, format) if isinstance(entry, Entry)]


class TestDebian:
    @pytest.mark.parametrize("name", COMPRESSED)
    def test_every_compression_gives_the_same(self, write, name):
        first, second = entries(write(COMPRESSED[name](PACKAGES.encode()), name))
        assert first.line == 1
        assert first.item == {
            "ecosystem": "deb",
            "name": "hello",
            "version": "2.10-3",
            "variant": "amd64",
            "metadata": {
                "Depends": "libc6 (>= 2.34)",
                "Description": "example package\n with a second line",
            },
            "dependencies": [
                {
                    "kind": "depends",
                    "alternatives": [{"name": "libc6", "constraints": [[">=", "2.34"]]}],
                }
            ],
            "files": [
                {
                    "filename": "hello_2.10-3_amd64.deb",
                    "sha256": SHA,
                    "size": 53080,
                    "attributes": {"path": "pool/main/h/hello/hello_2.10-3_amd64.deb"},
                }
            ],
        }
        assert (second.line, second.label) == (12, "hello 2.10-3 (i386)")
        assert second.item["metadata"] == {}  # Tag may change without a new version

    def test_a_name_says_nothing_about_the_compression(self, write):
        assert len(entries(write(lzma.compress(PACKAGES.encode()), "Packages.gz"))) == 2

    @pytest.mark.parametrize("between", ["\n", "\n\n\n", " \n", "\n\t\n"])
    def test_any_blank_lines_separate(self, write, between):
        one, two = PACKAGES.split("\n\n")
        lines = [entry.line for entry in entries(write(f"\n{one}\n{between}{two}\n\n"))]
        assert lines == [2, 2 + one.count("\n") + 1 + between.count("\n")]

    def test_bad_stanzas_are_named_by_line_and_the_rest_is_read(self, write):
        path = write(
            "Package: a\nArchitecture: all\n\n"
            "Package: b\nVersion: 1\nArchitecture: all\n\n"
            f"Package: c\nVersion: 1\nArchitecture: all\nFilename: c.deb\nSize: x\nSHA256: {SHA}\n"
            "\njust text\n"
        )
        assert good(path) == ["b 1 (all)"]
        assert bad(path) == [
            (1, "no Version"),
            (8, "c: Size is not a number: 'x'"),
            (15, "no Package, Version, Architecture"),
        ]

    def test_a_file_without_sha256_stays_in_the_metadata(self, write):
        (entry,) = entries(
            write("Package: a\nVersion: 1\nArchitecture: all\nFilename: a.deb\nSize: 1\n")
        )
        assert entry.unregistered == 1
        assert "files" not in entry.item
        assert entry.item["metadata"] == {"Filename": "a.deb"}

    def test_a_stanza_in_another_encoding_is_bad_on_its_own(self, write):
        stanza = "Package: {}\nVersion: 1\nArchitecture: all\nMaintainer: J\u00f6rg\n\n"
        latin, utf = stanza.format("a").encode("latin-1"), stanza.format("b").encode()
        path = write(latin + utf)
        assert good(path) == ["b 1 (all)"]
        ((line, reason),) = bad(path)
        assert line == 4
        assert reason.startswith("not UTF-8")

    def test_a_nul_is_bad_and_a_text_about_one_is_not(self, write):
        stanza = "Package: {}\nVersion: 1\nArchitecture: all\nDescription: {}\n\n"
        path = write(stanza.format("a", "\0") + stanza.format("b", "\\u0000"))
        assert good(path) == ["b 1 (all)"]
        assert bad(path) == [(1, "a 1 (all): a text has a NUL")]


class TestDamage:
    @pytest.mark.parametrize("name", [name for name in COMPRESSED if "." in name])
    def test_truncated_data_gives_what_came_before(self, write, name):
        many = "".join(PACKAGES.replace("hello", f"p{i}") + "\n" for i in range(2_000))
        data = COMPRESSED[name](many.encode())
        path = write(data[: len(data) // 2], name)
        found = list(read(path))
        assert isinstance(found[-1], Bad)
        assert found[-1].reason == "the compressed data ends early: the rest was not read"
        assert found[-1].line > 1
        assert all(isinstance(entry, Entry) for entry in found[:-1])
        assert 0 < len(found) - 1 < 4_000

    @pytest.mark.parametrize("name", [name for name in COMPRESSED if "." in name])
    def test_garbled_data_is_said_to_be(self, write, name):
        data = bytearray(COMPRESSED[name](PACKAGES.encode() * 50))
        for place in range(len(data) // 3, len(data) // 3 + 20):
            data[place] ^= 0xFF
        (*_, last) = read(write(bytes(data), name), "debian")
        assert isinstance(last, Bad)
        assert "compressed data" in last.reason

    def test_no_half_stanza_is_read(self, write):
        data = gzip.compress(PACKAGES.encode())
        assert good(write(data[:-8]), "debian") in ([], ["hello 2.10-3 (amd64)"])


class TestPypi:
    def page(self, *files: dict, **more: object) -> dict:
        return {"meta": {"api-version": "1.1"}, "name": "Foo.Bar", "files": list(files)} | more

    def file(self, filename: str, **more: object) -> dict:
        return {
            "filename": filename,
            "url": filename,
            "hashes": {"sha256": SHA},
            "size": 10,
            "yanked": False,
        } | more

    def test_files_are_gathered_by_version(self, write):
        page = self.page(
            self.file("foo_bar-1.0-py3-none-any.whl", **{"requires-python": ">=3.8"}),
            self.file("Foo.Bar-1.0.tar.gz"),
            self.file("foo-bar-1.1rc1.zip"),
        )
        one, two = entries(write(page))
        assert (one.label, two.label) == ("Foo.Bar 1.0", "Foo.Bar 1.1rc1")
        assert one.item["ecosystem"] == "pypi"
        assert one.item["metadata"] == {}
        assert one.item["files"] == [
            {
                "filename": "foo_bar-1.0-py3-none-any.whl",
                "sha256": SHA,
                "size": 10,
                "attributes": {"requires-python": ">=3.8"},
            },
            {"filename": "Foo.Bar-1.0.tar.gz", "sha256": SHA, "size": 10, "attributes": {}},
        ]

    @pytest.mark.parametrize(
        ("yanks", "expected"),
        [
            ((False, False), False),
            (("broken", False), False),
            (("broken", True), "broken"),
            ((True, True), True),
            (("", ""), True),
            ((None, None), False),
        ],
    )
    def test_a_version_is_yanked_where_all_its_files_are(self, write, yanks, expected):
        files = [
            self.file(name, yanked=yank)
            for name, yank in zip(
                ("foo_bar-1.tar.gz", "foo_bar-1-py3-none-any.whl"), yanks, strict=True
            )
        ]
        (entry,) = entries(write(self.page(*files)))
        assert entry.yanked == expected

    @pytest.mark.parametrize("missing", ["size", "hashes"])
    def test_without_size_or_sha256_a_file_stays_in_the_metadata(self, write, missing):
        file = self.file("foo_bar-1.tar.gz")
        file[missing] = {"md5": "0"} if missing == "hashes" else None
        (entry,) = entries(write(self.page(file)))
        assert entry.unregistered == 1
        assert entry.item["files"] == []
        assert entry.item["metadata"]["files"][0]["filename"] == "foo_bar-1.tar.gz"

    @pytest.mark.parametrize(
        "filename",
        ["Foo.Bar-1.0-py2.7.egg", "foo-bar-1.0.win32-py2.7.exe", "foo-bar-1.0.tar.bz2"],
    )
    def test_archives_of_old_go_to_the_version_that_is_known(self, write, filename):
        page = self.page(self.file(filename), self.file("foo_bar-1.0.tar.gz"))
        (entry,) = entries(write(page))
        assert {file["filename"] for file in entry.item["files"]} == {
            filename,
            "foo_bar-1.0.tar.gz",
        }
        assert good(write(self.page(self.file(filename), versions=["1.0"]))) == ["Foo.Bar 1.0"]

    def test_the_longest_version_that_fits_is_meant(self, write):
        page = self.page(self.file("foo-bar-1.0.1-py2.7.egg"), versions=["1.0", "1.0.1"])
        assert [len(entry.item["files"]) for entry in entries(write(page))] == [0, 1]

    def test_files_of_no_version_are_bad_with_their_line(self, write):
        page = self.page(
            self.file("foo_bar-1.0.tar.gz"),
            self.file("other-2.0.tar.gz"),
            self.file("foo_bar-what.whl"),
            {"url": "nameless"},
        )
        path = write(json.dumps(page, indent=1))
        lines = path.read_text().splitlines()
        found = {reason: line for line, reason in bad(path)}
        assert set(found) == {
            "cannot tell the version of other-2.0.tar.gz",
            "cannot tell the version of foo_bar-what.whl",
            "a file has no name",
        }
        assert "other-2.0" in lines[found["cannot tell the version of other-2.0.tar.gz"] - 1]
        assert "foo_bar-what" in lines[found["cannot tell the version of foo_bar-what.whl"] - 1]
        assert good(path) == ["Foo.Bar 1.0"]

    def test_versions_without_files_and_their_own_spelling(self, write):
        page = self.page(self.file("foo_bar-1.0.tar.gz"), versions=["1.0.0", "0.9-legacy", 3])
        assert good(write(page)) == ["Foo.Bar 1.0.0", "Foo.Bar 0.9-legacy"]


class TestNpm:
    PACKUMENT: ClassVar[dict[str, Any]] = {
        "_id": "@scope/thing",
        "name": "@scope/thing",
        "dist-tags": {"latest": "1.1.0", "next": "2.0.0-rc.1", "lts": "1.1.0"},
        "versions": {
            "1.0.0": {
                "name": "@scope/thing",
                "version": "1.0.0",
                "deprecated": "use 1.1",
                "dist": {"shasum": "0", "integrity": "sha512-x", "tarball": "thing-1.0.0.tgz"},
            },
            "1.1.0": {"name": "@scope/thing", "version": "1.1.0", "dependencies": {"a": "^1"}},
            "2.0.0-rc.1": {"deprecated": False},
        },
    }

    def test_manifests_tags_and_deprecations(self, write):
        first, second, third = entries(write(json.dumps(self.PACKUMENT, indent=2)))
        assert first.item == {
            "ecosystem": "npm",
            "name": "@scope/thing",
            "version": "1.0.0",
            "metadata": {"dist": self.PACKUMENT["versions"]["1.0.0"]["dist"]},
        }
        assert (first.deprecated, first.tags, first.unregistered) == ("use 1.1", (), 1)
        assert (second.deprecated, second.tags) == (None, ("latest", "lts"))
        assert (third.deprecated, third.tags) == (None, ("next",))

    def test_lines_are_those_of_the_versions_not_of_the_tags(self, write):
        path = write(json.dumps(self.PACKUMENT, indent=2))
        lines = path.read_text().splitlines()
        for entry in entries(path):
            assert lines[entry.line - 1].strip() == f'"{entry.item["version"]}": {{'

    @pytest.mark.parametrize("on", ["9.9.9", None, {}, ["1.0.0"]])
    def test_tags_on_nothing_and_manifests_of_nothing_are_bad(self, write, on):
        packument = self.PACKUMENT | {"dist-tags": {"latest": on}}
        packument["versions"] = {"1.0.0": {}, "1.1.0": "text"}
        path = write(packument)
        assert good(path) == ["@scope/thing 1.0.0"]
        assert bad(path) == [
            (1, f"@scope/thing: the tag latest is on {on}, which is not among the versions"),
            (1, "@scope/thing 1.1.0: the manifest is not an object"),
        ]

    def test_what_is_no_packument_says_so(self, write):
        path = write({"name": "gone", "time": {"unpublished": {}}})
        assert bad(path, "npm") == [(1, "not a packument: it has no name, or no versions")]
        assert bad(write({"name": "a", "versions": {}, "dist-tags": []}), "npm") == [
            (1, "dist-tags is not an object")
        ]


class TestJsonLines:
    def line(self, **more: object) -> str:
        return json.dumps({"ecosystem": "pypi", "name": "a", "version": "1"} | more)

    def test_an_item_and_what_happens_to_it(self, write):
        text = self.line(
            variant="x", files=[], metadata={"k": 1}, yanked="why", deprecated="no", tags=["t"]
        )
        (entry,) = entries(write(text))
        assert entry.item == {
            "ecosystem": "pypi",
            "name": "a",
            "version": "1",
            "variant": "x",
            "files": [],
            "metadata": {"k": 1},
        }
        assert (entry.yanked, entry.deprecated, entry.tags) == ("why", "no", ("t",))

    def test_bad_lines_are_numbered_and_the_rest_is_read(self, write):
        lines = [
            self.line(),
            "",
            "{",
            "[]",
            '{"ecosystem": "pypi"}',
            self.line(size=1),
            self.line(files={}, tags=[1], yanked=1, deprecated=2, variant=None),
            self.line(metadata={"n": float("inf")}),
            self.line(metadata={"text": "\ud800"}),
            self.line(metadata={"text": "\0"}),
            self.line(metadata={"text": "\\u0000"}),
            '{"name": "\udcff"}',
            self.line(version="2"),
        ]
        path = write("\n".join(lines).encode(errors="surrogateescape"), "x.jsonl")
        assert good(path) == ["a 1", "a 1", "a 2"]
        found = dict(bad(path))
        assert sorted(found) == [3, 4, 5, 6, 7, 8, 9, 10, 12]
        assert found[3].startswith("not JSON")
        assert found[4] == "not a JSON object"
        assert found[5] == "no name, version"
        assert found[6] == "unknown size"
        assert found[7] == "of the wrong type: variant, files, yanked, deprecated, tags"
        assert found[8] == "a 1: a number is not finite"
        assert found[9] == "a 1: a text has half a surrogate pair"
        assert found[10] == "a 1: a text has a NUL"
        assert found[12].startswith("not UTF-8")

    def test_lines_longer_than_a_read_and_a_last_one_without_an_end(self, write):
        long = self.line(metadata={"text": "x" * 300_000})
        assert good(write(f"{long}\n{self.line(version='2')}")) == ["a 1", "a 2"]

    def test_nesting_without_end_is_bad(self, write):
        path = write("[" * 100_000, "x.jsonl")
        ((line, reason),) = bad(path)
        assert (line, reason.startswith("not JSON")) == (1, True)


class TestDetection:
    @pytest.mark.parametrize(
        ("content", "name", "format"),
        [
            (PACKAGES, "anything", "debian"),
            ("Package: a\n", "x", "debian"),
            ('{"ecosystem": "deb"}\n', "x", "jsonl"),
            ("not even JSON", "x.jsonl", "jsonl"),
            ("", "x.ndjson.gz", "jsonl"),
            ('{"meta": {}, "name": "a", "files": []}', "x", "pypi"),
            ('{\n "name": "a",\n "versions": [],\n "files" : [ ] }', "x", "pypi"),
            ('{"name": "a", "dist-tags": {}, "versions": {}}', "x", "npm"),
            ('{"_id": "a", "versions": {"1.0.0": {"files": []}}}', "x", "npm"),
        ],
    )
    def test_by_content_then_by_name(self, write, content, name, format):
        with Source(write(content, name)) as source:
            assert detect(source) == format

    @pytest.mark.parametrize("content", ["", "root:x:0:0\n", "{}", "[1]", "\x7fELF", "<html>"])
    def test_anything_else_is_unknown(self, write, content):
        path = write(content)
        with pytest.raises(UnknownFormat, match="index: not an index file of a known format"):
            list(read(path))

    @pytest.mark.parametrize("format", ["pypi", "npm"])
    @pytest.mark.parametrize(
        ("content", "line", "reason"),
        [
            ("[1]", 1, "not a JSON object"),
            ('{\n"a"', 2, "not JSON"),
            (b'{\n"a": "\xff"}', 2, "not UTF-8"),
            ("[" * 100_000, 1, "not JSON"),
            ("{}", 1, "not a p"),
        ],
    )
    def test_documents_that_are_none(self, write, format, content, line, reason):
        ((found, said),) = bad(write(content), format)
        assert found == line
        assert said.startswith(reason)


def test_progress_ends_at_the_size_of_the_file(write):
    path = write(gzip.compress(PACKAGES.encode() * 1000))
    with Source(path) as source:
        assert source.position > 0
        list(read(source))
        assert source.position == source.size == path.stat().st_size
