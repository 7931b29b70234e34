"""Clients that remember what was acknowledged to them, until their server dies."""

import hashlib
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import psycopg
from psycopg import sql

from pkgdb import migrate
from pkgdb.server import Server
from tests.behaviour.calls import Calls

NAMESPACE, REPOSITORY, STORED, ECOSYSTEM = "acme", "main", "stored", "generic"
BACKEND = "disk"
GONE = "pending_destruction"

# What a client is told of a server that is gone, if anything.
CUT_OFF = (None, "57P01", "57P02", "57P03")

# A package and a version in one of the two repositories.
Key = tuple[str, str, str]


def item(key: Key) -> dict[str, Any]:
    _, name, version = key
    data = f"{name} {version}".encode()
    digest = hashlib.sha256(data).hexdigest()
    file = {"filename": f"{name}-{version}.tar", "sha256": digest, "size": len(data)}
    return {"ecosystem": ECOSYSTEM, "name": name, "version": version, "files": [file]}


def prepare(dsn: str) -> None:
    """The schema, a repository without stores, and one with a store that must have everything."""
    migrate.upgrade(dsn)
    furnish(dsn)


def furnish(dsn: str) -> None:
    """The repositories alone."""
    with psycopg.connect(dsn, autocommit=True) as db:
        calls = Calls(db).at(NAMESPACE)
        calls.create_repository(REPOSITORY)
        calls.create_repository(STORED)
        calls.add_backend(BACKEND, "file:///nowhere")
        calls.set_repository_backend(STORED, BACKEND)


@dataclass
class Load:
    """Everybody who is at work, and what each may have to say for itself afterwards."""

    seed: int
    stopping: threading.Event = field(default_factory=threading.Event)
    answers: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@dataclass
class Client:
    """Someone with a connection who goes on until the server is gone."""

    load: Load
    number: int

    def __post_init__(self) -> None:
        self.random = Random(f"{self.load.seed} {self.number}")
        self.acknowledged = 0
        self.failure: BaseException | None = None

    def run(self, server: Server) -> None:
        """Until told to stop, or cut off. Anything else is a failure to be shown."""
        try:
            with psycopg.connect(server.dsn(), autocommit=True) as db:
                calls = Calls(db).at(NAMESPACE)
                while not self.load.stopping.is_set():
                    with suppress(psycopg.errors.LockNotAvailable):  # where all is slow
                        self.step(calls)
                        self.acknowledged += 1
                        self.load.answers.release()
        except BaseException as error:
            if not isinstance(error, psycopg.OperationalError) or error.sqlstate not in CUT_OFF:
                self.failure = error

    def step(self, calls: Calls) -> None:
        raise NotImplementedError


class Publisher(Client):
    """Has versions of its own in a package of its own and in one that all share."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.versions: dict[Key, str] = {}  # as acknowledged last
        self.created: Counter[Key] = Counter()
        self.snapshots: dict[str, str] = {}  # their digests
        self.pending: dict[Key, str] = {}  # what a call that is under way would make of them
        self.numbers = count(1)

    def step(self, calls: Calls) -> None:
        there = sorted(key for key, status in self.versions.items() if status == "available")
        gone = sorted(key for key, status in self.versions.items() if status == GONE)
        kinds = {self.publish: 6, self.publish_many: 2, self.publish_in_steps: 3, self.freeze: 1}
        kinds |= {self.delete: 2, self.quarantine: 1} if there else {}
        kinds |= {self.restore: 1} if gone else {}
        (kind,) = self.random.choices(list(kinds), list(kinds.values()))
        self.pending = {}
        kind(calls, self.random.choice(gone if kind == self.restore else there or [("", "", "")]))
        self.versions |= self.pending
        self.pending = {}

    def new(self, repository: str = REPOSITORY) -> Key:
        name = self.random.choice(["shared", f"own-{self.number}"])
        return repository, name, f"{self.load.seed}.{next(self.numbers)}.{self.number}"

    def publish(self, calls: Calls, _: Key) -> None:
        key = self.new()
        self.pending = {key: "available"}
        publish(calls, key)
        self.created[key] += 1

    def publish_many(self, calls: Calls, _: Key) -> None:
        keys = [self.new() for _ in range(self.random.randint(2, 20))]
        self.pending = dict.fromkeys(keys, "available")
        calls.rows("publish_many", REPOSITORY, [item(key) for key in keys])
        self.created.update(keys)

    def publish_in_steps(self, calls: Calls, _: Key) -> None:
        """Nobody sees it before the last one."""
        key = self.new(STORED)
        self.pending = {key: "available"}
        publish_in_steps(calls, key)
        self.created[key] += 1

    def delete(self, calls: Calls, key: Key) -> None:
        self.pending = {key: GONE}
        calls.delete_version(key[0], ECOSYSTEM, *key[1:])

    def quarantine(self, calls: Calls, key: Key) -> None:
        self.pending = {key: "quarantined"}
        calls.quarantine(key[0], ECOSYSTEM, *key[1:])

    def restore(self, calls: Calls, key: Key) -> None:
        self.pending = {key: "available"}
        try:
            calls.restore_version(key[0], ECOSYSTEM, *key[1:])
        except psycopg.Error as error:
            if error.sqlstate not in ("RG404", "RG422"):  # purged, or its bytes are
                raise
            self.pending = {}

    def freeze(self, calls: Calls, _: Key) -> None:
        name = f"s-{self.load.seed}-{self.number}-{self.acknowledged}"
        calls.create_snapshot(name, REPOSITORY)
        self.snapshots[name] = calls.snapshot_digest(name)[0]


def publish(calls: Calls, key: Key) -> str:
    given = item(key)
    answer = calls.publish(key[0], ECOSYSTEM, *key[1:], files=given["files"])
    return str(answer.outcome)


def publish_in_steps(calls: Calls, key: Key) -> str:
    """However far an earlier attempt has come."""
    begun = calls.begin_publication(
        key[0], ECOSYSTEM, *key[1:], files=item(key)["files"], request_key="/".join(key)
    )
    if begun.outcome == "unchanged":
        return str(begun.outcome)
    for missing in begun.copies:
        calls.record_copy(
            begun.publication_id,
            begun.fence,
            missing["backend"],
            missing["sha256"],
            missing["generation"],
        )
    return str(calls.commit_publication(begun.publication_id, begun.fence).outcome)


class Janitor(Client):
    """What a worker does, at its most eager."""

    def step(self, calls: Calls) -> None:
        calls.purge()
        calls.sequence_events()
        calls.seal_snapshots()
        (store,) = calls.ask("select installation_id from pkgdb.backends")
        for task in calls.rows("collect_blobs", BACKEND, store.installation_id):
            calls.confirm_blob_deleted(BACKEND, task.sha256, task.generation, task.attempt)


class Installer(Client):
    """Migrates one new database after another."""

    database: str

    def run(self, server: Server) -> None:
        with suppress(Exception):  # cut off, in whatever form alembic says so
            while not self.load.stopping.is_set():
                self.database = f"installed_{self.load.seed}_{self.acknowledged}"
                with psycopg.connect(server.dsn(), autocommit=True) as db:
                    db.execute(sql.SQL("create database {}").format(sql.Identifier(self.database)))
                migrate.upgrade(server.dsn(self.database))
                self.acknowledged += 1
