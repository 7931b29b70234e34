"""The reader views as typed SQLAlchemy tables, for applications that query with it.

    from sqlalchemy import select
    from pkgdb.tables import registrations as r

    select(r.c.name, r.c.latest).where(r.c.namespace == "acme", r.c.repository == "main")

These are views: nothing is written through them, and `metadata` is not for migrations.
"""

# No `from __future__ import annotations`: SQLAlchemy reads these at run time.
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    MetaData,
    Named,
    Table,
    Text,
    TypedColumns,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

__all__ = [
    "backends",
    "blob_copies",
    "consumers",
    "dead_letters",
    "dependencies",
    "distribution_components",
    "distributions",
    "feed_positions",
    "files",
    "lock_waits",
    "metadata",
    "mirror_updates",
    "mirrors",
    "outdated_registrations",
    "package_versions",
    "publications",
    "registrations",
    "repositories",
    "repository_backends",
    "snapshot_sources",
    "snapshots",
    "tags",
    "validations",
]

metadata = MetaData(schema="pkgdb")


class _Repository(TypedColumns):
    namespace: Named[str] = Column(Text)
    repository: Named[str] = Column(Text)


class _Package(_Repository):
    ecosystem: Named[str] = Column(Text)
    name: Named[str] = Column(Text)


class _Version(_Package):
    registration_id: Named[int] = Column(BigInteger)
    version_id: Named[int] = Column(BigInteger)
    version: Named[str] = Column(Text)
    variant: Named[str] = Column(Text)


class _Repositories(_Repository):
    repository_id: Named[int] = Column(BigInteger)
    kind: Named[str] = Column(Text)
    policy: Named[dict[str, Any]] = Column(JSONB)
    revision: Named[int] = Column(BigInteger)
    epoch: Named[int] = Column(BigInteger)
    created_at: Named[datetime] = Column(DateTime(timezone=True))


class _Registrations(_Package):
    normalized_name: Named[str] = Column(Text)
    registration_id: Named[int] = Column(BigInteger)
    revision: Named[int] = Column(BigInteger)
    latest: Named[str | None] = Column(Text)
    latest_stable: Named[str | None] = Column(Text)
    versions: Named[int] = Column(BigInteger)
    files: Named[int] = Column(BigInteger)
    bytes: Named[int] = Column(BigInteger)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    updated_at: Named[datetime] = Column(DateTime(timezone=True))


class _PackageVersions(_Version):
    normalized_version: Named[str] = Column(Text)
    prerelease: Named[bool]
    status: Named[str] = Column(Text)
    listed: Named[bool]
    yank_reason: Named[str | None] = Column(Text)
    deprecation: Named[str | None] = Column(Text)
    metadata: Named[dict[str, Any]] = Column(JSONB)
    published_at: Named[datetime] = Column(DateTime(timezone=True))


class _Files(_Version):
    filename: Named[str] = Column(Text)
    sha256: Named[str] = Column(Text)
    size: Named[int] = Column(BigInteger)
    media_type: Named[str | None] = Column(Text)
    attributes: Named[dict[str, Any]] = Column(JSONB)
    role: Named[str] = Column(Text)


class _Tags(_Version):
    tag: Named[str] = Column(Text)


class _Dependencies(_Version):
    position: Named[int] = Column(Integer)
    alternative: Named[int] = Column(Integer)
    kind: Named[str] = Column(Text)
    relation: Named[str] = Column(Text)


class _Publications(_Repository):
    publication_id: Named[int] = Column(BigInteger)
    ecosystem: Named[str] = Column(Text)
    name: Named[str] = Column(Text)
    version: Named[str] = Column(Text)
    variant: Named[str] = Column(Text)
    status: Named[str] = Column(Text)
    actor: Named[str] = Column(Text)
    login: Named[str] = Column(Text)
    request_key: Named[str | None] = Column(Text)
    fence: Named[int] = Column(BigInteger)
    lease_until: Named[datetime] = Column(DateTime(timezone=True))
    reason: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    ended_at: Named[datetime | None] = Column(DateTime(timezone=True))
    version_id: Named[int] = Column(BigInteger)
    outcome: Named[str | None] = Column(Text)


class _Validations(TypedColumns):
    namespace: Named[str] = Column(Text)
    publication_id: Named[int] = Column(BigInteger)
    validator: Named[str] = Column(Text)
    round: Named[int] = Column(Integer)
    requirement: Named[str] = Column(Text)
    status: Named[str] = Column(Text)
    attempts: Named[int] = Column(Integer)
    detail: Named[str | None] = Column(Text)
    updated_at: Named[datetime] = Column(DateTime(timezone=True))


class _Backend(TypedColumns):
    namespace: Named[str] = Column(Text)
    backend: Named[str] = Column(Text)


class _Backends(_Backend):
    backend_id: Named[int] = Column(BigInteger)
    url: Named[str] = Column(Text)
    status: Named[str] = Column(Text)
    installation_id: Named[UUID] = Column(Uuid)
    created_at: Named[datetime] = Column(DateTime(timezone=True))


class _RepositoryBackends(_Backend):
    repository: Named[str] = Column(Text)
    requirement: Named[str] = Column(Text)


class _BlobCopies(_Backend):
    sha256: Named[str] = Column(Text)
    size: Named[int] = Column(BigInteger)
    url: Named[str] = Column(Text)
    object_key: Named[str] = Column(Text)
    generation: Named[int] = Column(BigInteger)
    verified_at: Named[datetime | None] = Column(DateTime(timezone=True))


