"""What the catalog has to do, as plain Python: one namespace of PyPI packages, one call at a time.

Each mutating function of the SQL interface is a method of `Model` under the same name and with the
same arguments, less the prefix `p_`, the namespace and the ecosystem. It returns what the function
answers, without ids, or raises `ModelError`. Nothing is shared with the SQL: versions are ordered
by `packaging`, latest and counters are computed from what is there each time that they are asked.
Time passes only where `lapse` or `advance` says so.

Answers: (outcome, revision, whether a version is named) of a registration, (outcome, revision) of a
repository, a tuple of (item, outcome, revision, sqlstate) of publish_many; (outcome, fence, state,
missing copies, validations) of a publication, (outcome, status, attempts) of a validation,
(outcome, state) of a copy, a list of (digest, attempt) of work on copies; (outcome, revision,
members, changes) of a snapshot, (outcome, revision, added, removed, unchanged, skipped, changes) of
a repository whose versions were copied, (outcome, revision) of a distribution, (outcome, fence,
state, staged, report) of an update of a mirror; else plain numbers.
"""

import json
import operator
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import Version as Pep440

POLICY: dict[str, Any] = {
    "reuse": "never",
    "lookalike_guard": False,
    "immutable": False,
    "protected_names": [],
    "keep_versions": None,
    "name_scope": "ecosystem",
    "validators": {},
    "upstream": {},
}

LEASE, LEASE_OF_WORK, DAY = 15, 5, 24 * 60  # in minutes

Identity = tuple[str, str]  # normalised version, variant
# Of a publication, copy or update, as the model counts them; None: there is none.
Number = int | None
Package = tuple[str, str]  # normalised name, variant
State = dict[str, list[list[Any]]]


class ModelError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@dataclass(frozen=True)
class Call:
    """One call of one function, for the model and for the database alike."""

    function: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.function}({', '.join(f'{k}={v!r}' for k, v in self.arguments.items())})"


def call(function: str, **arguments: Any) -> Call:
    return Call(function, arguments)


def file(filename: str, content: str = "", size: int = 1) -> dict[str, Any]:
    """One element of p_files; files of the same content have the same digest."""
    digest = sha256((content or filename).encode()).hexdigest()
    return {"filename": filename, "sha256": digest, "size": size}


@dataclass(eq=False)
class File:
    sha256: str
    size: int
    role: str


@dataclass(eq=False)
class Version:
    spelling: str
    variant: str
    number: int  # counts insertions, as a version id does
    metadata: dict[str, Any] = field(default_factory=dict)
    status: str = "available"
    listed: bool = True
    yank_reason: str | None = None
    deprecation: str | None = None
    quarantine_reason: str | None = None
    files: dict[str, File] = field(default_factory=dict)
    arriving: dict[str, File] = field(default_factory=dict)  # of open publications
    removed: list[File] = field(default_factory=list)  # deleted ones, for the purge
    failed: list[str] = field(default_factory=list)  # digests of those that never came, likewise
    published: bool = True
    content: Any = None  # of a mirror: the item that it came with

    @property
    def blocked(self) -> bool:
        """It is quarantined, or was when it was deleted."""
        return self.status == "quarantined" or self.quarantine_reason is not None

    def vanish(self) -> None:
        self.quarantine_reason = (self.quarantine_reason or "") if self.blocked else None
        self.status = "pending_destruction"

    def digests(self) -> list[str]:
        return [file.sha256 for file in self.files.values()]

    def bygone(self) -> list[str]:
        """Digests of files that it had, or was to have."""
        return [*(file.sha256 for file in self.removed), *self.failed]

    @property
    def identity(self) -> Identity:
        return canonicalize_version(self.spelling), self.variant

    @property
    def order(self) -> tuple[Pep440, int]:
        return Pep440(self.spelling), self.number

    @property
    def prerelease(self) -> bool:
        return Pep440(self.spelling).is_prerelease


@dataclass(eq=False)
class Repository:
    number: int
    name: str
    kind: str
    policy: dict[str, Any]
    live: bool = True
    revision: int = 0
    backends: dict[str, str] = field(default_factory=dict)  # name: requirement
    epoch: int = 0  # counts snapshots
    release: str | None = None  # of a mirror: what upstream calls its state
    updated: bool = False


@dataclass(eq=False)
class Copy:
    """One object on a backend."""

    backend: str
    sha256: str
    number: int  # counts insertions, as a generation does
    state: str = "pending"
    attempts: int = 0
    due_at: float = 0
    present_at: float | None = None
    deleted_attempt: int | None = None


@dataclass
class Blob:
    size: int
    unneeded: bool = False


@dataclass(eq=False)
class Registration:
    repository: Repository
    scope: int
    name: str
    reserved: bool = False
    revision: int = 0
    versions: dict[Identity, Version] = field(default_factory=dict)  # live
    ghosts: list[Version] = field(default_factory=list)
    tags: dict[str, Identity] = field(default_factory=dict)
    tombstones: dict[Identity, dict[str, str]] = field(default_factory=dict)
    blocked: dict[Identity, str] = field(default_factory=dict)  # when they were deleted: why

    @property
    def normalized(self) -> str:
        return canonicalize_name(self.name)

    def published(self) -> list[Version]:
        return [v for v in self.versions.values() if v.published]

    def available(self) -> list[Version]:
        """What a reader gets, newest first."""
        found = [v for v in self.versions.values() if v.status == "available"]
        return sorted(found, key=lambda v: v.order, reverse=True)

    def latest(self) -> Version | None:
        return next((v for v in self.available() if v.listed), None)

    def latest_stable(self) -> Version | None:
        return next((v for v in self.available() if v.listed and not v.prerelease), None)

    def files(self) -> list[File]:
        return [f for v in self.published() for f in v.files.values()]


@dataclass(eq=False)
class Publication:
    number: int  # counts insertions
    registration: Registration
    version: Version
    content: tuple[Any, ...]
    role: str
    metadata: dict[str, Any]
    actor: str | None
    request_key: str | None
    status: str = "open"
    fence: int = 1
    lease_until: float = 0
    files: dict[str, File] = field(default_factory=dict)
    validations: dict[tuple[str, int], list[Any]] = field(default_factory=dict)
    outcome: str | None = None
    revision: int | None = None

    def missing_validations(self) -> bool:
        return any(
            round == 1 and requirement == "required" and status != "succeeded"
            for (_, round), (requirement, status, _) in self.validations.items()
        )


@dataclass(eq=False)
class Member:
    """A version in a snapshot: what it had then. Its status is that of today."""

    registration: Registration
    version: Version
    files: dict[str, File]
    epoch: int

    @property
    def package(self) -> Package:
        return self.registration.normalized, self.version.variant

    @property
    def place(self) -> tuple[str, *Identity]:
        return self.registration.normalized, *self.version.identity

    def digest(self) -> bytes:
        version = self.version
        what = ["pypi", self.registration.name, version.spelling, version.variant, version.metadata]
        files = [
            json.dumps([filename, file.sha256, None, {}, file.role])
            for filename, file in sorted(self.files.items())
        ]
        return sha256((json.dumps(what) + ",".join(files)).encode()).digest()

    def row(self) -> list[Any]:
        """As readers get it."""
        version = self.version
        files = [
            {
                "filename": filename,
                "sha256": file.sha256,
                "size": file.size,
                "media_type": None,
                "attributes": {},
                "role": file.role,
            }
            for filename, file in sorted(self.files.items())
        ]
        return [
            *(self.registration.repository.name, self.registration.name, version.spelling),
            *(version.variant, version.status, version.listed, version.yank_reason),
            *(version.deprecation, version.metadata, files),
        ]


@dataclass(eq=False)
class Snapshot:
    name: str
    repository: Repository | None  # whose content it is; None: its members are listed
    members: list[Member]
    revision: int = 0
    sources: list["Snapshot"] = field(default_factory=list)
    sealed: bool = False

    @property
    def count(self) -> int | None:
        return len(self.members) if self.repository is None else None

    def digest(self) -> str:
        return sha256(b"".join(sorted(member.digest() for member in self.members))).hexdigest()


@dataclass(eq=False)
class Distribution:
    prefix: str
    name: str
    components: dict[str, Snapshot | Repository]
    settings: dict[str, Any]
    revision: int = 0


@dataclass(eq=False)
class Update:
    """Of a mirror."""

    number: int  # counts insertions
    repository: Repository
    release: str | None
    actor: str | None
    request_key: str | None
    lease_until: float
    status: str = "open"
    fence: int = 1
    staged: int = 0
    items: dict[tuple[str, *Identity], dict[str, Any]] = field(default_factory=dict)
    report: dict[str, int] | None = None


