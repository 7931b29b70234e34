"""What the catalog has to do, as plain Python: one namespace of PyPI packages, one call at a time.

Each mutating function of the SQL interface is a method of `Model` under the same name and with the
same arguments, less the prefix `p_`, the namespace and the ecosystem. It returns what the function
answers, without ids, or raises `ModelError`. Nothing is shared with the SQL: versions are ordered
by `packaging`, latest and counters are computed from what is there each time that they are asked.

Answers: (outcome, revision, whether a version is named) of a registration, (outcome, revision) of a
repository, a tuple of (item, outcome, revision, sqlstate) of publish_many, else plain numbers.
"""

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
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
}

Identity = tuple[str, str]  # normalised version, variant
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


@dataclass
class File:
    sha256: str
    size: int
    role: str


@dataclass
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
    deleted_files: int = 0  # rows that the purge has not taken yet
    published: bool = True

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


class Model:
    def __init__(self) -> None:
        self.repositories: list[Repository] = []
        self.registrations: list[Registration] = []
        self.blobs: dict[str, int] = {}  # digest: size
        self.requests: dict[tuple[str | None, str], tuple[Any, Any]] = {}
        self.events: list[list[Any]] = []
        self.numbers = 0
        self.begin()

    # Calls and transactions.

    def begin(self) -> None:
        """A transaction begins: it holds nothing yet."""
        self.locked: dict[int, bool] = {}  # number of a repository: whether exclusively
        self.restored: set[int] = set()  # ghosts that the purge has to pass over

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
        if request_key is None:
            return method(**rest)
        asked = (function, rest)
        if (actor, request_key) in self.requests:
            earlier, answer = self.requests[actor, request_key]
            if earlier != asked:
                raise ModelError("RG409")
            return answer
        answer = method(**rest)
        self.requests[actor, request_key] = asked, answer
        return answer

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        before = self.copy()
        try:
            yield
        except ModelError:
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

    def drop_repository(self, repository: str, if_revision: int | None = None) -> Any:
        dropped = self._lock(repository, exclusive=True)
        self._check_revision(dropped.revision, if_revision)
        self._check_removable(dropped)
        for registration in self._claimed(dropped):
            registration.scope = dropped.number  # the name is free for others
            registration.tags.clear()
            for version in registration.versions.values():
                version.status = "pending_destruction"
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
            self._check_reuse(where, registration, created.identity, files, metadata)
            self._insert_files(registration, created, files, "main")
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

    def expire_publications(self) -> int:
        """Every slot that this model knows has a lease that has ended."""
        expired = 0
        for registration in self.registrations:
            for version in list(registration.versions.values()):
                if version.status == "processing":
                    del registration.versions[version.identity]
                    version.status = "failed"
                    registration.ghosts.append(version)
                    self._touch(registration, "expired", version)
                    expired += 1
        return expired

    def hold_slot(self, repository: str, name: str, version: str) -> None:
        """Not a function of the interface: what a publisher leaves behind that crashed."""
        where = self._live(repository)
        registration = where and self._find(where, name)
        assert registration
        slot = Version(version, "", self._number(), status="processing", published=False)
        registration.versions[slot.identity] = slot

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
        return self._touch(registration, "quarantined", found)

    def release_quarantine(self, **version: Any) -> Any:
        registration, found = self._open_version(**version)
        if found.status == "available":
            return self._unchanged(registration)
        found.status, found.quarantine_reason = "available", None
        return self._touch(registration, "released", found)

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
        self.restored.add(ghost.number)
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
        registration.versions[identity] = back
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
            tombstones[filename] = found.files.pop(filename).sha256
            found.deleted_files += 1
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
        self, repository: str | None = None, locked: frozenset[int] = frozenset()
    ) -> tuple[int, ...]:
        """`locked`: ghosts that other transactions are restoring."""
        where = self._live(repository) if repository is not None else None
        if repository is not None and where is None:
            raise ModelError("RG404")
        versions = files = repositories = 0
        for registration in self.registrations if where is None else self._claimed(where):
            gone = [ghost for ghost in registration.ghosts if ghost.number not in locked]
            versions += len(gone)
            files += sum(len(ghost.files) + ghost.deleted_files for ghost in gone)
            registration.ghosts = [g for g in registration.ghosts if g.number in locked]
            for version in registration.versions.values():
                files += version.deleted_files
                version.deleted_files = 0
        for dropped in [r for r in self.repositories if not r.live]:
            claimed = self._claimed(dropped)
            self.registrations = [r for r in self.registrations if r not in claimed or r.ghosts]
            if not self._claimed(dropped):
                self.repositories.remove(dropped)
                repositories += 1
        return versions, files, 0, 0, repositories

    # What anyone can see of it.

    def state(self) -> State:
        """In the form of `tests.interleavings.sessions.Sessions.read_state`."""
        shown = [r for r in self.registrations if r.repository.live]
        active = [r for r in shown if not r.reserved]
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
                "events": self.events,
            }
        )

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
        return {filename for v in registration.versions.values() for filename in v.files}

    def _insert_files(
        self,
        registration: Registration,
        version: Version,
        files: list[dict[str, Any]],
        role: str,
    ) -> None:
        taken = self._filenames(registration)
        for given in files:
            if given["filename"] in taken:
                raise ModelError("RG409")
            if self.blobs.setdefault(given["sha256"], given["size"]) != given["size"]:
                raise ModelError("RG409")
            version.files[given["filename"]] = File(given["sha256"], given["size"], role)

    def _extend(
        self,
        repository: Repository,
        registration: Registration,
        version: Version,
        files: list[dict[str, Any]],
        role: str,
    ) -> Any:
        missing = [f for f in files if f["filename"] not in version.files]
        there = [f for f in files if f["filename"] in version.files]
        if any(version.files[f["filename"]].sha256 != f["sha256"] for f in there):
            raise ModelError("RG409")
        if not missing:
            return self._unchanged(registration)
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
        self._insert_files(registration, version, missing, role)
        return self._touch(registration, "files_added", version)

    def _bury(self, registration: Registration, version: Version, event: str) -> Any:
        identity = version.identity
        registration.tags = {t: i for t, i in registration.tags.items() if i != identity}
        if version.published:  # else nobody has ever seen it
            tombstones = registration.tombstones.setdefault(identity, {})
            tombstones[""] = digest(version.metadata)
            tombstones.update((name, f.sha256) for name, f in version.files.items())
        version.status = "pending_destruction"
        del registration.versions[identity]
        registration.ghosts.append(version)
        return self._touch(registration, event, version)

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


def spelling(version: Version | None) -> str | None:
    return version.spelling if version else None


def digest(metadata: dict[str, Any]) -> str:
    return sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def lookalike(normalized: str) -> str:
    """As a hurried reader sees it: without separators, letters that look like digits as those."""
    return normalized.translate(str.maketrans("ilo", "110", "-_."))
