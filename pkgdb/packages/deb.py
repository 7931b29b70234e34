"""Binary packages of Debian."""

import re
from collections.abc import Callable
from typing import IO

from debian.deb822 import Deb822

from pkgdb.packages.archive import Readable, Tar, Unxz, gunzip, only, unzstd
from pkgdb.packages.documents import text_of
from pkgdb.packages.package import Contents, Format, Opened, PackageError, quoted, required
from pkgdb.relations import RelationError, dependencies_of

# An ar archive is 60 bytes before each part. debian.debfile would read parts whole into memory, run
# a program for zstd, and go in circles where a size is negative.
_MAGIC = b"!<arch>\n"
_HEADER_SIZE = 60
_HEADER = re.compile(rb"(.{16})[0-9 ]{12}[0-9 ]{6}[0-9 ]{6}[0-7 ]{8}([0-9]{1,10}) *`\n", re.DOTALL)
_PARTS = 32
_CONTROL: dict[str, Callable[[Readable], Readable]] = {
    "control.tar": lambda part: part,
    "control.tar.gz": gunzip,
    "control.tar.xz": Unxz,
    "control.tar.zst": unzstd,
}
_FIELD = re.compile(r'([!"$-,.-9;-~][!-9;-~]*):(.*)', re.DOTALL)
# What an index says of a file, whatever the file says.
_NOT_METADATA = {
    "package", "version", "architecture", "filename", "size", "md5sum", "sha1", "sha256", "sha512",
}  # fmt: skip


class _Part:
    """A part of a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._position, self._end, self.size = file, start, start + size, size

    def read(self, size: int = -1, /) -> bytes:
        left = self._end - self._position
        self._file.seek(self._position)
        data = self._file.read(min(size, left) if size >= 0 else left)
        self._position += len(data)
        return data


def read(package: Opened) -> Contents:
    """The fields of the control file."""
    name, part = _control_part(package)
    tar = Tar(_CONTROL[name](part), part.size)
    found = only(tar, "control")
    if found is None:
        raise PackageError("no control file")
    fields = _fields(text_of("the control file", found[1]))
    name, version, architecture = (
        required(field, fields.get(field)) for field in ("Package", "Version", "Architecture")
    )
    # An epoch is no part of the name of a file.
    filename = f"{name}_{version.partition(':')[2] or version}_{architecture}.deb"
    # dpkg never looks at a file's name. One made as they should be is to be right.
    if package.filename.count("_") == 2:
        stem = re.sub("_[0-9]+(?::|%3[aA])", "_", package.filename, count=1)
        if stem != filename:
            raise PackageError(f"by its contents it is to be called {quoted(filename)}")
    try:
        dependencies = dependencies_of(fields)
    except RelationError as error:
        raise PackageError(str(error)) from error
    return Contents(
        name=name,
        version=version,
        variant=architecture,
        filename=filename,
        metadata={key: of for key, of in fields.items() if key.lower() not in _NOT_METADATA},
        dependencies=dependencies,
    )


def _control_part(package: Opened) -> tuple[str, _Part]:
    """The second of debian-binary, control.tar and data.tar; names of others start with _."""
    file, position = package.file, len(_MAGIC)
    if file.read(position) != _MAGIC:
        raise PackageError("not an ar archive")
    parts: list[tuple[str, _Part]] = []
    for _ in range(_PARTS):
        file.seek(position)
        header = file.read(_HEADER_SIZE)
        if not header:
            break
        match = _HEADER.fullmatch(header)
        if match is None:
            raise PackageError("the archive is damaged")
        name, size = match[1].decode("latin-1").rstrip(" ").removesuffix("/"), int(match[2])
        start = position + _HEADER_SIZE
        if start + size > package.size:
            raise PackageError("the archive ends early")
        if not name.startswith("_"):
            parts.append((name, _Part(file, start, size)))
        position = start + size + size % 2
    else:
        raise PackageError(f"the archive has more than {_PARTS} parts")

    match [name for name, _ in parts]:
        case ["debian-binary", control, data] if data.startswith("data.tar"):
            if not parts[0][1].read(2) == b"2.":
                raise PackageError("of another version of the format than 2")
            if control not in _CONTROL:
                raise PackageError(f"{quoted(control)} is in no form that dpkg reads")
            return parts[1]
        case names:
            raise PackageError(
                f"a package has debian-binary, control.tar, data.tar, not {quoted(names)}"
            )


def _fields(text: str) -> Deb822:
    """One stanza, as strictly as dpkg reads it; Deb822 leaves out what it does not understand."""
    lines = text.rstrip("\n").split("\n")
    seen = set()
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match and match[1].lower() not in seen:
            seen.add(match[1].lower())
        elif match or not seen or not re.match(r"[ \t]+\S", line):
            raise PackageError(f"the control file has a malformed line: {quoted(line)}")
    return Deb822(lines)


FORMATS = (
    Format(
        "deb",
        ".deb",
        "application/vnd.debian.binary-package",
        read,
        {"MD5sum": ("md5", bytes.hex), "SHA1": ("sha1", bytes.hex)},
    ),
)
