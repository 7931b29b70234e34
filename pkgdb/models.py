"""What goes into the functions and what comes out of them, typed.

Each result mirrors a composite type of the schema, field by field. A newer schema may return more
fields than are known here: they are ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict
from uuid import UUID

from pkgdb.purl import coordinates

if TYPE_CHECKING:
    from packageurl import PackageURL

__all__ = [
    "BackendRef",
    "BlobLocation",
    "BulkRef",
    "ConsumerRef",
    "CopyRef",
    "CopyTask",
    "FeedEvent",
    "File",
    "Item",
    "MissingCopy",
    "Policy",
    "PublicationRef",
    "PurgeReport",
    "RepositoryRef",
    "StoredFile",
    "Validation",
    "ValidationRef",
    "VersionInfo",
    "VersionRef",
    "Violation",
]


class Policy(TypedDict, total=False):
    """A repository's policy; what is left out keeps its default."""

    reuse: Literal["never", "same_content", "always"]
    lookalike_guard: bool
    immutable: bool
    protected_names: list[str]
    keep_versions: int | None
    name_scope: Literal["ecosystem", "repository", "namespace"]
    validators: dict[str, Literal["required", "advisory"]]


@dataclass(frozen=True, slots=True)
class File:
    """A file to publish: its name, and its bytes named by digest (64 hex digits) and size."""

    filename: str
    sha256: str
    size: int
    media_type: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The object that the SQL functions take."""
        return {
            "filename": self.filename,
            "sha256": self.sha256,
            "size": self.size,
            "media_type": self.media_type,
            "attributes": dict(self.attributes),
        }


@dataclass(frozen=True, slots=True)
class Item:
    """One version for `publish_many`. `ecosystem` may be a purl, as in every method."""

    ecosystem: str | PackageURL
    name: str | None = None
    version: str | None = None
    variant: str = ""
    _: dataclasses.KW_ONLY
    files: Iterable[File | Mapping[str, Any]] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The object that the SQL function takes."""
        package = coordinates(self.ecosystem, self.name, self.version, self.variant)
        return {
            "ecosystem": package.ecosystem,
            "name": package.name,
            "version": package.version,
            "variant": package.variant,
            "files": files_as_json(self.files),
            "metadata": dict(self.metadata),
        }


def files_as_json(files: Iterable[File | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files as the array of objects that the SQL functions take."""
    return [file.as_json() if isinstance(file, File) else dict(file) for file in files]


class _Result:
    """Made from a row by the names of its columns."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: row[name] for name in names})


@dataclass(frozen=True)
class VersionRef(_Result):
    """What a mutation did to a registration; `version_id` is None where it is about a name."""

    registration_id: int
    version_id: int | None
    revision: int
    outcome: str


@dataclass(frozen=True)
class RepositoryRef(_Result):
    """What a mutation did to a repository."""

    repository_id: int
    revision: int
    outcome: str


@dataclass(frozen=True)
class BulkRef(_Result):
    """What `publish_many` did with one item; `item` counts from 1.

    `sqlstate` and `message` are set where the outcome is `refused`.
    """

    item: int
    registration_id: int | None
    version_id: int | None
    revision: int | None
    outcome: str
    sqlstate: str | None
    message: str | None


@dataclass(frozen=True)
class StoredFile(_Result):
    """A file of a version; `role` is `main`, or `side` for what was added by `add_files`."""

    filename: str
    sha256: str
    size: int
    media_type: str | None
    attributes: dict[str, Any]
    role: str


@dataclass(frozen=True)
class VersionInfo(_Result):
    """One live version, with its files in the order of their names."""

    registration_id: int
    version_id: int
    revision: int
    repository: str
    ecosystem: str
    name: str
    version: str
    normalized_version: str
    variant: str
    prerelease: bool
    status: str
    listed: bool
    yank_reason: str | None
    deprecation: str | None
    metadata: dict[str, Any]
    files: tuple[StoredFile, ...]
    published_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        files = tuple(StoredFile.from_row(file) for file in row["files"])
        return super().from_row({**row, "files": files})


@dataclass(frozen=True)
class MissingCopy(_Result):
    """A copy that a publication still has to make: this blob, at this key of this store.

    `requirement` is `optional` where the publication can be committed without it.
    """

    backend: str
    url: str
    object_key: str
    sha256: str
    size: int
    generation: int
    requirement: str


@dataclass(frozen=True)
class Validation(_Result):
    """Where one validator of a publication stands: `pending`, `succeeded` or `failed`."""

    validator: str
    requirement: str
    status: str


@dataclass(frozen=True)
class PublicationRef(_Result):
    """A publication and what it still lacks.

    `fence` is None where it is somebody else's, or ended; `publication_id` where there was nothing
    to do.
    """

    publication_id: int | None
    fence: int | None
    state: str
    outcome: str
    lease_until: datetime | None
    registration_id: int | None
    version_id: int | None
    copies: tuple[MissingCopy, ...]
    validations: tuple[Validation, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        copies = tuple(MissingCopy.from_row(copy) for copy in row["copies"] or ())
        validations = tuple(Validation.from_row(one) for one in row["validations"] or ())
        return super().from_row({**row, "copies": copies, "validations": validations})


@dataclass(frozen=True)
class ValidationRef(_Result):
    """What `record_validation` did."""

    publication_id: int
    validator: str
    round: int
    status: str
    attempts: int
    outcome: str


@dataclass(frozen=True)
class BackendRef(_Result):
    """A backend, and the installation that may delete objects of its store."""

    backend_id: int
    installation_id: UUID
    outcome: str


@dataclass(frozen=True)
class BlobLocation(_Result):
    """An object that holds the bytes of a digest."""

    backend: str
    url: str
    object_key: str
    size: int
    generation: int
    verified_at: datetime | None


@dataclass(frozen=True)
class CopyTask(_Result):
    """Work on one object of a store: to make it from another copy, or to delete it.

    `source_url` and `source_key` say where the bytes are; they are None for a deletion.
    """

    backend: str
    url: str
    object_key: str
    sha256: str
    size: int
    generation: int
    attempt: int
    source_url: str | None
    source_key: str | None


@dataclass(frozen=True)
class CopyRef(_Result):
    """What a call did to one copy of a blob: `pending`, `present`, `lost` or `deleting`."""

    backend: str
    sha256: str
    generation: int
    state: str
    outcome: str


@dataclass(frozen=True)
class FeedEvent(_Result):
    """One committed change, at its place in the namespace's feed.

    `position` and `incarnation` are the cursor of who has read it.
    """

    namespace: str
    position: int
    incarnation: UUID
    event_id: int
    event: str
    repository_id: int
    registration_id: int | None
    version_id: int | None
    revision: int
    ecosystem: str | None
    name: str
    version: str | None
    variant: str | None
    actor: str | None
    login: str
    occurred_at: datetime
    sequenced_at: datetime


@dataclass(frozen=True)
class ConsumerRef(_Result):
    """A consumer of the feed: up to where it has read, in which incarnation of the feed."""

    consumer: str
    incarnation: UUID | None
    position: int
    outcome: str


@dataclass(frozen=True)
class PurgeReport(_Result):
    """How much `purge` removed, and how many versions stay because something pins them."""

    versions: int
    files: int
    pinned: int
    requests: int
    repositories: int
    publications: int
    backends: int


@dataclass(frozen=True)
class Violation(_Result):
    """A broken promise: which one, in which relation, for which row."""

    promise: str
    relation: str
    key: Any
    detail: str
