"""The worker: repairs, moves, deletes, verifies; several share the work; it ends when told to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import pkgdb
from pkgdb.models import CopyTask
from pkgdb.storage import Store, StoreError, Worker
from pkgdb.storage.worker import TASKS
from tests.support import wait_until

LONG_AGO = timedelta()


async def test_what_is_unpublished_is_deleted(
    two_stores: Any, publish: Any, work: Any, make_file: Any, copies: Any, registry: Any
) -> None:
    """But not what another version needs too."""
    shared, alone = make_file("demo-1.0.tar.gz"), make_file("demo-1.0-py3-none-any.whl")
    await publish([shared, alone])
    other = pkgdb.File("demo-2.0.tar.gz", shared[0].sha256, shared[0].size)
    await publish([(other, shared[1])], "2.0")
    at = copies(shared[0].sha256), copies(alone[0].sha256)
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")

    await work(purge_after=timedelta(days=1))
    assert registry.restore_version("acme", "main", "pypi", "demo", "1.0").outcome == "restored"
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")

    report = await work()
    assert not report.failures
    assert report.done["collect"] == 3  # a blob, which is on two stores
    assert copies(alone[0].sha256) == {}
    for url, key, _ in at[1].values():
        assert await Store.open(url).digest(key) is None
    for url, key, _ in at[0].values():
        assert await Store.open(url).digest(key) == shared[0].sha256
    assert (await work()).done.total() == 0
    assert registry.check_integrity() == []


async def test_an_object_that_somebody_removed(
    two_stores: Any, publish: Any, work: Any, make_file: Any, copies: Any, registry: Any
) -> None:
    """Found by reading, and made again, under another key, from the other store."""
    file, path = make_file(size=9 << 20)
    await publish([(file, path)])
    _, key, _ = copies(file.sha256)["cloud"]
    await two_stores[1].delete(key)
    assert (await work()).done["verify"] == 0
    report = await work(verify_after=LONG_AGO)
    assert (report.done["verify"], report.done["copy"]) == (2, 1)
    _, new, _ = copies(file.sha256)["cloud"]
    assert new != key
    assert await two_stores[1].digest(new) == file.sha256
    assert registry.check_integrity() == []


async def test_an_object_that_is_damaged(
    two_stores: Any, publish: Any, work: Any, make_file: Any, copies: Any
) -> None:
    file, path = make_file()
    await publish([(file, path)])
    _, key, _ = copies(file.sha256)["disk"]
    (two_stores[0].folder / key).write_bytes(b"x" * file.size)
    await work(verify_after=LONG_AGO)
    _, new, _ = copies(file.sha256)["disk"]
    assert new != key
    assert await two_stores[0].digest(new) == file.sha256
    assert await two_stores[0].digest(key) is None  # collected, once the other was there


async def test_a_source_that_is_damaged(
    two_stores: Any,
    publish: Any,
    work: Any,
    make_file: Any,
    copies: Any,
    add_backend: Any,
    overdue: Any,
    tmp_path: Path,
    db: Any,
) -> None:
    """Noticed while copying: the copy is made from another."""
    file, path = make_file()
    await publish([(file, path)])
    _, key, _ = copies(file.sha256)["disk"]
    (two_stores[0].folder / key).write_bytes(b"x" * file.size)
    db.execute(
        """
        update pkgdb.blob_copy c
           set verified_at = verified_at - interval '1 day'
          from pkgdb.backend b
         where b.backend_id = c.backend_id and b.name = 'cloud'
        """
    )  # so that it is not the first choice
    third = await add_backend("third", (tmp_path / "third").as_uri())
    report = await work()
    assert "does not have the bytes that were promised" in report.failures[0]
    assert set(copies(file.sha256)) == {"cloud", "disk"}
    assert not (await overdue()).failures
    at = copies(file.sha256)
    assert set(at) == {"cloud", "disk", "third"}
    assert await third.digest(at["third"][1]) == file.sha256
    assert await two_stores[0].digest(at["disk"][1]) == file.sha256


async def test_a_backend_that_is_added_is_filled(
    add_backend: Any,
    folder_url: str,
    bucket_url: str,
    publish: Any,
    work: Any,
    make_file: Any,
    copies: Any,
    db: Any,
) -> None:
    await add_backend("disk", folder_url)
    files = [make_file(f"demo-1.0-cp3{n}-none-any.whl") for n in range(30)]
    await publish(files)
    await add_backend("cloud", bucket_url)
    assert requirement(db, "cloud") == "filling"
    report = await work()
    assert not report.failures
    assert (report.done["copy"], report.done["promote"]) == (30, 1)
    assert requirement(db, "cloud") == "required"
    assert {len(copies(file.sha256)) for file, _ in files} == {2}


async def test_two_workers_share_the_work(
    add_backend: Any,
    folder_url: str,
    bucket_url: str,
    publish: Any,
    make_file: Any,
    dsn: str,
    registry: Any,
) -> None:
    """Each object is handled by one of them."""
    await add_backend("disk", folder_url)
    files = [make_file(f"demo-1.0-cp3{n}-none-any.whl") for n in range(60)]
    await publish(files)
    await add_backend("cloud", bucket_url)
    workers = [Worker(dsn, purge_after=timedelta()) for _ in range(3)]
    reports = await asyncio.gather(*(worker.run(once=True) for worker in workers))
    assert not any(report.failures for report in reports)
    assert sum(report.done["copy"] for report in reports) == 60

    registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    workers = [Worker(dsn, purge_after=timedelta()) for _ in range(3)]
    reports = await asyncio.gather(*(worker.run(once=True) for worker in workers))
    assert not any(report.failures for report in reports)
    assert sum(report.done["collect"] for report in reports) == 60 + 120  # blobs, objects
    assert registry.check_integrity() == []


async def test_a_store_that_is_away_stops_nothing_else(
    two_stores: Any,
    publish: Any,
    work: Any,
    make_file: Any,
    registry: Any,
    copies: Any,
    monkeypatch: pytest.MonkeyPatch,
    s3_endpoint: str,
    db: Any,
) -> None:
    file, path = make_file()
    await publish([(file, path)])
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    report = await work()
    assert [
        failure for failure in report.failures if not failure.startswith("collect on cloud")
    ] == []
    assert report.failures
    assert report.done["collect"] == 2  # the blob, and the folder's object
    assert report.done["sequence"] > 0
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    report = await work()
    assert (list(report.failures), report.done["collect"]) == ([], 1)


async def test_backends_that_are_odd_stop_nothing_else(
    two_stores: Any, publish: Any, work: Any, make_file: Any, registry: Any, copies: Any
) -> None:
    """A URL that is none; and among the uploads something that cannot be swept."""
    await publish([make_file()])
    for name, url in (("a bad one", "s3://[x"), ("another", "ftp://example.org")):
        registry.add_backend("acme", name, url)
        registry.set_repository_backend("acme", "main", name)
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    stuck = two_stores[0].folder / "pkgdb-uploads" / "folder"
    stuck.mkdir(parents=True)
    os.utime(stuck, (0, 0))
    registry.create_repository("other", "main")
    report = await work(verify_after=LONG_AGO)
    failed = [failure.split(":")[0] for failure in report.failures]
    assert {name for name in failed if name.startswith("collect")} == {
        f"collect on {name} of acme" for name in ("a bad one", "another")
    }
    assert report.done["collect"] == 3  # a blob, which is on two stores
    assert not (await work(namespaces=["other"])).failures


async def test_a_fault_of_the_worker_itself_stops_nothing_else(
    two_stores: Any, publish: Any, make_file: Any, registry: Any, dsn: str, copies: Any
) -> None:
    file, path = make_file()
    await publish([(file, path)])
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    registry.create_repository("other", "main")

    class Failing(Worker):
        async def sequence(self, namespace: str) -> int:
            if namespace == "acme":
                raise LookupError(namespace)
            return await super().sequence(namespace)

        async def remove(self, store: Store, task: CopyTask) -> None:
            if task.backend == "cloud":
                raise LookupError(task.backend)
            await super().remove(store, task)

    report = await Failing(dsn, purge_after=timedelta()).run(once=True)
    assert {failure.split(":")[0] for failure in report.failures} == {
        "sequence in acme", "collect on cloud of acme",
    }  # fmt: skip
    assert report.done["sequence"] == 1
    assert report.done["collect"] == 2  # the blob, and the folder's object


async def test_it_ends_when_nothing_is_left(
    registry: Any, work: Any, db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of blobs that no store has, which are taken so many at a time."""
    monkeypatch.setattr("pkgdb.storage.worker._BLOBS", 3)
    files = [pkgdb.File(f"{n}.whl", f"{n:064x}", 1) for n in range(10)]
    registry.publish("acme", "main", "pypi", "demo", "1.0", files=files)
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    report = await work()
    assert (list(report.failures), report.done["collect"]) == ([], 10)
    assert db.execute("select * from pkgdb.blob").fetchall() == []


