"""Sessions that can be stopped at any step, and what the database looks like in between.

A call that has to wait is a pending task. `Sessions.settle` returns when nothing moves any more
without one of us: every pending call has answered or waits for another session. It asks the
server for that and never a clock.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from tests.model import Call, State, arranged
from tests.support import PATIENCE

JSON_ARGUMENTS = {"policy", "files", "metadata", "items", "components", "settings"}
DEADLOCK_TIMEOUT = "1ms"  # so that who closes a circle is who gets 40P01


def changes(row: Any) -> list[tuple[str, ...]] | None:
    """Of an answer: which versions were added and removed, in an order of our own."""
    if row.changes is None:
        return None
    return sorted((c["action"], c["name"], c["version"], c["variant"]) for c in row.changes)


# What of an answer is the same whenever it is given: as `tests.model.Model` answers.
ANSWERS: dict[str, Callable[[Any], Any]] = {
    "skipped": lambda row: (
        *(row.outcome, row.revision, row.added, row.removed, row.unchanged, row.skipped),
        changes(row),
    ),
    "snapshot_id": lambda row: (row.outcome, row.revision, row.members, changes(row)),
    "distribution_id": lambda row: (row.outcome, row.revision),
    "update_id": lambda row: (row.outcome, row.fence, row.state, row.staged, row.report),
    "version_id": lambda row: (row.outcome, row.revision, row.version_id is not None),
    "repository_id": lambda row: (row.outcome, row.revision),
    "copies": lambda row: (
        *(row.outcome, row.fence, row.state),
        tuple(sorted((c["backend"], c["sha256"], c["requirement"]) for c in row.copies)),
        tuple(sorted((v["validator"], v["requirement"], v["status"]) for v in row.validations)),
    ),
    "validator": lambda row: (row.outcome, row.status, row.attempts),
    "backend": lambda row: (row.outcome, row.state),
    "installation_id": lambda row: (row.outcome,),
}


@dataclass(frozen=True)
class Ids:
    """From the numbers by which the model knows publications, copies and updates to those of the
    tables."""

    publications: Mapping[int, Any] = field(default_factory=dict)
    generations: Mapping[int, Any] = field(default_factory=dict)
    installations: Mapping[str, Any] = field(default_factory=dict)
    updates: Mapping[int, Any] = field(default_factory=dict)


def statement(namespace: str, call: Call, ids: Ids) -> tuple[str, dict[str, Any]]:
    """The call as SQL, with its parameters."""
    arguments = {"namespace": namespace, **call.arguments}
    if "publication" in arguments:
        number = arguments.pop("publication")
        arguments["publication_id"] = number and ids.publications[number]
    if "update" in arguments:
        number = arguments.pop("update")
        arguments["update_id"] = number and ids.updates[number]
    if "generation" in arguments:
        number = arguments["generation"]
        arguments["generation"] = number and ids.generations[number]
    if call.function == "collect_blobs":
        arguments["installation_id"] = ids.installations.get(arguments["backend"])
    if "name" in arguments:
        arguments["ecosystem"] = "pypi"
    if "items" in arguments:
        arguments["items"] = [{"ecosystem": "pypi", **item} for item in arguments["items"]]
    names = ", ".join(f"p_{name} => %({name})s" for name in arguments)
    values = {
        key: Jsonb(value) if key in JSON_ARGUMENTS and value is not None else value
        for key, value in arguments.items()
    }
    return f"select * from pkgdb.{call.function}({names})", values


def answer(rows: list[Any], columns: Sequence[str]) -> Any:
    """What a function answered, without ids: as `tests.model.Model` answers."""
    if columns[0] == "item":
        return tuple((row.item, row.outcome, row.revision, row.sqlstate) for row in rows)
    if "source_key" in columns:
        return sorted((row.sha256, row.attempt) for row in rows)
    (row,) = rows
    kinds = [kind for kind in ("copies", *ANSWERS) if kind in columns]
    if kinds and "outcome" in columns:
        return ANSWERS[kinds[0]](row)
    return tuple(row) if len(row) > 1 else row[0]


async def outcome(
    connection: AsyncConnection[Any], namespace: str, call: Call, ids: Ids, seen: list[Any]
) -> Any:
    """What the call answers, or its SQLSTATE. `seen` gets the rows as they are."""
    try:
        async with connection.cursor(row_factory=namedtuple_row) as cursor:
            await cursor.execute(*statement(namespace, call, ids))
            assert cursor.description is not None
            columns = [column.name for column in cursor.description]
            seen[:] = await cursor.fetchall()
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise  # that was not the server
        return error.sqlstate
    return answer(seen, columns)


NOTHING = Ids()


class Session:
    """One connection, with at most one call under way."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.connection = connection
        self.pid = connection.info.backend_pid
        self.pending: asyncio.Task[Any] | None = None
        self.rows: list[Any] = []  # of the last answer, ids and all

    @property
    def waiting(self) -> bool:
        return self.pending is not None and not self.pending.done()

    @property
    def answered(self) -> bool:
        return self.pending is not None and self.pending.done()

    @property
    def failed(self) -> bool:
        return (
            self.pending is not None
            and self.pending.done()
            and isinstance(self.pending.result(), str)
        )

    def start(self, namespace: str, call: Call, ids: Ids) -> None:
        assert self.pending is None
        self.rows = []
        self.pending = asyncio.create_task(
            outcome(self.connection, namespace, call, ids, self.rows)
        )

    def take(self) -> Any:
        """The answer of the call that has ended, or its SQLSTATE."""
        assert self.pending is not None
        ended, self.pending = self.pending, None
        return ended.result()

    async def begin(self) -> None:
        await self.connection.execute("begin")

    async def commit(self) -> None:
        await self.connection.execute("commit")

    async def rollback(self) -> None:
        await self.connection.execute("rollback")


