"""The publish pipeline with real bytes: publishers, a store, its collector, and what clients get.

The store is a folder in which an object is made whole and once, as a careful client makes it.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from tests.behaviour.calls import Calls
from tests.incidents import protections
from tests.incidents.protections import Edit
from tests.incidents.support import NAMESPACE, REPOSITORY, Call, World, call
from tests.publications.clock import Clock

BACKEND = "disk"

# What the pipeline relies on, and how to take it away: see protections.py.
REMOVALS: dict[str, tuple[str | Edit, ...]] = {
    "fence": (Edit("check_fence", r"p_publication\.fence <> p_fence", "false"),),
    "end": (Edit("check_fence", r"p_publication\.status <> 'open'", "false"),),
    "removed check": (
        "alter table pkgdb.package_version drop constraint package_version_removed_check",
    ),
    "resuming": (
        Edit("begin_publication", r"and p\.request_key = p_request_key and", "and false and"),
    ),
    "required backends": (Edit("check_stored", r"if v_missing is not null", "if false"),),
    "claim of blobs": (
        Edit("collect_blobs", r"for update skip locked\);\s+v_unneeded", "); v_unneeded"),
    ),
    "second look at blobs": (
        Edit("collect_blobs", r"where not exists \(\s+select from pkgdb\.file f[^)]*\)[^;]*;",
             ");"),
    ),
    "last look at copies": (
        Edit("collect_blobs", r"or not pkgdb\.is_last_copy\([^)]*\)", "or true"),
    ),
    "generations": (
        "create or replace function pkgdb.object_key("
        " p_namespace text, p_sha256 bytea, p_generation bigint) returns text language sql"
        " immutable return p_namespace || '/' || pg_catalog.encode(p_sha256, 'hex')",
    ),
    "digests and generations": (
        "create or replace function pkgdb.object_key("
        " p_namespace text, p_sha256 bytea, p_generation bigint) returns text language sql"
        " immutable return p_namespace || '/demo-1.0.whl'",
    ),
    "lease of a deletion": (
        Edit("collect_blobs", r"c\.state = 'deleting' and c\.next_attempt_at <= v_now",
             "c.state = 'deleting' and c.attempts = 0"),
    ),
    "lease of a copy": (
        Edit("claim_copies", r"p\.next_attempt_at <= v_now(?=\s+order)", "p.attempts = 0"),
    ),
    "attempt": (Edit("lock_task", r"v_copy\.attempts <> p_attempt", "false"),),
    "file index": (
        "drop index pkgdb.file_live_key",
        Edit("insert_files", r"on conflict \(namespace, registration_id.*?do nothing",
             "on conflict do nothing"),
    ),
    "content index": ("drop index pkgdb.publication_content_key",),
    "open requests in the request index": (
        "drop index pkgdb.publication_request_key",
        "create unique index publication_request_key on pkgdb.publication"
        " (namespace, actor, request_key) where request_key is not null",
    ),
    "actors in the request index": (
        "drop index pkgdb.publication_request_key",
        "create unique index publication_request_key on pkgdb.publication"
        " (namespace, request_key) where status in ('open', 'committed')",
    ),
    "totals are added to": (
        Edit("touch", r"byte_count = r\.byte_count \+ p_bytes", """byte_count = (
            select coalesce(sum(b.size), 0)
              from pkgdb.file f
              join pkgdb.blob b on b.namespace = f.namespace and b.sha256 = f.sha256
             where f.namespace = p_registration.namespace
               and f.registration_id = p_registration.registration_id
               and f.status = 'available')"""),
    ),
}  # fmt: skip


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Store:
    """A folder of objects."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, data: bytes) -> bool:
        """Make an object, whole. False where there is one, which stays as it is."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        upload = self.root / uuid4().hex
        upload.write_bytes(data)
        try:
            os.link(upload, path)
        except FileExistsError:
            return False
        finally:
            upload.unlink()
        return True

    def read(self, key: str) -> bytes | None:
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)

    def objects(self) -> list[str]:
        paths = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in paths)


class Pipeline:
    """A repository that keeps its files in a store."""

    def __init__(self, world: World, root: Path) -> None:
        self.world = world
        self.db = world.db
        self.clock = Clock(world.db)
        self.store = Store(root)
        self.api = Calls(world.db, (NAMESPACE,))

    def without(self, *names: str) -> "Pipeline":
        """Take protections away, of the pipeline or any other."""
        for name in names:
            for step in REMOVALS.get(name, ()):
                if isinstance(step, Edit):
                    protections.edit(self.db, step)
                else:
                    self.db.execute(step)
            if name not in REMOVALS:
                protections.remove(self.db, [name])
            self.world.removed += (name,)
        return self

    def repository(self, requirement: str = "required", **policy: object) -> "Pipeline":
        self.api.create_repository(REPOSITORY, policy=policy)
        self.installation = self.api.add_backend(BACKEND, self.store.root.as_uri()).installation_id
        self.api.set_repository_backend(REPOSITORY, BACKEND, requirement)
        return self

    def package(self, name: str, ecosystem: str = "pypi") -> Calls:
        return self.api.at(REPOSITORY, ecosystem, name)

    # A publisher

    def upload(self, publication: Any, *texts: str) -> None:
        """Put what is missing into the store, and say so; what is there has to be right."""
        data = {digest(text.encode()): text.encode() for text in texts}
        for copy in publication.copies:
            self.send(copy, data[copy["sha256"]])
            self.record(publication, copy)

    def send(self, copy: dict[str, Any], data: bytes) -> None:
        if not self.store.put(copy["object_key"], data):
            found = self.store.read(copy["object_key"])
            assert found is not None
            assert digest(found) == copy["sha256"], "the object at the key has other bytes"

    def record(self, publication: Any, copy: dict[str, Any]) -> Any:
        return self.api.record_copy(
            publication.publication_id, publication.fence,
            copy["backend"], copy["sha256"], copy["generation"],
        )  # fmt: skip

    def commit(self, publication: Any) -> str:
        return self.api.commit_publication(publication.publication_id, publication.fence).outcome

    def publish(self, package: Calls, version: str, filename: str, text: str) -> str:
        """All steps; and then some time passes, in which late uploads of others end."""
        given = {"filename": filename, "sha256": digest(text.encode()), "size": len(text)}
        publication = package.begin_publication(version, files=[given])
        self.upload(publication, text)
        outcome = self.commit(publication)
        self.clock.advance(days=2)
        return outcome

    # The collector

    def suspect_everything(self) -> None:
        """Let the collector look at every blob: it is asked to, and has to find out itself."""
        self.db.execute("update pkgdb.blob set unneeded_since = '-infinity'")

    def claim(self) -> list[Any]:
        """The first step of the collector."""
        return self.api.rows("collect_blobs", BACKEND, self.installation)

    def destroy(self, task: Any) -> str:
        """The second step."""
        self.store.delete(task.object_key)
        return self.confirm(task)

    def confirm(self, task: Any) -> str:
        return self.api.confirm_blob_deleted(
            BACKEND, task.sha256, task.generation, task.attempt
        ).outcome

    def collect(self) -> list[str]:
        """Both steps, of everything that anybody suspects; returns what became of each object."""
        self.suspect_everything()
        return [self.destroy(task) for task in self.claim()]

    # A client

    def seen(self) -> dict[str, str | None]:
        """Each file that is visible, with the text that a download of it gives."""
        rows = self.db.execute("""
            select f.filename, c.object_key
              from pkgdb.files f
              left join pkgdb.blob_copies c using (namespace, sha256)
             order by f.version_id, f.filename""")
        return {filename: self.download(key) for filename, key in rows}

    def download(self, key: str | None) -> str | None:
        data = None if key is None else self.store.read(key)
        return None if data is None else data.decode()

    def statuses(self, name: str) -> list[tuple[str, str]]:
        """Versions of a name and what has become of them, ghosts too."""
        return self.db.execute(
            """
            select v.version::text, v.status
              from pkgdb.package_version v
              join pkgdb.registration g using (namespace, registration_id)
             where g.name = %s order by v.version_id""",
            [name],
        ).fetchall()

    def violated(self) -> set[str]:
        return self.world.violated()


def refusal(function: Any, *args: object, **named: object) -> str | None:
    """The SQLSTATE with which a call is refused; None where it is not."""
    try:
        function(*args, **named)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def of(publication: Any, function: str, *arguments: object, **named: object) -> Call:
    """A call about a publication, by whoever has the fence that it was given with."""
    place = (NAMESPACE, publication.publication_id, publication.fence)
    return call(function, *place, *arguments, **named)


def texts(*given: tuple[str, str]) -> list[dict[str, object]]:
    """Files by name and content, as they are given to publish."""
    return [
        {"filename": name, "sha256": digest(text.encode()), "size": len(text)}
        for name, text in given
    ]


def answers(calls: Iterable[Call], world: World) -> list[str]:
    """What one client is told, call by call."""
    session = world.session()
    return [session.do(each) for each in calls]
