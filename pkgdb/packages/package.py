"""What the readers give, and what they all hold to."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

LARGEST = 1 << 20
"""What the database takes of metadata, in bytes, and so the most that is read of a file's."""

_DEEPEST = 64
# PostgreSQL stores no NUL, and UTF-8 has no half of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


class PackageError(ValueError):
    """The file is no package that can be published; the message says why."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A package's file, and what it says of itself."""

    ecosystem: str
    name: str
    version: str
    variant: str
    """Where one version of a name has several packages: which one this is."""
    filename: str
    """The one that the ecosystem's own registry serves such a file under."""
    media_type: str
    sha256: str
    size: int
    metadata: Mapping[str, Any]
    """What the ecosystem's index says of the version."""
    attributes: Mapping[str, Any]
    """What the ecosystem's index says of this file alone."""
    dependencies: Sequence[Mapping[str, Any]] = ()
    """What it says of other packages, as ``publish`` takes it."""

    def file_spec(self) -> dict[str, Any]:
        """The file as an element of ``files`` of ``publish`` and ``begin_publication``."""
        return {
            "filename": self.filename,
            "sha256": self.sha256,
            "size": self.size,
            "media_type": self.media_type,
            "attributes": dict(self.attributes),
        }


@dataclass(frozen=True, slots=True)
class Contents:
    """What is read out of a package; the rest is known from the outside."""

    name: str
    version: str
    filename: str
    variant: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    dependencies: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Opened:
    """A package's file, open for reading."""

    filename: str
    file: IO[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of package."""

    ecosystem: str
    suffix: str
    media_type: str
    read: Callable[[Opened], Contents]
    digests: Mapping[str, tuple[str, Callable[[bytes], str]]] = field(default_factory=dict)
    """Attributes that are digests of the file: the algorithm, and how the index writes it."""


def quoted(value: object) -> str:
    """Something from a stranger, fit for a message."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def required(what: str, value: object) -> str:
    """A name or version: a text in one line."""
    if value is None or value == "":
        raise PackageError(f"no {what}")
    if not isinstance(value, str):
        raise PackageError(f"{what} is no text: {quoted(value)}")
    if _CONTROL.search(value) or value != value.strip() or len(value) > 255:
        raise PackageError(
            f"{what} is longer than 255 characters, or has a control character, or a space at an "
            f"end: {quoted(value)}"
        )
    return value


def called(package: Opened, *names: str) -> str:
    """The first of the names, where the file has one of them."""
    if package.filename not in names:
        raise PackageError(f"by its contents it is to be called {quoted(names[0])}")
    return names[0]


def storable(what: str, value: object) -> dict[str, Any]:
    """A JSON object that the database can store."""
    if not isinstance(value, dict):
        raise PackageError(f"{what} is no object")
    _check(what, value, _DEEPEST)
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > LARGEST:
        raise PackageError(f"{what} has {size} bytes: more than {LARGEST}")
    return value


def _check(what: str, value: object, deeper: int) -> None:
    if deeper == 0:
        raise PackageError(f"{what} is nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        for key, of in value.items():
            _check(what, key, deeper - 1)
            _check(what, of, deeper - 1)
    elif isinstance(value, list):
        for item in value:
            _check(what, item, deeper - 1)
    elif isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise PackageError(f"{what} has a NUL, or half a surrogate pair: {quoted(value)}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise PackageError(f"{what} has a number that is not finite")