class _DeadLetters(_Backend):
    sha256: Named[str] = Column(Text)
    generation: Named[int] = Column(BigInteger)
    task: Named[str] = Column(Text)
    attempts: Named[int] = Column(Integer)
    last_error: Named[str | None] = Column(Text)
    next_attempt_at: Named[datetime | None] = Column(DateTime(timezone=True))


class _Mirrors(_Repository):
    upstream: Named[dict[str, Any]] = Column(JSONB)
    release: Named[str | None] = Column(Text)
    updated_at: Named[datetime | None] = Column(DateTime(timezone=True))


class _MirrorUpdates(TypedColumns):
    namespace: Named[str] = Column(Text)
    update_id: Named[int] = Column(BigInteger)
    repository: Named[str | None] = Column(Text)
    status: Named[str] = Column(Text)
    actor: Named[str] = Column(Text)
    fence: Named[int] = Column(BigInteger)
    lease_until: Named[datetime] = Column(DateTime(timezone=True))
    release: Named[str | None] = Column(Text)
    staged: Named[int] = Column(BigInteger)
    report: Named[dict[str, int] | None] = Column(JSONB)
    reason: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    ended_at: Named[datetime | None] = Column(DateTime(timezone=True))


class _Snapshot(TypedColumns):
    namespace: Named[str] = Column(Text)
    snapshot: Named[str] = Column(Text)


class _Snapshots(_Snapshot):
    snapshot_id: Named[int] = Column(BigInteger)
    kind: Named[str] = Column(Text)
    repository: Named[str | None] = Column(Text)
    epoch: Named[int | None] = Column(BigInteger)
    members: Named[int | None] = Column(BigInteger)
    description: Named[str] = Column(Text)
    revision: Named[int] = Column(BigInteger)
    digest: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True))


class _SnapshotSources(_Snapshot):
    source: Named[str] = Column(Text)


class _Distribution(TypedColumns):
    namespace: Named[str] = Column(Text)
    prefix: Named[str] = Column(Text)
    distribution: Named[str] = Column(Text)


class _Distributions(_Distribution):
    distribution_id: Named[int] = Column(BigInteger)
    ecosystem: Named[str] = Column(Text)
    settings: Named[dict[str, Any]] = Column(JSONB)
    revision: Named[int] = Column(BigInteger)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    updated_at: Named[datetime] = Column(DateTime(timezone=True))


class _DistributionComponents(_Distribution):
    component: Named[str] = Column(Text)
    snapshot: Named[str | None] = Column(Text)
    repository: Named[str | None] = Column(Text)


class _FeedPositions(TypedColumns):
    namespace: Named[str] = Column(Text)
    head: Named[int] = Column(BigInteger)
    pruned_to: Named[int] = Column(BigInteger)
    incarnation: Named[UUID | None] = Column(Uuid)
    waiting: Named[int] = Column(BigInteger)
    waiting_since: Named[datetime | None] = Column(DateTime(timezone=True))


class _Consumers(TypedColumns):
    namespace: Named[str] = Column(Text)
    consumer: Named[str] = Column(Text)
    incarnation: Named[UUID | None] = Column(Uuid)
    position: Named[int] = Column(BigInteger)
    behind: Named[int] = Column(BigInteger)
    created_at: Named[datetime] = Column(DateTime(timezone=True))
    updated_at: Named[datetime] = Column(DateTime(timezone=True))


class _OutdatedRegistrations(_Package):
    registration_id: Named[int] = Column(BigInteger)
    scheme: Named[str] = Column(Text)
    current_scheme: Named[str] = Column(Text)
    versions: Named[int] = Column(BigInteger)


class _LockWaits(TypedColumns):
    pid: Named[int | None] = Column(Integer)
    gid: Named[str | None] = Column(Text)
    usename: Named[str | None] = Column(Text)
    application_name: Named[str | None] = Column(Text)
    lock_kind: Named[str | None] = Column(Text)
    namespace: Named[str | None] = Column(Text)
    repository: Named[str | None] = Column(Text)
    ecosystem: Named[str | None] = Column(Text)
    name: Named[str | None] = Column(Text)
    mode: Named[str] = Column(Text)
    granted: Named[bool]
    waiting_since: Named[datetime | None] = Column(DateTime(timezone=True))
    blocked_by: Named[list[int]] = Column(ARRAY(Integer))
    query: Named[str | None] = Column(Text)


repositories = Table("repositories", metadata, _Repositories)
registrations = Table("registrations", metadata, _Registrations)
package_versions = Table("package_versions", metadata, _PackageVersions)
files = Table("files", metadata, _Files)
tags = Table("tags", metadata, _Tags)
dependencies = Table("dependencies", metadata, _Dependencies)
publications = Table("publications", metadata, _Publications)
validations = Table("validations", metadata, _Validations)
backends = Table("backends", metadata, _Backends)
repository_backends = Table("repository_backends", metadata, _RepositoryBackends)
blob_copies = Table("blob_copies", metadata, _BlobCopies)
dead_letters = Table("dead_letters", metadata, _DeadLetters)
mirrors = Table("mirrors", metadata, _Mirrors)
mirror_updates = Table("mirror_updates", metadata, _MirrorUpdates)
snapshots = Table("snapshots", metadata, _Snapshots)
snapshot_sources = Table("snapshot_sources", metadata, _SnapshotSources)
distributions = Table("distributions", metadata, _Distributions)
distribution_components = Table("distribution_components", metadata, _DistributionComponents)
feed_positions = Table("feed_positions", metadata, _FeedPositions)
consumers = Table("consumers", metadata, _Consumers)
lock_waits = Table("lock_waits", metadata, _LockWaits)
outdated_registrations = Table("outdated_registrations", metadata, _OutdatedRegistrations)
