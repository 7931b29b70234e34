"""Where the faults happen: a server, two stores, and actors that can be stopped and killed."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from multiprocessing import connection as pipes
from pathlib import Path
from typing import Any, LiteralString, Self

import boto3
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from pkgdb import migrate
from pkgdb.models import File
from pkgdb.server import Server
from pkgdb.storage import Store, Worker
from pkgdb.storage.store import MARKER, UPLOADS
from tests.faults import actors
from tests.faults.actors import (
    PART,
    REPOSITORY,
    VALIDATOR,
    Result,
    Setting,
    Stop,
    publish,
    validate,
    work,
)
from tests.incidents.protections import Edit, edit
from tests.servers import kill
from tests.support import PATIENCE, wait_until
from tests.wrapper.proxy import Proxy, hang_up

BUCKET = "pkgdb-faults"
BACKENDS = ("bucket", "folder")
TEMPLATE = "faults_template"
PUBLISHER, OPERATOR = "faults_publisher", "faults_operator"
SETTINGS = {
    "autovacuum": "off",
    "synchronous_commit": "on",  # what was committed outlives the server's processes
}
LONG = timedelta(days=9)  # longer than any lease, back-off, or answer to a repeated request

# Files of a version that is published: both contents have the licence.
LICENSE = b"Do as you please.\n"
CONTENTS = {"one": b"1" * (2 * PART + 1), "other": b"2" * PART}

Command = Callable[..., Awaitable[str]]

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.faults.actors"])


class Actor:
    """A process that carries out a command."""

    def __init__(
        self, setting: Setting, command: Command, arguments: tuple[object, ...], guided: bool
    ) -> None:
        self.name = setting.actor
        self.command = command
        self.arguments = arguments
        self.result: Result | None = None
        self.stop: Stop | None = None
        self.pipe, other = processes.Pipe()
        self.process = processes.Process(
            target=actors.act, args=(other, guided, setting, command, arguments), daemon=True
        )
        self.process.start()
        other.close()

    def __repr__(self) -> str:
        return f"<{self.name}: {self.command.__name__}, {self.result or self.stop}>"

    @property
    def runs(self) -> bool:
        return not self.pipe.closed

    @property
    def well(self) -> bool:
        """Whether it has ended as a command should: done, or refused for what is there already."""
        return self.result is not None and (self.result.error == "" or self.refused)

    @property
    def refused(self) -> bool:
        """Whether it has ended because of other content."""
        return self.result is not None and self.result.error == "RG409"

    def until(self, stop: Stop) -> None:
        """Let it go on until it is there."""
        while self.next() != stop:
            assert self.runs, f"{self} never came to {stop}"

    def next(self) -> Stop | None:
        """Let it go on to where it stops next; None where it ends."""
        if self.stop is not None:
            self.order("go")
        if not self.pipe.poll(PATIENCE):
            pytest.fail(f"{self} neither stops nor ends")
        self.hear()
        return self.stop

    def order(self, what: str) -> None:
        """To `go` on, or to do so `free`ly, or to `fail` there (and go on freely, if it can)."""
        self.stop = None
        self.pipe.send(what)

    def release(self) -> None:
        """Let it go on freely, if it waits."""
        if self.stop is not None:
            self.order("free")

    def hear(self) -> object:
        """What it says next: that it has stopped, or how it ended."""
        try:
            said = self.pipe.recv()
        except EOFError:
            said = Result(error="died")
        if isinstance(said, Stop):
            self.stop = said
        elif isinstance(said, Result):
            self.result = said
            self._end()
        return said

    def kill(self) -> None:
        assert self.process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.stop, self.result = None, Result(error="killed")
        self._end()

    def _end(self) -> None:
        self.process.join(PATIENCE)
        self.process.close()
        self.pipe.close()


class Gate:
    """Forwards connections to a port, as long as it is open."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.open = True
        self.ends: set[socket.socket] = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)  # a run may be killed
        self.thread.start()

    def shut(self) -> None:
        """Nobody gets through, and who has got through is cut off."""
        self.open = False
        for end in list(self.ends):
            hang_up(end)

    def close(self) -> None:
        hang_up(self.listener)
        self.listener.close()
        self.thread.join()
        self.shut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                client.close()
                continue
            server = socket.create_connection(self.target)
            for source, sink in ((client, server), (server, client)):
                self.ends.add(source)
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        hang_up(sink)
        self.ends.discard(source)
        source.close()