async def test_a_deletion_that_fails_comes_again(
    two_stores: Any, publish: Any, make_file: Any, registry: Any, dsn: str, db: Any
) -> None:
    file, path = make_file()
    await publish([(file, path)])
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")

    class Failing(Worker):
        async def remove(self, store: Store, task: CopyTask) -> None:
            raise StoreError("the disk says no")

    report = await Failing(dsn, purge_after=timedelta()).run(once=True)
    assert len(report.failures) == 2
    assert "the disk says no" in report.failures[0]
    waiting = "select attempts, last_error from pkgdb.blob_copy where next_attempt_at > now()"
    assert db.execute(waiting).fetchall() == [(1, "the disk says no")] * 2
    db.execute("update pkgdb.blob_copy set next_attempt_at = now()")
    report = await Worker(dsn).run(once=True)
    assert (list(report.failures), report.done["collect"]) == ([], 2)


async def test_the_store_of_another_installation_is_left_alone(
    two_stores: Any, publish: Any, work: Any, make_file: Any, registry: Any, copies: Any
) -> None:
    """As a clone of the database would meet it."""
    file, path = make_file()
    await publish([(file, path)])
    at = copies(file.sha256)
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    for store in two_stores:
        await store.claim(uuid4(), take_over=True)
    report = await work(verify_after=LONG_AGO)
    assert report.done["collect"] == 1  # the blob, and no object
    assert any("RG412" in failure for failure in report.failures)
    for url, key, _ in at.values():
        assert await Store.open(url).digest(key) == file.sha256


