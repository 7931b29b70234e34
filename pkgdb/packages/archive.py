"""Archives, read as strangers wrote them: never more of them in memory than was asked for.

tarfile and zipfile read as much as an archive's own numbers say. Here they read through a Stream,
which refuses that.
"""

import gzip
import lzma
import posixpath
import re
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol, cast

from pkgdb.packages.package import LARGEST, Opened, PackageError, quoted

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK = 64 * 1024
_BLOCK = tarfile.BLOCKSIZE
# Headers of one member of a tar archive: long names, extended attributes.
_HEADERS = 2 * LARGEST
_DIRECTORY = 16 * LARGEST
_MEMBERS = 1_000_000
# An archive may become this much larger than it is, and this large anyway.
_RATIO, _SMALL = 100, 64 * LARGEST
# What xz -9 and zstd --long need, and no more.
_XZ_MEMORY = 128 * LARGEST
_ZSTD_WINDOW = 27


class Readable(Protocol):
    """As much of a file as is needed here."""

    def read(self, size: int = -1, /) -> bytes: ...


@contextmanager
def damage(what: str) -> Iterator[None]:
    """Whatever a library raises about an archive's bytes, as PackageError."""
    try:
        yield
    except PackageError:
        raise
    except EOFError as error:
        raise PackageError(f"{what} ends early") from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        lzma.LZMAError,
        zlib.error,
        zstd.ZstdError,
        struct.error,
        NotImplementedError,  # zipfile: a method or a version of the format
        RecursionError,  # tarfile: headers that announce headers
        ValueError,  # names that are not UTF-8, numbers that are none
    ) as error:
        raise PackageError(f"{what} is damaged: {quoted(str(error))}") from error


class Stream:
    """What tarfile reads from: goes forward only, and gives as much as it was allowed to."""

    def __init__(self, raw: Readable, end: int) -> None:
        self._raw = raw
        self._end = end
        self._position = 0
        self.allowed = 0
        self.last = b""
        """What was read last."""

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset < self._position or whence:
            raise PackageError("the archive points back into itself")
        while self._position < offset and self._read(min(_CHUNK, offset - self._position)):
            pass
        return self._position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.allowed:
            raise PackageError(f"a member's headers have more than {_HEADERS} bytes")
        pieces = []
        while size and (piece := self._read(size)):
            pieces.append(piece)
            size -= len(piece)
            self.allowed -= len(piece)
        self.last = b"".join(pieces)
        return self.last

    def rest(self) -> Iterator[bytes]:
        """What was not read yet."""
        while piece := self._read(_CHUNK):
            yield piece

    def _read(self, size: int) -> bytes:
        piece = self._raw.read(size)
        self._position += len(piece)
        if self._position > self._end:
            raise PackageError(f"the archive expands to more than {self._end} bytes")
        return piece