class Model:
    def __init__(self) -> None:
        self.repositories: list[Repository] = []
        self.registrations: list[Registration] = []
        self.publications: list[Publication] = []
        self.backends: list[str] = []
        self.copies: list[Copy] = []
        self.blobs: dict[str, Blob] = {}  # by digest
        self.snapshots: list[Snapshot] = []
        self.distributions: list[Distribution] = []
        self.updates: list[Update] = []
        self.requests: dict[tuple[str | None, str], tuple[Any, Any]] = {}
        self.events: list[list[Any]] = []
        self.sequenced = 0  # how many of them have a place in the feed
        self.numbers = 0
        self.now: float = 0  # in minutes
        self.begin()

    # Calls and transactions.

    def begin(self) -> None:
        """A transaction begins: it holds nothing yet."""
        self.locked: dict[int, bool] = {}  # number of a repository: whether exclusively
        # What a purge has to pass over: ghosts, deleted files and dropped repositories; updates.
        self.held: set[int | tuple[int, str]] = set()
        self.updating: set[int] = set()

    def copy(self) -> "Model":
        copied: Model = pickle.loads(pickle.dumps(self))
        return copied

    def outcome(self, call: Call) -> Any:
        """What the call answers, or its SQLSTATE; then nothing has changed."""
        try:
            with self._savepoint():
                return self._answer(**call.arguments, function=call.function)
        except ModelError as error:
            return error.sqlstate

    def _answer(
        self, function: str, request_key: str | None = None, actor: str | None = None, **rest: Any
    ) -> Any:
        method = getattr(self, function)
        if function in ("begin_publication", "begin_mirror_update"):
            return method(**rest, request_key=request_key, actor=actor)
        if request_key is None:
            return method(**rest)
        asked = (function, rest)
        if (actor, request_key) in self.requests:
            earlier, answer = self.requests[actor, request_key]
            if earlier != asked:
                raise ModelError("RG409")
            return answer
        if any(
            (p.actor, p.request_key) == (actor, request_key) and p.status in ("open", "committed")
            for p in self.publications
        ):
            raise ModelError("RG409")
        answer = method(**rest)
        self.requests[actor, request_key] = asked, answer
        return answer

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        before = self.copy()
        try:
            yield
        except ModelError:
            before.updating = self.updating  # it may have been stopped before it failed
            self.__dict__ = before.__dict__
            raise

    # Repositories and names.

    def create_repository(
        self, repository: str, kind: str = "hosted", policy: dict[str, Any] | None = None
    ) -> Any:
        wanted = self._policy(POLICY, policy or {})
        existing = self._live(repository)
        if existing is None:
            created = Repository(self._number(), repository, kind, wanted)
            self.repositories.append(created)
            return self._touch_repository(created, "created")
        if (existing.kind, existing.policy) != (kind, wanted):
            raise ModelError("RG409")
        return "unchanged", existing.revision

    def alter_repository(
        self, repository: str, policy: dict[str, Any], if_revision: int | None = None
    ) -> Any:
        altered = self._lock(repository, exclusive=True)
        self._check_revision(altered.revision, if_revision)
        wanted = self._policy(altered.policy, policy)
        if wanted == altered.policy:
            return "unchanged", altered.revision
        claimed = self._claimed(altered)
        if wanted["name_scope"] != altered.policy["name_scope"] and claimed:
            raise ModelError("RG422")
        altered.policy = wanted
        if altered.kind == "mirror":
            altered.release = None
            self._supersede(altered)
        return self._touch_repository(altered, "altered")

    def rename_repository(
        self, repository: str, new_name: str, if_revision: int | None = None
    ) -> Any:
        renamed = self._lock(repository, exclusive=True)
        self._check_revision(renamed.revision, if_revision)
        if new_name == repository:
            return "unchanged", renamed.revision
        if self._live(new_name):
            raise ModelError("RG409")
        renamed.name = new_name
        return self._touch_repository(renamed, "renamed")

    def drop_repository(
        self, repository: str, force: bool = False, if_revision: int | None = None
    ) -> Any:
        dropped = self._lock(repository, exclusive=True)
        self._check_revision(dropped.revision, if_revision)
        self._check_removable(dropped)
        if not force and any(snapshot.repository is dropped for snapshot in self.snapshots):
            raise ModelError("RG423")
        self._check_unserved(dropped)
        self._supersede(dropped)
        for registration in self._claimed(dropped):
            registration.scope = dropped.number  # the name is free for others
            registration.tags.clear()
            for publication in self._open_of(registration):
                publication.version.removed += publication.files.values()
                self._end(publication, "aborted", keep=True)
            for version in registration.versions.values():
                version.vanish()
            registration.ghosts += registration.versions.values()
            registration.versions.clear()
        dropped.live = False
        return self._touch_repository(dropped, "dropped")

    def reserve_name(self, repository: str, name: str) -> Any:
        where = self._lock(repository)
        registration = self._find(where, name)
        if registration is None:
            return self._touch(self._claim(where, name, reserved=True), "reserved")
        if registration.reserved and registration.repository is where:
            return "unchanged", registration.revision, False
        raise ModelError("RG409")

    def release_name(self, repository: str, name: str) -> Any:
        where = self._lock(repository)
        registration = self._find(where, name)
        if (
            registration is None
            or registration.repository is not where
            or not registration.reserved
        ):
            return "unchanged", None, False
        self.registrations.remove(registration)
        return self._touch(registration, "released")

    # Publishing.

    def publish(
        self,
        repository: str,
        name: str,
        version: str,
        if_revision: int | None = None,
        **content: Any,
    ) -> Any:
        where = self._lock(repository)
        registration = self._find(where, name)
        self._check_revision(registration.revision if registration else 0, if_revision)
        return self._publish(where, name, version, **content)

    def publish_many(
        self, repository: str, items: list[dict[str, Any]], strict: bool = True
    ) -> Any:
        self._check_hosted(self._lock(repository, exclusive=True))
        answers: list[tuple[Any, ...]] = []
        for place, item in enumerate(items, 1):
            try:
                with self._savepoint():
                    where = self._lock(repository, exclusive=True)  # as it is by now
                    outcome, revision, _ = self._publish(where, **item)
                    answers.append((place, outcome, revision, None))
            except ModelError as error:
                if strict:
                    raise
                answers.append((place, "refused", None, error.sqlstate))
        return tuple(answers)

    def _publish(
        self,
        where: Repository,
        name: str,
        version: str,
        variant: str = "",
        files: list[dict[str, Any]] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Any:
        files, metadata = files or [], metadata or {}
        self._check_hosted(where)
        registration = self._find(where, name)
        self._check_name(where, registration, name)
        registration = registration or self._claim(where, name)
        existing = registration.versions.get((canonicalize_version(version), variant))
        if existing is None:
            created = Version(version, variant, self._number(), metadata)
            self._check_unvalidated(where)
            self._check_reuse(where, registration, created.identity, files, metadata)
            self._insert_files(registration, created, files, "main")
            self._check_stored(where, files)
            registration.versions[created.identity] = created
            return self._touch(registration, "created", created)
        if existing.status == "processing":
            raise ModelError("RG422")
        if metadata and metadata != existing.metadata:
            raise ModelError("RG409")
        return self._extend(where, registration, existing, files, "main")

    def add_files(
        self,
        repository: str,
        name: str,
        version: str,
        variant: str = "",
        files: list[dict[str, Any]] | None = None,
        if_revision: int | None = None,
    ) -> Any:
        if not files:
            raise ModelError("RG400")
        where, registration = self._open(repository, name, if_revision)
        self._check_hosted(where)
        self._check_name(where, registration, name)
        found = self._published(registration, version, variant)
        return self._extend(where, registration, found, files, "side")

    # Publishing in steps.

    def begin_publication(
        self,
        repository: str,
        name: str,
        version: str,
        variant: str = "",
        files: list[dict[str, Any]] | None = None,
        metadata: dict[str, Any] | None = None,
        role: str = "main",
        request_key: str | None = None,
        actor: str | None = None,
    ) -> Any:
        where = self._lock(repository)
        files, metadata = files or [], metadata or {}
        identity = canonicalize_version(version), variant
        place = (where.number, canonicalize_name(name), *identity)
        content = (place, role, sorted(files, key=str), metadata)
        if (actor, request_key) in self.requests:
            raise ModelError("RG409")
        for mine in self.publications:
            same = request_key is not None and (mine.actor, mine.request_key) == (
                actor,
                request_key,
            )
            if same and mine.status in ("open", "committed"):
                if mine.content != content:
                    raise ModelError("RG409")
                if mine.status == "committed":
                    return self._publication(mine, None, "unchanged")
                return self._resume(where, mine, request_key, actor)

        registration = self._find(where, name)
        self._check_hosted(where)
        self._check_name(where, registration, name)
        registration = registration or self._claim(where, name)
        found = registration.versions.get(identity)
        if found is not None:
            for other in self._open_of(registration, found):
                if other.content == content and other.lease_until < self.now:
                    return self._resume(where, other, request_key, actor)
                if other.content == content:
                    return self._publication(other, None, "in_progress")
            for other in self._open_of(registration, found):
                if other.lease_until < self.now:
                    self._end(other, "expired")
            self._free_slot(registration, found)
            found = registration.versions.get(identity)

        missing = files
        if found is not None:
            missing = self._check_addition(where, registration, found, files, metadata, role)
            arriving = [f["filename"] for f in files if f["filename"] in found.arriving]
            for other in self._open_of(registration, found):
                if not other.files.keys().isdisjoint(arriving):
                    return self._publication(other, None, "in_progress")
            if not missing and found.status != "processing":
                return "unchanged", None, "committed", (), ()
        elif role == "side":
            raise ModelError("RG404")
        else:
            self._check_reuse(where, registration, identity, files, metadata)
            found = Version(version, variant, self._number(), status="processing", published=False)
            registration.versions[identity] = found
        begun = Publication(
            self._number(), registration, found, content, role, metadata, actor, request_key
        )
        begun.lease_until = self.now + LEASE
        begun.validations = {
            (validator, 1): [requirement, "pending", 0]
            for validator, requirement in where.policy["validators"].items()
        }
        self._insert_files(registration, found, missing, role, begun)
        self.publications.append(begun)
        self._announce(where, begun)
        return self._publication(begun, begun.fence, "begun")

    def renew_publication(self, publication: Number, fence: int) -> Any:
        renewed = self._held(publication)
        self._check_fence(renewed, fence)
        renewed.lease_until = self.now + LEASE
        return self._publication(renewed, fence, "renewed")

    def record_copy(
        self, publication: Number, fence: int, backend: str, sha256: str, generation: Number
    ) -> Any:
        held = self._publication_numbered(publication)
        brought = {file.sha256 for file in held.files.values()}
        copy = self._copy_numbered(generation)
        if held.status == "open" and sha256 not in brought:
            raise ModelError("RG404")
        self._check_fence(held, fence)
        if backend not in self.backends:
            raise ModelError("RG404")
        if copy is None or copy.state not in ("pending", "present"):
            raise ModelError("RG412")
        if copy.state == "present":
            return "unchanged", "present"
        self._arrived(copy)
        for other in self._copies(backend, sha256):
            if other.state == "lost":
                other.state, other.due_at = "deleting", self.now
        return "recorded", "present"

    def record_validation(
        self,
        publication: Number,
        validator: str,
        result: str,
        round: int = 1,
        quarantine: bool = False,
    ) -> Any:
        held = self._held(publication)
        said = held.validations.get((validator, round))
        status, attempts = (said[1], said[2]) if said else (None, None)
        decided = said is not None and status != "pending"
        over = held.status in ("aborted", "expired", "rejected")
        if over or status == result or (decided and result == "error"):
            return "unchanged", status, attempts
        if decided:
            raise ModelError("RG409")
        if held.status == "open" and round > 1:
            raise ModelError("RG422")
        said = held.validations.setdefault((validator, round), ["advisory", "pending", 0])
        said[1], said[2] = "pending" if result == "error" else result, said[2] + 1
        outcome = "recorded"
        if result == "failed" and held.status == "open" and said[0] == "required":
            self._give_up(held, "rejected")
        elif (
            result == "failed"
            and quarantine
            and (held.status, held.version.status) == ("committed", "available")
        ):
            held.version.status = "quarantined"
            held.version.quarantine_reason = f"validator {validator} failed"
            self._mark_ghosts(held.registration, held.version, held.version.quarantine_reason)
            outcome = self._touch(held.registration, "quarantined", held.version)[0]
        return outcome, said[1], said[2]

    def commit_publication(
        self, publication: Number, fence: int, if_revision: int | None = None
    ) -> Any:
        held = self._held(publication)
        if held.status == "committed":
            return "unchanged", held.revision, True
        self._check_fence(held, fence)
        registration, version = held.registration, held.version
        where = registration.repository
        self._check_revision(registration.revision, if_revision)
        self._check_hosted(where)
        self._check_name(where, registration, registration.name)
        if held.missing_validations():
            raise ModelError("RG422")
        self._check_stored(where, [{"sha256": f.sha256} for f in held.files.values()])
        new = version.status == "processing"
        if not new and where.policy["immutable"]:
            raise ModelError("RG403")
        if not new and version.status != "available":
            raise ModelError("RG422")
        if new:
            version.metadata = held.metadata
            version.status, version.published = "available", True
        for filename, file in held.files.items():
            del version.arriving[filename]
            version.files[filename] = file
        held.status, held.files = "committed", {}
        answer = self._touch(registration, "created" if new else "files_added", version)
        held.outcome, held.revision = answer[:2]
        return answer

    def abort_publication(self, publication: Number, fence: int) -> Any:
        held = self._held(publication)
        if held.status not in ("open", "committed"):
            return self._publication(held, None, "unchanged")
        self._check_fence(held, fence)
        self._give_up(held, "aborted")
        return self._publication(held, None, "aborted")

    def expire_publications(self) -> int:
        expired = [p for p in self.publications if p.status == "open" and p.lease_until < self.now]
        for publication in expired:
            self._give_up(publication, "expired")
        return len(expired)

    def lapse(self) -> None:
        """Not a function of the interface: the end of every lease comes."""
        for leased in [*self.publications, *self.updates]:
            leased.lease_until = float("-inf")

    def advance(self, minutes: float) -> None:
        """Not a function of the interface: time passes."""
        self.now += minutes

    # Bytes.

    def add_backend(self, backend: str, url: str) -> Any:
        if backend in self.backends:
            return ("unchanged",)
        self.backends.append(backend)
        return ("created",)

    def set_repository_backend(
        self,
        repository: str,
        backend: str,
        requirement: str = "required",
        if_revision: int | None = None,
    ) -> Any:
        where = self._lock(repository, exclusive=True)
        self._check_revision(where.revision, if_revision)
        if backend not in self.backends:
            raise ModelError("RG404")
        now = where.backends.get(backend, "none")
        if requirement == "required" and now != "required" and not self._filled(where, backend):
            requirement = "filling"
        if requirement == now:
            return "unchanged", where.revision
        where.backends[backend] = requirement
        if requirement == "none":
            del where.backends[backend]
        return self._touch_repository(where, "altered")

    def promote_backends(self) -> int:
        promoted = 0
        for where in self.repositories:
            for backend, requirement in where.backends.items():
                if requirement == "filling" and self._filled(where, backend):
                    if self.locked.get(where.number) is False:
                        raise ModelError("RG422")
                    self.locked[where.number] = True
                    where.backends[backend] = "required"
                    self._touch_repository(where, "altered")
                    promoted += 1
        return promoted

    def claim_copies(self, locked: frozenset[int] = frozenset()) -> Any:
        for where in self.repositories:
            for backend in where.backends:
                if where.backends[backend] == "filling":
                    for digest in sorted(self._held_by(where)):
                        self._announce_one(backend, digest)
        wanted = {
            (backend, digest)
            for where in self.repositories
            for backend in where.backends
            for digest in self._held_by(where)
        }
        taken = []
        for copy in self.copies:
            sources = [c for c in self._copies(None, copy.sha256) if c.state == "present"]
            due = copy.state == "pending" and copy.due_at <= self.now
            passed_over = copy.number in locked
            if due and sources and (copy.backend, copy.sha256) in wanted and not passed_over:
                taken.append(self._take(copy))
        return sorted(taken)

    def verify_copy(
        self, backend: str, sha256: str, generation: Number, found_sha256: str | None
    ) -> Any:
        copy = self._copy_numbered(generation)
        if backend not in self.backends or copy is None:
            raise ModelError("RG404")
        if copy.state == "deleting" or (found_sha256 is None and copy.state != "present"):
            return "unchanged", copy.state
        if found_sha256 == sha256:
            others = [c for c in self._copies(backend, sha256) if c is not copy]
            replaced = [c for c in others if c.state == "present"] if copy.state == "lost" else []
            for other in others:
                if other.state != "deleting" and (copy.state != "lost" or other.state == "pending"):
                    other.state, other.due_at = "deleting", self.now
            if replaced:
                return "unchanged", "lost"
            outcome = "unchanged" if copy.state == "present" else "present"
            self._arrived(copy)
            return outcome, "present"
        if copy.state == "lost":
            return "unchanged", "lost"
        copy.state = "lost" if copy.state == "present" else "deleting"
        copy.due_at = self.now
        self.copies.append(Copy(backend, sha256, self._number()))
        return "lost", copy.state

    def record_copy_failure(
        self, backend: str, sha256: str, generation: Number, attempt: int, error: str
    ) -> Any:
        copy = self._copy_numbered(generation)
        if copy is None:
            return "unchanged", None
        if copy.attempts != attempt:
            raise ModelError("RG412")
        if copy.state not in ("pending", "deleting"):
            return "unchanged", copy.state
        copy.due_at = self.now + min(10 * 2 ** min(copy.attempts - 1, 20) / 60, DAY)
        return "recorded", copy.state

    def collect_blobs(self, backend: str, passing: frozenset[str] = frozenset()) -> Any:
        """`passing`: bytes that other transactions hold."""
        if backend not in self.backends:
            raise ModelError("RG404")
        needed = set(self._needed())
        for digest, blob in list(self.blobs.items()):
            if not blob.unneeded or digest in passing:
                continue
            blob.unneeded = False
            if digest not in needed:
                for copy in self._copies(None, digest):
                    if copy.state != "deleting":
                        copy.state, copy.due_at = "deleting", self.now
                if not self._copies(None, digest):
                    del self.blobs[digest]
        doomed = [c for c in self.copies if (c.backend, c.state) == (backend, "deleting")]
        return sorted(
            self._take(copy)
            for copy in doomed
            if copy.due_at <= self.now and not (copy.present_at is not None and self._is_last(copy))
        )

    def confirm_blob_deleted(
        self, backend: str, sha256: str, generation: Number, attempt: int
    ) -> Any:
        copy = self._copy_numbered(generation)
        if copy is None:
            return "unchanged", None
        if copy.attempts != attempt:
            raise ModelError("RG412")
        if copy.state != "deleting":
            raise ModelError("RG422")
        on_its_way = copy.present_at is None or copy.present_at > self.now - DAY
        if copy.deleted_attempt in (None, attempt) and on_its_way:
            if copy.deleted_attempt is None:
                copy.deleted_attempt, copy.due_at = attempt, self.now + DAY
            return "postponed", "deleting"
        self.copies.remove(copy)
        if not self._copies(None, sha256) and sha256 not in set(self._needed()):
            del self.blobs[sha256]
        return "deleted", None

    # Snapshots.

    def create_snapshot(
        self,
        snapshot: str,
        repository: str | None = None,
        items: list[dict[str, Any]] | None = None,
    ) -> Any:
        if repository is None:
            if items is not None:
                raise ModelError("RG400")
            if not self.events and not self.backends:
                raise ModelError("RG404")  # there is no namespace yet
            return self._insert_snapshot(Snapshot(snapshot, None, []))
        where = self._lock(repository, exclusive=True)
        if where.kind == "mirror" and not where.updated:
            raise ModelError("RG422")
        members = self._members(where)
        if items is None:
            created = Snapshot(snapshot, where, members)
        else:
            listed = [self._listed(where, **item) for item in items]
            created = Snapshot(snapshot, None, [m for m in members if m.version in listed])
        where.epoch += 1
        return self._insert_snapshot(created)

    def _listed(self, where: Repository, name: str, version: str, variant: str = "") -> Version:
        registration = self._find(where, name)
        identity = canonicalize_version(version), variant
        found = registration.versions.get(identity) if registration else None
        if not (registration and found and found.published and registration.repository is where):
            raise ModelError("RG404")
        return found

    def merge_snapshots(
        self, snapshot: str, sources: list[str], latest: bool = False, no_remove: bool = False
    ) -> Any:
        if not sources or (latest and no_remove):
            raise ModelError("RG400")
        merged = [self._snapshot(source) for source in sources]
        if latest:
            everything = [member for source in merged for member in source.members]
            members = [
                highest([member for member in everything if member.package == package])
                for package in {member.package for member in everything}
            ]
        else:
            members = []
            for source in merged:
                members = replaced(members, source.members, whole=not no_remove)
        return self._insert_snapshot(Snapshot(snapshot, None, members), merged)

    def pull_snapshot(
        self,
        snapshot: str,
        target: str,
        source: str,
        queries: list[str],
        follow: bool = True,
        no_remove: bool = False,
        all_matches: bool = False,
        dry_run: bool = False,
    ) -> Any:
        """Nothing depends on anything here, so that there is nothing to follow."""
        into, pulled_from = self._snapshot(target), self._snapshot(source)
        wanted = {m.version.variant for m in into.members or pulled_from.members} | {"", "all"}
        pulled = [
            m
            for m in pulled_from.members
            if m.version.variant in wanted and any(matches(query, m) for query in queries)
        ]
        if not all_matches:
            of_packages = {m.package: m for m in sorted(pulled, key=lambda m: m.version.order)}
            pulled = list(of_packages.values())
        members = replaced(into.members, pulled, whole=not no_remove)
        changes = changed(into.members, members)
        if dry_run:
            return "planned", None, len(members), changes
        new = Snapshot(snapshot, None, members)
        return (*self._insert_snapshot(new, [into, pulled_from])[:3], changes)

    def filter_snapshot(
        self, snapshot: str, source: str, queries: list[str], follow: bool = False
    ) -> Any:
        filtered = self._snapshot(source)
        members = [m for m in filtered.members if any(matches(query, m) for query in queries)]
        return self._insert_snapshot(Snapshot(snapshot, None, members), [filtered])

    def rename_snapshot(self, snapshot: str, new_name: str) -> Any:
        renamed = self._snapshot(snapshot)
        if new_name == snapshot:
            return "unchanged", renamed.revision, renamed.count, None
        if any(each.name == new_name for each in self.snapshots):
            raise ModelError("RG409")
        renamed.name = new_name
        return self._touch_snapshot(renamed, "renamed")

    def drop_snapshot(self, snapshot: str, force: bool = False) -> Any:
        dropped = self._snapshot(snapshot)
        self._check_unserved(dropped)
        if not force and any(dropped in each.sources for each in self.snapshots):
            raise ModelError("RG423")
        for each in self.snapshots:
            each.sources = [source for source in each.sources if source is not dropped]
        self.snapshots.remove(dropped)
        return self._touch_snapshot(dropped, "dropped")

    def seal_snapshots(self) -> int:
        unsealed = [snapshot for snapshot in self.snapshots if not snapshot.sealed]
        for snapshot in unsealed:
            snapshot.sealed = True
        return len(unsealed)

    def _snapshot(self, name: str) -> Snapshot:
        for snapshot in self.snapshots:
            if snapshot.name == name:
                return snapshot
        raise ModelError("RG404")

    def _insert_snapshot(self, new: Snapshot, sources: list[Snapshot] | None = None) -> Any:
        if any(each.name == new.name for each in self.snapshots):
            raise ModelError("RG409")
        for source in sources or []:
            new.sources += [] if source in new.sources else [source]
        self.snapshots.append(new)
        return self._touch_snapshot(new, "created")

    def _touch_snapshot(self, snapshot: Snapshot, event: str) -> Any:
        snapshot.revision += 1
        self.events.append([f"snapshot_{event}", snapshot.name, None, snapshot.revision])
        return event, snapshot.revision, snapshot.count, None

    def _members(self, source: Snapshot | Repository) -> list[Member]:
        """What a snapshot contains, or a repository now."""
        if isinstance(source, Snapshot):
            return source.members
        return [
            Member(registration, version, dict(version.files), source.epoch)
            for registration in self._claimed(source)
            for version in registration.published()
        ]

    def _check_unserved(self, source: Snapshot | Repository) -> None:
        if any(source in each.components.values() for each in self.distributions):
            raise ModelError("RG423")

    # Versions of one repository that go to another, or go.

    def copy_versions(
        self,
        repository: str,
        queries: list[str],
        from_repository: str | None = None,
        from_snapshot: str | None = None,
        replace: bool = False,
        dry_run: bool = False,
    ) -> Any:
        source: Snapshot | Repository
        if from_snapshot is not None:
            where = self._lock(repository, exclusive=True)
            source = self._snapshot(from_snapshot)
        else:
            assert from_repository is not None
            where, source = self._lock_both(repository, from_repository, exclusive=False)
        self._check_hosted(where)
        return self._transfer(where, source, queries, replace, dry_run)

    def move_versions(
        self,
        repository: str,
        from_repository: str,
        queries: list[str],
        replace: bool = False,
        dry_run: bool = False,
    ) -> Any:
        where, source = self._lock_both(repository, from_repository, exclusive=True)
        self._check_hosted(where)
        self._check_removable(source)
        return self._transfer(where, source, queries, replace, dry_run, moved=True)

    def remove_versions(self, repository: str, queries: list[str], dry_run: bool = False) -> Any:
        where = self._lock(repository, exclusive=True)
        self._check_removable(where)
        found = [m for m in self._members(where) if any(matches(query, m) for query in queries)]
        changes = changed(found, [])
        revision = where.revision
        if not dry_run:
            self._bury_members(found)
        outcome = "planned" if dry_run else "removed" if found else "unchanged"
        return outcome, revision, 0, len(found), 0, 0, changes

    def _lock_both(
        self, target: str, source: str, exclusive: bool
    ) -> tuple[Repository, Repository]:
        if None in (self._live(target), self._live(source)):
            raise ModelError("RG404")
        if target == source:
            raise ModelError("RG400")
        return self._lock(target, exclusive=True), self._lock(source, exclusive)

    def _transfer(
        self,
        where: Repository,
        source: Snapshot | Repository,
        queries: list[str],
        replace: bool,
        dry_run: bool,
        moved: bool = False,
    ) -> Any:
        found = [m for m in self._members(source) if any(matches(query, m) for query in queries)]
        members = [member for member in found if not member.version.blocked]
        revision, before = where.revision, self.copy() if dry_run else self
        added: list[Member] = []
        removed: list[Member] = []
        for member in sorted(members, key=lambda m: (m.registration.normalized, m.version.order)):
            there = self._find(where, member.registration.name)
            live = there.versions.get(member.version.identity) if there else None
            mine = there is not None and there.repository is where
            there_now = live is not None and live.status == "available" and mine
            if there and live and there_now and replace and not copied(live, member):
                self._check_removable(where)
                removed.append(Member(there, live, {}, where.epoch))
                self._bury(there, live, "deleted")
            added += self._publish_copy(where, member)
        if moved:
            self._bury_members(members)
        outcome = "moved" if moved else "copied"
        if not (members if moved else added or removed):
            outcome = "unchanged"
        if dry_run:
            outcome, self.__dict__ = "planned", before.__dict__
        return (
            *(outcome, revision, len(added), len(removed), len(members) - len(added)),
            *(len(found) - len(members), sorted([*named("remove", removed), *named("add", added)])),
        )

    def _publish_copy(self, where: Repository, member: Member) -> list[Member]:
        """As `publish` and `add_files` would; what that adds, or changes."""
        version, name = member.version, member.registration.name
        files = [
            (each.role, {"filename": filename, "sha256": each.sha256, "size": each.size})
            for filename, each in member.files.items()
        ]
        main, side = ([given for of, given in files if of == role] for role in ("main", "side"))
        spelled, variant, metadata = version.spelling, version.variant, version.metadata
        outcomes = {self._publish(where, name, spelled, variant, main, metadata)[0]}
        registration = self._find(where, name)
        assert registration is not None
        there = registration.versions[version.identity]
        if side:
            outcomes.add(self._extend(where, registration, there, side, "side")[0])
        return [] if outcomes == {"unchanged"} else [Member(registration, there, {}, where.epoch)]

    def _bury_members(self, members: list[Member]) -> None:
        for member in members:
            self._bury(member.registration, member.version, "deleted")

    # Distributions.

    def create_distribution(
        self,
        prefix: str,
        distribution: str,
        ecosystem: str,
        components: dict[str, Any],
        settings: dict[str, Any] | None = None,
    ) -> Any:
        sources = self._sources(components)
        if not sources:
            raise ModelError("RG400")
        if self._distribution(prefix, distribution):
            raise ModelError("RG409")
        created = Distribution(prefix, distribution, sources, settings or {})
        self._check_clashes(created)
        self.distributions.append(created)
        return self._touch_distribution(created, "created")

    def switch_distribution(
        self,
        prefix: str,
        distribution: str,
        components: dict[str, Any],
        settings: dict[str, Any] | None = None,
        if_revision: int | None = None,
    ) -> Any:
        sources = self._sources(components)
        switched = self._distribution(prefix, distribution)
        if switched is None:
            raise ModelError("RG404")
        self._check_revision(switched.revision, if_revision)
        kept = {c: s for c, s in switched.components.items() if c not in components}
        wanted = switched.settings if settings is None else settings
        if (kept | sources, wanted) == (switched.components, switched.settings):
            return "unchanged", switched.revision
        if not kept | sources:
            raise ModelError("RG400")
        switched.components, switched.settings = kept | sources, wanted
        self._check_clashes(switched)
        return self._touch_distribution(switched, "switched")

    def drop_distribution(
        self, prefix: str, distribution: str, if_revision: int | None = None
    ) -> Any:
        dropped = self._distribution(prefix, distribution)
        if dropped is None:
            raise ModelError("RG404")
        self._check_revision(dropped.revision, if_revision)
        self.distributions.remove(dropped)
        return self._touch_distribution(dropped, "dropped")

    def _distribution(self, prefix: str, name: str) -> Distribution | None:
        path = (prefix, name)
        return next((d for d in self.distributions if (d.prefix, d.name) == path), None)

    def _sources(self, components: dict[str, Any]) -> dict[str, Snapshot | Repository]:
        """What components are to serve; repositories are locked."""
        named = {c: source for c, source in sorted(components.items()) if source is not None}
        for source in named.values():
            if "snapshot" in source:
                self._snapshot(source["snapshot"])
            elif self._live(source["repository"]) is None:
                raise ModelError("RG404")
        return {
            component: self._snapshot(source["snapshot"])
            if "snapshot" in source
            else self._lock(source["repository"])
            for component, source in named.items()
        }

    def _check_clashes(self, distribution: Distribution) -> None:
        contents: dict[tuple[str, *Identity], set[bytes]] = {}
        for source in distribution.components.values():
            for member in self._members(source):
                contents.setdefault(member.place, set()).add(member.digest())
        if any(len(digests) > 1 for digests in contents.values()):
            raise ModelError("RG409")

    def _touch_distribution(self, distribution: Distribution, event: str) -> Any:
        distribution.revision += 1
        path = "/".join(filter(None, (distribution.prefix, distribution.name)))
        self.events.append([f"distribution_{event}", path, None, distribution.revision])
        return event, distribution.revision

    # Mirrors.

    def begin_mirror_update(
        self,
        repository: str,
        release: str | None = None,
        request_key: str | None = None,
        actor: str | None = None,
    ) -> Any:
        where = self._lock(repository)
        if where.kind != "mirror":
            raise ModelError("RG422")
        found = self._held_update(where)
        if found is None:
            if release is not None and where.release == release:
                return "unchanged", None, "committed", None, None
            lease = self.now + LEASE
            found = Update(self._number(), where, release, actor, request_key, lease)
            self.updates.append(found)
            return updated(found, "begun", found.fence)
        asked = (actor, request_key)
        mine = request_key is not None and (found.actor, found.request_key) == asked
        if not mine and found.lease_until >= self.now:
            return updated(found, "in_progress")
        if found.release is None or found.release != release:
            found.items, found.staged = {}, 0
        found.release, (found.actor, found.request_key) = release, asked
        found.fence, found.lease_until = found.fence + 1, self.now + LEASE
        return updated(found, "resumed", found.fence)

    def stage_mirror_items(self, update: Number, fence: int, items: list[dict[str, Any]]) -> Any:
        held = self._update(update)
        self._check_update(held, fence)
        for item in items:
            identity = canonicalize_version(item["version"]), item.get("variant", "")
            place = (canonicalize_name(item["name"]), *identity)
            if not same_item(held.items.setdefault(place, item), item):
                raise ModelError("RG409")
        held.staged, held.lease_until = len(held.items), self.now + LEASE
        return updated(held, "staged", held.fence)

    def commit_mirror_update(self, update: Number, fence: int) -> Any:
        held = self._update(update, exclusive=True)
        if held.status == "committed" and held.fence == fence:
            return updated(held, "unchanged")
        self._check_update(held, fence)
        where = held.repository
        patterns = [pattern.lower() for pattern in where.policy["protected_names"]]
        wanted = {
            place: item
            for place, item in held.items.items()
            if not any(fnmatchcase(place[0], pattern) for pattern in patterns)
        }
        there = {member.place: member for member in self._members(where)}
        same = {
            place
            for place, member in there.items()
            if place in wanted and same_item(member.version.content, wanted[place])
        }
        replaced = there.keys() & wanted.keys() - same
        tags = {
            place: [t for t, i in there[place].registration.tags.items() if i == place[1:]]
            for place in replaced
        }
        self._bury_members([member for place, member in there.items() if place not in same])
        for place in sorted(wanted.keys() - same):
            registration, new = self._insert_item(where, wanted[place])
            if place in replaced:
                self._keep_overlay(there[place].version, registration, new)
                registration.tags.update(dict.fromkeys(tags[place], new.identity))
            if new.identity in registration.blocked:
                why = registration.blocked[new.identity]
                new.status, new.quarantine_reason = "quarantined", why
                self._touch(registration, "quarantined", new)
        held.report = {
            "added": len(wanted.keys() - there.keys()),
            "removed": len(there.keys() - wanted.keys()),
            "changed": len(replaced),
            "unchanged": len(same),
            "protected": len(held.items) - len(wanted),
            "filtered": 0,
        }
        where.release, where.updated = held.release, True
        self._touch_repository(where, "updated")
        held.status, held.items = "committed", {}
        return updated(held, "committed")

    def abort_mirror_update(self, update: Number, fence: int) -> Any:
        held = self._update(update)
        if held.status == "aborted" and held.fence == fence:
            return updated(held, "unchanged")
        self._check_update(held, fence)
        held.status, held.items = "aborted", {}
        return updated(held, "aborted")

    def _insert_item(self, where: Repository, item: dict[str, Any]) -> tuple[Registration, Version]:
        registration = self._find(where, item["name"]) or self._claim(where, item["name"])
        rest = item.get("variant", ""), self._number(), item.get("metadata", {})
        new = Version(item["version"], *rest, content=item)
        self._insert_files(registration, new, item.get("files", []), "main")
        registration.versions[new.identity] = new
        self._touch(registration, "created", new)
        return registration, new

    def _keep_overlay(self, old: Version, registration: Registration, new: Version) -> None:
        if old.listed and old.deprecation is None:
            return
        new.listed, new.yank_reason = old.listed, old.yank_reason
        new.deprecation = old.deprecation
        self._touch(registration, "deprecated" if old.listed else "yanked", new)

    def _update(self, number: Number, exclusive: bool = False) -> Update:
        if number is None:
            raise ModelError("RG400")
        held = next(update for update in self.updates if update.number == number)
        if held.status == "open":
            self._held_update(self._lock(held.repository.name, exclusive))
        return held

    def _held_update(self, repository: Repository) -> Update | None:
        """The open one of a repository."""
        of_it = [u for u in self.updates if u.repository is repository and u.status == "open"]
        self.updating |= {update.number for update in of_it}
        return of_it[0] if of_it else None

    def _supersede(self, repository: Repository) -> None:
        update = self._held_update(repository)
        if update is not None:
            update.status, update.items = "superseded", {}

    def _check_update(self, update: Update, fence: int) -> None:
        if update.status == "superseded" or update.fence != fence:
            raise ModelError("RG412")
        if update.status != "open":
            raise ModelError("RG422")

    # The feed.

    def sequence_events(self) -> int:
        moved = len(self.events) - self.sequenced
        self.sequenced = len(self.events)
        return moved

    # What happens to a version afterwards.

    def yank(self, reason: str | None = None, **version: Any) -> Any:
        registration, found = self._open_version(**version)
        if not found.listed and found.yank_reason == reason:
            return self._unchanged(registration)
        found.listed, found.yank_reason = False, reason
        return self._touch(registration, "yanked", found)

    def unyank(self, **version: Any) -> Any:
        registration, found = self._open_version(**version)
        if found.listed:
            return self._unchanged(registration)
        found.listed, found.yank_reason = True, None
        return self._touch(registration, "unyanked", found)

    def deprecate(self, message: str | None = None, **version: Any) -> Any:
        registration, found = self._open_version(**version)
        if found.deprecation == message:
            return self._unchanged(registration)
        found.deprecation = message
        return self._touch(registration, "undeprecated" if message is None else "deprecated", found)

    def quarantine(self, reason: str | None = None, **version: Any) -> Any:
        registration, found = self._open_version(**version)
        if found.status == "quarantined" and found.quarantine_reason == reason:
            return self._unchanged(registration)
        found.status, found.quarantine_reason = "quarantined", reason
        self._mark_ghosts(registration, found, reason or "")
        return self._touch(registration, "quarantined", found)

    def release_quarantine(self, **version: Any) -> Any:
        registration, found = self._open_version(**version)
        if found.status == "available":
            return self._unchanged(registration)
        found.status, found.quarantine_reason = "available", None
        self._mark_ghosts(registration, found, None)
        return self._touch(registration, "released", found)

    def _mark_ghosts(self, registration: Registration, version: Version, why: str | None) -> None:
        """Snapshots may contain what was deleted of a version."""
        for ghost in registration.ghosts:
            if ghost.identity == version.identity and ghost.published:
                ghost.quarantine_reason = why

    def delete_version(
        self,
        repository: str,
        name: str,
        version: str,
        variant: str = "",
        if_revision: int | None = None,
    ) -> Any:
        where, registration = self._open(repository, name, if_revision)
        self._check_removable(where)
        identity = canonicalize_version(version), variant
        if identity in registration.versions:
            return self._bury(registration, registration.versions[identity], "deleted")
        if "" in registration.tombstones.get(identity, ()):
            return "unchanged", registration.revision, False
        raise ModelError("RG404")

    def restore_version(
        self,
        repository: str,
        name: str,
        version: str,
        variant: str = "",
        if_revision: int | None = None,
    ) -> Any:
        where, registration = self._open(repository, name, if_revision)
        self._check_hosted(where)
        self._check_name(where, registration, name)
        identity = canonicalize_version(version), variant
        tombstones = registration.tombstones.get(identity, {})
        live = registration.versions.get(identity)
        if live is not None:
            if live.status != "available" or "" in tombstones:
                raise ModelError("RG409")
            return self._unchanged(registration)
        ghosts = [
            ghost for ghost in registration.ghosts if ghost.identity == identity and ghost.published
        ]
        if not ghosts:
            raise ModelError("RG404")
        ghost = max(ghosts, key=lambda g: g.number)
        self.held.add(ghost.number)
        back = Version(
            ghost.spelling,
            variant,
            self._number(),
            ghost.metadata,
            listed=ghost.listed,
            yank_reason=ghost.yank_reason,
            deprecation=ghost.deprecation,
        )
        if ghost.files.keys() & self._filenames(registration):
            raise ModelError("RG409")
        back.files = dict(ghost.files)
        self._check_stored(where, [{"sha256": f.sha256} for f in back.files.values()])
        registration.versions[identity] = back
        registration.blocked.pop(identity, None)
        for filename in ["", *back.files]:
            tombstones.pop(filename, None)
        return self._touch(registration, "restored", back)

    def delete_file(
        self,
        repository: str,
        name: str,
        version: str,
        filename: str,
        variant: str = "",
        if_revision: int | None = None,
    ) -> Any:
        where, registration = self._open(repository, name, if_revision)
        self._check_removable(where)
        found = self._published(registration, version, variant)
        tombstones = registration.tombstones.setdefault(found.identity, {})
        if filename in found.files:
            found.removed.append(found.files.pop(filename))
            tombstones[filename] = found.removed[-1].sha256
            return self._touch(registration, "file_deleted", found)
        if filename in tombstones:
            return self._unchanged(registration)
        raise ModelError("RG404")

    def set_tag(self, tag: str, **version: Any) -> Any:
        registration, found = self._open_version(**version)
        if registration.tags.get(tag) == found.identity:
            return self._unchanged(registration)
        if found.status != "available":
            raise ModelError("RG422")
        registration.tags[tag] = found.identity
        return self._touch(registration, "tagged", found)

    def drop_tag(self, repository: str, name: str, tag: str, if_revision: int | None = None) -> Any:
        _, registration = self._open(repository, name, if_revision)
        if tag not in registration.tags:
            return "unchanged", registration.revision, False
        tagged = registration.versions[registration.tags.pop(tag)]
        return self._touch(registration, "tag_dropped", tagged)

    def apply_retention(self, repository: str) -> int:
        where = self._lock(repository, exclusive=True)
        keep = where.policy["keep_versions"]
        if keep is None:
            return 0
        retired = 0
        for registration in self._claimed(where):
            spared = [registration.latest(), registration.latest_stable()]
            spared += [registration.versions[identity] for identity in registration.tags.values()]
            oldest_first = sorted(registration.available(), key=lambda v: v.number)
            for version in oldest_first:
                newer = [v for v in oldest_first if v.number > version.number]
                beyond = sum(v.variant == version.variant for v in newer) >= keep
                if beyond and not any(version is each for each in spared):
                    self._bury(registration, version, "retired")
                    retired += 1
        return retired

    def repair_latest(self, repository: str, name: str) -> Any:
        _, registration = self._open(repository, name)
        return "unchanged", registration.revision, registration.latest() is not None

    def purge(
        self,
        repository: str | None = None,
        locked: frozenset[int | tuple[int, str]] = frozenset(),
        updating: frozenset[int] = frozenset(),
    ) -> tuple[int, ...]:
        """`locked`, `updating`: what other transactions hold."""
        where = self._live(repository) if repository is not None else None
        if repository is not None and where is None:
            raise ModelError("RG404")
        versions = files = pinned = repositories = 0
        for registration in self.registrations if where is None else self._claimed(where):
            kept = [ghost for ghost in registration.ghosts if self._is_pinned(ghost)]
            pinned += len(kept)
            kept += [g for g in registration.ghosts if g.number in locked and g not in kept]
            gone = [ghost for ghost in registration.ghosts if ghost not in kept]
            digests = [d for g in gone for d in [*g.bygone(), *g.digests()]]
            registration.ghosts = [ghost for ghost in registration.ghosts if ghost in kept]
            self.held |= {ghost.number for ghost in gone}
            for version in registration.versions.values():
                others = {d for d in version.bygone() if (version.number, d) in locked}
                pins = [
                    f for f in version.removed if f.sha256 in others or self._is_pinned(version, f)
                ]
                unpinned = [f.sha256 for f in version.removed if f not in pins]
                unpinned += [d for d in version.failed if d not in others]
                version.removed, version.failed = pins, [d for d in version.failed if d in others]
                self.held |= {(version.number, d) for d in unpinned}
                digests += unpinned
            versions += len(gone)
            files += len(digests)
            self._mark(digests)
        for dropped in [r for r in self.repositories if not r.live and r.number not in locked]:
            self.held.add(dropped.number)
            claimed = self._claimed(dropped)
            self.registrations = [r for r in self.registrations if r not in claimed or r.ghosts]
            shown = any(snapshot.repository is dropped for snapshot in self.snapshots)
            if not self._claimed(dropped) and not shown:
                self.repositories.remove(dropped)
                repositories += 1
        for update in self.updates:
            lapsed = update.status == "open" and update.lease_until <= self.now - 7 * DAY
            if lapsed and update.number not in updating:
                self.updating.add(update.number)
                update.status, update.items = "aborted", {}
        return versions, files, pinned, 0, repositories, 0, 0

    def _is_pinned(self, version: Version, file: File | None = None) -> bool:
        """Does a snapshot contain it, or that file of it?"""
        return any(
            member.version is version
            and (file is None or any(file is each for each in member.files.values()))
            for snapshot in self.snapshots
            for member in snapshot.members
        )

    # What anyone can see of it.

    def state(self) -> State:
        """In the form of `tests.interleavings.sessions.Sessions.read_state`."""
        needed = set(self._needed())
        shown = [r for r in self.registrations if r.repository.live]
        active = [r for r in shown if not r.reserved and r.revision > 0]
        published = [(r, v) for r in active for v in r.published()]
        return arranged(
            {
                "repositories": [
                    [r.name, r.kind, r.policy, r.revision] for r in self.repositories if r.live
                ],
                "registrations": [
                    [
                        r.repository.name,
                        r.name,
                        r.revision,
                        spelling(r.latest()),
                        spelling(r.latest_stable()),
                        len(r.published()),
                        len(r.files()),
                        sum(f.size for f in r.files()),
                    ]
                    for r in active
                ],
                "versions": [
                    [
                        r.repository.name,
                        r.name,
                        v.spelling,
                        *v.identity,
                        v.prerelease,
                        v.status,
                        v.listed,
                        v.yank_reason,
                        v.deprecation,
                        v.metadata,
                    ]
                    for r, v in published
                ],
                "order": [
                    [r.repository.name, r.name, [[v.spelling, v.variant] for v in r.available()]]
                    for r in active
                ],
                "files": [
                    [r.repository.name, r.name, *v.identity, filename, f.sha256, f.size, f.role]
                    for r, v in published
                    if v.status == "available"
                    for filename, f in v.files.items()
                ],
                "tags": [
                    [r.repository.name, r.name, tag, *identity]
                    for r in active
                    for tag, identity in r.tags.items()
                    if r.versions[identity].status == "available"
                ],
                "reserved": [[r.repository.name, r.name] for r in shown if r.reserved],
                "processing": [
                    [r.repository.name, r.name, *v.identity]
                    for r in shown
                    for v in r.versions.values()
                    if v.status == "processing"
                ],
                "tombstones": [
                    [r.repository.name, r.name, *identity, filename]
                    for r in self.registrations
                    for identity, filenames in r.tombstones.items()
                    for filename in filenames
                ],
                "ghosts": [
                    [r.repository.name, r.name, *v.identity, v.status]
                    for r in self.registrations
                    for v in r.ghosts
                ],
                "arriving": [
                    [r.name, *v.identity, filename, f.sha256, f.role]
                    for r in self.registrations
                    for v in r.versions.values()
                    for filename, f in v.arriving.items()
                ],
                "publications": [
                    [*canonical(p), p.role, p.status, p.fence, p.outcome, p.revision]
                    for p in self.publications
                ],
                "validations": [
                    [*canonical(p), validator, round, *said]
                    for p in self.publications
                    for (validator, round), said in p.validations.items()
                ],
                "backends": [
                    [r.name, backend, requirement]
                    for r in self.repositories
                    if r.live
                    for backend, requirement in r.backends.items()
                ],
                "copies": [
                    [c.backend, c.sha256, c.state, c.attempts, c.present_at is not None]
                    for c in self.copies
                ],
                "blobs": [
                    [digest, blob.size, digest not in needed and blob.unneeded]
                    for digest, blob in self.blobs.items()
                ],
                "events": self.events,
                "waiting": self.events[self.sequenced :],
                "snapshots": [
                    [s.name, s.repository and live(s.repository), s.count, s.revision]
                    for s in self.snapshots
                ],
                "contents": [[s.name, *m.row()] for s in self.snapshots for m in s.members],
                "sources": [[s.name, source.name] for s in self.snapshots for source in s.sources],
                "distributions": [
                    [d.prefix, d.name, d.settings, d.revision] for d in self.distributions
                ],
                "components": [
                    [d.prefix, d.name, component, *referred(source)]
                    for d in self.distributions
                    for component, source in d.components.items()
                ],
                "served": [
                    [d.prefix, d.name, component, *member.row()]
                    for d in self.distributions
                    for component, source in d.components.items()
                    for member in self._members(source)
                    if not member.version.blocked
                ],
                "mirrors": [
                    [r.name, r.release, r.updated]
                    for r in self.repositories
                    if r.live and r.kind == "mirror"
                ],
                "updates": [
                    [live(u.repository), u.status, u.fence, u.release, u.staged, u.report]
                    for u in self.updates
                ],
                "staged": [[*place] for u in self.updates for place in u.items],
            }
        )

    def differences(self) -> list[list[Any]]:
        """What `diff_snapshots` says of any two, with their names."""
        found = [
            [left.name, right.name, *difference]
            for left in self.snapshots
            for right in self.snapshots
            for difference in self.diff_snapshots(left, right)
        ]
        return sorted(found, key=str)

    def diff_snapshots(self, left: Snapshot, right: Snapshot) -> Iterator[list[Any]]:
        sides = [{m.place: m for m in snapshot.members} for snapshot in (left, right)]
        both = sides[0].keys() & sides[1].keys()
        for place in both:
            had, has = (side[place] for side in sides)
            if had.digest() != has.digest():
                spellings = [had.version.spelling, has.version.spelling]
                yield ["changed", had.registration.name, had.version.variant, *spellings]
        for package in {m.package for side in sides for m in side.values()}:
            had_of_it, has_of_it = (
                sorted(
                    (m for m in side.values() if m.package == package and m.place not in both),
                    key=lambda m: m.version.order,
                )
                for side in sides
            )
            for had, has in zip_longest(had_of_it, has_of_it):
                yield difference(had, has)

    # Finding things, and what several functions begin or end with.

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    def _live(self, name: str) -> Repository | None:
        return next((r for r in self.repositories if r.live and r.name == name), None)

    def _claimed(self, repository: Repository) -> list[Registration]:
        return [r for r in self.registrations if r.repository is repository]

    def _lock(self, name: str, exclusive: bool = False) -> Repository:
        repository = self._live(name)
        if repository is None:
            raise ModelError("RG404")
        if exclusive and self.locked.get(repository.number) is False:
            raise ModelError("RG422")  # from shared to exclusive
        self.locked[repository.number] = exclusive or self.locked.get(repository.number, False)
        return repository

    def _scope(self, repository: Repository) -> int:
        """PyPI names are unique in a repository unless its policy says otherwise."""
        if repository.kind == "hosted" and repository.policy["name_scope"] == "namespace":
            return 0
        return repository.number

    def _find(self, repository: Repository, name: str) -> Registration | None:
        claim = self._scope(repository), canonicalize_name(name)
        return next((r for r in self.registrations if (r.scope, r.normalized) == claim), None)

    def _claim(self, repository: Repository, name: str, reserved: bool = False) -> Registration:
        claimed = Registration(repository, self._scope(repository), name, reserved)
        if repository.policy["lookalike_guard"]:  # guarded names refuse newcomers that look alike
            for other in self.registrations:
                guarded = other.repository.live and other.repository.policy["lookalike_guard"]
                alike = lookalike(other.normalized) == lookalike(claimed.normalized)
                if other.scope == claimed.scope and guarded and alike:
                    raise ModelError("RG409")
        self.registrations.append(claimed)
        return claimed

    def _open(
        self, repository: str, name: str, if_revision: int | None = None
    ) -> tuple[Repository, Registration]:
        where = self._lock(repository)
        registration = self._find(where, name)
        if registration is None or registration.repository is not where or registration.reserved:
            raise ModelError("RG404")
        self._check_revision(registration.revision, if_revision)
        return where, registration

    def _published(self, registration: Registration, version: str, variant: str) -> Version:
        found = registration.versions.get((canonicalize_version(version), variant))
        if found is None:
            raise ModelError("RG404")
        if found.status == "processing":
            raise ModelError("RG422")
        return found

    def _open_version(
        self,
        repository: str,
        name: str,
        version: str,
        variant: str = "",
        if_revision: int | None = None,
    ) -> tuple[Registration, Version]:
        _, registration = self._open(repository, name, if_revision)
        return registration, self._published(registration, version, variant)

    def _policy(self, before: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        policy = before | changes
        if policy["immutable"] and policy["keep_versions"] is not None:
            raise ModelError("RG400")
        return policy

    def _check_revision(self, now: int, if_revision: int | None) -> None:
        if if_revision not in (None, now):
            raise ModelError("RG412")

    def _check_hosted(self, repository: Repository) -> None:
        if repository.kind == "mirror":
            raise ModelError("RG403")

    def _check_removable(self, repository: Repository) -> None:
        if repository.policy["immutable"]:
            raise ModelError("RG403")

    def _check_name(
        self, repository: Repository, registration: Registration | None, name: str
    ) -> None:
        if registration is not None:
            if registration.repository is not repository:
                raise ModelError("RG409")
            if registration.reserved:
                raise ModelError("RG403")
        patterns = repository.policy["protected_names"]
        if any(fnmatchcase(canonicalize_name(name), pattern.lower()) for pattern in patterns):
            raise ModelError("RG403")

    def _check_reuse(
        self,
        repository: Repository,
        registration: Registration,
        identity: Identity,
        files: list[dict[str, Any]],
        metadata: dict[str, Any],
    ) -> None:
        """May a deleted version come back with this content?"""
        reuse = repository.policy["reuse"]
        deleted = registration.tombstones.get(identity)
        if not deleted or reuse == "always":
            return
        same = all(deleted.get(f["filename"]) == f["sha256"] for f in files)
        if not files:
            same = deleted == {"": digest(metadata)}
        elif metadata and "" in deleted:
            same = same and deleted[""] == digest(metadata)
        if reuse == "never" or not same:
            raise ModelError("RG410")

    def _filenames(self, registration: Registration) -> set[str]:
        live = registration.versions.values()
        return {filename for v in live for filename in [*v.files, *v.arriving]}

    def _insert_files(
        self,
        registration: Registration,
        version: Version,
        files: list[dict[str, Any]],
        role: str,
        publication: Publication | None = None,
    ) -> None:
        taken = self._filenames(registration)
        for given in files:
            if given["filename"] in taken:
                raise ModelError("RG409")
            blob = self.blobs.setdefault(given["sha256"], Blob(given["size"]))
            if blob.size != given["size"]:
                raise ModelError("RG409")
            inserted = File(given["sha256"], given["size"], role)
            if publication is None:
                version.files[given["filename"]] = inserted
            else:
                version.arriving[given["filename"]] = inserted
                publication.files[given["filename"]] = inserted

    def _extend(
        self,
        repository: Repository,
        registration: Registration,
        version: Version,
        files: list[dict[str, Any]],
        role: str,
    ) -> Any:
        missing = self._missing(version, files)
        if any(f["filename"] in version.arriving for f in files):
            raise ModelError("RG422")
        if not missing:
            return self._unchanged(registration)
        self._check_extensible(repository, registration, version, missing)
        self._check_unvalidated(repository)
        self._insert_files(registration, version, missing, role)
        self._check_stored(repository, missing)
        return self._touch(registration, "files_added", version)

    def _missing(self, version: Version, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        known = version.files | version.arriving
        there = [f for f in files if f["filename"] in known]
        if any(known[f["filename"]].sha256 != f["sha256"] for f in there):
            raise ModelError("RG409")
        return [f for f in files if f["filename"] not in known]

    def _check_extensible(
        self,
        repository: Repository,
        registration: Registration,
        version: Version,
        missing: list[dict[str, Any]],
    ) -> None:
        if repository.policy["immutable"]:
            raise ModelError("RG403")
        if version.status != "available":
            raise ModelError("RG422")
        reuse = repository.policy["reuse"]
        deleted = registration.tombstones.get(version.identity, {})
        for given in missing if reuse != "always" else []:
            same = deleted.get(given["filename"]) == given["sha256"]
            if given["filename"] in deleted and (reuse == "never" or not same):
                raise ModelError("RG410")

    def _bury(self, registration: Registration, version: Version, event: str) -> Any:
        identity = version.identity
        for publication in self._open_of(registration, version):
            self._end(publication, "aborted")
        if version.status == "processing":  # nobody has ever seen it
            revision = registration.revision
            self._free_slot(registration, version)
            self._forget_unpublished(registration)
            return event, revision, True
        registration.tags = {t: i for t, i in registration.tags.items() if i != identity}
        tombstones = registration.tombstones.setdefault(identity, {})
        tombstones[""] = digest(version.metadata)
        tombstones.update((name, f.sha256) for name, f in version.files.items())
        registration.blocked.pop(identity, None)
        if version.status == "quarantined":
            registration.blocked[identity] = version.quarantine_reason or ""
        version.vanish()
        registration.repository.release = None  # of a mirror: it is to come back
        del registration.versions[identity]
        registration.ghosts.append(version)
        return self._touch(registration, event, version)

    # What the functions of publications and copies share.

    def _publication_numbered(self, number: Number) -> Publication:
        if number is None:
            raise ModelError("RG400")
        return next(p for p in self.publications if p.number == number)

    def _copy_numbered(self, number: Number) -> Copy | None:
        if number is None:
            raise ModelError("RG400")
        return next((c for c in self.copies if c.number == number), None)

    def _held(self, number: Number) -> Publication:
        held = self._publication_numbered(number)
        if held.registration in self.registrations:
            where = held.registration.repository
            self.locked[where.number] = self.locked.get(where.number, False)
        return held

    def _open_of(
        self, registration: Registration, version: Version | None = None
    ) -> list[Publication]:
        return [
            p
            for p in self.publications
            if p.status == "open"
            and p.registration is registration
            and version in (None, p.version)
        ]

    def _check_fence(self, publication: Publication, fence: int) -> None:
        if publication.status != "open":
            raise ModelError("RG422")
        if publication.fence != fence:
            raise ModelError("RG412")

    def _check_addition(
        self,
        repository: Repository,
        registration: Registration,
        version: Version,
        files: list[dict[str, Any]],
        metadata: dict[str, Any],
        role: str,
    ) -> list[dict[str, Any]]:
        """May these files come to a version that is there, or on its way?"""
        if version.status != "processing" and metadata not in ({}, version.metadata):
            raise ModelError("RG409")
        if version.status == "processing" and any(
            other.metadata != metadata for other in self._open_of(registration, version)
        ):
            raise ModelError("RG409")
        missing = self._missing(version, files)
        if version.status != "processing" and not missing:
            return missing
        if version.status == "quarantined" or (role == "side" and version.status != "available"):
            raise ModelError("RG422")
        if version.status == "available":
            self._check_extensible(repository, registration, version, missing)
        else:
            self._check_reuse(repository, registration, version.identity, files, metadata)
        return missing

    def _resume(
        self,
        repository: Repository,
        publication: Publication,
        request_key: str | None,
        actor: str | None,
    ) -> Any:
        publication.fence += 1
        publication.lease_until = self.now + LEASE
        publication.actor, publication.request_key = actor, request_key
        self._announce(repository, publication)
        return self._publication(publication, publication.fence, "resumed")

    def _end(self, publication: Publication, status: str, keep: bool = False) -> None:
        for filename, file in publication.files.items():
            del publication.version.arriving[filename]
            publication.version.failed += [] if keep else [file.sha256]
        publication.files = {}
        publication.status = status

    def _give_up(self, publication: Publication, status: str) -> None:
        self._end(publication, status)
        self._free_slot(publication.registration, publication.version)
        self._forget_unpublished(publication.registration)

    def _free_slot(self, registration: Registration, version: Version) -> None:
        if version.status == "processing" and not self._open_of(registration, version):
            version.status = "failed"
            del registration.versions[version.identity]
            registration.ghosts.append(version)

    def _forget_unpublished(self, registration: Registration) -> None:
        ghosts = {ghost.status for ghost in registration.ghosts}
        if registration.revision == 0 and not registration.versions and ghosts <= {"failed"}:
            self.registrations.remove(registration)
            self._mark([d for ghost in registration.ghosts for d in ghost.failed])

    def _publication(self, publication: Publication, fence: int | None, outcome: str) -> Any:
        repository = publication.registration.repository
        missing = []
        if publication.status == "open":
            for digest in {file.sha256 for file in publication.files.values()}:
                for backend, requirement in repository.backends.items():
                    live = [c for c in self._copies(backend, digest) if c.state == "pending"]
                    missing += [(c.backend, c.sha256, requirement) for c in live]
        validations = [
            (validator, requirement, status)
            for (validator, round), (requirement, status, _) in publication.validations.items()
            if round == 1
        ]
        return (
            *(outcome, fence, publication.status),
            *(tuple(sorted(missing)), tuple(sorted(validations))),
        )

    def _check_unvalidated(self, repository: Repository) -> None:
        if "required" in repository.policy["validators"].values():
            raise ModelError("RG422")

    def _check_stored(self, repository: Repository, files: list[dict[str, Any]]) -> None:
        needed = {b for b, requirement in repository.backends.items() if requirement != "optional"}
        for given in files:
            there = {c.backend for c in self._copies(None, given["sha256"]) if c.state == "present"}
            nowhere = repository.backends and there.isdisjoint(repository.backends)
            if nowhere or not needed <= there:
                raise ModelError("RG422")

    def _announce(self, repository: Repository, publication: Publication) -> None:
        for digest in sorted({file.sha256 for file in publication.files.values()}):
            for backend in repository.backends:
                self._announce_one(backend, digest)

    def _announce_one(self, backend: str, digest: str) -> None:
        if not any(c.state in ("pending", "present") for c in self._copies(backend, digest)):
            self.copies.append(Copy(backend, digest, self._number()))

    def _copies(self, backend: str | None, digest: str) -> list[Copy]:
        return [c for c in self.copies if backend in (None, c.backend) and c.sha256 == digest]

    def generations(self, backend: str | None = None, digest: str | None = None) -> list[int]:
        """Numbers of copies, in the order in which they were announced."""
        return [
            c.number
            for c in self.copies
            if backend in (None, c.backend) and digest in (None, c.sha256)
        ]

    def _arrived(self, copy: Copy) -> None:
        copy.state = "present"
        if copy.present_at is None:
            copy.present_at = self.now

    def _take(self, copy: Copy) -> tuple[str, int]:
        copy.attempts, copy.due_at = copy.attempts + 1, self.now + LEASE_OF_WORK
        return copy.sha256, copy.attempts

    def _needed(self) -> Iterator[str]:
        """What any row of a file refers to."""
        for registration in self.registrations:
            for version in [*registration.versions.values(), *registration.ghosts]:
                arriving = [file.sha256 for file in version.arriving.values()]
                yield from [*version.digests(), *arriving, *version.bygone()]

    def _held_by(self, repository: Repository) -> set[str]:
        """What was published in it and could still be asked for."""
        return {
            digest
            for registration in self._claimed(repository)
            for version in [*registration.versions.values(), *registration.ghosts]
            for digest in [*version.digests(), *(file.sha256 for file in version.removed)]
        }

    def _filled(self, repository: Repository, backend: str) -> bool:
        present = {c.sha256 for c in self.copies if (c.backend, c.state) == (backend, "present")}
        return self._held_by(repository) <= present

    def unstored(self) -> list[tuple[str, str]]:
        """Published bytes that are not on a backend that requires them, nor known to be lost."""
        return [
            (backend, digest)
            for repository in self.repositories
            for backend, requirement in repository.backends.items()
            if repository.live and requirement == "required"
            for registration in self._claimed(repository)
            for version in registration.published()
            for digest in version.digests()
            if not {"present", "lost"} & {c.state for c in self._copies(backend, digest)}
        ]

    def _is_last(self, copy: Copy) -> bool:
        """Does any file need these bytes, and has no other copy of them?"""
        others = [c for c in self._copies(None, copy.sha256) if c is not copy]
        found = any(other.state == "present" for other in others)
        return copy.sha256 in set(self._needed()) and not found

    def _mark(self, digests: list[str]) -> None:
        for digest in digests:
            self.blobs[digest].unneeded = True

    def _unchanged(self, registration: Registration) -> Any:
        return "unchanged", registration.revision, True

    def _touch(self, registration: Registration, event: str, version: Version | None = None) -> Any:
        registration.revision += 1
        self.events.append([event, registration.name, spelling(version), registration.revision])
        return event, registration.revision, version is not None

    def _touch_repository(self, repository: Repository, event: str) -> Any:
        repository.revision += 1
        self.events.append([f"repository_{event}", repository.name, None, repository.revision])
        return event, repository.revision


def arranged(state: State) -> State:
    """Rows in an order that does not depend on where they come from."""
    return {
        relation: sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))
        for relation, rows in state.items()
    }


def canonical(publication: Publication) -> tuple[str, str, str]:
    """What it publishes, as its row says."""
    version = publication.version
    return publication.registration.name, version.spelling, version.variant


def updated(update: Update, outcome: str, fence: int | None = None) -> Any:
    return outcome, fence, update.status, update.staged, update.report


def highest(members: list[Member]) -> Member:
    """Of one package, from anywhere: of two with one version the greater content, of the very same
    version at two times the later."""
    top = max((Pep440(m.version.spelling), m.version.spelling) for m in members)
    twins = [m for m in members if m.version.spelling == top[1]]
    if len({m.version for m in twins}) == 1:
        return max(twins, key=lambda m: m.epoch)
    return max(twins, key=lambda m: (m.digest(), m.version.number, m.epoch))


def replaced(members: list[Member], new: list[Member], whole: bool) -> list[Member]:
    """Members, with others in the place of those of their packages, or only of their versions."""
    places = {m.package if whole else m.place for m in new}
    return [m for m in members if (m.package if whole else m.place) not in places] + new


def changed(before: list[Member], after: list[Member]) -> list[tuple[str, ...]]:
    """A version that has other files now was removed and added."""
    had, has = ({(m.version, m.digest()) for m in members} for members in (before, after))
    removed = [m for m in before if (m.version, m.digest()) not in has]
    added = [m for m in after if (m.version, m.digest()) not in had]
    return sorted([*named("remove", removed), *named("add", added)])


def named(action: str, members: list[Member]) -> list[tuple[str, ...]]:
    return [(action, m.registration.name, m.version.spelling, m.version.variant) for m in members]


def copied(version: Version, copy: Member) -> bool:
    """Whether it has what the copy would give it."""
    there = {filename: (f.sha256, f.role) for filename, f in version.files.items()}
    wanted = {filename: (f.sha256, f.role) for filename, f in copy.files.items()}
    return (version.metadata, there) == (copy.version.metadata, wanted)


def difference(had: Member | None, has: Member | None) -> list[Any]:
    named = had or has
    assert named is not None
    if had is None or has is None:
        change = "added" if had is None else "removed"
    else:
        change = "upgraded" if had.version.order < has.version.order else "downgraded"
    spellings = [spelling(had.version if had else None), spelling(has.version if has else None)]
    return [change, named.registration.name, named.version.variant, *spellings]


def live(repository: Repository) -> str | None:
    return repository.name if repository.live else None


def referred(source: Snapshot | Repository) -> list[str | None]:
    """As a component names its snapshot or repository."""
    return [source.name, None] if isinstance(source, Snapshot) else [None, source.name]


QUERY = re.compile(r"(?P<name>[\w.-]+)(?: \((?P<operator>\S+) (?P<version>\S+)\))?")
OPERATORS = {">=": operator.ge, "<=": operator.le, "=": operator.eq}


def matches(query: str, member: Member) -> bool:
    """Of the query language: everything, a name, or a name and a bound of versions."""
    parts = QUERY.fullmatch(query)
    assert parts is not None, query
    if parts["name"] == "Name":
        return True
    if canonicalize_name(parts["name"]) != member.registration.normalized:
        return False
    if parts["operator"] is None:
        return True
    compared = Pep440(member.version.spelling), Pep440(parts["version"])
    found: bool = OPERATORS[parts["operator"]](*compared)
    return found


def same_item(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def spelling(version: Version | None) -> str | None:
    return version.spelling if version else None


def digest(metadata: dict[str, Any]) -> str:
    return sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def lookalike(normalized: str) -> str:
    """As a hurried reader sees it: without separators, letters that look like digits as those."""
    return normalized.translate(str.maketrans("ilo", "110", "-_."))