async def test_a_disk_that_is_not_mounted_is_no_reason_to_think_bytes_lost(
    two_stores: Any, publish: Any, work: Any, make_file: Any, copies: Any
) -> None:
    file, path = make_file()
    await publish([(file, path)])
    folder = two_stores[0].folder
    away = folder.rename(folder.with_name("unmounted"))
    folder.mkdir()
    report = await work(verify_after=LONG_AGO)
    assert any("not mounted" in failure for failure in report.failures)
    assert set(copies(file.sha256)) == {"cloud", "disk"}
    folder.rmdir()
    away.rename(folder)
    assert not (await work(verify_after=LONG_AGO)).failures


async def test_a_retired_backend_is_emptied(
    two_stores: Any, publish: Any, work: Any, make_file: Any, registry: Any, copies: Any
) -> None:
    file, path = make_file()
    await publish([(file, path)])
    _, key, _ = copies(file.sha256)["disk"]
    registry.set_repository_backend("acme", "main", "disk", "none")
    registry.retire_backend("acme", "disk")
    report = await work()
    assert (list(report.failures), report.done["collect"]) == ([], 1)
    assert await two_stores[0].digest(key) is None
    assert set(copies(file.sha256)) == {"cloud"}


async def test_housekeeping(registry: Any, work: Any, db: Any) -> None:
    """Without any store: leases, the feed, retention, purging."""
    registry.alter_repository("acme", "main", {"keep_versions": 2})
    for version in ("1.0", "2.0", "3.0"):
        registry.publish("acme", "main", "pypi", "demo", version)
    registry.begin_publication(
        "acme", "main", "pypi", "left", "1.0", lease=timedelta(milliseconds=1)
    )
    wait_until(db, "select lease_until < clock_timestamp() from pkgdb.publications")
    report = await work(keep_events=timedelta())
    assert not report.failures
    done = {task for task in TASKS if report.done[task]}
    assert done == {"expire", "sequence", "retention", "purge", "prune"}
    assert [v.version for v in registry.versions("acme", "main", "pypi", "demo")] == ["3.0", "2.0"]
    assert (await work(keep_events=timedelta())).done.total() == 0


