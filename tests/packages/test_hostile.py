"""Archives of strangers: damaged, larger than they look, pointing elsewhere, changed at random."""

import gzip
import io
import itertools
import lzma
import random
import struct
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pkgdb.packages
from pkgdb.packages import PackageError, PackageFile, read_package
from pkgdb.packages.documents import json_of, yaml_of
from tests.packages.making import (
    CONTROL,
    GEMSPEC,
    SAMPLES,
    ar,
    deb,
    gem,
    npm,
    read,
    tar,
    tgz,
    wheel,
    zipped,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MANIFEST = '{"name": "a", "version": "1.0.0"}'
WHEEL = "sample_package-1.0-py3-none-any.whl"
MEMORY = 24 << 20  # a few times the 1 MiB that is read of a document


def refused(folder: Path, filename: str, content: bytes, reason: str) -> None:
    with pytest.raises(PackageError, match=reason):
        read(folder, filename, content)


def checked(package: PackageFile) -> None:
    """What holds of every package that is taken."""
    assert package.name
    assert package.version
    assert package.filename.isprintable()
    assert "/" not in package.filename
    assert len(package.sha256) == 64


class TestTruncated:
    @pytest.mark.parametrize("filename", SAMPLES)
    def test_at_every_byte(self, tmp_path, filename):
        content = SAMPLES[filename]()
        if filename.endswith(".gem"):
            content = content.rstrip(b"\0") + bytes(1024)  # what comes before is what counts
        path = tmp_path / filename
        for end in range(len(content) - 1024 if filename.endswith(".gem") else len(content)):
            path.write_bytes(content[:end])
            with pytest.raises(PackageError):
                read_package(path)


class TestMemory:
    """An archive says how large a part is; what is kept of it has another bound."""

    def write(self, path: Path, pieces: Iterator[bytes], opener: Callable[..., object]) -> Path:
        with opener(path, "wb") as file:
            for piece in pieces:
                file.write(piece)
        return path

    def bomb(self, header: bytes, size: int) -> Iterator[bytes]:
        yield header
        for _ in range(size >> 20):
            yield bytes(1 << 20)

    def member(self, name: str, size: int, type: bytes = tarfile.REGTYPE) -> bytes:
        info = tarfile.TarInfo(name)
        info.size, info.type = size, type
        return info.tobuf(tarfile.GNU_FORMAT)

    def refused(self, path: Path, reason: str, memory: int = MEMORY) -> None:
        tracemalloc.start()
        try:
            with pytest.raises(PackageError, match=reason):
                read_package(path)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < memory

    def test_a_document(self, tmp_path):
        header = self.member("package/package.json", 200 << 20)
        path = self.write(tmp_path / "a-1.tgz", self.bomb(header, 200 << 20), gzip.open)
        self.refused(path, "expands to more than|more than 1048576 bytes")

    def test_another_file(self, tmp_path):
        header = self.member("package/other", 200 << 20)
        path = self.write(tmp_path / "a-1.tgz", self.bomb(header, 200 << 20), gzip.open)
        self.refused(path, "expands to more than 67108864 bytes")

    @pytest.mark.parametrize("type", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
    def test_a_header(self, tmp_path, type):
        header = self.member("a", 50 << 20, type)
        path = self.write(tmp_path / "a-1.tgz", self.bomb(header, 50 << 20), gzip.open)
        self.refused(path, "headers have more than")

    def test_headers_that_announce_headers(self, tmp_path):
        pax = self.member("a", 512, tarfile.XHDTYPE) + b"11 path=ab\n".ljust(512, b"\0")
        path = self.write(tmp_path / "a-1.tgz", iter([pax * 20_000]), gzip.open)
        self.refused(path, "damaged|headers have more than")

    def test_many_members(self, tmp_path):
        members = itertools.repeat(self.member("package/a", 0) * 1000, 30)
        path = self.write(tmp_path / "a-1.tgz", members, gzip.open)
        self.refused(path, "no end", memory=4 << 20)

    @pytest.mark.parametrize("size", [-512, -(1 << 40)])
    def test_a_size_below_zero(self, tmp_path, size):
        header = bytearray(self.member("package/a", 0))
        header[124:136] = (size & (1 << 96) - 1).to_bytes(12, "big")
        header[148:156] = b" " * 8
        header[148:156] = f"{sum(header):06o}\0 ".encode()
        path = self.write(tmp_path / "a-1.tgz", iter([bytes(header), bytes(2048)]), gzip.open)
        self.refused(path, "points back into itself|damaged")

    @pytest.mark.parametrize("opener", [gzip.open, lzma.open, zstd.open])
    def test_a_control_file(self, tmp_path, opener):
        header = self.member("control", 200 << 20)
        part = self.write(tmp_path / "part", self.bomb(header, 200 << 20), opener).read_bytes()
        suffix = {gzip.open: "gz", lzma.open: "xz", zstd.open: "zst"}[opener]
        parts = {"debian-binary": b"2.0\n", f"control.tar.{suffix}": part, "data.tar": b""}
        (tmp_path / "a.deb").write_bytes(ar(parts))
        self.refused(tmp_path / "a.deb", "expands to more than|more than 1048576 bytes")

    def test_an_xz_stream_that_asks_for_memory(self, tmp_path):
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
        part = bytearray(lzma.compress(tar({"control": CONTROL}), filters=filters))
        place = part.index(bytes([lzma.FILTER_LZMA2, 1])) + 2
        part[place] = 39  # 3 GiB
        part[20:24] = struct.pack("<I", zlib.crc32(part[12:20]))
        (tmp_path / "a.deb").write_bytes(
            ar({"debian-binary": b"2.0\n", "control.tar.xz": bytes(part), "data.tar": b""})
        )
        self.refused(tmp_path / "a.deb", "Memory usage limit")

    @pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_a_document_in_a_zip(self, tmp_path, method):
        with zipfile.ZipFile(tmp_path / WHEEL, "w", method) as archive:
            for member in ("METADATA", "WHEEL", "RECORD"):
                with archive.open(f"sample_package-1.0.dist-info/{member}", "w") as file:
                    for _ in range(50):
                        file.write(bytes(1 << 20))
        self.refused(tmp_path / WHEEL, "has more than 1048576 bytes|another method than deflate")

    def test_a_directory_of_a_zip(self, tmp_path):
        entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                            0, 0, 0, 0, 0)  # fmt: skip
        count = (17 << 20) // len(entry)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, count * len(entry), 4, 0)
        pieces = itertools.chain([b"PK\3\4"], itertools.repeat(entry, count), [end])
        path = self.write(tmp_path / WHEEL, pieces, open)
        self.refused(path, "directory has more than 16777216 bytes")

    def test_a_large_package_is_not_held(self, tmp_path):
        # Incompressible, so that nothing about it is suspect.
        rng = random.Random(1)
        files = {f"package/{n}": rng.randbytes(1 << 20) for n in range(6)}
        (tmp_path / "a-1.0.0.tgz").write_bytes(tgz(files | {"package/package.json": MANIFEST}))
        tracemalloc.start()
        try:
            read_package(tmp_path / "a-1.0.0.tgz")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 << 20


class TestPlaces:
    @pytest.mark.parametrize(
        "name", ["/package/a", "../a", "package/../../a", "package\\..\\..\\a", "C:\\a", "\\a"]
    )
    def test_members_outside(self, tmp_path, name):
        refused(tmp_path, "a-1.0.0.tgz", tgz({"package/package.json": MANIFEST, name: ""}),
                "outside of itself")  # fmt: skip
        refused(tmp_path, WHEEL, wheel(**{name: ""}), "outside of itself")

    @pytest.mark.parametrize(
        ("type", "target"),
        [
            (tarfile.SYMTYPE, "/etc/passwd"),
            (tarfile.SYMTYPE, "../../etc/passwd"),
            (tarfile.SYMTYPE, "../.."),
            (tarfile.LNKTYPE, "../a"),
            (tarfile.LNKTYPE, "/etc/passwd"),
            (tarfile.CHRTYPE, ""),
            (tarfile.BLKTYPE, ""),
            (tarfile.FIFOTYPE, ""),
        ],
    )
    def test_links_outside_and_devices(self, tmp_path, type, target):
        member = tarfile.TarInfo("package/link")
        member.type, member.linkname = type, target
        files = {"package/package.json": MANIFEST, "link": member}
        refused(tmp_path, "a-1.0.0.tgz", tgz(files), "outside of itself|links out of|no file")

    def test_links_inside(self, tmp_path):
        member = tarfile.TarInfo("package/folder/link")
        member.type, member.linkname = tarfile.SYMTYPE, "../index.js"
        files = {"package/package.json": MANIFEST, "link": member}
        assert read(tmp_path, "a-1.0.0.tgz", tgz(files)).name == "a"

    @pytest.mark.parametrize("filename", [n for n in SAMPLES if n.endswith((".whl", ".nupkg"))])
    def test_a_link_for_a_document_in_a_zip(self, tmp_path, filename):
        content = io.BytesIO(SAMPLES[filename]())
        with zipfile.ZipFile(content) as source:
            files = {info.filename: source.read(info) for info in source.infolist()}
        with zipfile.ZipFile(tmp_path / filename, "w") as archive:
            for name, data in files.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o120777 << 16
                archive.writestr(info, data)
        with pytest.raises(PackageError, match="is a link"):
            read_package(tmp_path / filename)


class TestHeaders:
    """What tarfile and zipfile read of an archive before we see a member."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"GNU.sparse.map": "x"},
            {"GNU.sparse.size": "x"},
            {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "x"},
            {"GNU.sparse.name": "../a"},
            {"path": "/etc/passwd"},
            {"size": "99999999999999999999"},
            {"hdrcharset": "x", "path": "a\0b"},
        ],
    )
    def test_extended_headers(self, tmp_path, headers):
        member = tarfile.TarInfo("package/a")
        member.pax_headers = headers
        content = tgz({"package/package.json": MANIFEST, "a": member})
        refused(tmp_path, "a-1.0.0.tgz", content, "damaged|outside of itself|expands to more")

    def test_names_of_a_zip_that_are_not_utf_8(self, tmp_path):
        content = wheel(**{"\xfc\xfc": ""}).replace("\xfc\xfc".encode(), b"\xff\xff\xff\xff")
        refused(tmp_path, WHEEL, content, "damaged")


class TestTwoReadings:
    """What another program would find in the same file."""

    def test_a_second_document(self, tmp_path):
        twice = tgz({"package/package.json": MANIFEST, "./package/package.json": MANIFEST})
        refused(tmp_path, "a-1.0.0.tgz", twice, r"two files package\.json")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_a_second_member_of_a_zip(self, tmp_path):
        content = io.BytesIO(wheel())
        with zipfile.ZipFile(content, "a") as archive:
            archive.writestr("sample_package-1.0.dist-info/METADATA", "Name: other")
        refused(tmp_path, WHEEL, content.getvalue(), "two members of one name")

    def test_a_second_archive_behind_the_first(self, tmp_path):
        content = tar({"package/package.json": MANIFEST})
        refused(tmp_path, "a-1.0.0.tgz", gzip.compress(content * 2), "follows the archive's end")

    def test_something_before_a_zip(self, tmp_path):
        refused(tmp_path, WHEEL, b"#!/bin/sh\n" + wheel(), "does not start as a zip")

    def test_damage_that_would_pass_for_the_end(self, tmp_path):
        content = bytearray(tar({"package/package.json": MANIFEST, "package/a": ""}))
        content[1024 + 148] ^= 1  # the second header's checksum
        refused(tmp_path, "a-1.0.0.tgz", gzip.compress(content), "damaged, or has no end")

    @pytest.mark.parametrize("part", [-5, -1])
    def test_a_wrong_checksum(self, tmp_path, part):
        content = bytearray(npm())
        content[part] ^= 1
        refused(tmp_path, "scope-sample-1.0.0.tgz", bytes(content), "damaged|ends early")

    def test_an_encrypted_document(self, tmp_path):
        content = wheel()
        place = content.index(b"PK\1\2")
        while (found := content.find(b"PK\1\2", place)) >= 0:
            content = content[: found + 8] + b"\1\0" + content[found + 10 :]
            place = found + 4
        refused(tmp_path, WHEEL, content, "is encrypted")


class Mutations:
    """Changes of bytes, as damage and as an attacker would have them."""

    NUMBERS = (0, 1, 0x20, 0x2F, 0x2E, 0x30, 0x7F, 0x80, 0xFF)

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def __call__(self, content: bytes) -> bytes:
        data = bytearray(content)
        for _ in range(self.rng.choice([1, 1, 1, 2, 4, 16])):
            if data:
                self.rng.choice([self.flip, self.put, self.cut, self.copy, self.digits])(data)
        return bytes(data)

    def place(self, data: bytearray) -> int:
        return self.rng.randrange(len(data))

    def flip(self, data: bytearray) -> None:
        data[self.place(data)] ^= 1 << self.rng.randrange(8)

    def put(self, data: bytearray) -> None:
        data[self.place(data)] = self.rng.choice(self.NUMBERS)

    def cut(self, data: bytearray) -> None:
        start = self.place(data)
        del data[start : start + self.rng.choice([1, 2, 16, 512, len(data)])]

    def copy(self, data: bytearray) -> None:
        start, length = self.place(data), self.rng.choice([1, 4, 60, 512])
        place = self.place(data)
        data[place:place] = data[start : start + length]

    def digits(self, data: bytearray) -> None:
        place = self.place(data)
        text = self.rng.choice(
            [b"99999999999", b"-1", b"\xff" * 8, b"77777777777\0", b"../", b"\0"]
        )
        data[place : place + len(text)] = text


def inside(filename: str, content: bytes, mutate: Callable[[bytes], bytes]) -> bytes:
    """The package with what is compressed in it changed, its checksums made right again."""
    if filename.endswith(".deb"):
        parts = {"debian-binary": b"2.0\n", "control.tar.gz": b"", "data.tar": b""}
        parts["control.tar.gz"] = gzip.compress(mutate(tar({"./control": CONTROL})), mtime=0)
        return ar(parts)
    if filename.endswith(".gem"):
        return gem(mutate(GEMSPEC.encode()))
    if content.startswith(b"\x1f\x8b"):
        return gzip.compress(with_checksums(mutate(gzip.decompress(content))), mtime=0)
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        files = {name: source.read(name) for name in source.namelist()}
    return zipped({name: mutate(data) for name, data in files.items()})


def with_checksums(data: bytes) -> bytes:
    """Each header of a tar archive that still looks like one."""
    found = bytearray(data)
    for place in range(0, len(found) - 511, 512):
        if found[place + 257 : place + 262] == b"ustar":
            found[place + 148 : place + 156] = b" " * 8
            total = sum(found[place : place + 512])
            found[place + 148 : place + 156] = f"{total:06o}\0 ".encode()
    return bytes(found)


class TestMutated:
    COUNT = 1000

    @pytest.mark.parametrize("filename", SAMPLES)
    @pytest.mark.parametrize("change", ["outside", "inside"])
    def test_a_package_or_an_error(self, tmp_path, filename, change):
        mutate = Mutations(seed=20)
        content = SAMPLES[filename]()
        path = tmp_path / filename
        taken, refusals = 0, []
        for _ in range(self.COUNT):
            changed = mutate(content) if change == "outside" else inside(filename, content, mutate)
            path.write_bytes(changed)
            try:
                package = read_package(path)
            except PackageError as error:
                refusals.append(str(error))
            else:
                checked(package)
                taken += 1
        assert refusals
        assert "".join(refusals).isprintable()
        assert taken + len(refusals) == self.COUNT

    @pytest.mark.parametrize("filename", SAMPLES)
    def test_any_document(self, tmp_path, filename):
        make = SAMPLES[filename]

        @settings(max_examples=150, deadline=None)
        @given(st.binary(max_size=200) | st.text(max_size=200))
        def check(document: bytes | str) -> None:
            if isinstance(document, str):
                document = document.encode("utf-8", "surrogatepass")
            with pytest.raises(PackageError):
                read(tmp_path, filename, make(document))

        check()


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ab:-?[]{},&*!|>'\"#%@` \n\t~<=01.\\u\0\ufeff\x85", max_size=80))
def test_any_yaml_and_json(text):
    for parse in (yaml_of, json_of):
        try:
            value = parse("it", text.encode())
        except PackageError:
            continue
        assert value is None or isinstance(value, str | list | dict | int | float | bool)


def test_a_document_of_nothing_but_names_is_read_in_time(tmp_path):
    fields = "".join(f"X-{n}: a\n" for n in range(60_000))
    with pytest.raises(PackageError, match="more than 500 different fields"):
        read(tmp_path, WHEEL, wheel(fields))


def test_a_package_that_is_written_to_meanwhile(tmp_path, monkeypatch):
    path = tmp_path / "sample.deb"
    path.write_bytes(deb())
    digests = pkgdb.packages._digests

    def grown_digests(*args: Any) -> dict[str, bytes]:
        with path.open("ab") as file:
            file.write(b"x")
        return digests(*args)

    monkeypatch.setattr(pkgdb.packages, "_digests", grown_digests)
    with pytest.raises(PackageError, match="written to while it was read"):
        read_package(path)