class Sessions:
    """Several sessions, and an observer that never has a transaction open."""

    def __init__(self, observer: AsyncConnection[Any], sessions: list[Session]) -> None:
        self.observer = observer
        self.sessions = sessions

    def __getitem__(self, place: int) -> Session:
        return self.sessions[place]

    def __iter__(self) -> Iterator[Session]:
        return iter(self.sessions)

    @classmethod
    async def open(cls, stack: AsyncExitStack, dsn: str, count: int) -> Self:
        connections = [
            await stack.enter_async_context(await AsyncConnection.connect(dsn, autocommit=True))
            for _ in range(count + 1)
        ]
        for connection in connections[1:]:
            await connection.execute(f"set deadlock_timeout = '{DEADLOCK_TIMEOUT}'")
        return cls(connections[0], [Session(connection) for connection in connections[1:]])

    async def settle(self) -> None:
        """Until each pending call has answered, or waits for a session that is not moving."""
        deadline = time.monotonic() + PATIENCE
        while pending := [s for s in self.sessions if s.waiting]:
            assert time.monotonic() < deadline, "a call neither answers nor waits for another"
            pids = [s.pid for s in pending]
            cursor = await self.observer.execute(
                "select pid, pg_blocking_pids(pid) from unnest(%s::int[]) pid", [pids]
            )
            blockers = dict(await cursor.fetchall())
            if all(blockers[s.pid] for s in pending if s.waiting) and not circular(blockers):
                return

    async def observe(self, namespace: str, call: Call, ids: Ids = NOTHING) -> Any:
        """What the call answers, made by the observer in a transaction of its own."""
        return await outcome(self.observer, namespace, call, ids, [])

    async def reset(self) -> None:
        """Roll everything back, whoever waits for whom."""
        for session in self.sessions:
            if session.waiting:
                await session.connection.cancel_safe()
        for session in self.sessions:
            if session.pending is not None:
                await session.pending
                session.pending = None
            await session.rollback()

    async def read_state(self, namespace: str) -> State:
        """What a namespace looks like to everyone else, and what later calls could tell apart."""
        cursor = await self.observer.execute(STATE, {"namespace": namespace})
        row = await cursor.fetchone()
        assert row is not None
        return arranged(row[0])

    async def snapshots(self, namespace: str) -> list[int]:
        """The ids of those there are, in the order in which they were created."""
        cursor = await self.observer.execute(
            "select snapshot_id from pkgdb.snapshots where namespace = %s order by 1", [namespace]
        )
        return [number for (number,) in await cursor.fetchall()]

    async def listings(self, namespace: str | None = None, beyond: int = 0) -> dict[int, str]:
        """By the id of each snapshot there is, from one on: a digest of all that a reader finds
        frozen in it, and what `snapshot_digest` says."""
        cursor = await self.observer.execute(LISTINGS, [namespace, beyond])
        return dict(await cursor.fetchall())

    async def differences(self, namespace: str) -> list[list[Any]]:
        """Between any two snapshots, by their names."""
        cursor = await self.observer.execute(
            """
            select l.snapshot, r.snapshot, d.change, d.name, d.variant, d.left_version,
                   d.right_version
              from pkgdb.snapshots l
              join pkgdb.snapshots r using (namespace)
              cross join lateral pkgdb.diff_snapshots(l.namespace, l.snapshot, r.snapshot) d
             where namespace = %s
            """,
            [namespace],
        )
        return sorted(([*row] for row in await cursor.fetchall()), key=str)

    async def purge(self) -> None:
        """Everything that nothing pins goes, of all namespaces."""
        await self.observer.execute("select pkgdb.purge(namespace) from pkgdb.namespace")

    async def generations(self, namespace: str, backend: str, sha256: str | None) -> list[int]:
        """Those of the committed copies of these bytes on a backend, in order."""
        cursor = await self.observer.execute(
            """
            select c.generation
              from pkgdb.blob_copy c join pkgdb.backend b using (namespace, backend_id)
             where c.namespace = %s and b.name = %s
               and c.sha256 = coalesce(decode(%s, 'hex'), c.sha256)
             order by c.generation
            """,
            [namespace, backend, sha256],
        )
        return [generation for (generation,) in await cursor.fetchall()]

    async def installation(self, namespace: str, backend: str) -> Any:
        """What the store of that backend would say."""
        cursor = await self.observer.execute(
            "select installation_id from pkgdb.backend where namespace = %s and name = %s",
            [namespace, backend],
        )
        (found,) = await cursor.fetchone() or (None,)
        return found

    async def violations(self, namespace: str | None = None) -> list[tuple[Any, ...]]:
        cursor = await self.observer.execute("select * from pkgdb.check_integrity(%s)", [namespace])
        return await cursor.fetchall()


