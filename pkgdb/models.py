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
    "ChangeRef",
    "ConsumerRef",
    "ContentRow",
    "CopyRef",
    "CopyTask",
    "DistributionRef",
    "FeedEvent",
    "File",
    "Item",
    "MirrorCopy",
    "MirrorRef",
    "MissingCopy",
    "MissingDependency",
    "Policy",
    "PublicationRef",
    "PurgeReport",
    "RepositoryRef",
    "SnapshotDifference",
    "SnapshotRef",
    "StoredFile",
    "UpstreamPolicy",
    "Validation",
    "ValidationRef",
    "VersionInfo",
    "VersionRef",
    "Violation",
]


class UpstreamPolicy(TypedDict, total=False):
    """What a mirror follows."""

    url: str
    distribution: str
    components: list[str]
    architectures: list[str]
    filter: str
    filter_with_deps: bool
    keyring: str | None
    download: bool


class Policy(TypedDict, total=False):
    """A repository's policy; what is left out keeps its default."""

    reuse: Literal["never", "same_content", "always"]
    lookalike_guard: bool
    immutable: bool
    protected_names: list[str]
    keep_versions: int | None
    name_scope: Literal["ecosystem", "repository", "namespace"]
    validators: dict[str, Literal["required", "advisory"]]
    upstream: UpstreamPolicy


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
    """One version for `publish_many` or `stage_mirror_items`. `ecosystem` may be a purl."""

    ecosystem: str | PackageURL
    name: str | None = None
    version: str | None = None
    variant: str = ""
    _: dataclasses.KW_ONLY
    files: Iterable[File | Mapping[str, Any]] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    dependencies: Iterable[Mapping[str, Any]] = ()

    def as_json(self) -> dict[str, Any]:
        """The object that the SQL functions take."""
        package = coordinates(self.ecosystem, self.name, self.version, self.variant)
        return {
            "ecosystem": package.ecosystem,
            "name": package.name,
            "version": package.version,
            "variant": package.variant,
            "files": files_as_json(self.files),
            "metadata": dict(self.metadata),
            "dependencies": [dict(dependency) for dependency in self.dependencies],
        }


def files_as_json(files: Iterable[File | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files as the array of objects that the SQL functions take."""
    return [file.as_json() if isinstance(file, File) else dict(file) for file in files]


def items_as_json(items: Iterable[Item | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Items as the array of objects that the SQL functions take."""
    return [item.as_json() if isinstance(item, Item) else dict(item) for item in items]


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
class SnapshotRef(_Result):
    """What a call did to a snapshot; `snapshot_id` is None where the outcome is `planned`.

    `members` is None where it is a repository's content. `changes` says which versions a pull adds
    and removes: objects of `action`, `ecosystem`, `name`, `version`, `variant`; else it is None.
    """

    snapshot_id: int | None
    revision: int | None
    members: int | None
    outcome: str
    changes: list[dict[str, Any]] | None


@dataclass(frozen=True)
class ChangeRef(_Result):
    """What copying, moving or removing versions did to a repository.

    `unchanged` versions were there already, `skipped` ones are quarantined. `changes` are objects
    of `action` (`add` or `remove`), `ecosystem`, `name`, `version`, `variant`. Where the outcome is
    `planned`, all of it is what would be done.
    """

    repository_id: int
    revision: int
    added: int
    removed: int
    unchanged: int
    skipped: int
    outcome: str
    changes: list[dict[str, Any]]


@dataclass(frozen=True)
class ContentRow(_Result):
    """A version in a repository, a snapshot, or a component of a distribution.

    Metadata and files are as they were frozen; status, listing and deprecation are those of now.
    `files` is None where they were not asked for, `component` where it is not of a distribution.
    """

    component: str | None
    ecosystem: str
    name: str
    version: str
    variant: str
    status: str
    listed: bool
    yank_reason: str | None
    deprecation: str | None
    metadata: dict[str, Any]
    files: tuple[StoredFile, ...] | None
    repository: str
    registration_id: int
    version_id: int
    published_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        files = row["files"]
        if files is not None:
            files = tuple(StoredFile.from_row(file) for file in files)
        return super().from_row({**row, "files": files})


@dataclass(frozen=True)
class SnapshotDifference(_Result):
    """What differs of one package: `added`, `removed`, `upgraded`, `downgraded`, or `changed`.

    `changed` is the same version with other content. A version is None on the side without it.
    """

    change: str
    ecosystem: str
    name: str
    variant: str
    left_version: str | None
    right_version: str | None


@dataclass(frozen=True)
class MissingDependency(_Result):
    """A version, and a relation of it that nothing satisfies for an architecture."""

    architecture: str
    ecosystem: str
    name: str
    version: str
    variant: str
    kind: str
    relation: str


@dataclass(frozen=True)
class MirrorRef(_Result):
    """An update of a mirror.

    `fence` is None where somebody else has it; `update_id` where there is nothing to do. `staged`
    counts the items so far. `report` says how many versions a commit `added`, `removed`, `changed`,
    left `unchanged`, and left out as `protected` or `filtered`.
    """

    update_id: int | None
    fence: int | None
    state: str
    outcome: str
    lease_until: datetime | None
    staged: int | None
    upstream: dict[str, Any]
    report: dict[str, int] | None


@dataclass(frozen=True)
class MirrorCopy(_Result):
    """A copy that an update still has to bring; `path` is where upstream has the bytes."""

    backend: str
    url: str
    object_key: str
    sha256: str
    size: int
    generation: int
    requirement: str
    path: str


@dataclass(frozen=True)
class DistributionRef(_Result):
    """What a call did to a distribution."""

    distribution_id: int
    revision: int
    outcome: str


@dataclass(frozen=True)
class FeedEvent(_Result):
    """One committed change, at its place in the namespace's feed.

    `position` and `incarnation` are the cursor of who has read it. `repository_id` is None where it
    is about a snapshot or a distribution, whose id is set then; `name` is the name of what it is
    about.
    """

    namespace: str
    position: int
    incarnation: UUID
    event_id: int
    event: str
    repository_id: int | None
    registration_id: int | None
    version_id: int | None
    snapshot_id: int | None
    distribution_id: int | None
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
