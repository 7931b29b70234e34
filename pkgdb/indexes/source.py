"""Index files, decompressed while they are read."""

import bz2
import gzip
import io
import json
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import lz4.frame  # type: ignore[import-untyped]

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_HEAD = 64 * 1024
# What xz -9 and zstd --long need, and no more.
_XZ_MEMORY = 128 << 20
_ZSTD_WINDOW = {zstd.DecompressionParameter.window_log_max.value: 27}


class _Unxz:
    """What is in an xz file, with a bound to the memory that it asks for; lzma.open has none."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        data = b""
        while not data and (packed := self._packed()) is not None:
            data = self._decoder.decompress(packed, size)
        return data

    def _packed(self) -> bytes | None:
        """What the decoder is to get next; None at the end."""
        if not self._decoder.eof:
            packed = self._raw.read(_HEAD) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not packed:
                raise EOFError
            return packed
        # Another stream may follow, after zeros.
        packed = self._decoder.unused_data.lstrip(b"\0")
        while not packed:
            if not (chunk := self._raw.read(_HEAD)):
                return None
            packed = chunk.lstrip(b"\0")
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        return packed


_OPENERS: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"\xfd7zXZ\x00", _Unxz),
    (b"BZh", bz2.open),
    (b"\x04\x22\x4d\x18", lz4.frame.open),
    (b"\x28\xb5\x2f\xfd", lambda raw: zstd.ZstdFile(raw, options=_ZSTD_WINDOW)),
)


class Damaged(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


class Source:
    """An index file: its lines, however it is compressed, and how much of it was read."""

    def __init__(self, path: Path, largest: int | None = None) -> None:
        """Opens it; with more than ``largest`` bytes, decompressed, it is damaged from there on."""
        self.path = path
        self._left = sys.maxsize if largest is None else largest
        self._largest = largest
        self.size = path.stat().st_size
        self._raw = path.open("rb")
        magic = self._raw.read(6)
        self._raw.seek(0)
        opened = next((opener for start, opener in _OPENERS if magic.startswith(start)), None)
        self._stream = opened(self._raw) if opened else self._raw
        self._failure: Damaged | None = None
        self.head = self._read(_HEAD)
        """The first bytes, for telling formats apart."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._raw.close()

    @property
    def position(self) -> int:
        """How many of ``size`` bytes were read."""
        return self._raw.tell()

    def lines(self, longest: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Numbered lines, each with its end; Damaged where the file is, or a line is longer."""
        number, rest, chunk = 0, b"", self.head
        while chunk:
            lines = io.BytesIO(rest + chunk).readlines()
            rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
            for line in lines:
                number += 1
                yield number, line
            if longest is not None and len(rest) > longest:
                raise Damaged(number + 1, f"a line has more than {longest} bytes")
            chunk = self._read(_HEAD)
        if self._failure:
            raise Damaged(number + 1, str(self._failure))
        if rest:
            yield number + 1, rest

    def document(self) -> "Document":
        """The whole file as one JSON object; Damaged where it is none."""
        data = b"".join(line for _, line in self.lines())
        try:
            text = data.decode()
            value = json.loads(text)
        except UnicodeDecodeError as error:
            raise Damaged(data.count(b"\n", 0, error.start) + 1, f"not UTF-8: {error}") from error
        except json.JSONDecodeError as error:
            raise Damaged(error.lineno, f"not JSON: {error}") from error
        except (ValueError, RecursionError) as error:
            raise Damaged(1, f"not JSON: {error}") from error
        if not isinstance(value, dict):
            raise Damaged(1, "not a JSON object")
        return Document(text, value)

    def _read(self, size: int) -> bytes:
        if self._failure:
            return b""
        try:
            data = cast(bytes, self._stream.read(size))
        except EOFError:
            self._failure = Damaged(0, "the compressed data ends early: the rest was not read")
        except (
            gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstd.ZstdError, RuntimeError, OSError,
        ) as error:  # fmt: skip
            self._failure = Damaged(0, f"the compressed data is damaged: {error}")
        else:
            self._left -= len(data)
            if self._left >= 0:
                return data
            self._failure = Damaged(0, f"it has more than {self._largest} bytes, decompressed")
        return b""


class Document:
    """A JSON object and where things stand in it."""

    def __init__(self, text: str, value: dict[str, Any]) -> None:
        self.value = value
        self._text = text
        self._offset = 0
        self._line = 1

    def line_of(self, needle: str) -> int:
        """The line of the next place with this text; where there is none, the line before."""
        found = self._text.find(needle, self._offset)
        if found >= 0:
            self._line += self._text.count("\n", self._offset, found)
            self._offset = found
        return self._line