def circular(blockers: Mapping[int, list[int]]) -> bool:
    """Whether some wait for each other: one of them is about to get 40P01."""

    def reaches(start: int) -> bool:
        seen: set[int] = set()
        ahead = list(blockers[start])
        while ahead:
            pid = ahead.pop()
            if pid == start:
                return True
            if pid not in seen:
                seen.add(pid)
                ahead += blockers.get(pid, [])
        return False

    return any(reaches(pid) for pid in blockers)


def relation(name: str, columns: str, source: str) -> str:
    rows = f"select jsonb_build_array({columns}) as line from {source}"
    return f"'{name}', (select coalesce(jsonb_agg(line), '[]') from ({rows}) lines)"


LISTINGS = """
    select s.snapshot_id,
           pkgdb.snapshot_digest(s.namespace, s.snapshot) || ' ' ||
           (select md5(coalesce(string_agg(
                       jsonb_build_array(
                           c.ecosystem, c.name, c.version, c.variant, c.metadata, c.files)::text,
                       ',' order by c.version_id), ''))
              from pkgdb.search_versions(
                       s.namespace, p_snapshot => s.snapshot, p_files => true) c)
      from pkgdb.snapshots s
     where s.namespace = coalesce(%s, s.namespace) and s.snapshot_id > %s
     order by s.snapshot_id
"""
CONTENT = (
    "c.repository, c.name, c.version, c.variant, c.status, c.listed, c.yank_reason,"
    " c.deprecation, c.metadata, c.files"
)
HIDDEN = (
    "pkgdb.registration g"
    " join pkgdb.repository r using (namespace, repository_id) {}"
    " where g.namespace = %(namespace)s"
)
STATE = "select jsonb_build_object({})".format(
    ",\n".join(
        [
            *(
                relation(name, columns, f"{source} where namespace = %(namespace)s")
                for name, columns, source in [
                    ("repositories", "repository, kind, policy, revision", "pkgdb.repositories"),
                    (
                        "registrations",
                        "repository, name, revision, latest, latest_stable, versions, files, bytes",
                        "pkgdb.registrations",
                    ),
                    (
                        "versions",
                        "repository, name, version, normalized_version, variant, prerelease,"
                        " status, listed, yank_reason, deprecation, metadata",
                        "pkgdb.package_versions",
                    ),
                    (
                        "order",
                        "repository, name, (select coalesce(jsonb_agg(jsonb_build_array("
                        "v.version, v.variant) order by v.place), '[]') from pkgdb.versions("
                        "namespace, repository, ecosystem, g.name) with ordinality v"
                        " (registration_id, version_id, revision, repository, ecosystem, name,"
                        " version, normalized_version, variant, prerelease, status, listed,"
                        " yank_reason, deprecation, metadata, files, published_at, place))",
                        "pkgdb.registrations g",
                    ),
                    (
                        "files",
                        "repository, name, pkgdb.normalize_version('pypi', version), variant,"
                        " filename, sha256, size, role",
                        "pkgdb.files",
                    ),
                    (
                        "tags",
                        "repository, name, tag, pkgdb.normalize_version('pypi', version), variant",
                        "pkgdb.tags",
                    ),
                    ("waiting", "event, name, version, revision", "pkgdb.outbox"),
                    (
                        "events",
                        "event, name, version, revision",
                        "(select namespace, event, name, version, revision from pkgdb.outbox"
                        " union all select namespace, event, name, version, revision"
                        " from pkgdb.feed_event) e",
                    ),
                    (
                        "arriving",
                        "g.name, v.normalized_version, v.variant, f.filename,"
                        " encode(f.sha256, 'hex'), f.role",
                        "(select * from pkgdb.file where status = 'processing') f"
                        " join pkgdb.package_version v using (namespace, registration_id,"
                        " version_id) join pkgdb.registration g using (namespace,"
                        " registration_id)",
                    ),
                    (
                        "publications",
                        "name, version, variant, role, status, fence, outcome, revision",
                        "pkgdb.publication",
                    ),
                    (
                        "validations",
                        "p.name, p.version, p.variant, v.validator, v.round, v.requirement,"
                        " v.status, v.attempts",
                        "pkgdb.validation v join pkgdb.publication p"
                        " using (namespace, publication_id)",
                    ),
                    (
                        "backends",
                        "repository, backend, requirement",
                        "pkgdb.repository_backends",
                    ),
                    (
                        "copies",
                        "b.name, encode(c.sha256, 'hex'), c.state, c.attempts,"
                        " c.present_at is not null",
                        "pkgdb.blob_copy c join pkgdb.backend b using (namespace, backend_id)",
                    ),
                    ("snapshots", "snapshot, repository, members, revision", "pkgdb.snapshots"),
                    (
                        "contents",
                        f"s.snapshot, {CONTENT}",
                        "pkgdb.snapshots s cross join lateral pkgdb.search_versions("
                        "s.namespace, p_snapshot => s.snapshot, p_files => true) c",
                    ),
                    ("sources", "snapshot, source", "pkgdb.snapshot_sources"),
                    (
                        "distributions",
                        "prefix, distribution, settings, revision",
                        "pkgdb.distributions",
                    ),
                    (
                        "components",
                        "prefix, distribution, component, snapshot, repository",
                        "pkgdb.distribution_components",
                    ),
                    (
                        "served",
                        f"d.prefix, d.distribution, c.component, {CONTENT}",
                        "pkgdb.distributions d cross join lateral pkgdb.distribution_content("
                        "d.namespace, d.prefix, d.distribution) c",
                    ),
                    ("mirrors", "repository, release, updated_at is not null", "pkgdb.mirrors"),
                    (
                        "updates",
                        "repository, status, fence, release, staged, report",
                        "pkgdb.mirror_updates",
                    ),
                    (
                        "staged",
                        "normalized_name, normalized_version, variant",
                        "pkgdb.mirror_item",
                    ),
                    (
                        "blobs",
                        "encode(o.sha256, 'hex'), o.size, o.unneeded_since is not null and not"
                        " exists (select from pkgdb.file f where f.namespace = o.namespace"
                        " and f.sha256 = o.sha256)",
                        "pkgdb.blob o",
                    ),
                ]
            ),
            relation(
                "reserved",
                "r.name, g.name",
                HIDDEN.format("") + " and g.status = 'reserved' and r.status = 'live'",
            ),
            relation(
                "processing",
                "r.name, g.name, v.normalized_version, v.variant",
                HIDDEN.format("join pkgdb.package_version v using (namespace, registration_id)")
                + " and v.status = 'processing'",
            ),
            relation(
                "tombstones",
                "r.name, g.name, t.normalized_version, t.variant, t.filename",
                HIDDEN.format("join pkgdb.tombstone t using (namespace, registration_id)"),
            ),
            relation(
                "ghosts",
                "r.name, g.name, v.normalized_version, v.variant, v.status",
                HIDDEN.format("join pkgdb.package_version v using (namespace, registration_id)")
                + " and v.status in ('failed', 'pending_destruction')",
            ),
        ]
    )
)
