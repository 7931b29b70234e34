"""Publishers and workers who spare nobody, and an observer who believes nobody."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import connection as pipes
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pkgdb._async.registry import AsyncRegistry
from pkgdb.errors import PkgdbError
from pkgdb.models import CopyTask, File
from pkgdb.storage import AsyncPublisher, StoreError, Worker
from tests.faults.actors import REPOSITORY, Guide, Result, Setting
from tests.faults.stage import Actor, Case, digest
from tests.support import PATIENCE

PUBLISHERS, WORKERS = 4, 2
PACKAGES, VERSIONS, BLOBS = 2, 2, 8
SHORT = timedelta(milliseconds=500)  # a lease that ends while its holder is at work
BETWEEN_KILLS = 1.0
LONGEST = 2 * PATIENCE
BETWEEN_SNAPSHOTS = 0.02  # unless somebody has done something

# What may happen to somebody who is not alone: somebody else's content, a version that was deleted
# meanwhile or never was, a lease that ended, somebody who does not come to an end.
EXPECTED = {"RG404", "RG409", "RG412", "RG422", "TimeoutError"}

Files = list[tuple[File, Path]]


def files(folder: Path) -> Files:
    """A few files, of which every version has two."""
    made = []
    for number in range(BLOBS):
        data = f"{number}".encode() * (1 << 10)
        path = folder / f"blob-{number}"
        path.write_bytes(data)
        made.append((File(path.name, hashlib.sha256(data).hexdigest(), len(data)), path))
    return made


# In processes of their own


async def push(setting: Setting, guide: Guide, pool: Files, seed: int) -> str:
    """Publish, delete and abort at random, until the test says that it is enough."""
    choose = random.Random(seed)
    options = {"lease": SHORT, "patience": 4 * SHORT}
    async with AsyncPublisher.open(setting.dsn, **options) as publisher:
        while not guide.pipe.poll():
            name = f"package-{choose.randrange(PACKAGES)}"
            package = ("generic", name, f"1.{choose.randrange(VERSIONS)}")
            what = choose.choices((publish, delete, abort), (5, 4, 1))[0]
            given = choose.sample(pool, 2)
            try:
                outcome = await what(publisher, setting, package, given)
            except PkgdbError as error:
                outcome = error.sqlstate or type(error).__name__
            except StoreError as error:
                outcome = f"StoreError {error}"
            except TimeoutError as error:
                outcome = type(error).__name__
            guide.pipe.send((what.__name__, outcome))
    return "ended"


async def publish(
    publisher: AsyncPublisher, setting: Setting, package: tuple[str, str, str], given: Files
) -> str:
    done = await publisher.publish(setting.namespace, REPOSITORY, *package, files=given)
    return done.outcome


async def delete(
    publisher: AsyncPublisher, setting: Setting, package: tuple[str, str, str], given: Files
) -> str:
    return (
        await publisher.registry.delete_version(setting.namespace, REPOSITORY, *package)
    ).outcome


async def abort(
    publisher: AsyncPublisher, setting: Setting, package: tuple[str, str, str], given: Files
) -> str:
    registry = publisher.registry
    begun = await registry.begin_publication(
        setting.namespace, REPOSITORY, *package, files=[file for file, _ in given], lease=SHORT
    )
    if begun.publication_id is None or begun.fence is None:
        return begun.outcome
    ended = await registry.abort_publication(setting.namespace, begun.publication_id, begun.fence)
    return ended.outcome


class Eager(Worker):
    """A worker that waits for nothing, and whose claims last for a moment."""

    def __init__(self, pipe: Connection, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.pipe = pipe

    async def confirm(self, namespace: str, task: CopyTask) -> None:
        await super().confirm(namespace, task)
        self.pipe.send(("collect", "object deleted"))


class Reporter(logging.Handler):
    """Tells the test of what went wrong for a worker."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self.pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        error = record.args[-1] if isinstance(record.args, tuple) else record.args
        outcome = getattr(error, "sqlstate", None) or f"{type(error).__name__} {error}"
        self.pipe.send(("work", outcome))


async def tend(setting: Setting, guide: Guide) -> str:
    """Expire, purge and collect without a pause."""
    AsyncRegistry.collect_blobs = functools.partialmethod(AsyncRegistry.collect_blobs, lease=SHORT)
    logging.disable(logging.NOTSET)
    logging.getLogger("pkgdb.worker").addHandler(Reporter(guide.pipe))
    worker = Eager(
        guide.pipe,
        setting.dsn,
        namespaces=[setting.namespace],
        tasks=("expire", "purge", "collect"),
        interval=timedelta(milliseconds=20),
        purge_after=timedelta(0),
    )
    asyncio.get_running_loop().add_reader(guide.pipe.fileno(), worker.stop)
    await worker.run()
    return "ended"