async def test_only_what_was_asked_for(registry: Any, work: Any, db: Any) -> None:
    registry.create_repository("other", "main")
    report = await work(namespaces=["acme"], tasks=["sequence"])
    assert +report.done == {"sequence": 1}
    rows = db.execute("select namespace, waiting from pkgdb.feed_positions order by 1").fetchall()
    assert rows == [("acme", 0), ("other", 1)]


async def test_it_stops_when_told_to(registry: Any, dsn: str, db: Any) -> None:
    worker = Worker(dsn, interval=timedelta(hours=1))
    running = asyncio.create_task(worker.run())
    await asyncio.to_thread(wait_until, db, "select waiting = 0 from pkgdb.feed_positions")
    worker.stop()
    report = await running
    assert report.done["sequence"] == 1
    assert not report.failures


def test_sigterm_while_copying(
    begin_worker: Callable[..., subprocess.Popen[str]],
    dsn: str,
    add_backend: Any,
    publish: Any,
    make_file: Any,
    copies: Any,
    folder_url: str,
    tmp_path: Path,
    db: Any,
) -> None:
    """It finishes the copy at hand, begins no other, and says that all is well."""
    asyncio.run(add_backend("disk", folder_url))
    files = [make_file(f"demo-1.0-cp3{n}-none-any.whl") for n in range(9)]
    asyncio.run(publish(files))
    asyncio.run(add_backend("other", (tmp_path / "other").as_uri()))
    with begin_worker(COPYING) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "copying\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "told to stop\n"
        process.stdin.close()
        assert process.stdout.read() == "copied 1\n"
        assert process.wait() == 0
    assert sum(len(copies(file.sha256)) == 2 for file, _ in files) == 1


COPYING = """
import asyncio, os, signal, sys
from pkgdb.storage import Worker

class Watched(Worker):
    async def _copy(self, *arguments):
        print("copying", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await super()._copy(*arguments)

    def stop(self):
        super().stop()
        print("told to stop", flush=True)

async def main():
    worker = Watched(os.environ["PKGDB_DSN"], at_once=1)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    report = await worker.run()
    print("copied", report.done["copy"], flush=True)

asyncio.run(main())
"""


async def test_what_a_killed_worker_had_taken(
    begin_worker: Callable[..., subprocess.Popen[str]],
    add_backend: Any,
    publish: Any,
    work: Any,
    make_file: Any,
    copies: Any,
    folder_url: str,
    tmp_path: Path,
    db: psycopg.Connection,
) -> None:
    """Another one gets it after the lease."""
    await add_backend("disk", folder_url)
    files = [make_file(f"demo-1.0-cp3{n}-none-any.whl") for n in range(3)]
    await publish(files)
    await add_backend("other", (tmp_path / "other").as_uri())
    await asyncio.to_thread(killed_while_copying, begin_worker)
    assert (await work()).done["copy"] == 0
    db.execute("update pkgdb.blob_copy set next_attempt_at = now() where state = 'pending'")
    assert (await work()).done["copy"] == 3
    assert {len(copies(file.sha256)) for file, _ in files} == {2}


def killed_while_copying(begin_worker: Callable[..., subprocess.Popen[str]]) -> None:
    with begin_worker(COPYING) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "copying\n"
        process.kill()


@pytest.fixture
def begin_worker(dsn: str) -> Callable[..., subprocess.Popen[str]]:
    def begin(script: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PKGDB_DSN": dsn},
        )

    return begin


@pytest.fixture
def overdue(work: Any, db: psycopg.Connection) -> Callable[..., Any]:
    """Lets a worker do what waits for another attempt as well."""

    async def overdue() -> Any:
        db.execute("update pkgdb.blob_copy set next_attempt_at = now() where state = 'pending'")
        return await work()

    return overdue


def requirement(db: psycopg.Connection, backend: str) -> str:
    query = "select requirement from pkgdb.repository_backends where backend = %s"
    (found,) = db.execute(query, [backend]).fetchone() or (None,)
    return str(found)
