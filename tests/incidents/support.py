"""Clients that meet: calls, sessions in transactions, and what they left behind.

A scenario returns what it saw as plain values, and never depends on luck: one session stops inside
its transaction, the next one is started, and the test asks the server whether it waits.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple

import psycopg
import pytest
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

from tests.incidents import protections
from tests.support import PATIENCE, backend_pid

NAMESPACE = "acme"
REPOSITORY = "main"
PAUSE_KEY = 42


@dataclass(frozen=True)
class Call:
    """One call of a public function."""

    function: str
    arguments: tuple[object, ...] = ()
    named: dict[str, object] = field(default_factory=dict)

    def execute(self, connection: psycopg.Connection) -> str:
        """Make it; return the outcome, or the first column where there is none."""
        values = [sql.Placeholder()] * len(self.arguments)
        values += [sql.SQL("{} => %s").format(sql.Identifier(name)) for name in self.named]
        statement = sql.SQL("select * from pkgdb.{}({})").format(
            sql.Identifier(self.function), sql.SQL(", ").join(values)
        )
        given = (*self.arguments, *self.named.values())
        cursor = connection.execute(
            statement, [Jsonb(v) if isinstance(v, dict | list) else v for v in given]
        )
        names = [column.name for column in cursor.description or ()]
        shown = next((n for n in ("outcome", "version") if n in names), names[0])
        return " ".join(str(row[names.index(shown)]) for row in cursor)

    def answer(self, connection: psycopg.Connection) -> str:
        """Make it; return the outcome, or the SQLSTATE of its error."""
        try:
            return self.execute(connection)
        except psycopg.Error as error:
            return error.sqlstate or str(error)


def call(function: str, *arguments: object, **named: object) -> Call:
    return Call(function, arguments, named)


@dataclass(frozen=True)
class Package:
    """A package name in a repository; call it to get a call about it."""

    ecosystem: str
    name: str
    repository: str = REPOSITORY
    namespace: str = NAMESPACE

    def __call__(self, function: str, *arguments: object, **named: object) -> Call:
        place = (self.namespace, self.repository, self.ecosystem, self.name)
        return Call(function, place + arguments, named)


def content(filename: str, text: str = "") -> dict[str, object]:
    """One file as it is given to publish; its bytes are a text."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"filename": filename, "sha256": digest, "size": len(text)}


class Session:
    """A client of its own: a connection, and a thread that waits for its answer."""

    def __init__(self, connection: psycopg.Connection, observer: psycopg.Connection) -> None:
        connection.execute("set role pkgdb_operator")
        self.connection = connection
        self.observer = observer
        self.thread = ThreadPoolExecutor(max_workers=1)
        self.pending: Future[str] | None = None

    def begin(self, isolation: str = "read committed") -> None:
        self.connection.execute(sql.SQL("begin isolation level {}").format(sql.SQL(isolation)))

    def do(self, call: Call) -> str:
        """Make a call and wait for its answer."""
        self.start(call)
        return self.answer()

    def start(self, call: Call) -> None:
        """Make a call that may have to wait."""
        self.pending = self.thread.submit(call.answer, self.connection)

    def settle(self) -> str:
        """Until the call has its answer ('nothing') or waits: for a 'lock' of pkgdb's, for a 'row'
        that another transaction wrote, or at a 'pause'. Returns what it waits for."""
        assert self.pending is not None
        deadline = time.monotonic() + PATIENCE
        while not self.pending.done():
            waits = self.observer.execute(
                """
                select case
                           when l.locktype <> 'advisory' then 'row'
                           when l.objid = %(pause)s and l.classid = 0 then 'pause'
                           else 'lock'
                       end
                  from pg_locks l
                 where l.pid = %(pid)s and not l.granted
                   and l.locktype in ('advisory', 'transactionid', 'tuple', 'spectoken')
                   and cardinality(pg_blocking_pids(%(pid)s)) > 0
                """,
                {"pid": backend_pid(self.connection), "pause": PAUSE_KEY},
            ).fetchone()
            if waits:
                return waits[0]
            if time.monotonic() > deadline:
                pytest.fail("the call neither answers nor waits for a lock")
        return "nothing"

    def answer(self) -> str:
        assert self.pending is not None
        return self.pending.result(PATIENCE)

    def commit(self) -> None:
        """Commit, or end what an error has ended already."""
        failed = self.connection.info.transaction_status == TransactionStatus.INERROR
        self.connection.execute("rollback" if failed else "commit")

    def rollback(self) -> None:
        self.connection.execute("rollback")

    def end(self) -> None:
        """Leave nothing behind, whatever the test left undone."""
        if self.pending is not None and not self.pending.done():
            self.connection.cancel_safe(timeout=PATIENCE)
        self.thread.shutdown()
        self.connection.close()


class Race(NamedTuple):
    """What two clients were told, and what the second waited for while the first had not
    committed."""

    first: str
    waited: str
    second: str