class Machine:
    """The database server, and both stores."""

    def __init__(self, base: Path, s3: tuple[str, int]) -> None:
        self.folders = base / "stores"
        self.contents = {name: self._files(base / name, body) for name, body in CONTENTS.items()}
        self.server = Server(
            base / "server", durable=False, die_with_parent=True, settings=SETTINGS
        ).start()
        self.gate = Gate(s3)
        self.environment = environment("127.0.0.1", self.gate.port)
        self.s3 = boto3.client("s3", endpoint_url=environment(*s3)["AWS_ENDPOINT_URL"])
        self.s3.create_bucket(Bucket=BUCKET)
        self._make_template()

    def _make_template(self) -> None:
        """The schema with a clock that can be turned, and who logs in."""
        self.server.ensure_database(TEMPLATE)
        migrate.upgrade(self.server.dsn(TEMPLATE))
        with psycopg.connect(self.server.dsn(TEMPLATE), autocommit=True) as connection:
            connection.execute(
                sql.SQL(
                    """
                    create role {} login in role pkgdb_publisher;
                    create role {} login in role pkgdb_operator;
                    create table public.turned (forward interval not null);
                    insert into public.turned values ('0');
                    create function public.clock_timestamp() returns timestamptz
                    language sql volatile security definer return
                        pg_catalog.clock_timestamp() + (select t.forward from public.turned t);
                    create or replace function pkgdb.clock() returns timestamptz
                    language sql volatile return public.clock_timestamp();
                    """
                ).format(sql.Identifier(PUBLISHER), sql.Identifier(OPERATOR))
            )

    def _files(self, folder: Path, body: bytes) -> list[tuple[File, Path]]:
        folder.mkdir()
        files = []
        for name, data in (("left-pad.tar", body), ("LICENSE", LICENSE)):
            path = folder / name
            path.write_bytes(data)
            files.append((File(name, hashlib.sha256(data).hexdigest(), len(data)), path))
        return files

    def digests(self, content: str) -> dict[str, str]:
        """The files of a content."""
        return {file.filename: file.sha256 for file, _ in self.contents[content]}

    def close(self) -> None:
        self.server.stop()
        self.gate.close()
        self.s3.close()


@contextmanager
def bucket_server() -> Iterator[tuple[str, int]]:
    """Moto's server in a process of its own; its address."""
    pipe, other = processes.Pipe()
    process = processes.Process(target=actors.serve_buckets, args=(other,), daemon=True)
    process.start()
    other.close()
    yield pipe.recv()
    pipe.close()
    process.join()


def environment(host: str, port: int) -> dict[str, str]:
    """What S3's clients are told."""
    return {
        "AWS_ACCESS_KEY_ID": "faults",
        "AWS_SECRET_ACCESS_KEY": "faults",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }


class Database:
    """A database with the schema in it, perhaps without one of its protections."""

    def __init__(self, machine: Machine, name: str, *removals: str | Edit) -> None:
        self.machine = machine
        self.name = name
        self.dsn = machine.server.dsn(name)
        self.cases = count(1)
        with psycopg.connect(machine.server.dsn(), autocommit=True) as connection:
            create = sql.SQL("create database {} template {}")
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        self.db = self.connect()
        for removal in removals:
            if isinstance(removal, Edit):
                edit(self.db, removal)
            else:
                self.db.execute(removal.encode())
        self.tables = self.db.execute(
            """
            select c.relname::text
              from pg_class c
              join pg_attribute a on a.attrelid = c.oid and a.attname = 'namespace'
             where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'r'
             order by 1
            """
        ).fetchall()

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, autocommit=True)

    def reconnect(self) -> None:
        self.db.close()
        self.db = self.connect()

    def close(self) -> None:
        self.db.close()


