"""The indexes of an apt archive."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import formatdate
from typing import Any

from debian.deb822 import Deb822

from pkgdb.archive.errors import ArchiveError
from pkgdb.archive.folder import Generation, Tree, checked, pool_path
from pkgdb.archive.listing import Distribution, Entry, PoolFile, entries
from pkgdb.archive.signer import Signer

__all__ = ["AptEdition", "paragraph", "stanza"]

# As Debian's own archive orders them; what else there is comes between these, by name.
_FIRST = (
    "Package", "Source", "Version", "Essential", "Installed-Size", "Maintainer",
    "Original-Maintainer", "Architecture", "Replaces", "Provides", "Depends", "Pre-Depends",
    "Recommends", "Suggests", "Enhances", "Conflicts", "Breaks", "Description", "Multi-Arch",
    "Homepage",
)  # fmt: skip
_LAST = ("Tag", "Section", "Priority", "Filename", "Size", "SHA256")
_PLACES = {name.lower(): place for place, name in enumerate(_FIRST)} | {
    name.lower(): len(_FIRST) + 1 + place for place, name in enumerate(_LAST)
}
# What the registry says of a version and its file, whatever its metadata says.
_NOT_METADATA = {
    "package", "version", "architecture", "filename", "size", "md5sum", "sha1", "sha256", "sha512",
}  # fmt: skip
_NAME = re.compile(r'[!"$-,.-9;-~][!-9;-~]*')  # of a field: printable, no colon, no comment
# What some reader takes for the end of a line, or no reader for text.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")

_UNUSUAL = re.compile(r"^\.|[^A-Za-z0-9.+~_-]")  # in the name of a file
_LONGEST = 200
_SUFFIXES = (".deb", ".ddeb", ".udeb")

_ALL = "all"
_SOURCE = "source"
_ARCHITECTURE = re.compile("[a-z0-9][a-z0-9-]*")
_COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
}


class AptEdition:
    """The state of a distribution as `dists/<distribution>`.

    Packages of architecture `all` are in the index of every architecture. A yanked version is in
    none: apt would take it for the best there is.
    """

    def __init__(
        self, distribution: Distribution, found: Iterable[Entry], signer: Signer | None
    ) -> None:
        """Refuses what cannot be served as an archive: `ArchiveError`."""
        self.link = f"dists/{distribution.distribution}"
        self.valid_for: int | None = distribution.settings.get("valid_for")
        self._distribution = distribution
        self._signer = signer
        listed = entries(entry for entry in found if entry.listed)
        listed.sort(key=lambda entry: (entry.name, entry.version, str(entry)))
        self.files: Sequence[PoolFile] = sorted({_file_of(entry) for entry in listed})
        for component in distribution.components:
            if checked("component", component).split() != [component]:
                raise ArchiveError(f"component {component!r} has a space in its name")
        self._architectures = _architectures(distribution, listed)
        self._packages = self._indexes(listed)
        self.digest = self._digest()

    def write(self, tree: Tree, kept: Iterable[Generation]) -> None:
        """Writes the indexes, and what says what they are."""
        for path, text in self._packages.items():
            same = tree.put(path, text)
            for suffix, compress in _COMPRESSIONS.items():
                if not (same and tree.keep(path + suffix)):
                    tree.put(path + suffix, compress(text))
        for generation in kept:
            for path, (sha256, _) in generation.state.indexes.items():
                tree.link(generation.tree / path, _by_hash(path, sha256))
        for path, (sha256, _) in tree.indexes.items():
            tree.link(tree.folder / path, _by_hash(path, sha256))
        release = self._release(tree.date, tree.indexes).encode()
        tree.write("Release", release)
        if self._signer is not None:
            tree.write("Release.gpg", self._signer.signature(release))
            tree.write("InRelease", self._signer.clearsigned(release))

    def _indexes(self, listed: Iterable[Entry]) -> dict[str, bytes]:
        stanzas: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in listed:
            text = stanza(entry)
            for each in self._architectures if entry.variant == _ALL else [entry.variant]:
                stanzas[entry.component, each].append(text)
        return {
            f"{component}/binary-{architecture}/Packages": "\n".join(
                stanzas[component, architecture]
            ).encode()
            for component in self._distribution.components
            for architecture in self._architectures
        }

    def _digest(self) -> str:
        digest = hashlib.sha256(self._release(0, {}).encode())
        digest.update(repr(self._signer).encode())
        for path, text in self._packages.items():
            digest.update(f"\n{path} {hashlib.sha256(text).hexdigest()}".encode())
        return digest.hexdigest()

    def _release(self, date: int, indexes: Mapping[str, tuple[str, int]]) -> str:
        settings = self._distribution.settings
        # apt compares the name that it was given, up to the last slash, with these.
        name = self._distribution.distribution
        name = name.rpartition("/")[0] or name
        return paragraph(
            {
                "Origin": settings.get("origin"),
                "Label": settings.get("label"),
                "Suite": settings.get("suite", name),
                "Version": settings.get("version"),
                "Codename": settings.get("codename", name),
                "Date": _time(date),
                "Valid-Until": _time(date + self.valid_for) if self.valid_for else None,
                "NotAutomatic": "yes" if settings.get("not_automatic") else None,
                "ButAutomaticUpgrades": "yes" if settings.get("but_automatic_upgrades") else None,
                "Acquire-By-Hash": "yes",
                "Architectures": " ".join(self._architectures),
                "Components": " ".join(self._distribution.components),
                "Description": settings.get("description"),
                "SHA256": "".join(
                    f"\n {sha256} {size:>8} {path}"
                    for path, (sha256, size) in sorted(indexes.items())
                ),
            }
        )


def paragraph(fields: Mapping[str, Any]) -> str:
    """Fields as a stanza: those that are texts or whole numbers, and have the name of a field.

    Whatever a value has in it, its second line cannot be taken for a field, nor for the end of the
    stanza.
    """
    written = Deb822()
    for name, value in fields.items():
        plain = isinstance(value, str | int) and not isinstance(value, bool)
        if plain and _NAME.fullmatch(name) and (folded := _folded(str(value))):
            written[name] = folded
    return str(written.dump())


def _folded(value: str) -> str:
    first, *rest = _CONTROLS.sub(" ", value.replace("\r\n", "\n")).rstrip().split("\n")
    folded = [first.strip()]
    for line in rest:
        line = line.rstrip()
        folded.append(line if line[:1] in " \t" and line else f" {line or '.'}")
    return "\n".join(folded)


def stanza(entry: Entry) -> str:
    """What an index says of a package."""
    file = _file_of(entry)
    fields: dict[str, Any] = {
        name: value
        for name, value in sorted(entry.metadata.items())
        if name.lower() not in _NOT_METADATA
    }
    fields |= {
        "Package": entry.name,
        "Version": entry.version,
        "Architecture": entry.variant,
        "Filename": pool_path(file),
        "Size": file.size,
        "SHA256": file.sha256,
    }
    middle = len(_FIRST)
    names = sorted(fields, key=lambda name: (_PLACES.get(name.lower(), middle), name))
    return paragraph({name: fields[name] for name in names})


def _file_of(entry: Entry) -> PoolFile:
    variant = entry.variant
    if variant == _SOURCE or not _ARCHITECTURE.fullmatch(variant):
        raise ArchiveError(f"{entry} is no binary package: an apt archive is made of those")
    if len(entry.files) != 1:
        raise ArchiveError(f"{entry} has no file, which an apt archive needs")
    (file,) = entry.files
    # No version of apt finds every name again in a URL, or installs from a file of every name. As
    # the digest is in the path, the name is there for people.
    name = _UNUSUAL.sub("_", file.filename.rpartition("/")[2])[-_LONGEST:]
    return PoolFile(file.sha256, name if name.endswith(_SUFFIXES) else f"{name}.deb", file.size)


def _architectures(distribution: Distribution, listed: Iterable[Entry]) -> list[str]:
    found = {entry.variant for entry in listed}
    wanted = found | set(distribution.settings.get("architectures", ()))
    return sorted(wanted - {_ALL}) or [_ALL]


def _by_hash(path: str, sha256: str) -> str:
    return f"{path.rpartition('/')[0]}/by-hash/SHA256/{sha256}"


def _time(seconds: int) -> str:
    return formatdate(seconds, usegmt=True).replace("GMT", "UTC")