class World:
    """A database in which something is about to go wrong."""

    def __init__(self, db: psycopg.Connection, connect: Callable[..., psycopg.Connection]) -> None:
        self.db = db
        self.connect = connect
        self.sessions = ExitStack()
        self.members: list[Session] = []
        self.removed: tuple[str, ...] = ()

    def __enter__(self) -> "World":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sessions.close()

    def without(self, *names: str) -> "World":
        """Take protections away."""
        protections.remove(self.db, names)
        self.removed += names
        return self

    def repository(self, name: str = REPOSITORY, kind: str = "hosted", **policy: object) -> None:
        self.given(call("create_repository", NAMESPACE, name, kind, policy))

    def given(self, *calls: Call) -> None:
        """Calls that succeed before the incident begins."""
        for each in calls:
            each.execute(self.db)

    def session(self) -> Session:
        session = Session(self.connect(), self.db)
        self.sessions.callback(session.end)
        return session

    def race(self, first: Call, second: Call) -> Race:
        """The first call has its answer but has not committed when the second is started."""
        one, other = self.session(), self.session()
        one.begin()
        answer = one.do(first)
        other.start(second)
        waited = other.settle()
        one.commit()
        return Race(answer, waited, other.answer())

    def crowd(self, calls: Iterable[Call]) -> list[str]:
        """All calls at the same moment: they gather before the repository, which then opens."""
        gate = self.connect()
        with gate.transaction():
            gate.execute(
                """
                select pg_advisory_xact_lock((pkgdb.repository_lock(namespace, repository_id)).key)
                  from pkgdb.repository where status = 'live' order by repository_id
                """
            )
            sessions = self.start_all(calls)
        return [session.answer() for session in sessions]

    def start_all(self, calls: Iterable[Call]) -> list[Session]:
        """Start each call in a session of its own, and wait until each of them waits."""
        started = []
        for number, each in enumerate(calls):
            if number == len(self.members):
                self.members.append(self.session())
            self.members[number].start(each)
            started.append(self.members[number])
        assert all(session.settle() != "nothing" for session in started)
        return started

    @contextmanager
    def pause(self, table: str) -> Iterator[None]:
        """Whoever is about to insert into a table waits there until this ends: after all that a
        call reads before, and before what it writes."""
        self.db.execute(
            sql.SQL("""
                create function public.pause() returns trigger language plpgsql as
                $$ begin perform pg_advisory_xact_lock_shared({key}); return new; end $$;
                create trigger pause before insert on {table}
                    for each row execute function public.pause();
            """).format(key=PAUSE_KEY, table=sql.Identifier("pkgdb", table))
        )
        self.db.execute("select pg_advisory_lock(%s)", [PAUSE_KEY])
        yield
        self.db.execute("select pg_advisory_unlock(%s)", [PAUSE_KEY])

    def insert_version(self, package: Package, version: str, status: str, **more: object) -> None:
        """A row by hand. `processing` ones have no function that makes them yet."""
        values = {"version": version, "status": status} | more
        self.db.execute(
            sql.SQL("""
                insert into pkgdb.package_version
                    (namespace, registration_id, scheme, created_at, {columns})
                select g.namespace, g.registration_id, g.scheme, clock_timestamp(), {values}
                  from pkgdb.registration g
                  join pkgdb.repository r using (namespace, repository_id)
                 where g.namespace = {namespace} and r.name = {repository}
                   and g.ecosystem = {ecosystem} and g.name = {name}
            """).format(
                columns=sql.SQL(", ").join(map(sql.Identifier, values)),
                values=sql.SQL(", ").join(map(sql.Literal, values.values())),
                namespace=package.namespace,
                repository=package.repository,
                ecosystem=package.ecosystem,
                name=package.name,
            )
        )

    def latest(self, package: Package) -> tuple[str | None, str | None]:
        """Where the two pointers of a registration stand."""
        row = self.db.execute(
            """
            select latest, latest_stable from pkgdb.registrations
             where (namespace, repository, ecosystem, name) = (%s, %s, %s, %s)
            """,
            [package.namespace, package.repository, package.ecosystem, package.name],
        ).fetchone()
        assert row is not None
        return row

    def rows(self, package: Package) -> list[tuple[str, str]]:
        """Version and status of every row, ghosts too, as they were written."""
        return self.db.execute(
            """
            select v.version::text, v.status
              from pkgdb.package_version v
              join pkgdb.registration g using (namespace, registration_id)
              join pkgdb.repository r using (namespace, repository_id)
             where (g.namespace, r.name, g.ecosystem, g.name) = (%s, %s, %s, %s)
             order by v.version_id
            """,
            [package.namespace, package.repository, package.ecosystem, package.name],
        ).fetchall()

    def live(self, package: Package) -> list[str]:
        """Versions of the live rows, sorted."""
        ghosts = ("failed", "pending_destruction")
        return sorted(version for version, status in self.rows(package) if status not in ghosts)

    def files(self, package: Package, version: str) -> list[str]:
        """Names of the files that a client sees."""
        row = self.db.execute(
            "select files from pkgdb.resolve(%s, %s, %s, %s, %s)",
            [package.namespace, package.repository, package.ecosystem, package.name, version],
        ).fetchone()
        assert row is not None
        return [file["filename"] for file in row[0]]

    def claims(self) -> list[tuple[str, str]]:
        """Repository and name of every registration."""
        return self.db.execute(
            """
            select r.name::text, g.name::text
              from pkgdb.registration g
              join pkgdb.repository r using (namespace, repository_id)
             order by 1, 2
            """
        ).fetchall()

    def violated(self) -> set[str]:
        """The promises that check_integrity() finds broken; that a protection which the test took
        away is missing goes without saying."""
        found = {row[0] for row in self.db.execute("select promise from pkgdb.check_integrity()")}
        return found - {"protections"} if self.removed else found


def outcomes(answers: Sequence[str]) -> dict[str, int]:
    """How many clients were told what."""
    return {answer: answers.count(answer) for answer in sorted(set(answers))}