class Case:
    """A namespace with a repository that requires both stores, and who does what in it."""

    def __init__(self, database: Database, *, validated: bool = False, issues: int = 4) -> None:
        """Commands end well when they are issued so often."""
        self.database = database
        self.machine = database.machine
        self.namespace = f"case-{next(database.cases)}"
        self.prefix = f"{database.name}/{self.namespace}"
        self.folder = self.machine.folders / self.prefix
        self.validated = validated
        self.issues = issues
        self.answering = False  # whether validators are at work, beside the one of the test
        self.issued: list[Actor] = []
        self._set_up()
        self.proxy = Proxy(database.dsn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for actor in self.issued:
            if actor.runs:
                actor.kill()
        self.proxy.__exit__()
        self.machine.gate.open = True

    @property
    def db(self) -> psycopg.Connection[Any]:
        return self.database.db

    def _set_up(self) -> None:
        policy: dict[str, object] = {"reuse": "always"}
        if self.validated:
            policy["validators"] = {VALIDATOR: "required"}
        urls = {"bucket": f"s3://{BUCKET}/{self.prefix}", "folder": self.folder.as_uri()}
        self._call("create_repository", REPOSITORY, "hosted", Jsonb(policy))
        for backend in BACKENDS:
            _, installation, _ = self._call("add_backend", backend, urls[backend])
            asyncio.run(Store.open(urls[backend], create=True).claim(installation))
            self._call("set_repository_backend", REPOSITORY, backend)

    def _call(self, function: str, *arguments: object) -> Any:
        given = [self.namespace, *arguments]
        statement = sql.SQL("select * from pkgdb.{}({})").format(
            sql.Identifier(function), sql.SQL(", ").join([sql.Placeholder()] * len(given))
        )
        return self.db.execute(statement, given).fetchone()

    def rows(self, query: LiteralString) -> list[Any]:
        """What a query says of this namespace, which it calls %(here)s."""
        return self.db.execute(query, {"here": self.namespace}).fetchall()

    # Who does what

    def issue(
        self,
        name: str,
        command: Command,
        *arguments: object,
        guided: bool = False,
        proxied: bool = False,
    ) -> Actor:
        """Start a command in a process of its own."""
        login = PUBLISHER if command in (publish, validate) else OPERATOR
        setting = self._setting(name, login, self.proxy.dsn if proxied else self.database.dsn)
        actor = Actor(setting, command, arguments, guided)
        self.issued.append(actor)
        return actor

    def _setting(self, name: str, login: str, dsn: str) -> Setting:
        # Of the two functions named clock_timestamp, clients call the one that can be turned.
        dsn = make_conninfo(
            dsn,
            user=login,
            application_name=name,
            options="-c search_path=public,pg_catalog",
        )
        return Setting(name, dsn, self.namespace, self.machine.environment)

    def publish(self, name: str, content: str, **how: Any) -> Actor:
        return self.issue(name, publish, self.machine.contents[content], **how)

    def again(self, actor: Actor) -> Actor:
        """The same command, in a new process."""
        return self.issue(actor.name, actor.command, *actor.arguments)

    def rival(self, content: str) -> None:
        """Somebody else begins to publish the version, and goes on beside all the others."""
        rival = self.publish("rival", content, guided=True)
        while rival.next() not in (None, Stop("after", "begin"), Stop("failed", "begin")):
            pass
        rival.release()

    def clean(self) -> None:
        """A worker does all that is due now."""
        asyncio.run(work(self._setting("cleaner", OPERATOR, self.database.dsn), Worker))

    def latest(self, name: str) -> Actor:
        """The last process that carries out, or carried out, the command of that name."""
        return next(actor for actor in reversed(self.issued) if actor.name == name)

    def outcome(self, name: str) -> str:
        """What the command did; empty where it was refused."""
        result = self.latest(name).result
        assert result is not None
        return result.outcome

    def settle(self, but: Actor | None = None) -> None:
        """Until all commands have ended well. What ends otherwise is issued again."""
        while True:
            commands = [self.latest(name) for name in {actor.name: None for actor in self.issued}]
            for actor in commands:
                if not (actor.runs or actor.well):
                    times = sum(actor.name == each.name for each in self.issued)
                    assert times < self.issues, f"{actor} does not end well: {self.issued}"
                    self.again(actor)
            running = self.running(but)
            if not running:
                return
            self.one_ends(running)

    def running(self, but: Actor | None = None) -> list[Actor]:
        return [actor for actor in self.issued if actor.runs and actor is not but]

    def one_ends(self, running: Iterable[Actor]) -> None:
        """Until one of them has ended, and validators have answered what was asked of them."""
        pipes_of = {actor.pipe: actor for actor in running}
        deadline = time.monotonic() + PATIENCE
        while all(actor.runs for actor in pipes_of.values()):
            if time.monotonic() > deadline:
                pytest.fail(f"they wait for each other: {self.issued}")
            if self.answering:
                self._answer_validations()
            for pipe in pipes.wait(list(pipes_of), 0.05 if self.answering else PATIENCE):
                assert isinstance(pipe, pipes.Connection)
                pipes_of[pipe].hear()

    def _answer_validations(self) -> None:
        self.db.execute(
            """
            select pkgdb.record_validation(namespace, publication_id, validator, 'succeeded')
              from pkgdb.validations
             where namespace = %s and status = 'pending'
            """,
            [self.namespace],
        )

    # What happens to them

    def advance(self, by: timedelta) -> None:
        self.db.execute("update public.turned set forward = forward + %s", [by])

    def crash(self) -> None:
        kill(self.machine.server)
        self.machine.server.start()
        self.database.reconnect()

    def disconnect(self, actor: Actor) -> None:
        """The server ends an actor's connections, of which it has some or is making the first."""
        here = "select count(*) > 0 from pg_stat_activity where application_name = %s"
        wait_until(self.db, here, [actor.name])
        ended = self.db.execute(
            "select pid, pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = %s",
            [actor.name],
        ).fetchall()
        gone = "select count(*) = 0 from pg_stat_activity where pid = any (%s)"
        wait_until(self.db, gone, [[pid for pid, _ in ended]])

    @contextmanager
    def held(self, actor: Actor, table: str) -> Iterator[None]:
        """The actor goes on freely, and in its next call waits for a table until this ends."""
        holder = self.database.connect()
        try:
            holder.execute("begin")
            lock = sql.SQL("lock table {} in access exclusive mode")
            holder.execute(lock.format(sql.Identifier("pkgdb", table)))
            actor.release()
            wait_until(
                self.db,
                """
                select count(*) > 0
                  from pg_stat_activity
                 where application_name = %s and cardinality(pg_blocking_pids(pid)) > 0
                """,
                [actor.name],
            )
            yield
        finally:
            holder.close()

    @contextmanager
    def bucket_away(self) -> Iterator[None]:
        self.machine.gate.shut()
        yield
        self.machine.gate.open = True

    @contextmanager
    def folder_away(self) -> Iterator[None]:
        """Its disk is not mounted: there is an empty folder."""
        elsewhere = self.folder.with_suffix(".disk")
        self.folder.rename(elsewhere)
        self.folder.mkdir()
        yield
        self.folder.rename(self.folder.with_suffix(".below"))
        elsewhere.rename(self.folder)

    # What there is

    def state(self) -> set[tuple[str, str]]:
        """Every row of the namespace, with its table."""
        tables = [
            sql.SQL(
                "select {name}, t::text from pkgdb.{table} t where t.namespace = {here}"
            ).format(name=table, table=sql.SQL(table), here=self.namespace)
            for (table,) in self.database.tables
        ]
        return set(self.db.execute(sql.SQL(" union all ").join(tables)).fetchall())

    def violations(self) -> list[Any]:
        return self.rows("select * from pkgdb.check_integrity(%(here)s)")

    def live(self) -> dict[str, str]:
        """The files that a client sees, and their digests."""
        return dict(
            self.rows(
                """
                select f.filename::text, encode(f.sha256, 'hex')
                  from pkgdb.file f
                  join pkgdb.package_version v using (namespace, registration_id, version_id)
                 where f.namespace = %(here)s and f.status = 'available'
                   and v.status = 'available'
                """
            )
        )

    def ledger(self) -> dict[tuple[str, str], str]:
        """Which object is where, as the ledger says; each with its digest."""
        rows = self.rows(
            "select backend, object_key, sha256 from pkgdb.blob_copies where namespace = %(here)s"
        )
        return {(backend, key): digest for backend, key, digest in rows}

    def stored(self) -> dict[tuple[str, str], str]:
        """Which object is where, in truth."""
        places = [("folder", key) for key, _ in self._paths()]
        listed = self.machine.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.prefix}/")
        for each in listed.get("Contents", []):
            places.append(("bucket", each["Key"].removeprefix(f"{self.prefix}/")))
        return {place: digest(self.fetch(*place)) for place in places if place[1] != MARKER}

    def fetch(self, backend: str, key: str) -> bytes:
        """An object's bytes, not by way of pkgdb."""
        if backend == "folder":
            return (self.folder / key).read_bytes()
        found = self.machine.s3.get_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}")
        return found["Body"].read()

    def _paths(self) -> Iterator[tuple[str, Path]]:
        for path in self.folder.rglob("*"):
            if path.is_file():
                yield path.relative_to(self.folder).as_posix(), path

    def check_live(self) -> None:
        """What a client sees is on both stores, and as it should be."""
        assert self.violations() == []
        stored, ledger = self.stored(), self.ledger()
        for wanted in self.live().values():
            places = [place for place, content in ledger.items() if content == wanted]
            assert sorted(backend for backend, _ in places) == sorted(BACKENDS)
            assert {stored.get(place) for place in places} == {wanted}, "live without its bytes"

    def drain(self) -> None:
        """Long after, the worker has done its work, and nothing is left that nothing needs."""
        for _ in range(2):
            self.advance(LONG)
            for _, path in self._paths():
                if path.parent.name == UPLOADS:
                    os.utime(path, (0, 0))
            self.clean()
        self.check_live()
        assert self.stored() == self.ledger(), "objects that the ledger does not know"
        assert self.rows(LEFT_OVER) == []


LEFT_OVER = """
    select 'publication', p.status
      from pkgdb.publication p
     where p.namespace = %(here)s
       and (p.status <> 'committed' or not exists (
            select from pkgdb.package_version v
             where v.namespace = p.namespace and v.version_id = p.version_id))
     union all
    select 'version', v.status
      from pkgdb.package_version v
     where v.namespace = %(here)s and v.status <> 'available'
     union all
    select 'file', f.status
      from pkgdb.file f
     where f.namespace = %(here)s and f.status <> 'available'
     union all
    select 'blob', encode(b.sha256, 'hex')
      from pkgdb.blob b
     where b.namespace = %(here)s and not exists (
            select from pkgdb.file f where f.namespace = b.namespace and f.sha256 = b.sha256)
     union all
    select 'copy', c.state
      from pkgdb.blob_copy c
     where c.namespace = %(here)s and c.state <> 'present'
     union all
    select 'request', q.request_key
      from pkgdb.request q
     where q.namespace = %(here)s
"""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
