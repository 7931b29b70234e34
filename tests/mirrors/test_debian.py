"""Reading archives: which indexes, in which form, and what is refused of them."""

from __future__ import annotations

import gzip
import hashlib
import lzma
from pathlib import Path
from typing import Any

import pytest

from pkgdb.mirrors import Absent, Changed, DebianArchive, Limits, UpstreamError, Wrong
from tests.mirrors.archives import FORMS, Archive, Deb, Server

HELLO = Deb("hello", "2:1.0+b1", fields="Depends: libc6 (>= 2.34), a | b:any\n")
WORLD = Deb("world", architecture="all")
THERE = Deb("there", architecture="i386")


async def test_items_as_they_are_staged(archive: Archive, read: Any) -> None:
    text = archive.publish(HELLO)
    got = await read()
    assert got.release == hashlib.sha256(text.encode()).hexdigest()
    assert got.items == [
        {
            "ecosystem": "deb",
            "name": "hello",
            "version": "2:1.0+b1",
            "variant": "amd64",
            "metadata": {
                "Maintainer": "Some One <one@example.org>",
                "Depends": "libc6 (>= 2.34), a | b:any",
                "Description": "hello",
            },
            "dependencies": [
                {
                    "kind": "depends",
                    "alternatives": [{"name": "libc6", "constraints": [[">=", "2.34"]]}],
                },
                {
                    "kind": "depends",
                    "alternatives": [
                        {"name": "a", "constraints": []},
                        {"name": "b", "constraints": [], "architecture": "any"},
                    ],
                },
            ],
            "files": [
                {
                    "filename": "hello_1.0+b1_amd64.deb",
                    "sha256": HELLO.sha256,
                    "size": len(HELLO.content),
                    "attributes": {"path": "pool/main/h/hello/hello_1.0+b1_amd64.deb"},
                }
            ],
        }
    ]


@pytest.mark.parametrize("where", ["http", "file", "path"])
@pytest.mark.parametrize("form", FORMS)
async def test_every_compression_from_everywhere(
    archive: Archive, read: Any, where: str, form: str
) -> None:
    archive.forms, archive.listed = (form,), tuple({""} - {form})
    archive.publish(HELLO, WORLD, THERE)
    folder = {"file": archive.folder.as_uri(), "path": str(archive.folder)}
    got = await read({"url": folder[where]} if where in folder else {})
    assert got.labels == [
        "hello 2:1.0+b1 amd64", "there 1.0 i386", "world 1.0 all", "world 1.0 all",
    ]  # fmt: skip


async def test_the_smallest_form_is_asked_for_first(
    archive: Archive, web: Server, read: Any
) -> None:
    archive.forms = ("", ".gz", ".xz")
    archive.publish(HELLO)
    await read({"architectures": ["amd64"]})
    assert web.paths == [
        "/debian/dists/stable/InRelease",
        "/debian/dists/stable/main/binary-amd64/Packages.xz",
    ]


async def test_a_form_that_is_listed_and_absent(archive: Archive, web: Server, read: Any) -> None:
    archive.forms, archive.listed = (".gz",), (".xz", "")
    archive.publish(HELLO)
    assert (await read()).labels == ["hello 2:1.0+b1 amd64"]
    assert web.count(".xz") == 2


