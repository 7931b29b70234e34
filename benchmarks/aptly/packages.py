"""The packages that both get: a real index, more versions of it, and changes to it.

aptly takes packages only as files. Each gets one of some two kilobytes whose control file is the
stanza of the index and which installs nothing.
"""

import hashlib
import io
import random
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pkgdb.indexes import Source

REAL = 60_000  # packages of the index; beyond that come more versions of the same ones
CHANGED = 300  # of so many packages one gets another version, one goes, and one is new
EDITS = 64
_OF_THE_FILE = re.compile(r"^(?:Filename|Size|MD5sum|SHA1|SHA256|SHA512):.*\n", re.MULTILINE)

Key = tuple[str, str, str]
"""Name, version, architecture."""


@dataclass(frozen=True, slots=True)
class Package:
    """A stanza, with a name and a version that it may not have had."""

    name: str
    version: str
    stanza: str

    @property
    def key(self) -> Key:
        return self.name, self.version, _field(self.stanza, "Architecture")

    def text(self) -> str:
        """The stanza as an index has it."""
        text = re.sub(r"^Package:.*$", f"Package: {self.name}", self.stanza, count=1, flags=re.M)
        return re.sub(r"^Version:.*$", f"Version: {self.version}", text, count=1, flags=re.M)

    def deb(self) -> bytes:
        """A file that carries it."""
        control = _OF_THE_FILE.sub("", self.text()).encode()
        return b"!<arch>\n" + b"".join(
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(part):<10}`\n".encode()
            + part
            + b"\n" * (len(part) % 2)
            for name, part in (
                ("debian-binary", b"2.0\n"),
                ("control.tar", _tar("./control", control)),
                ("data.tar", _tar()),
            )
        )


class Index:
    """A Packages file, in an order that is the same each time and says nothing."""

    def __init__(self, path: Path) -> None:
        self.stanzas = list(_stanzas(path))
        random.Random(5).shuffle(self.stanzas)
        self.real = min(REAL, len(self.stanzas))
        self.digest = hashlib.sha256("".join(self.stanzas).encode()).hexdigest()[:12]

    def base(self, start: int, stop: int) -> list[Package]:
        """So many packages. Those of a smaller number are the first of a larger one."""
        return [self._package(n) for n in range(start, stop)]

    def newer(self, start: int, stop: int) -> list[Package]:
        """Other versions of some of them."""
        return [
            Package(package.name, package.version + "+changed", package.stanza)
            for package in self.replaced(start, stop)
        ]

    def replaced(self, start: int, stop: int) -> list[Package]:
        return self._every(0, start, stop)

    def removed(self, start: int, stop: int) -> list[Package]:
        return self._every(100, start, stop)

    def added(self, start: int, stop: int) -> list[Package]:
        return [
            Package(f"{package.name}-added", package.version, package.stanza)
            for package in self._every(200, start, stop)
        ]

    def edits(self) -> list[Package]:
        """What is added and taken away again while the clock runs."""
        return [Package(f"edit-{n}", "1.0-1", self.stanzas[n % self.real]) for n in range(EDITS)]

    def _every(self, first: int, start: int, stop: int) -> list[Package]:
        return [self._package(n) for n in range(start, stop) if n % CHANGED == first]

    def _package(self, number: int) -> Package:
        generation, place = divmod(number, self.real)
        stanza = self.stanzas[place]
        version = _field(stanza, "Version") + (f"+more{generation}" if generation else "")
        return Package(_field(stanza, "Package"), version, stanza)


def index_of_this_machine() -> Path | None:
    """The largest index that apt has here, if it has any."""
    if shutil.which("apt-get") is None:
        return None
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    found = [path for path in map(Path, listed) if path.exists()]
    return max(found, key=lambda path: path.stat().st_size, default=None)


def _stanzas(path: Path) -> Iterator[str]:
    lines: list[bytes] = []
    with Source(path) as source:
        for _, line in source.lines():
            if line.strip():
                lines.append(line)
            elif lines:
                yield b"".join(lines).decode()
                lines = []
    if lines:
        yield b"".join(lines).decode()


def _field(stanza: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*)$", stanza, re.MULTILINE)
    if found is None:
        raise SystemExit(f"a stanza without {name}:\n{stanza}")
    return found[1]


def _tar(name: str = "", data: bytes = b"") -> bytes:
    """A tar archive of one file, or of none; without the padding that tape drives like."""
    header = b""
    if name:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        header = member.tobuf(tarfile.USTAR_FORMAT)
    out = io.BytesIO()
    out.write(header + data)
    out.write(bytes(-out.tell() % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE))
    return out.getvalue()
