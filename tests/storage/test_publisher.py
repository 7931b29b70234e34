"""Publishing to a folder and a bucket at once: what fails half-way is finished by the next run."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

import pkgdb
from pkgdb.models import MissingCopy, PublicationRef
from pkgdb.storage import AsyncPublisher, Publisher, Store, StoreError, WrongObject, WrongSource
from pkgdb.storage.publisher import STEPS, Job
from tests.storage.conftest import Files
from tests.support import wait_until

SHORT = timedelta(milliseconds=200)


async def test_every_backend_has_the_bytes(
    two_stores: tuple[Store, ...], publish: Any, make_file: Any, copies: Any, db: Any
) -> None:
    files: Files = [make_file(), make_file("demo-1.0-py3-none-any.whl", 9 << 20)]
    seen: dict[tuple[str, str], int] = {}

    def progress(copy: MissingCopy, sent: int) -> None:
        seen[copy.backend, copy.sha256] = seen.get((copy.backend, copy.sha256), 0) + sent

    done = await publish(files, metadata={"summary": "a demo"}, progress=progress)
    assert (done.outcome, done.uploaded, done.found, done.failures) == ("created", 4, 0, ())
    for file, path in files:
        at = copies(file.sha256)
        assert set(at) == {"cloud", "disk"}
        for url, key, _ in at.values():
            found = [chunk async for chunk in Store.open(url).read(key)]
            assert b"".join(found) == path.read_bytes()
        assert {seen[backend, file.sha256] for backend in at} == {file.size}
    assert db.execute("select metadata from pkgdb.package_versions").fetchone() == (
        {"summary": "a demo"},
    )

    again = await publish(files, metadata={"summary": "a demo"})
    assert (again.outcome, again.version_id) == ("unchanged", done.version_id)
    more = await publish([*files, make_file("demo-1.0-cp311-none-any.whl")])
    assert (more.outcome, more.uploaded) == ("files_added", 2)


def test_without_an_event_loop(add_backend: Any, folder_url: str, make_file: Any, dsn: str) -> None:
    asyncio.run(add_backend("disk", folder_url))
    publisher = Publisher(dsn, uploads=1)
    done = publisher.publish("acme", "main", "pkg:pypi/demo@1.0", files=[make_file()])
    assert done.outcome == "created"
    assert publisher.publish("acme", "main", "pkg:pypi/demo@1.0", files=[make_file()]).outcome == (
        "unchanged"
    )


class Interrupted(Exception):
    pass


def interrupted(step: str, after: bool) -> type[AsyncPublisher]:
    """A publisher that fails before or after a step, the second time where it has several."""

    class Failing(AsyncPublisher):
        pass

    calls = 0

    async def fail(self: AsyncPublisher, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == (2 if step in ("upload", "record") else 1):
            if after:
                await getattr(AsyncPublisher, step)(self, *arguments)
            raise Interrupted
        return await getattr(AsyncPublisher, step)(self, *arguments)

    setattr(Failing, step, fail)
    return Failing


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_whatever_fails_is_finished_by_the_next_run(
    two_stores: Any, publish: Any, make_file: Any, registry: Any, step: str, after: bool
) -> None:
    files = [make_file(), make_file("demo-1.0-py3-none-any.whl")]
    with pytest.raises(Interrupted):
        await publish(files, publisher=interrupted(step, after))
    done = await publish(files)
    assert done.outcome == ("unchanged" if (step, after) == ("commit", True) else "created")
    assert (await publish(files)).outcome == "unchanged"
    assert len(registry.resolve("acme", "main", "pypi", "demo", "1.0").files) == 2
    assert registry.check_integrity() == []


async def test_a_process_that_was_killed_while_uploading(
    two_stores: Any, publish: Any, make_file: Any, dsn: str, db: psycopg.Connection, tmp_path: Path
) -> None:
    file, path = make_file(size=40 << 20)
    await asyncio.to_thread(killed_while_uploading, dsn, path, file)
    assert db.execute("select status from pkgdb.publications").fetchall() == [("open",)]
    assert db.execute("select * from pkgdb.package_versions").fetchall() == []
    assert [key async for key in keys(two_stores[0])] == []

    done = await publish([(file, path)], actor="robot")
    assert (done.outcome, done.uploaded + done.found) == ("created", 2)


def killed_while_uploading(dsn: str, path: Path, file: pkgdb.File) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, dsn, path, file.sha256, str(file.size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"uploading\n"
        process.send_signal(signal.SIGKILL)


KILLED = """
import sys
from pathlib import Path
import pkgdb
from pkgdb.storage import Publisher