class TestWhichIndexes:
    async def test_all_by_default(self, archive: Archive, read: Any) -> None:
        archive.publish(HELLO, THERE, Deb("free", component="contrib"))
        assert (await read()).labels == [
            "free 1.0 amd64", "hello 2:1.0+b1 amd64", "there 1.0 i386",
        ]  # fmt: skip

    async def test_components_and_architectures_of_the_settings(
        self, archive: Archive, read: Any
    ) -> None:
        archive.publish(HELLO, THERE, Deb("free", component="contrib"))
        got = await read({"components": ["contrib"]})
        assert got.labels == ["free 1.0 amd64"]
        got = await read({"components": ["main"], "architectures": ["i386"]})
        assert got.labels == ["there 1.0 i386"]

    async def test_architecture_all_where_it_is_apart(self, archive: Archive, read: Any) -> None:
        archive.architectures = ("all", "amd64", "i386")
        archive.publish(HELLO, WORLD)
        for wanted in ([], ["amd64"]):
            got = await read({"architectures": wanted})
            assert got.labels == ["hello 2:1.0+b1 amd64", "world 1.0 all"]

    async def test_architecture_all_where_it_is_a_summary(
        self, archive: Archive, web: Server, read: Any
    ) -> None:
        """As in Debian: there is such an index, of what is in the others as well."""
        archive.publish(HELLO, WORLD)
        indexes = archive.indexes([HELLO, WORLD])
        indexes["main/binary-all/Packages"] = WORLD.stanza.encode()
        archive.fields = {
            "Architectures": "all amd64 i386",
            "No-Support-for-Architecture-all": "Packages",
        }
        archive.release(indexes)
        got = await read({"architectures": ["amd64"]})
        assert got.labels == ["hello 2:1.0+b1 amd64", "world 1.0 all"]
        await read()
        assert web.count("binary-all/Packages.xz") == 0
        assert (await read({"architectures": ["all"]})).labels == ["world 1.0 all"]

    async def test_an_index_for_all_that_is_no_architecture(
        self, archive: Archive, web: Server, read: Any
    ) -> None:
        """As in Debian's security archive, which may have a stale one."""
        archive.publish(HELLO, WORLD)
        indexes = archive.indexes([HELLO, WORLD])
        indexes["main/binary-all/Packages"] = b""
        archive.fields = {"Architectures": "amd64 i386"}
        archive.release(indexes)
        await read()
        assert web.count("binary-all/Packages.xz") == 0

    async def test_components_that_are_called_otherwise_than_their_folders(
        self, archive: Archive, read: Any
    ) -> None:
        archive.fields = {"Components": "updates/main updates/contrib"}
        archive.publish(HELLO, Deb("free", component="contrib"))
        for components in ([], ["main", "contrib"], ["updates/main", "updates/contrib"]):
            got = await read({"components": components})
            assert got.labels == ["free 1.0 amd64", "hello 2:1.0+b1 amd64"]

    async def test_an_architecture_that_one_component_lacks(
        self, archive: Archive, read: Any
    ) -> None:
        archive.publish(HELLO, Deb("free", component="contrib"))
        indexes = archive.indexes([HELLO, Deb("free", component="contrib")])
        del indexes["contrib/binary-i386/Packages"]
        archive.release(indexes)
        got = await read({"architectures": ["amd64", "i386"]})
        assert got.labels == ["free 1.0 amd64", "hello 2:1.0+b1 amd64"]

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"components": ["main", "mian"]}, "component mian"),
            ({"architectures": ["amd64", "arm65"]}, "architecture arm65"),
        ],
    )
    async def test_what_is_misspelt(
        self, archive: Archive, read: Any, changes: dict[str, Any], what: str
    ) -> None:
        archive.publish(HELLO)
        with pytest.raises(UpstreamError, match=f"names no index of '{what}'"):
            await read(changes)

    async def test_an_archive_without_packages(self, archive: Archive, read: Any) -> None:
        archive.release({"main/source/Sources": b""})
        archive.fields = {}
        with pytest.raises(UpstreamError, match="names no index of"):
            await read()

    async def test_an_empty_archive(self, archive: Archive, read: Any) -> None:
        archive.publish()
        assert (await read()).items == []


class TestFlat:
    @pytest.mark.parametrize("distribution", ["./", "/", "all/of/it/"])
    async def test_folders(self, archive: Archive, read: Any, distribution: str) -> None:
        archive.distribution = "./" if distribution == "/" else distribution
        archive.publish(Deb("hello", path="./debs/hello.deb"), THERE, WORLD)
        got = await read({"distribution": distribution})
        assert got.labels == ["hello 1.0 amd64", "there 1.0 i386", "world 1.0 all"]
        assert [item["files"][0]["attributes"]["path"] for item in got.items[:1]] == [
            "debs/hello.deb"
        ]

    async def test_architectures(self, archive: Archive, read: Any) -> None:
        archive.distribution = "./"
        archive.publish(Deb("hello"), THERE, WORLD)
        got = await read({"distribution": "./", "architectures": ["i386"]})
        assert got.labels == ["there 1.0 i386", "world 1.0 all"]

    async def test_names_that_begin_with_a_dot(self, archive: Archive, read: Any) -> None:
        archive.distribution = "./"
        archive.publish(Deb("hello"))
        archive.release({"./Packages": Deb("hello").stanza.encode()})
        assert (await read({"distribution": "./"})).labels == ["hello 1.0 amd64"]

    async def test_components(self, archive: Archive, read: Any) -> None:
        with pytest.raises(UpstreamError, match="flat: it has no components"):
            await read({"distribution": "./", "components": ["main"]})