# The test


@dataclass
class Storm:
    """What was done, and what was seen."""

    case: Case
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    kills: int = 0
    snapshots: int = 0
    read: int = 0
    races: int = 0
    died: list[str] = field(default_factory=list)  # though nobody killed them
    violations: list[str] = field(default_factory=list)

    def rage(self, seconds: float, seed: int, enough: Callable[[], object]) -> None:
        """Let it go on for some time, and then until it is enough."""
        choose = random.Random(seed)
        pool = files(self.case.folder.parent)
        begin = time.monotonic()
        kill_at = begin

        def started(number: int) -> Actor:
            if number < WORKERS:
                return self.case.issue(f"worker-{number}", tend)
            return self.case.issue(f"publisher-{number}", push, pool, choose.randrange(1 << 30))

        actors = [started(number) for number in range(WORKERS + PUBLISHERS)]
        while (now := time.monotonic()) < begin + seconds or not enough():
            if now > begin + seconds + LONGEST:
                break
            self.observe()
            pipes.wait([actor.pipe for actor in actors if actor.runs], BETWEEN_SNAPSHOTS)
            for actor in actors:
                self.hear(actor)
            if now > kill_at:
                kill_at += BETWEEN_KILLS
                number = choose.randrange(len(actors))
                self.kills += 1
                if actors[number].runs:
                    actors[number].kill()
                actors[number] = started(number)
        for actor in actors:
            if actor.runs:
                actor.order("end")
        for actor in actors:
            while actor.runs:
                self.hear(actor, PATIENCE)

    def hear(self, actor: Actor, patience: float = 0) -> None:
        """What it has done meanwhile."""
        while actor.runs and actor.pipe.poll(patience):
            said = actor.hear()
            if isinstance(said, tuple):
                self.counts[said] += 1
            elif said != Result("ended"):
                self.died.append(repr(actor))

    def observe(self) -> None:
        """Whatever is live in one snapshot can be read from every store, unless it is deleted
        before it is read."""
        self.snapshots += 1
        for file, sha256, backend, key in self.case.rows(LIVE):
            self.read += 1
            found = None if key is None else self.fetched(backend, key)
            if found == sha256:
                continue
            still_live = self.case.db.execute(STILL_LIVE, [self.case.namespace, file]).fetchone()
            if still_live is not None:
                self.violations.append(f"file {file}: {sha256} on {backend} is {found}")
            else:
                self.races += 1

    def fetched(self, backend: str, key: str) -> str | None:
        try:
            return digest(self.case.fetch(backend, key))
        except (FileNotFoundError, self.case.machine.s3.exceptions.NoSuchKey):
            return None

    def unexpected(self) -> dict[tuple[str, str], int]:
        """What nobody should have been told."""
        return {
            (what, outcome): times
            for (what, outcome), times in self.counts.items()
            if outcome not in EXPECTED | OUTCOMES
        }

    def __str__(self) -> str:
        done = ", ".join(
            f"{what} {outcome} {times:,}" for (what, outcome), times in sorted(self.counts.items())
        )
        return (
            f"{self.kills:,} processes killed; {done}; {self.snapshots:,} snapshots,"
            f" {self.read:,} objects read, {self.races:,} deleted before they were read"
        )


OUTCOMES = {
    "created",
    "files_added",
    "unchanged",
    "deleted",
    "aborted",
    "in_progress",
    "object deleted",
}

LIVE = """
    select f.file_id, encode(f.sha256, 'hex'), b.name::text, c.object_key
      from pkgdb.file f
      join pkgdb.package_version v using (namespace, registration_id, version_id)
      join pkgdb.registration r using (namespace, registration_id)
      join pkgdb.repository_backend k using (namespace, repository_id)
      join pkgdb.backend b using (namespace, backend_id)
      left join pkgdb.blob_copies c
        on c.namespace = f.namespace and c.sha256 = encode(f.sha256, 'hex') and c.backend = b.name
     where f.namespace = %(here)s and f.status = 'available' and v.status = 'available'
       and k.requirement = 'required'
"""
STILL_LIVE = """
    select
      from pkgdb.file f
      join pkgdb.package_version v using (namespace, registration_id, version_id)
     where f.namespace = %s and f.file_id = %s
       and f.status = 'available' and v.status = 'available'
"""
