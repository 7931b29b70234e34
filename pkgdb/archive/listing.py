"""What a distribution has, as it was read: all of it in one state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from pkgdb.archive.errors import ArchiveError
from pkgdb.models import StoredFile

__all__ = ["Distribution", "Entry", "PoolFile", "entries"]


@dataclass(frozen=True)
class Distribution:
    """A distribution without its content."""

    namespace: str
    prefix: str
    distribution: str
    distribution_id: int
    ecosystem: str
    settings: dict[str, Any]
    revision: int
    components: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.prefix}/{self.distribution}" if self.prefix else self.distribution


@dataclass(frozen=True)
class Entry:
    """A version in a component, with what was published as it and not what was laid beside.

    `identity` is what no other version of the package and variant has, in the ecosystem's sense.
    """

    component: str
    name: str
    normalized_name: str
    version: str
    identity: bytes
    variant: str
    prerelease: bool
    listed: bool
    yank_reason: str | None
    deprecation: str | None
    metadata: dict[str, Any]
    files: tuple[StoredFile, ...]
    published_at: datetime

    def __str__(self) -> str:
        return " ".join(filter(None, [self.name, self.version, self.variant]))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Of a row that has the columns of `distribution_content`, and the others as well."""
        files = tuple(StoredFile.from_row(file) for file in row["files"] if file["role"] == "main")
        return cls(**{field.name: row[field.name] for field in fields(cls)} | {"files": files})


@dataclass(frozen=True, order=True)
class PoolFile:
    """A file that a distribution needs."""

    sha256: str
    filename: str
    size: int


def entries(found: Iterable[Entry]) -> list[Entry]:
    """The entries of a distribution, none of them at odds with another.

    Raises:
        ArchiveError: Two components have the same version with other content.
    """
    listed = list(found)
    seen: dict[tuple[str, bytes, str], Entry] = {}
    for entry in listed:
        other = seen.setdefault((entry.normalized_name, entry.identity, entry.variant), entry)
        if _digests(other) != _digests(entry):
            raise ArchiveError(
                f"{entry} is in component {other.component} and with other content in"
                f" {entry.component}"
            )
    return listed


def _digests(entry: Entry) -> set[tuple[str, str]]:
    return {(file.filename, file.sha256) for file in entry.files}