def progress(copy, sent):
    if copy.backend == "disk":
        print("uploading", flush=True)
        sys.stdin.read()

dsn, path, sha256, size = sys.argv[1:]
file = pkgdb.File("demo-1.0.tar.gz", sha256, int(size))
Publisher(dsn, progress=progress).publish(
    "acme", "main", "pypi", "demo", "1.0", files=[(file, Path(path))], actor="robot"
)
"""


async def test_two_publishers_of_the_same(
    two_stores: Any, publish: Any, make_file: Any, db: Any
) -> None:
    """The second waits for the first and then finds it done."""
    files = [make_file(size=9 << 20)]
    done = await asyncio.gather(*(publish(files, actor=actor) for actor in ("a", "b", "c")))
    assert sorted(one.outcome for one in done) == ["created", "unchanged", "unchanged"]
    assert db.execute("select status from pkgdb.publications").fetchall() == [("committed",)]


async def test_two_runs_of_the_same_publisher(
    two_stores: Any, publish: Any, make_file: Any, db: Any
) -> None:
    """The same actor and key: each takes over from the other, until one is done."""
    files = [make_file(size=9 << 20)]
    done = await asyncio.gather(*(publish(files) for _ in range(3)))
    assert {one.outcome for one in done} <= {"created", "unchanged"}
    assert db.execute("select status from pkgdb.publications").fetchall() == [("committed",)]


async def test_somebody_who_does_not_end(two_stores: Any, publish: Any, make_file: Any) -> None:
    files = [make_file()]
    with pytest.raises(Interrupted):
        await publish(files, publisher=interrupted("commit", False), actor="other")
    with pytest.raises(TimeoutError, match="still being published by somebody else"):
        await publish(files, patience=SHORT)


async def test_somebody_who_was_killed(two_stores: Any, publish: Any, make_file: Any) -> None:
    """After the lease anyone with the same content goes on, and uploads nothing twice."""
    files = [make_file()]
    with pytest.raises(Interrupted):
        await publish(files, publisher=interrupted("commit", False), actor="other", lease=SHORT)
    done = await publish(files)
    assert (done.outcome, done.uploaded, done.found) == ("created", 0, 0)


async def test_the_lease_is_renewed_while_uploading(
    two_stores: Any, publish: Any, make_file: Any, db: Any, registry: Any
) -> None:
    class Slow(AsyncPublisher):
        async def upload(self, job: Job, copy: MissingCopy) -> None:
            (first,) = db.execute("select lease_until from pkgdb.publications").fetchone()
            await asyncio.to_thread(
                wait_until, db, "select lease_until > %s from pkgdb.publications", [first]
            )
            await super().upload(job, copy)

    done = await publish([make_file()], publisher=Slow, uploads=1, lease=timedelta(seconds=1))
    assert done.outcome == "created"


async def test_fenced_off_while_uploading(
    two_stores: Any, publish: Any, make_file: Any, db: Any
) -> None:
    """Another run of the same takes over in the middle: this one waits for it."""
    files = [make_file()]
    other: list[Any] = []

    class Fenced(AsyncPublisher):
        async def record(self, job: Job, publication: PublicationRef, copy: MissingCopy) -> Any:
            if not other:
                other.append(None)
                other[0] = await publish(files)
            return await super().record(job, publication, copy)

    done = await publish(files, publisher=Fenced, uploads=1)
    assert (other[0].outcome, done.outcome) == ("created", "unchanged")


async def test_a_backend_that_is_added_meanwhile(
    add_backend: Any, folder_url: str, bucket_url: str, publish: Any, make_file: Any, copies: Any
) -> None:
    file, path = make_file()
    await add_backend("disk", folder_url)

    class Meanwhile(AsyncPublisher):
        added = False

        async def commit(self, *arguments: Any) -> Any:
            if not self.added:
                self.added = True
                await add_backend("cloud", bucket_url)
            return await super().commit(*arguments)

    assert (await publish([(file, path)], publisher=Meanwhile)).outcome == "created"
    assert set(copies(file.sha256)) == {"cloud", "disk"}


async def test_an_object_with_other_bytes_gets_out_of_the_way(
    two_stores: Any, publish: Any, make_file: Any, copies: Any, tmp_path: Path
) -> None:
    """Somebody wrote into the store by hand: the blob gets another key."""
    file, path = make_file()
    wrong, wrong_path = make_file("wrong")
    keys: list[str] = []

    class Spoiled(AsyncPublisher):
        async def upload(self, job: Job, copy: MissingCopy) -> None:
            if copy.backend == "disk":
                keys.append(copy.object_key)
            if copy.backend == "disk" and len(keys) == 1:
                await two_stores[0].put(copy.object_key, wrong_path, wrong.sha256, wrong.size)
            await super().upload(job, copy)

    assert (await publish([(file, path)], publisher=Spoiled)).outcome == "created"
    assert len(keys) == 2
    assert copies(file.sha256)["disk"][1] == keys[1] != keys[0]
    assert await two_stores[0].digest(keys[1]) == file.sha256


@pytest.mark.parametrize(("first", "where"), [("theirs", 0), ("theirs", 1), ("ours", 0)])
async def test_an_object_that_was_there_and_is_gone(
    two_stores: Any,
    publish: Any,
    make_file: Any,
    copies: Any,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    where: int,
) -> None:
    """Somebody stores the same, and a collector takes it away before it is looked at."""
    file, path = make_file()
    write = Store._write
    met: list[str] = []

    async def meet(store: Store, key: str, chunks: Any, size: int) -> None:
        if not met and store.url == two_stores[where].url:
            met.append(key)
            if first == "theirs":
                await store.put(key, path, file.sha256, file.size)
            try:
                await write(store, key, chunks, size)
            finally:
                await store.delete(key)
        else:
            await write(store, key, chunks, size)

    monkeypatch.setattr(Store, "_write", meet)
    assert (await publish([(file, path)])).outcome == "created"
    assert met
    for store, backend in zip(two_stores, ("disk", "cloud"), strict=True):
        assert await store.digest(copies(file.sha256)[backend][1]) == file.sha256


async def test_who_may_not_verify_is_told_of_other_bytes(
    two_stores: Any, make_file: Any, dsn: str, db: psycopg.Connection
) -> None:
    role = sql.Identifier(f"publisher_of_{db.info.dbname}")
    db.execute(sql.SQL("create role {} login in role pkgdb_publisher").format(role))
    try:
        file, path = make_file()
        wrong, wrong_path = make_file("wrong")

        class Spoiled(AsyncPublisher):
            async def upload(self, job: Job, copy: MissingCopy) -> None:
                store = two_stores[copy.backend == "cloud"]
                await store.put(copy.object_key, wrong_path, wrong.sha256, wrong.size)
                await super().upload(job, copy)

        async with Spoiled.open(make_conninfo(dsn, user=role.as_string().strip('"'))) as opened:
            with pytest.raises(WrongObject):
                await opened.publish("acme", "main", "pypi", "demo", "1", files=[(file, path)])
    finally:
        db.execute(sql.SQL("drop role {}").format(role))


async def test_a_file_that_changed(two_stores: Any, publish: Any, make_file: Any, db: Any) -> None:
    file, path = make_file()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(WrongSource, match="changed"):
        await publish([(file, path)])
    assert db.execute("select * from pkgdb.package_versions").fetchall() == []
    make_file()
    assert (await publish([(file, path)])).outcome == "created"


async def test_a_store_that_is_away(
    two_stores: Any, publish: Any, make_file: Any, monkeypatch: pytest.MonkeyPatch, s3_endpoint: str
) -> None:
    """The other store keeps what it got, and the next run brings the rest."""
    files = [make_file()]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="s3://"):
        await publish(files)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    assert (await publish(files)).outcome == "created"


async def test_an_optional_store_that_is_away(
    add_backend: Any,
    folder_url: str,
    bucket_url: str,
    publish: Any,
    work: Any,
    make_file: Any,
    copies: Any,
    monkeypatch: pytest.MonkeyPatch,
    s3_endpoint: str,
) -> None:
    """That is no failure, and the worker brings it there once it is back."""
    file, path = make_file()
    await add_backend("disk", folder_url)
    await add_backend("cloud", bucket_url, "optional")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = await publish([(file, path)])
    assert done.outcome == "created"
    assert [failure.backend for failure in done.failures] == ["cloud"]
    assert set(copies(file.sha256)) == {"disk"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    assert not (await work()).failures
    assert set(copies(file.sha256)) == {"cloud", "disk"}


async def test_the_only_store_is_optional_and_away(
    add_backend: Any,
    bucket_url: str,
    publish: Any,
    make_file: Any,
    copies: Any,
    registry: Any,
    monkeypatch: pytest.MonkeyPatch,
    s3_endpoint: str,
) -> None:
    """Nothing is visible before its bytes are somewhere, and running it again brings them."""
    file, path = make_file()
    store = await add_backend("cloud", bucket_url, "optional")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(pkgdb.InvalidState, match="bytes are missing"):
        await publish([(file, path)])
    assert not visible(registry)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    done = await publish([(file, path)])
    assert (done.outcome, done.uploaded, done.failures) == ("created", 1, ())
    _, key, _ = copies(file.sha256)["cloud"]
    assert await store.digest(key) == file.sha256


def visible(registry: pkgdb.Registry) -> bool:
    try:
        registry.resolve("acme", "main", "pypi", "demo", "1.0")
    except pkgdb.NotFound:
        return False
    return True


async def test_no_store_at_all(
    add_backend: Any, folder_url: str, publish: Any, make_file: Any, registry: Any, copies: Any
) -> None:
    """The bytes that the caller gives are not thrown away; what is kept already is enough."""
    file, path = make_file()
    with pytest.raises(StoreError, match="no backend to keep"):
        await publish([(file, path)])
    assert not visible(registry)
    await add_backend("disk", folder_url)
    assert (await publish([(file, path)])).outcome == "created"
    assert set(copies(file.sha256)) == {"disk"}
    registry.set_repository_backend("acme", "main", "disk", "none")
    assert (await publish([(file, path)], name="other")).outcome == "created"


async def test_other_content_is_refused(two_stores: Any, publish: Any, make_file: Any) -> None:
    await publish([make_file()])
    other, path = make_file("other")
    renamed = pkgdb.File("demo-1.0.tar.gz", other.sha256, other.size)
    with pytest.raises(pkgdb.Conflict):
        await publish([(renamed, path)])


async def test_a_version_that_was_deleted_since(
    two_stores: Any, publish: Any, make_file: Any, registry: Any
) -> None:
    """The key that follows from the content does not answer from before."""
    files = [make_file()]
    registry.alter_repository("acme", "main", {"reuse": "same_content"})
    for _ in range(3):
        assert (await publish(files)).outcome == "created"
        assert (await publish(files)).outcome == "unchanged"
        registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    registry.alter_repository("acme", "main", {"reuse": "never"})
    with pytest.raises(pkgdb.Gone):
        await publish(files)


async def test_validators_are_waited_for(
    two_stores: Any, publish: Any, make_file: Any, registry: Any, db: Any
) -> None:
    registry.alter_repository("acme", "main", {"validators": {"scan": "required"}})

    async def validate(version: str, result: str) -> None:
        known = await asyncio.to_thread(
            wait_until,
            db,
            "select publication_id from pkgdb.publications where version = %s and status = 'open'",
            [version],
        )
        registry.record_validation("acme", known, "scan", result)

    done, _ = await asyncio.gather(publish([make_file()]), validate("1.0", "succeeded"))
    assert done.outcome == "created"
    other = [make_file("demo-2.0.tar.gz")]
    with pytest.raises(pkgdb.InvalidState, match="rejected"):
        await asyncio.gather(publish(other, "2.0"), validate("2.0", "failed"))
    with pytest.raises(pkgdb.InvalidState, match="validation"):
        await publish([make_file("demo-3.0.tar.gz")], "3.0", patience=SHORT)


async def test_a_connection_that_is_lost(
    two_stores: Any, publish: Any, make_file: Any, db: Any
) -> None:
    """In the middle of it: the publisher connects anew and goes on."""

    class Lost(AsyncPublisher):
        lost = False

        async def record(self, job: Job, publication: PublicationRef, copy: MissingCopy) -> Any:
            if not self.lost:
                self.lost = True
                db.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'pkgdb' and datname = current_database()"
                )
            return await super().record(job, publication, copy)

    assert (await publish([make_file()], publisher=Lost)).outcome == "created"


async def test_nothing_of_a_failed_publication_is_deleted(
    two_stores: Any, publish: Any, make_file: Any, registry: Any, work: Any
) -> None:
    """Not by the publisher; the collector does it, later, where nobody else has the bytes."""
    file, path = make_file()
    with pytest.raises(Interrupted):
        await publish([(file, path)], publisher=interrupted("commit", False), lease=SHORT)
    same = pkgdb.File("demo-2.0.tar.gz", file.sha256, file.size)
    done = await publish([(same, path)], "2.0")
    assert (done.uploaded, done.found) == (0, 0)
    await work()
    for store in two_stores:
        found = [key async for key in keys(store)]
        assert [await store.digest(key) for key in found] == [file.sha256]
    assert registry.check_integrity() == []


async def keys(store: Store) -> Any:
    async for page in store._inner.list("acme"):
        for meta in page:
            yield meta["path"]