class TestByHash:
    async def test_it_is_asked_for_where_it_is_promised(
        self, archive: Archive, web: Server, read: Any
    ) -> None:
        archive.by_hash = True
        archive.publish(HELLO)
        await read()
        assert [path for path in web.paths if "/by-hash/SHA256/" in path] == web.paths[1:]

    async def test_without_the_promise_it_is_not(
        self, archive: Archive, web: Server, read: Any
    ) -> None:
        archive.publish(HELLO)
        await read()
        assert not [path for path in web.paths if "by-hash" in path]

    @pytest.mark.parametrize("how", ["absent", "damaged"])
    async def test_the_plain_path_where_it_is_not_to_be_had(
        self, archive: Archive, web: Server, read: Any, how: str
    ) -> None:
        archive.by_hash = True
        archive.publish(HELLO)
        for path in archive.base.rglob("by-hash/SHA256/*"):
            path.unlink() if how == "absent" else path.write_bytes(b"x" * path.stat().st_size)
        assert (await read()).labels == ["hello 2:1.0+b1 amd64"]
        assert web.count("Packages.xz") == 2

    async def test_an_older_state_can_still_be_read(self, archive: Archive, read: Any) -> None:
        """The point of it: the plain files are replaced while somebody reads."""
        archive.by_hash = True
        archive.publish(HELLO)
        for path in archive.base.rglob("Packages*"):
            path.write_bytes(b"another state")
        assert (await read()).labels == ["hello 2:1.0+b1 amd64"]


class TestDamage:
    @pytest.mark.parametrize("how", ["other", "shorter", "longer", "absent"])
    async def test_an_index_that_is_not_what_the_release_says(
        self, archive: Archive, read: Any, how: str
    ) -> None:
        archive.publish(HELLO)
        path = archive.base / "main/binary-amd64/Packages.xz"
        content = path.read_bytes()
        path.write_bytes(
            {"shorter": content[:-1], "longer": content + b"x"}.get(how, content[::-1])
        )
        if how == "absent":
            for other in path.parent.iterdir():
                other.unlink()
        with pytest.raises(Changed, match="Packages"):
            await read({"architectures": ["amd64"]})

    async def test_compressed_data_that_ends_early(self, archive: Archive, read: Any) -> None:
        """What the Release says of it is true."""
        archive.forms, archive.listed = ("",), ()
        archive.release({"main/binary-amd64/Packages": lzma.compress(HELLO.stanza.encode())[:-20]})
        with pytest.raises(UpstreamError, match=r"line \d+: the compressed data ends early"):
            await read({"architectures": ["amd64"]})

    @pytest.mark.parametrize(
        ("stanza", "reason"),
        [
            ("Package: a\nVersion: 1\n", "Packages.xz, line 11: no Architecture"),
            (
                "Package: a\nVersion: 1\nArchitecture: all\nDepends: b (> 1\n",
                r"line 11: a: Depends has a malformed relation: 'b \(> 1'",
            ),
            ("Package: a\nVersion: 1\nArchitecture: all\n", "a 1 \\(all\\) has no Filename"),
            (
                "Package: a\nVersion: 1\nArchitecture: all\nFilename: a.deb\nSize: 1\n",
                "has no Filename, Size and SHA256",
            ),
        ],
    )
    async def test_a_package_that_cannot_be_read(
        self, archive: Archive, read: Any, stanza: str, reason: str
    ) -> None:
        archive.publish(HELLO, extra=stanza)
        with pytest.raises(UpstreamError, match=reason):
            await read({"architectures": ["amd64"]})

    @pytest.mark.parametrize(
        "path",
        [
            "../a.deb", "pool/../../a.deb", "/etc/passwd", "//host/a.deb", "pool//a.deb", "pool/",
            "http://example.org/a.deb", "file:/etc/passwd", "..", ".", "pool\\..\\a.deb",
            "pool/a\tb.deb", "pool/a\x7f.deb",
        ],
    )  # fmt: skip
    async def test_a_file_that_is_elsewhere(self, archive: Archive, read: Any, path: str) -> None:
        stanza = f"Package: a\nVersion: 1\nArchitecture: all\nFilename: {path}\nSize: 1\n"
        archive.publish(HELLO, extra=stanza + f"SHA256: {'0' * 64}\n")
        with pytest.raises(UpstreamError, match=r"a 1 \(all\): Filename is not a plain relative"):
            await read()

    @pytest.mark.parametrize("text", ["", "<html>not found</html>", "Suite: stable\n", "\xff"])
    async def test_a_release_that_is_none(self, archive: Archive, read: Any, text: str) -> None:
        archive.keys = None
        archive.publish(HELLO)
        archive.write(archive.base / "InRelease", text.encode("latin-1"))
        with pytest.raises(UpstreamError, match="Release"):
            await read({"keyring": None})

    async def test_no_release_at_all(self, archive: Archive, read: Any) -> None:
        with pytest.raises(Absent, match=r"dists/stable/Release: HTTP 404"):
            await read()


