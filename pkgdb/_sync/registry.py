# Generated from pkgdb/_async/registry.py by tools/unasync.py: do not edit.
"""One method per SQL function, on any connection."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar
from uuid import UUID

import psycopg

from pkgdb._call import Call
from pkgdb._sync.executor import Executor, Owning, Single, executor_on
from pkgdb.errors import DRIVER_ERRORS, translate
from pkgdb.models import (
    BackendRef,
    BlobLocation,
    BulkRef,
    ChangeRef,
    ConsumerRef,
    ContentRow,
    CopyRef,
    CopyTask,
    DistributionRef,
    FeedEvent,
    File,
    Item,
    MirrorCopy,
    MirrorRef,
    MissingDependency,
    Policy,
    PublicationRef,
    PurgeReport,
    RepositoryRef,
    SnapshotDifference,
    SnapshotRef,
    ValidationRef,
    VersionInfo,
    VersionRef,
    Violation,
    files_as_json,
    items_as_json,
)
from pkgdb.purl import coordinates, only_name
from pkgdb.retry import DEFAULT_RETRY, RetryPolicy

if TYPE_CHECKING:
    from packageurl import PackageURL
    from psycopg_pool import ConnectionPool
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

__all__ = ["Registry", "Repository", "connect"]

P = ParamSpec("P")
R = TypeVar("R")


def connect(dsn: str = "", *, retry: RetryPolicy = DEFAULT_RETRY, **options: Any) -> Registry:
    """Opens a connection and returns a registry that owns it and every transaction on it.

    The calls on one registry take turns; for calls side by side give `Registry` a pool.

    Args:
        dsn: A libpq connection string or URI; what it leaves out comes from the environment.
        retry: How often a deadlock or serialization failure is tried again.
        options: Passed to `psycopg.Connection.connect`; `prepare_threshold=None` is for
            proxies that do not know prepared statements.

    Raises:
        ConnectionFailed: No server answered, or it refused the connection.
    """
    options.setdefault("fallback_application_name", "pkgdb")
    source = Single(dsn, options)
    try:
        with source.connection():
            return Registry._on(Owning(source, retry))
    except DRIVER_ERRORS as exc:
        raise translate(exc) from exc


class Registry:
    """The public SQL functions as methods: same names, same arguments, typed results.

    **Transactions.** On a psycopg connection, a SQLAlchemy connection or a SQLAlchemy session, the
    calls join the caller's transaction, which has to be READ COMMITTED; commit, rollback and
    trying again stay the caller's. On a pool, and from `connect`, each call is a transaction
    of its own: deadlocks, serialization failures and calls that a migration overtook are tried
    again as `retry` says; a connection that was lost is replaced, and the call sent once more if
    that cannot apply it twice.

    **Arguments** that most methods share:

    - `namespace`, `repository`: their names. `repository()` binds them once.
    - `ecosystem`, `name`, `version`, `variant`: which package; in any spelling that normalises.
      A purl (text or `PackageURL`) in place of `ecosystem` stands for all four; what it leaves open
      may be given by name.
    - `queries`: one text or many, in the query language; a version is meant if one of them matches.
    - `if_revision`: change nothing unless this is the revision (else `StaleRevision`).
    - `request_key`: a repeated request with this key returns the first one's answer.
    - `actor`: who is asking, in free text, for the record.

    **Errors**, besides those that a method names: `MalformedArgument` (RG400) for what is not well
    formed; `NotFound` (RG404) where the repository or the package is missing; `StaleRevision`
    (RG412); `Conflict` (RG409) for a `request_key` that was used for another request;
    `WrongIsolation` (RG405); `LockTimeout` (55P03); `Deadlock` (40P01); `PermissionDenied`
    (42501); `ConnectionFailed` and `OutcomeUnknown`. All of them are `PkgdbError`, with
    `sqlstate`, `message`, `detail` and `hint`.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any] | ConnectionPool[Any] | Connection | Session,
        *,
        retry: RetryPolicy = DEFAULT_RETRY,
    ) -> None:
        """Works on a connection, session or pool that stays the caller's.

        Args:
            connection: What to run on. It is not closed by this object.
            retry: For a pool: how often a transaction is tried again.
        """
        self._executor = executor_on(connection, retry)

    @classmethod
    def _on(cls, executor: Executor) -> Self:
        registry = cls.__new__(cls)
        registry._executor = executor
        return registry

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection that `connect` opened; leaves a caller's connection alone."""
        self._executor.close()

    @contextmanager
    def transaction(self) -> Iterator[Registry]:
        """Groups calls: all of them take effect or none. Nothing inside is tried again.

        Use the registry that the block gives. On a connection of the caller, and inside another
        such block, this is a savepoint: it undoes its calls after an error and leaves the
        transaction usable. (On a psycopg connection without an open transaction it is one.)

        Raises:
            OutcomeUnknown: The connection was lost while committing.
            PkgdbError: 25P02: an error was caught inside the block, which undid all of it.
        """
        with self._executor.transaction() as executor:
            yield Registry._on(executor)

    def repository(self, namespace: str, repository: str) -> Repository:
        """The methods with these two arguments given; whether it exists is not asked."""
        return Repository(self, namespace, repository)

    # Repositories

    def create_repository(
        self,
        namespace: str,
        repository: str,
        kind: str = "hosted",
        policy: Policy | Mapping[str, Any] | None = None,
        *,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> RepositoryRef:
        """Creates a repository, and its namespace when that is absent.

        Args:
            kind: `hosted` or `mirror`.
            policy: See `Policy`; what is left out has its default.

        Returns:
            Outcome `created`, or `unchanged` where it exists just so.

        Raises:
            Conflict: RG409: it exists with another kind or policy.
        """
        return RepositoryRef.from_row(
            self._row(
                "create_repository",
                namespace=namespace,
                repository=repository,
                kind=kind,
                policy=policy or {},
                request_key=request_key,
                actor=actor,
            )
        )

    def alter_repository(
        self,
        namespace: str,
        repository: str,
        policy: Policy | Mapping[str, Any],
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> RepositoryRef:
        """Changes the keys that `policy` has; the others stay.

        Returns:
            Outcome `altered` or `unchanged`.

        Raises:
            InvalidState: RG422: the name scope of a repository that has names, or this
                transaction already uses the repository.
        """
        return RepositoryRef.from_row(
            self._row(
                "alter_repository",
                namespace=namespace,
                repository=repository,
                policy=policy,
                if_revision=if_revision,
                request_key=request_key,
                actor=actor,
            )
        )

    def rename_repository(
        self,
        namespace: str,
        repository: str,
        new_name: str,
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> RepositoryRef:
        """Gives a repository another name.

        Returns:
            Outcome `renamed` or `unchanged`.

        Raises:
            Conflict: RG409: the new name is taken.
            InvalidState: RG422: this transaction already uses the repository.
        """
        return RepositoryRef.from_row(
            self._row(
                "rename_repository",
                namespace=namespace,
                repository=repository,
                new_name=new_name,
                if_revision=if_revision,
                request_key=request_key,
                actor=actor,
            )
        )

    def drop_repository(
        self,
        namespace: str,
        repository: str,
        force: bool = False,
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> RepositoryRef:
        """Drops a repository and everything in it; `purge` removes the rows later.

        Args:
            force: Also where there are snapshots of it: they keep what they contain.

        Returns:
            Outcome `dropped`.

        Raises:
            Forbidden: RG403: the repository is immutable.
            InvalidState: RG422: this transaction already uses the repository.
            InUse: RG423: there are snapshots of it, or, whatever `force` says, a distribution
                serves it.
        """
        return RepositoryRef.from_row(
            self._row(
                "drop_repository",
                namespace=namespace,
                repository=repository,
                force=force,
                if_revision=if_revision,
                request_key=request_key,
                actor=actor,
            )
        )

    # Publishing

    def publish(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        files: Iterable[File | Mapping[str, Any]] = (),
        metadata: Mapping[str, Any] | None = None,
        dependencies: Iterable[Mapping[str, Any]] = (),
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Publishes a version, or adds files to it where its ecosystem allows many.

        Args:
            files: `File` objects, or mappings with the same keys.
            metadata: Any JSON object of at most 1 MiB; it is stored as it is.
            dependencies: What it says of other packages: `{"kind": "depends", "alternatives":
                [{"name": "libc6", "constraints": [[">=", "2.34"]], "architecture": "any"}]}`.
            if_revision: 0 means that the name must be new.

        Returns:
            Outcome `created`, `files_added`, or `unchanged` where all of it is there.

        Raises:
            Forbidden: RG403: a mirror, a reserved or protected name, an immutable repository.
            Conflict: RG409: it exists with other content, or the name is taken.
            Gone: RG410: this version was deleted and may not be used again.
            InvalidState: RG422: the version is being published, or not available.
        """
        return self._change(
            "publish",
            (namespace, repository),
            (ecosystem, name, version, variant),
            files=files_as_json(files),
            metadata=metadata or {},
            dependencies=list(dependencies),
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def add_files(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        files: Iterable[File | Mapping[str, Any]] = (),
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Adds side files (symbols, signatures, attestations) to a version that exists.

        Returns:
            Outcome `files_added` or `unchanged`.

        Raises:
            Forbidden: RG403: a mirror, a protected name, an immutable repository.
            Conflict: RG409: a file of this name exists with other content.
            Gone: RG410: a file of this name was deleted and may not be used again.
            InvalidState: RG422: the version is not available.
        """
        return self._change(
            "add_files",
            (namespace, repository),
            (ecosystem, name, version, variant),
            files=files_as_json(files),
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def publish_many(
        self,
        namespace: str,
        repository: str,
        items: Iterable[Item | Mapping[str, Any]],
        strict: bool = True,
        *,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> list[BulkRef]:
        """Publishes many versions at once: one transaction, one lock on the repository.

        Args:
            items: `Item` objects, or mappings with the keys `ecosystem`, `name`, `version`,
                `variant`, `files`, `metadata`, `dependencies`.
            strict: The first refused item raises its error and nothing changes. Otherwise refused
                items are reported and the rest is published.

        Returns:
            One result per item; outcome `created`, `files_added`, `unchanged` or `refused`.

        Raises:
            Forbidden: RG403: the repository is a mirror.
            InvalidState: RG422: this transaction already uses the repository.
            PkgdbError: With `strict`, what `publish` raises for the first refused item.
        """
        rows = self._rows(
            "publish_many",
            namespace=namespace,
            repository=repository,
            items=items_as_json(items),
            strict=strict,
            request_key=request_key,
            actor=actor,
        )
        return [BulkRef.from_row(row) for row in rows]

    # Publications

    def begin_publication(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        files: Iterable[File | Mapping[str, Any]] = (),
        metadata: Mapping[str, Any] | None = None,
        dependencies: Iterable[Mapping[str, Any]] = (),
        role: str = "main",
        lease: timedelta = timedelta(minutes=15),
        request_key: str | None = None,
        actor: str | None = None,
    ) -> PublicationRef:
        """Reserves a version and its file names, and says which copies of which blobs to make.

        Make the copies, report each with `record_copy`, then call `commit_publication`; all of it
        with the `fence` that this call gives. `pkgdb.storage.Publisher` does so.

        Args:
            role: `main`, or `side` for files that are attached to a published version.
            lease: How long nobody else can take over; `renew_publication` begins it anew.
            request_key: The same actor with the same key and content goes on with the same
                publication, under a new fence, also while its lease runs.

        Returns:
            Outcome `begun` or `resumed`; `in_progress` where somebody else is publishing the same
            (then `fence` is None); `unchanged` where all of it is published.

        Raises:
            Forbidden: RG403: a mirror, a reserved or protected name, an immutable repository.
            Conflict: RG409: it exists or is being published with other content, or the name is
                taken.
            Gone: RG410: this version or file was deleted and may not be used again.
            InvalidState: RG422: the version is not available.
        """
        return PublicationRef.from_row(
            self._row(
                "begin_publication",
                namespace=namespace,
                repository=repository,
                **coordinates(ecosystem, name, version, variant)._asdict(),
                files=files_as_json(files),
                metadata=metadata or {},
                dependencies=list(dependencies),
                role=role,
                lease=lease,
                request_key=request_key,
                actor=actor,
            )
        )

    def renew_publication(
        self,
        namespace: str,
        publication_id: int,
        fence: int,
        lease: timedelta = timedelta(minutes=15),
    ) -> PublicationRef:
        """Begins the lease anew.

        Returns:
            Outcome `renewed`.

        Raises:
            InvalidState: RG422: it has ended.
        """
        return PublicationRef.from_row(
            self._row(
                "renew_publication",
                namespace=namespace,
                publication_id=publication_id,
                fence=fence,
                lease=lease,
            )
        )

    def record_copy(
        self,
        namespace: str,
        publication_id: int,
        fence: int,
        backend: str,
        sha256: str,
        generation: int,
    ) -> CopyRef:
        """Records that a blob is on a backend, whole, and durable.

        Returns:
            Outcome `recorded` or `unchanged`.

        Raises:
            InvalidState: RG422: the publication has ended.
        """
        return CopyRef.from_row(
            self._row(
                "record_copy",
                namespace=namespace,
                publication_id=publication_id,
                fence=fence,
                backend=backend,
                sha256=sha256,
                generation=generation,
            )
        )

    def record_validation(
        self,
        namespace: str,
        publication_id: int,
        validator: str,
        result: str,
        detail: str | None = None,
        round: int = 1,
        quarantine: bool = False,
        *,
        actor: str | None = None,
    ) -> ValidationRef:
        """Records what a validator of the repository's policy found.

        Args:
            result: `succeeded`, `failed`, or `error` where it could not tell. A required
                validator's failure ends an open publication.
            detail: What it has to say.
            round: 1 before the commit; who looks again at what is published counts on.
            quarantine: If it failed after the commit, quarantine the version.

        Returns:
            Outcome `recorded`, `unchanged` or `quarantined`.

        Raises:
            Conflict: RG409: it said otherwise in this round.
            InvalidState: RG422: a later round of what is not committed.
        """
        return ValidationRef.from_row(
            self._row(
                "record_validation",
                namespace=namespace,
                publication_id=publication_id,
                validator=validator,
                result=result,
                detail=detail,
                round=round,
                quarantine=quarantine,
                actor=actor,
            )
        )

    def commit_publication(
        self,
        namespace: str,
        publication_id: int,
        fence: int,
        *,
        if_revision: int | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Publishes: from here on there is only forward.

        Returns:
            Outcome `created`, `files_added`, or `unchanged` where it was committed before.

        Raises:
            Forbidden: RG403: a rule of the repository that came since.
            Conflict: RG409: the name went to another repository.
            InvalidState: RG422: copies or validations are missing, or it has ended.
        """
        return VersionRef.from_row(
            self._row(
                "commit_publication",
                namespace=namespace,
                publication_id=publication_id,
                fence=fence,
                if_revision=if_revision,
                actor=actor,
            )
        )

    def abort_publication(
        self,
        namespace: str,
        publication_id: int,
        fence: int,
        *,
        reason: str | None = None,
        actor: str | None = None,
    ) -> PublicationRef:
        """Gives up a publication; no object is deleted by that.

        Returns:
            Outcome `aborted` or `unchanged`.

        Raises:
            InvalidState: RG422: it is committed.
        """
        return PublicationRef.from_row(
            self._row(
                "abort_publication",
                namespace=namespace,
                publication_id=publication_id,
                fence=fence,
                reason=reason,
                actor=actor,
            )
        )

    def expire_publications(self, namespace: str, *, limit: int = 1000) -> int:
        """Ends publications whose lease has run out, and returns how many."""
        return int(self._value("expire_publications", namespace=namespace, limit=limit))

    # Lifecycle

    def yank(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        reason: str | None = None,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Unlists a version: it is never latest, and still found by its exact version.

        Returns:
            Outcome `yanked` or `unchanged`.

        Raises:
            InvalidState: RG422: it is still being published.
        """
        return self._change(
            "yank",
            (namespace, repository),
            (ecosystem, name, version, variant),
            reason=reason,
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def unyank(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Lists a yanked version again.

        Returns:
            Outcome `unyanked` or `unchanged`.

        Raises:
            InvalidState: RG422: it is still being published.
        """
        return self._change(
            "unyank",
            (namespace, repository),
            (ecosystem, name, version, variant),
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def deprecate(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        message: str | None = None,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Attaches a message to a version, which stays listed and can be latest.

        Args:
            message: The message; None withdraws the one that is there.

        Returns:
            Outcome `deprecated`, `undeprecated` or `unchanged`.

        Raises:
            InvalidState: RG422: it is still being published.
        """
        return self._change(
            "deprecate",
            (namespace, repository),
            (ecosystem, name, version, variant),
            message=message,
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def quarantine(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        reason: str | None = None,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Blocks a version: no lookup sees it, and nobody can publish in its place.

        Returns:
            Outcome `quarantined` or `unchanged`.

        Raises:
            InvalidState: RG422: it is still being published.
        """
        return self._change(
            "quarantine",
            (namespace, repository),
            (ecosystem, name, version, variant),
            reason=reason,
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def release_quarantine(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Makes a quarantined version available again.

        Returns:
            Outcome `released` or `unchanged`.

        Raises:
            InvalidState: RG422: it is still being published.
        """
        return self._change(
            "release_quarantine",
            (namespace, repository),
            (ecosystem, name, version, variant),
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def delete_version(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Deletes a version with its files and tags; `restore_version` brings it back.

        Returns:
            Outcome `deleted`, or `unchanged` with no `version_id` where it was deleted before.

        Raises:
            Forbidden: RG403: the repository is immutable.
        """
        return self._change(
            "delete_version",
            (namespace, repository),
            (ecosystem, name, version, variant),
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def restore_version(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Brings back a version that was deleted and not yet purged; not its tags.

        Returns:
            Outcome `restored` or `unchanged`.

        Raises:
            NotFound: RG404: nothing is left to restore.
            Forbidden: RG403: a mirror or a protected name.
            Conflict: RG409: another version or file took its place.
            InvalidState: RG422: its bytes are missing on a backend that is required by now.
        """
        return self._change(
            "restore_version",
            (namespace, repository),
            (ecosystem, name, version, variant),
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def delete_file(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        filename: str,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Deletes one file of a version.

        Returns:
            Outcome `file_deleted` or `unchanged`.

        Raises:
            Forbidden: RG403: the repository is immutable.
            InvalidState: RG422: it is still being published.
        """
        return self._change(
            "delete_file",
            (namespace, repository),
            (ecosystem, name, version, variant),
            filename=filename,
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def purge(
        self,
        namespace: str,
        repository: str | None = None,
        *,
        limit: int = 1000,
        older_than: timedelta = timedelta(),
    ) -> PurgeReport:
        """Removes for good what was deleted, except what a snapshot contains.

        Args:
            repository: Only this one; None for all of the namespace.
            limit: At most so many versions, and so many files, in one call.
            older_than: Only what was deleted at least so long ago.
        """
        return PurgeReport.from_row(
            self._row(
                "purge",
                namespace=namespace,
                repository=repository,
                limit=limit,
                older_than=older_than,
            )
        )

    def apply_retention(
        self, namespace: str, repository: str, *, limit: int = 1000, actor: str | None = None
    ) -> int:
        """Deletes what the policy's `keep_versions` does not keep, and returns how many.

        Args:
            limit: At most so many in one call; 0 are deleted when the policy holds.

        Raises:
            InvalidState: RG422: this transaction already uses the repository.
        """
        return int(
            self._value(
                "apply_retention",
                namespace=namespace,
                repository=repository,
                limit=limit,
                actor=actor,
            )
        )

    # Names and tags

    def set_tag(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        tag: str,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Points a tag at a version, from wherever it pointed before.

        Returns:
            Outcome `tagged` or `unchanged`.

        Raises:
            InvalidState: RG422: the version is not available.
        """
        return self._change(
            "set_tag",
            (namespace, repository),
            (ecosystem, name, version, variant),
            tag=tag,
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def drop_tag(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        *,
        tag: str,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Removes a tag.

        Returns:
            Outcome `tag_dropped`, or `unchanged` where there is none.
        """
        return self._change_name(
            "drop_tag",
            (namespace, repository),
            (ecosystem, name),
            tag=tag,
            if_revision=if_revision,
            request_key=request_key,
            actor=actor,
        )

    def reserve_name(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        *,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Reserves a name: publishing it is RG403 until `release_name`.

        Returns:
            Outcome `reserved` or `unchanged`; `version_id` is None.

        Raises:
            Conflict: RG409: the name is taken.
        """
        return self._change_name(
            "reserve_name",
            (namespace, repository),
            (ecosystem, name),
            request_key=request_key,
            actor=actor,
        )

    def release_name(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        *,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> VersionRef:
        """Frees a reserved name for anyone.

        Returns:
            Outcome `released`, or `unchanged` where the name is in use.
        """
        return self._change_name(
            "release_name",
            (namespace, repository),
            (ecosystem, name),
            request_key=request_key,
            actor=actor,
        )

    # Looking

    def resolve(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        want: str | None = None,
        variants: str | Sequence[str] | None = None,
    ) -> VersionInfo:
        """Finds one available version.

        Args:
            want: `latest`, `latest_stable`, `tag:<name>` or a version, or the version of a purl;
                for nuget also `latest_semver1` and `latest_stable_semver1`, for clients that do
                not know SemVer 2.
            variants: The variant, or those that the client can use, best first; None for any.

        Raises:
            NotFound: RG404: there is no such version.
        """
        usable = (variants,) if isinstance(variants, str) else tuple(variants or ())
        package = coordinates(ecosystem, name, want, next(iter(usable), None))
        if not usable and package.variant is not None:
            usable = (package.variant,)
        return VersionInfo.from_row(
            self._row(
                "resolve",
                namespace=namespace,
                repository=repository,
                ecosystem=package.ecosystem,
                name=package.name,
                want=package.version,
                variants=usable if usable or variants is not None else None,
            )
        )

    def versions(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        *,
        limit: int | None = None,
        after_version_id: int | None = None,
    ) -> list[VersionInfo]:
        """The available versions of a package, listed or not, highest first.

        Args:
            limit: At most so many; None for all.
            after_version_id: Go on after this version of the previous page.
        """
        rows = self._rows(
            "versions",
            namespace=namespace,
            repository=repository,
            **only_name(ecosystem, name)._asdict(),
            limit=limit,
            after_version_id=after_version_id,
        )
        return [VersionInfo.from_row(row) for row in rows]

    # Storage

    def add_backend(
        self,
        namespace: str,
        backend: str,
        url: str,
        *,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> BackendRef:
        """Makes a store of bytes known; a repository uses it after `set_repository_backend`.

        Args:
            url: Where it is, for clients: `file:///folder`, `s3://bucket/prefix`. No secrets.

        Returns:
            Outcome `created` or `unchanged`; `installation_id` belongs into the store: see
            `pkgdb.storage.Store.claim`.

        Raises:
            Conflict: RG409: it exists with another url.
        """
        return BackendRef.from_row(
            self._row(
                "add_backend",
                namespace=namespace,
                backend=backend,
                url=url,
                request_key=request_key,
                actor=actor,
            )
        )

    def adopt_backend(
        self, namespace: str, backend: str, *, actor: str | None = None
    ) -> BackendRef:
        """Makes this database the one that deletes in the store: after a restore or a move.

        Returns:
            Outcome `adopted`, with the new `installation_id`, which belongs into the store.
        """
        return BackendRef.from_row(
            self._row("adopt_backend", namespace=namespace, backend=backend, actor=actor)
        )

    def retire_backend(
        self, namespace: str, backend: str, abandon: bool = False, *, actor: str | None = None
    ) -> BackendRef:
        """Takes a backend that no repository uses out of use; the collector empties it.

        Args:
            abandon: Forget what is on it and leave the store as it is.

        Returns:
            Outcome `retired` or `unchanged`.

        Raises:
            InUse: RG423: a repository uses it.
        """
        return BackendRef.from_row(
            self._row(
                "retire_backend",
                namespace=namespace,
                backend=backend,
                abandon=abandon,
                actor=actor,
            )
        )

    def set_repository_backend(
        self,
        namespace: str,
        repository: str,
        backend: str,
        requirement: str = "required",
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> RepositoryRef:
        """Says what a repository demands of a backend.

        Args:
            requirement: `required`: nothing is committed that is not there (where bytes are still
                to be brought there, it is `filling` until they are); `optional`: uploads go there
                when they can; `none`.

        Returns:
            Outcome `altered` or `unchanged`.

        Raises:
            InvalidState: RG422: this transaction already uses the repository.
        """
        return RepositoryRef.from_row(
            self._row(
                "set_repository_backend",
                namespace=namespace,
                repository=repository,
                backend=backend,
                requirement=requirement,
                if_revision=if_revision,
                request_key=request_key,
                actor=actor,
            )
        )

    def promote_backends(self, namespace: str) -> int:
        """Makes backends that have been filled required, and returns how many.

        Raises:
            InvalidState: RG422: this transaction already uses such a repository.
        """
        return int(self._value("promote_backends", namespace=namespace))

    def claim_copies(
        self, namespace: str, *, limit: int = 100, lease: timedelta = timedelta(minutes=5)
    ) -> list[CopyTask]:
        """Takes copies to be made: copy each, then `verify_copy` or `record_copy_failure`.

        Args:
            lease: What is not answered by then is given to another worker.
        """
        rows = self._rows("claim_copies", namespace=namespace, limit=limit, lease=lease)
        return [CopyTask.from_row(row) for row in rows]

    def verify_copy(
        self,
        namespace: str,
        backend: str,
        sha256: str,
        generation: int,
        found_sha256: str | None,
    ) -> CopyRef:
        """Says which digest was found where a copy should be; None for no object.

        Returns:
            Outcome `present`, `unchanged`, or `lost`: then it is to be made again.
        """
        return CopyRef.from_row(
            self._row(
                "verify_copy",
                namespace=namespace,
                backend=backend,
                sha256=sha256,
                generation=generation,
                found_sha256=found_sha256,
            )
        )

    def locate_blob(self, namespace: str, sha256: str) -> list[BlobLocation]:
        """The objects that hold the bytes of a digest; none where none are stored."""
        rows = self._rows("locate_blob", namespace=namespace, sha256=sha256)
        return [BlobLocation.from_row(row) for row in rows]

    def collect_blobs(
        self,
        namespace: str,
        backend: str | None = None,
        installation_id: UUID | None = None,
        *,
        limit: int = 100,
        grace: timedelta = timedelta(),
        lease: timedelta = timedelta(minutes=5),
    ) -> list[CopyTask]:
        """Takes objects to be deleted: delete each, then `confirm_blob_deleted`.

        Args:
            backend: Whose objects; None only takes blobs that nothing needs, and returns them as
                tasks of which nothing but the digest is set.
            installation_id: What the store itself says: see `pkgdb.storage.Store.owner`.
            grace: Only blobs that nothing has referred to for so long.
            lease: What is not answered by then is given to another worker.

        Raises:
            InvalidState: RG422: this database was restored, cloned or moved: `adopt_backend`.
        """
        rows = self._rows(
            "collect_blobs",
            namespace=namespace,
            backend=backend,
            installation_id=installation_id,
            limit=limit,
            grace=grace,
            lease=lease,
        )
        return [CopyTask.from_row(row) for row in rows]

    def confirm_blob_deleted(
        self, namespace: str, backend: str, sha256: str, generation: int, attempt: int
    ) -> CopyRef:
        """Records that an object which `collect_blobs` gave is gone.

        Returns:
            Outcome `deleted` or `unchanged`; `postponed` where its upload may be on its way: it is
            given once more a day later.

        Raises:
            InvalidState: RG422: it is not to be deleted.
        """
        return CopyRef.from_row(
            self._row(
                "confirm_blob_deleted",
                namespace=namespace,
                backend=backend,
                sha256=sha256,
                generation=generation,
                attempt=attempt,
            )
        )

    def record_copy_failure(
        self, namespace: str, backend: str, sha256: str, generation: int, attempt: int, error: str
    ) -> CopyRef:
        """Records why a copy or a deletion failed; it comes again after a pause.

        Returns:
            Outcome `recorded` or `unchanged`.
        """
        return CopyRef.from_row(
            self._row(
                "record_copy_failure",
                namespace=namespace,
                backend=backend,
                sha256=sha256,
                generation=generation,
                attempt=attempt,
                error=error,
            )
        )

    # Mirrors

    def begin_mirror_update(
        self,
        namespace: str,
        repository: str,
        release: str | None = None,
        *,
        lease: timedelta = timedelta(minutes=15),
        request_key: str | None = None,
        actor: str | None = None,
    ) -> MirrorRef:
        """Takes the lease on a mirror, to bring it to the state of its upstream.

        Stage what upstream has with `stage_mirror_items`, bring `missing_mirror_copies`, report
        each with `record_mirror_copy`, then call `commit_mirror_update`; all of it with the
        `fence` that this call gives.

        Args:
            release: What upstream calls its present state, such as the digest of its Release file.
            lease: How long nobody else can take over; `stage_mirror_items` begins it anew.
            request_key: The same actor with the same key goes on with the same update, under a new
                fence, also while its lease runs.

        Returns:
            Outcome `begun`; `resumed`, where what was staged of the same release stays;
            `in_progress` where somebody else is at it (then `fence` is None); `unchanged` where
            the mirror is at that release (then `update_id` is None).

        Raises:
            InvalidState: RG422: the repository is not a mirror.
        """
        return MirrorRef.from_row(
            self._row(
                "begin_mirror_update",
                namespace=namespace,
                repository=repository,
                release=release,
                lease=lease,
                request_key=request_key,
                actor=actor,
            )
        )

    def stage_mirror_items(
        self,
        namespace: str,
        update_id: int,
        fence: int,
        items: Iterable[Item | Mapping[str, Any]],
        lease: timedelta = timedelta(minutes=15),
    ) -> MirrorRef:
        """Notes versions that upstream has, a chunk at a time, and begins the lease anew.

        Args:
            items: As for `publish_many`; none at all only renew the lease.

        Returns:
            Outcome `staged`; the same item again changes nothing.

        Raises:
            Conflict: RG409: an item was staged, or the size of a blob is known, otherwise.
            InvalidState: RG422: the update has ended.
        """
        return MirrorRef.from_row(
            self._row(
                "stage_mirror_items",
                namespace=namespace,
                update_id=update_id,
                fence=fence,
                items=items_as_json(items),
                lease=lease,
            )
        )

    def missing_mirror_copies(
        self, namespace: str, update_id: int, fence: int, *, limit: int = 1000
    ) -> list[MirrorCopy]:
        """Copies of staged files that the mirror's backends do not have yet.

        Raises:
            Conflict: RG409: the size of a blob is known otherwise.
            InvalidState: RG422: the update has ended.
        """
        rows = self._rows(
            "missing_mirror_copies",
            namespace=namespace,
            update_id=update_id,
            fence=fence,
            limit=limit,
        )
        return [MirrorCopy.from_row(row) for row in rows]

    def record_mirror_copy(
        self,
        namespace: str,
        update_id: int,
        fence: int,
        backend: str,
        sha256: str,
        generation: int,
    ) -> CopyRef:
        """Records that a blob of an update is on a backend, whole, and durable.

        Returns:
            Outcome `recorded` or `unchanged`.

        Raises:
            InvalidState: RG422: the update has ended.
        """
        return CopyRef.from_row(
            self._row(
                "record_mirror_copy",
                namespace=namespace,
                update_id=update_id,
                fence=fence,
                backend=backend,
                sha256=sha256,
                generation=generation,
            )
        )

    def commit_mirror_update(
        self, namespace: str, update_id: int, fence: int, *, actor: str | None = None
    ) -> MirrorRef:
        """Makes the mirror what was staged: everything at once, or nothing.

        Returns:
            Outcome `committed`, or `unchanged` where it was committed before; see `report`.

        Raises:
            Conflict: RG409: two versions of upstream have files of one name.
            InvalidState: RG422: bytes are missing, the update has ended, or this transaction
                already uses the repository.
        """
        return MirrorRef.from_row(
            self._row(
                "commit_mirror_update",
                namespace=namespace,
                update_id=update_id,
                fence=fence,
                actor=actor,
            )
        )

    def abort_mirror_update(
        self, namespace: str, update_id: int, fence: int, *, reason: str | None = None
    ) -> MirrorRef:
        """Gives up an update and leaves the mirror as it is.

        Returns:
            Outcome `aborted` or `unchanged`.

        Raises:
            InvalidState: RG422: it is committed.
        """
        return MirrorRef.from_row(
            self._row(
                "abort_mirror_update",
                namespace=namespace,
                update_id=update_id,
                fence=fence,
                reason=reason,
            )
        )

    # Snapshots

    def create_snapshot(
        self,
        namespace: str,
        snapshot: str,
        repository: str | None = None,
        *,
        items: Iterable[str | PackageURL | Mapping[str, Any]] | None = None,
        description: str = "",
        request_key: str | None = None,
        actor: str | None = None,
    ) -> SnapshotRef:
        """Freezes what a repository contains, at a cost that does not depend on its size.

        Args:
            repository: None for an empty snapshot.
            items: Only these versions of it: purls, or mappings with the keys `ecosystem`, `name`,
                `version`, `variant`.
            description: Free text, for people.

        Returns:
            Outcome `created`.

        Raises:
            Conflict: RG409: the name is taken.
            InvalidState: RG422: the mirror was never updated, or this transaction already uses the
                repository.
        """
        return SnapshotRef.from_row(
            self._row(
                "create_snapshot",
                namespace=namespace,
                snapshot=snapshot,
                repository=repository,
                items=None if items is None else [_identity(item) for item in items],
                description=description,
                request_key=request_key,
                actor=actor,
            )
        )

    def merge_snapshots(
        self,
        namespace: str,
        snapshot: str,
        sources: str | Iterable[str],
        *,
        latest: bool = False,
        no_remove: bool = False,
        description: str = "",
        request_key: str | None = None,
        actor: str | None = None,
    ) -> SnapshotRef:
        """Merges snapshots into a new one; of a package, what a later one has replaces the rest.

        Args:
            sources: Snapshots, in their order.
            latest: Only the highest version of each package stays.
            no_remove: All versions stay.

        Returns:
            Outcome `created`.

        Raises:
            Conflict: RG409: the name is taken.
        """
        return SnapshotRef.from_row(
            self._row(
                "merge_snapshots",
                namespace=namespace,
                snapshot=snapshot,
                sources=_texts(sources),
                latest=latest,
                no_remove=no_remove,
                description=description,
                request_key=request_key,
                actor=actor,
            )
        )

    def pull_snapshot(
        self,
        namespace: str,
        snapshot: str,
        target: str,
        source: str,
        queries: str | Iterable[str],
        *,
        follow: bool = True,
        no_remove: bool = False,
        all_matches: bool = False,
        architectures: str | Iterable[str] | None = None,
        kinds: str | Iterable[str] = ("depends", "pre-depends"),
        dry_run: bool = False,
        description: str = "",
        request_key: str | None = None,
        actor: str | None = None,
    ) -> SnapshotRef:
        """Makes a snapshot of a target and what queries match in a source, with its dependencies.

        Args:
            snapshot: The new one.
            queries: What to pull; of each package the highest match.
            follow: Also what the pulled packages depend on and the target lacks.
            no_remove: Other versions of pulled packages stay.
            all_matches: Pull every match, not the highest alone.
            architectures: Only what is for one of them, or for all; None for those of the target.
            kinds: Which relations are followed.
            dry_run: Only say what would change.

        Returns:
            Outcome `created` or `planned`, with `changes`.

        Raises:
            Conflict: RG409: the name is taken.
        """
        return SnapshotRef.from_row(
            self._row(
                "pull_snapshot",
                namespace=namespace,
                snapshot=snapshot,
                target=target,
                source=source,
                queries=_texts(queries),
                follow=follow,
                no_remove=no_remove,
                all_matches=all_matches,
                architectures=_some_texts(architectures),
                kinds=_texts(kinds),
                dry_run=dry_run,
                description=description,
                request_key=request_key,
                actor=actor,
            )
        )

    def filter_snapshot(
        self,
        namespace: str,
        snapshot: str,
        source: str,
        queries: str | Iterable[str],
        *,
        follow: bool = False,
        architectures: str | Iterable[str] | None = None,
        kinds: str | Iterable[str] = ("depends", "pre-depends"),
        description: str = "",
        request_key: str | None = None,
        actor: str | None = None,
    ) -> SnapshotRef:
        """Makes a snapshot of what one of the queries matches in another.

        Args:
            snapshot: The new one.
            follow: Also what the matches depend on there.
            architectures: Whose dependencies; None for those of the source.
            kinds: Which relations are followed.

        Returns:
            Outcome `created`.

        Raises:
            Conflict: RG409: the name is taken.
        """
        return SnapshotRef.from_row(
            self._row(
                "filter_snapshot",
                namespace=namespace,
                snapshot=snapshot,
                source=source,
                queries=_texts(queries),
                follow=follow,
                architectures=_some_texts(architectures),
                kinds=_texts(kinds),
                description=description,
                request_key=request_key,
                actor=actor,
            )
        )

    def diff_snapshots(self, namespace: str, left: str, right: str) -> list[SnapshotDifference]:
        """What differs between two snapshots, package by package."""
        rows = self._rows("diff_snapshots", namespace=namespace, left=left, right=right)
        return [SnapshotDifference.from_row(row) for row in rows]

    def verify_snapshot(
        self,
        namespace: str,
        snapshot: str,
        sources: str | Iterable[str] = (),
        *,
        architectures: str | Iterable[str] | None = None,
        kinds: str | Iterable[str] = ("depends", "pre-depends"),
    ) -> list[MissingDependency]:
        """The relations of a snapshot's packages that nothing in it satisfies.

        Args:
            sources: Further snapshots to look in.
            architectures: For which; None for those of the snapshot.
            kinds: Which relations.
        """
        rows = self._rows(
            "verify_snapshot",
            namespace=namespace,
            snapshot=snapshot,
            sources=_texts(sources),
            architectures=_some_texts(architectures),
            kinds=_texts(kinds),
        )
        return [MissingDependency.from_row(row) for row in rows]

    def snapshot_digest(self, namespace: str, snapshot: str) -> str:
        """SHA-256, as 64 hex digits, over a snapshot's listing: it never changes."""
        return str(self._value("snapshot_digest", namespace=namespace, snapshot=snapshot))

    def seal_snapshots(self, namespace: str, *, limit: int = 10) -> int:
        """Notes the digests of snapshots that have none yet, and returns how many."""
        return int(self._value("seal_snapshots", namespace=namespace, limit=limit))

    def rename_snapshot(
        self,
        namespace: str,
        snapshot: str,
        new_name: str,
        *,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> SnapshotRef:
        """Gives a snapshot another name.

        Returns:
            Outcome `renamed` or `unchanged`.

        Raises:
            Conflict: RG409: the new name is taken.
        """
        return SnapshotRef.from_row(
            self._row(
                "rename_snapshot",
                namespace=namespace,
                snapshot=snapshot,
                new_name=new_name,
                request_key=request_key,
                actor=actor,
            )
        )

    def drop_snapshot(
        self,
        namespace: str,
        snapshot: str,
        force: bool = False,
        *,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> SnapshotRef:
        """Drops a snapshot.

        Args:
            force: Also where it is a source of others: they keep what they contain.

        Returns:
            Outcome `dropped`.

        Raises:
            InUse: RG423: it is a source of others, or, whatever `force` says, a distribution
                serves it.
        """
        return SnapshotRef.from_row(
            self._row(
                "drop_snapshot",
                namespace=namespace,
                snapshot=snapshot,
                force=force,
                request_key=request_key,
                actor=actor,
            )
        )

    # Queries

    def search_versions(
        self,
        namespace: str,
        repository: str | None = None,
        snapshot: str | None = None,
        query: str | None = None,
        *,
        files: bool = False,
    ) -> list[ContentRow]:
        """The versions of a repository as it is now, or of a snapshot, that a query matches.

        Args:
            query: None for all.
            files: With the files of each.
        """
        rows = self._rows(
            "search_versions",
            namespace=namespace,
            repository=repository,
            snapshot=snapshot,
            query=query,
            files=files,
        )
        return [ContentRow.from_row(row) for row in rows]

    def copy_versions(
        self,
        namespace: str,
        repository: str,
        queries: str | Iterable[str],
        *,
        from_repository: str | None = None,
        from_snapshot: str | None = None,
        replace: bool = False,
        dry_run: bool = False,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> ChangeRef:
        """Publishes in a repository what one of the queries matches elsewhere; bytes are shared.

        Args:
            from_repository: Where from; or
            from_snapshot: where from.
            replace: What is there with other content goes first.
            dry_run: Only say what would change.

        Returns:
            Outcome `copied`, `unchanged` or `planned`, with `changes`.

        Raises:
            Forbidden: RG403: a mirror, a reserved or protected name, an immutable repository.
            Conflict: RG409: it exists with other content, or the name is taken.
            Gone: RG410: it was deleted and may not be used again.
            InvalidState: RG422: it is being published, not available, lacks bytes on a backend, or
                this transaction already uses the repository.
        """
        return ChangeRef.from_row(
            self._row(
                "copy_versions",
                namespace=namespace,
                repository=repository,
                queries=_texts(queries),
                from_repository=from_repository,
                from_snapshot=from_snapshot,
                replace=replace,
                dry_run=dry_run,
                request_key=request_key,
                actor=actor,
            )
        )

    def move_versions(
        self,
        namespace: str,
        repository: str,
        from_repository: str,
        queries: str | Iterable[str],
        *,
        replace: bool = False,
        dry_run: bool = False,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> ChangeRef:
        """Publishes in a repository what queries match in another one, and deletes it there.

        Args:
            replace: What is there with other content goes first.
            dry_run: Only say what would change.

        Returns:
            Outcome `moved`, `unchanged` or `planned`, with `changes`.

        Raises:
            Forbidden: RG403: a mirror, a reserved or protected name, an immutable repository.
            Conflict: RG409: it exists with other content, or the name is taken.
            Gone: RG410: it was deleted and may not be used again.
            InvalidState: RG422: it is being published, not available, lacks bytes on a backend, or
                this transaction already uses one of the repositories.
        """
        return ChangeRef.from_row(
            self._row(
                "move_versions",
                namespace=namespace,
                repository=repository,
                from_repository=from_repository,
                queries=_texts(queries),
                replace=replace,
                dry_run=dry_run,
                request_key=request_key,
                actor=actor,
            )
        )

    def remove_versions(
        self,
        namespace: str,
        repository: str,
        queries: str | Iterable[str],
        *,
        dry_run: bool = False,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> ChangeRef:
        """Deletes, as `delete_version` does, what one of the queries matches.

        Args:
            dry_run: Only say what would change.

        Returns:
            Outcome `removed`, `unchanged` or `planned`, with `changes`.

        Raises:
            Forbidden: RG403: the repository is immutable.
            InvalidState: RG422: this transaction already uses the repository.
        """
        return ChangeRef.from_row(
            self._row(
                "remove_versions",
                namespace=namespace,
                repository=repository,
                queries=_texts(queries),
                dry_run=dry_run,
                request_key=request_key,
                actor=actor,
            )
        )

    # Distributions

    def create_distribution(
        self,
        namespace: str,
        prefix: str,
        distribution: str,
        ecosystem: str,
        components: Mapping[str, Mapping[str, str]],
        settings: Mapping[str, Any] | None = None,
        *,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> DistributionRef:
        """Creates what clients read: components, each of a snapshot or of a repository as it is.

        Args:
            prefix: The path below which it is; may be empty.
            components: `{"main": {"snapshot": "s1"}, "extra": {"repository": "local"}}`.
            settings: For deb any of `origin`, `label`, `suite`, `codename`, `version`,
                `description`, `architectures`, `not_automatic`, `but_automatic_upgrades`,
                `valid_for` (seconds).

        Returns:
            Outcome `created`.

        Raises:
            Conflict: RG409: it exists, or two components have one version with other content.
        """
        return DistributionRef.from_row(
            self._row(
                "create_distribution",
                namespace=namespace,
                prefix=prefix,
                distribution=distribution,
                ecosystem=ecosystem,
                components=components,
                settings=settings or {},
                request_key=request_key,
                actor=actor,
            )
        )

    def switch_distribution(
        self,
        namespace: str,
        prefix: str,
        distribution: str,
        components: Mapping[str, Mapping[str, str] | None],
        settings: Mapping[str, Any] | None = None,
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> DistributionRef:
        """Points components elsewhere, all at once. Switching back is how one rolls back.

        Args:
            components: As in `create_distribution`; None takes one away, others stay.
            settings: In place of all settings; None leaves them.

        Returns:
            Outcome `switched` or `unchanged`.

        Raises:
            Conflict: RG409: two components have one version with other content.
        """
        return DistributionRef.from_row(
            self._row(
                "switch_distribution",
                namespace=namespace,
                prefix=prefix,
                distribution=distribution,
                components=components,
                settings=settings,
                if_revision=if_revision,
                request_key=request_key,
                actor=actor,
            )
        )

    def drop_distribution(
        self,
        namespace: str,
        prefix: str,
        distribution: str,
        *,
        if_revision: int | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> DistributionRef:
        """Drops a distribution.

        Returns:
            Outcome `dropped`.
        """
        return DistributionRef.from_row(
            self._row(
                "drop_distribution",
                namespace=namespace,
                prefix=prefix,
                distribution=distribution,
                if_revision=if_revision,
                request_key=request_key,
                actor=actor,
            )
        )

    def distribution_content(
        self, namespace: str, prefix: str, distribution: str
    ) -> list[ContentRow]:
        """The versions that a distribution serves, with their files; not what is quarantined."""
        rows = self._rows(
            "distribution_content", namespace=namespace, prefix=prefix, distribution=distribution
        )
        return [ContentRow.from_row(row) for row in rows]

    # Feed

    def sequence_events(self, namespace: str, *, limit: int = 10_000) -> int:
        """Gives committed changes their places in the feed, and returns how many got one."""
        return int(self._value("sequence_events", namespace=namespace, limit=limit))

    def read_events(
        self,
        namespace: str,
        after: int | None = None,
        limit: int = 1000,
        *,
        consumer: str | None = None,
        incarnation: UUID | None = None,
    ) -> list[FeedEvent]:
        """The changes after a position, in the order of the feed.

        Args:
            after: The position read last; None for the beginning.
            consumer: Read on from the cursor that `register_consumer` keeps.
            incarnation: That of the event at `after`: with it, a cursor that a restored database
                does not know any more is noticed (RG412, `StaleRevision`).

        Raises:
            Gone: RG410: the next events were pruned.
        """
        rows = self._rows(
            "read_events",
            namespace=namespace,
            after=after,
            limit=limit,
            consumer=consumer,
            incarnation=incarnation,
        )
        return [FeedEvent.from_row(row) for row in rows]

    def register_consumer(self, namespace: str, consumer: str, position: int = 0) -> ConsumerRef:
        """Keeps a cursor under a name; no event after it is pruned from then on.

        Args:
            position: Where it begins, if it is new.

        Returns:
            Outcome `registered`, or `unchanged` where there is one, wherever that is by now.

        Raises:
            Gone: RG410: the events after the position were pruned.
            InvalidState: RG422: the position is beyond the end of the feed.
        """
        return ConsumerRef.from_row(
            self._row(
                "register_consumer", namespace=namespace, consumer=consumer, position=position
            )
        )

    def acknowledge_events(
        self, namespace: str, consumer: str, position: int, *, incarnation: UUID | None = None
    ) -> ConsumerRef:
        """Moves a consumer's cursor on to a position, up to which it has dealt with everything.

        Returns:
            Outcome `acknowledged`, or `unchanged` where it was there or further.

        Raises:
            InvalidState: RG422: the position is beyond the end of the feed.
        """
        return ConsumerRef.from_row(
            self._row(
                "acknowledge_events",
                namespace=namespace,
                consumer=consumer,
                position=position,
                incarnation=incarnation,
            )
        )

    def drop_consumer(self, namespace: str, consumer: str) -> bool:
        """Forgets a consumer; False where there was none."""
        return bool(self._value("drop_consumer", namespace=namespace, consumer=consumer))

    def prune_events(
        self, namespace: str, *, keep: timedelta = timedelta(days=7), limit: int = 10_000
    ) -> int:
        """Removes old changes that every consumer has read, and returns how many."""
        return int(self._value("prune_events", namespace=namespace, keep=keep, limit=limit))

    # Integrity

    def check_integrity(self, namespace: str | None = None) -> list[Violation]:
        """Recomputes every promise from the rows; what it returns is broken.

        Args:
            namespace: Only this one; None for all.
        """
        rows = self._rows("check_integrity", namespace=namespace)
        return [Violation.from_row(row) for row in rows]

    def repair_latest(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        *,
        actor: str | None = None,
    ) -> VersionRef:
        """Computes the latest versions and the counters of a package anew.

        Returns:
            Outcome `repaired` or `unchanged`.
        """
        return self._change_name(
            "repair_latest", (namespace, repository), (ecosystem, name), actor=actor
        )

    def upgrade_scheme(
        self, namespace: str, registration_id: int, *, actor: str | None = None
    ) -> VersionRef:
        """Orders the versions of a package by its ecosystem's present scheme.

        `pkgdb.migrate.upgrade_schemes` calls it for every package that needs it.

        Returns:
            Outcome `scheme_upgraded` or `unchanged`.

        Raises:
            NotFound: RG404: there is no such registration.
            MalformedArgument: RG400: the scheme refuses a version that the package has.
            Conflict: RG409: two live versions are one in the new scheme.
        """
        row = self._row(
            "upgrade_scheme", namespace=namespace, registration_id=registration_id, actor=actor
        )
        return VersionRef.from_row(row)

    # Order

    def version_key(self, ecosystem: str, version: str) -> bytes:
        """The bytes that compare as the ecosystem orders its versions."""
        return bytes(self._value("version_key", ecosystem=ecosystem, version=version))

    def normalize_version(self, ecosystem: str, version: str) -> str:
        """The version's normal form, which is its identity."""
        return str(self._value("normalize_version", ecosystem=ecosystem, version=version))

    def is_prerelease(self, ecosystem: str, version: str) -> bool:
        """Whether the ecosystem takes the version for a prerelease."""
        return bool(self._value("is_prerelease", ecosystem=ecosystem, version=version))

    def normalize_name(self, ecosystem: str, name: str) -> str:
        """The name's normal form, which is its identity."""
        return str(self._value("normalize_name", ecosystem=ecosystem, name=name))

    # One call

    def _change(
        self,
        function: str,
        where: tuple[str, str],
        package: tuple[str | PackageURL, str | None, str | None, str],
        **arguments: Any,
    ) -> VersionRef:
        """A function that works on one version."""
        row = self._row(
            function,
            namespace=where[0],
            repository=where[1],
            **coordinates(*package)._asdict(),
            **arguments,
        )
        return VersionRef.from_row(row)

    def _change_name(
        self,
        function: str,
        where: tuple[str, str],
        package: tuple[str | PackageURL, str | None],
        **arguments: Any,
    ) -> VersionRef:
        """A function that works on a name."""
        row = self._row(
            function,
            namespace=where[0],
            repository=where[1],
            **only_name(*package)._asdict(),
            **arguments,
        )
        return VersionRef.from_row(row)

    def _rows(self, function: str, **arguments: Any) -> list[dict[str, Any]]:
        return self._executor.fetch(Call.of(function, arguments))

    def _row(self, function: str, **arguments: Any) -> dict[str, Any]:
        (row,) = self._rows(function, **arguments)
        return row

    def _value(self, function: str, **arguments: Any) -> Any:
        (value,) = (self._row(function, **arguments)).values()
        return value


def _bound(
    method: Callable[Concatenate[Registry, str, str, P], R],
) -> Callable[Concatenate[Repository, P], R]:
    """A registry's method with namespace and repository given."""

    @functools.wraps(method)
    def call(self: Repository, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(self.registry, self.namespace, self.name, *args, **kwargs)

    signature = inspect.signature(method)
    own, _, _, *others = signature.parameters.values()
    call.__signature__ = signature.replace(parameters=[own, *others])  # type: ignore[attr-defined]
    return call


def _identity(item: str | PackageURL | Mapping[str, Any]) -> dict[str, Any]:
    """A version as a purl or a mapping names it."""
    return dict(item) if isinstance(item, Mapping) else coordinates(item)._asdict()


def _texts(texts: str | Iterable[str]) -> tuple[str, ...]:
    """An array of texts; one text stands for itself."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _some_texts(texts: str | Iterable[str] | None) -> tuple[str, ...] | None:
    return None if texts is None else _texts(texts)


class Repository:
    """A registry's methods for one repository, made by `Registry.repository`."""

    def __init__(self, registry: Registry, namespace: str, name: str) -> None:
        self.registry = registry
        self.namespace = namespace
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.namespace!r}, {self.name!r})"

    create = _bound(Registry.create_repository)
    alter = _bound(Registry.alter_repository)
    rename = _bound(Registry.rename_repository)
    drop = _bound(Registry.drop_repository)
    publish = _bound(Registry.publish)
    publish_many = _bound(Registry.publish_many)
    add_files = _bound(Registry.add_files)
    begin_publication = _bound(Registry.begin_publication)
    set_backend = _bound(Registry.set_repository_backend)
    yank = _bound(Registry.yank)
    unyank = _bound(Registry.unyank)
    deprecate = _bound(Registry.deprecate)
    quarantine = _bound(Registry.quarantine)
    release_quarantine = _bound(Registry.release_quarantine)
    delete_version = _bound(Registry.delete_version)
    restore_version = _bound(Registry.restore_version)
    delete_file = _bound(Registry.delete_file)
    purge = _bound(Registry.purge)
    apply_retention = _bound(Registry.apply_retention)
    begin_mirror_update = _bound(Registry.begin_mirror_update)
    search_versions = _bound(Registry.search_versions)
    copy_versions = _bound(Registry.copy_versions)
    move_versions = _bound(Registry.move_versions)
    remove_versions = _bound(Registry.remove_versions)
    set_tag = _bound(Registry.set_tag)
    drop_tag = _bound(Registry.drop_tag)
    reserve_name = _bound(Registry.reserve_name)
    release_name = _bound(Registry.release_name)
    resolve = _bound(Registry.resolve)
    versions = _bound(Registry.versions)
    repair_latest = _bound(Registry.repair_latest)

    def create_snapshot(
        self,
        snapshot: str,
        *,
        items: Iterable[str | PackageURL | Mapping[str, Any]] | None = None,
        description: str = "",
        request_key: str | None = None,
        actor: str | None = None,
    ) -> SnapshotRef:
        """`Registry.create_snapshot`, of this repository."""
        return self.registry.create_snapshot(
            self.namespace,
            snapshot,
            self.name,
            items=items,
            description=description,
            request_key=request_key,
            actor=actor,
        )