class Tar:
    """The members of a tar archive, one after the other, to its end."""

    def __init__(self, raw: Readable, size: int) -> None:
        """``size``: of the archive as it is compressed."""
        self._stream = Stream(raw, max(_SMALL, _RATIO * size))
        self._tar: tarfile.TarFile | None = None

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Each member, its name in a plain form; what could be unpacked elsewhere is refused."""
        with damage("the archive"):
            self._stream.allowed = _HEADERS
            self._tar = tarfile.TarFile(fileobj=cast(Any, self._stream), encoding="utf-8")
            for _ in range(_MEMBERS):
                self._stream.allowed = _HEADERS
                member = self._tar.next()
                if member is None:
                    self._check_end()
                    return
                self._tar.members.clear()  # type: ignore[attr-defined]  # kept for ever otherwise
                _check_member(member)
                member.name = posixpath.normpath(member.name)
                yield member
        raise PackageError(f"the archive has more than {_MEMBERS} members")

    def content(self, member: tarfile.TarInfo) -> bytes:
        """Of the member that was just given."""
        if not member.isreg() or member.issparse():
            raise PackageError(f"{quoted(member.name)} is no plain file")
        if member.size > LARGEST:
            raise PackageError(f"{quoted(member.name)} has more than {LARGEST} bytes")
        with damage("the archive"):
            self._stream.allowed = member.size
            data = self._stream.read(member.size)
        if len(data) < member.size:
            raise PackageError("the archive ends early")
        return data

    def _check_end(self) -> None:
        # tarfile takes damage in the middle for the end, and does not read what comes after it: a
        # checksum, or what another program would find.
        if self._stream.last != bytes(_BLOCK):
            raise PackageError("the archive is damaged, or has no end")
        if any(piece.strip(b"\0") for piece in self._stream.rest()):
            raise PackageError("something follows the archive's end")


def _check_member(member: tarfile.TarInfo) -> None:
    _check_name(member.name)
    if member.issym():
        folder = posixpath.dirname(member.name)
        target = posixpath.normpath(posixpath.join(folder, member.linkname))
        if target.startswith(("/", "../")) or target == "..":
            raise PackageError(f"{quoted(member.name)} links out of the archive")
    elif member.islnk():
        _check_name(member.linkname)
    elif not member.isreg() and not member.isdir():
        raise PackageError(f"{quoted(member.name)} is no file, folder or link")


def _check_name(name: str) -> None:
    if re.match(r"[/\\]|[A-Za-z]:[/\\]", name) or ".." in re.split(r"[/\\]", name) or "\0" in name:
        raise PackageError(f"the archive has a member outside of itself: {quoted(name)}")


def gzipped_tar(package: Opened) -> Tar:
    """A .tar.gz, under whichever suffix."""
    return Tar(gunzip(package.file), package.size)


def only(tar: Tar, pattern: str) -> tuple[str, bytes] | None:
    """The one member whose name matches."""
    found = None
    for member in tar:
        if re.fullmatch(pattern, member.name):
            if found:
                raise PackageError(f"it has both {quoted(found[0])} and {quoted(member.name)}")
            found = member.name, tar.content(member)
    return found


class _ZipStream:
    """What zipfile reads from: its directory has a bound."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.tell, self.seekable = raw.tell, raw.seekable
        self._raw = raw

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset < 0 and whence == 0:
            raise PackageError("the archive points before its start")
        return self._raw.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(min(size, _DIRECTORY + 1) if size >= 0 else _DIRECTORY + 1)
        if len(data) > _DIRECTORY:
            raise PackageError(f"the archive's directory has more than {_DIRECTORY} bytes")
        return data


class Zip:
    """A zip archive."""

    def __init__(self, package: Opened) -> None:
        with damage("the archive"):
            if package.file.read(4) != b"PK\x03\x04":
                raise PackageError("it does not start as a zip archive")
            self._zip = zipfile.ZipFile(cast(IO[bytes], _ZipStream(package.file)))
        self.names = self._zip.namelist()
        for name in self.names:
            _check_name(name)
        if len(set(self.names)) < len(self.names):
            raise PackageError("the archive has two members of one name")

    def content(self, name: str) -> bytes:
        """Of the member with this name."""
        member = self._zip.getinfo(name)
        if member.flag_bits & 1:
            raise PackageError(f"{quoted(name)} is encrypted")
        # The other methods expand without bounds, and no ecosystem's tools use them.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PackageError(f"{quoted(name)} is compressed by another method than deflate")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise PackageError(f"{quoted(name)} is a link")
        with damage("the archive"), self._zip.open(member) as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise PackageError(f"{quoted(name)} has more than {LARGEST} bytes")
        return data


def gunzip(raw: Readable) -> Readable:
    """What is in a gzip stream."""
    return cast(Readable, gzip.GzipFile(fileobj=cast(Any, raw), mode="rb"))


def unzstd(raw: Readable) -> Readable:
    """What is in a zstd stream."""
    window = {zstd.DecompressionParameter.window_log_max.value: _ZSTD_WINDOW}
    return cast(Readable, zstd.ZstdFile(cast(Any, raw), options=window))


class Unxz:
    """What is in an xz stream, with a bound to the memory that it asks for."""

    def __init__(self, raw: Readable) -> None:
        self._raw = raw
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int = -1, /) -> bytes:
        data = b""
        while size and not (data or self._decoder.eof):
            packed = self._raw.read(_CHUNK) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not packed:
                raise EOFError
            data = self._decoder.decompress(packed, size)
        return data