class TestBounds:
    async def test_an_index_that_expands(self, archive: Archive, read: Any) -> None:
        archive.publish(HELLO, extra="Package: zeros\nDescription: " + "a\n b" * 300_000)
        with pytest.raises(UpstreamError, match="more than 1000000 bytes, decompressed"):
            await read(limits=Limits(index=1_000_000))

    @pytest.mark.parametrize("form", [".gz", ".xz", ".zst", ".bz2", ".lz4"])
    async def test_an_index_of_one_line(self, archive: Archive, read: Any, form: str) -> None:
        archive.forms = (form,)
        archive.publish(HELLO, extra="Package: " + "a" * (16 << 20))
        with pytest.raises(UpstreamError, match="a line has more than 4194304 bytes"):
            await read()

    async def test_an_entry_without_end(self, archive: Archive, read: Any) -> None:
        archive.publish(HELLO, extra="Package: a\n" + " line\n" * (1 << 20))
        with pytest.raises(UpstreamError, match="an entry has more than 4194304 bytes"):
            await read()

    async def test_an_index_that_is_large(self, archive: Archive, web: Server, read: Any) -> None:
        archive.publish(HELLO)
        with pytest.raises(UpstreamError, match=r"more than 100$"):
            await read(limits=Limits(index=100))
        assert web.count(".xz") == 0

    async def test_a_release_that_is_large(self, archive: Archive, read: Any) -> None:
        archive.publish(HELLO)
        with pytest.raises(Wrong, match="more bytes than the 100 that"):
            await read(limits=Limits(release=100))

    async def test_a_package_that_is_large(self, archive: Archive, read: Any) -> None:
        archive.publish(HELLO)
        with pytest.raises(UpstreamError, match=r"hello 2:1.0\+b1 \(amd64\) has \d+ bytes: more"):
            await read(limits=Limits(file=100))

    async def test_memory_that_xz_and_zstd_ask_for(self, archive: Archive, read: Any) -> None:
        archive.forms, archive.listed = ("",), ()
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
        packed = lzma.compress(HELLO.stanza.encode(), filters=filters)
        archive.release({"main/binary-amd64/Packages": packed})
        with pytest.raises(UpstreamError, match=r"damaged: .*[Mm]emory"):
            await read({"architectures": ["amd64"]})

    async def test_many_packages_come_in_chunks(
        self, archive: Archive, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        debs = "\n".join(HELLO.stanza.replace("hello", f"p{n}") for n in range(2500))
        large = HELLO.stanza + "Notes: " + "x" * 1_000_000 + "\n"
        archive.release(
            {
                "main/binary-amd64/Packages": debs.encode(),
                "main/binary-i386/Packages": "\n".join([large] * 6).encode(),
            }
        )
        upstream = DebianArchive(settings, tmp_path)
        await upstream.read_release()
        told: list[tuple[int, int]] = []
        sizes = [len(chunk) async for chunk in upstream.items(lambda *got: told.append(got))]
        assert sizes == [1000, 1000, 500, 5, 1]
        assert sum(by for by, _ in told) == told[0][1]


class TestSettings:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"url": None}, "needs a url"),
            ({"distribution": None}, "needs a url and a distribution"),
            ({"distribution": "../../etc"}, "plain relative path"),
            ({"distribution": "/etc"}, "plain relative path"),
            ({"distribution": "../"}, "plain relative path"),
            ({"components": "main"}, "components are no texts"),
            ({"components": ["../main"]}, "plain relative path"),
            ({"architectures": [1]}, "architectures are no texts"),
            ({"keyring": 5}, "keyring is no text"),
            ({"url": "ftp://example.org/debian"}, "is no http://"),
            ({"url": "http:///debian"}, "is no http://"),
            ({"url": "debian"}, "is no http://"),
            ({"url": "file://elsewhere/debian"}, "is no http://"),
            ({"url": "http://[::1/debian"}, "Invalid IPv6"),
            ({"url": "http://example.org:x/"}, "ort could not be cast"),
            ({"url": "http://me:secret@example.org/debian"}, "no password"),
            ({"url": "http://example.org/debian?token=secret"}, "no password"),
        ],
    )
    async def test_what_is_no_archive(
        self, settings: dict[str, Any], tmp_path: Path, changes: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(UpstreamError, match=reason) as caught:
            DebianArchive(settings | changes, tmp_path)
        assert "secret" not in str(caught.value)


class TestFetch:
    async def test_a_package(
        self, archive: Archive, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        archive.publish(HELLO)
        target = tmp_path / "target"
        got: list[int] = []
        await DebianArchive(settings, tmp_path).fetch(
            HELLO.filename, target, HELLO.sha256, len(HELLO.content), got.append
        )
        assert target.read_bytes() == HELLO.content
        assert sum(got) == len(HELLO.content)

    @pytest.mark.parametrize("where", ["http", "file"])
    @pytest.mark.parametrize("how", ["other", "shorter", "longer", "absent", "folder"])
    async def test_one_that_is_not_what_the_index_says(
        self, archive: Archive, settings: dict[str, Any], tmp_path: Path, how: str, where: str
    ) -> None:
        archive.publish(HELLO)
        path = archive.folder / HELLO.filename
        if how in ("absent", "folder"):
            path.unlink()
            if how == "folder":
                path.mkdir()
        else:
            path.write_bytes(
                {"shorter": HELLO.content[:-1], "longer": HELLO.content * 2}.get(
                    how, HELLO.content[::-1]
                )
            )
        target = tmp_path / "target"
        changes = {"url": archive.folder.as_uri()} if where == "file" else {}
        with pytest.raises(UpstreamError):
            await DebianArchive(settings | changes, tmp_path).fetch(
                HELLO.filename, target, HELLO.sha256, len(HELLO.content)
            )
        assert not target.exists()

    async def test_a_path_out_of_the_archive(
        self, archive: Archive, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_bytes(b"x")
        changes = {"url": archive.folder.as_uri()}
        with pytest.raises(UpstreamError, match="plain relative path"):
            await DebianArchive(settings | changes, tmp_path).fetch(
                "../secret", tmp_path / "target", hashlib.sha256(b"x").hexdigest(), 1
            )


def test_two_streams_of_xz_in_one_file(tmp_path: Path) -> None:
    """As `xz` itself reads them, and what may stand between them."""
    from pkgdb.indexes import read

    path = tmp_path / "Packages.xz"
    text = HELLO.stanza.encode()
    half = len(text) // 2
    path.write_bytes(lzma.compress(text[:half]) + bytes(8) + lzma.compress(text[half:]) + bytes(4))
    assert [entry.label for entry in read(path)] == ["hello 2:1.0+b1 (amd64)"]
    path.write_bytes(gzip.compress(text[:half]) + gzip.compress(text[half:]))
    assert [entry.label for entry in read(path)] == ["hello 2:1.0+b1 (amd64)"]
