"""One store: what is put into it is there whole and right, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore
import pytest

from pkgdb.storage import NoObject, Store, StoreError, WrongObject, WrongSource
from pkgdb.storage.store import MARKER, PART, UPLOADS
from tests.storage.conftest import BUCKET

KEY = "acme/ab/abcd.1"
SIZES = (0, 1000, PART, 2 * PART + 17)  # PART is the last that goes in one piece


@pytest.fixture
async def store(store_url: str) -> Store:
    store = Store.open(store_url, create=True)
    await store.claim(uuid4())
    return store


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_put_is_there(store: Store, make_file: Any, size: int) -> None:
    file, path = make_file(size=size)
    sent: list[int] = []
    assert await store.put(KEY, path, file.sha256, size, sent.append) is True
    assert sum(sent) == size
    assert await store.digest(KEY) == file.sha256
    assert b"".join([chunk async for chunk in store.read(KEY)]) == path.read_bytes()
    assert await store.put(KEY, path, file.sha256, size) is False
    await store.delete(KEY)
    await store.delete(KEY)
    assert await store.digest(KEY) is None
    with pytest.raises(NoObject):
        [chunk async for chunk in store.read(KEY)]


@pytest.mark.parametrize("size", SIZES)
async def test_other_bytes_than_promised_are_not_stored(
    store: Store, make_file: Any, size: int
) -> None:
    file, path = make_file(size=size)
    for promised, length in (("ab" * 32, size), (file.sha256, size + 1)):
        with pytest.raises(WrongSource):
            await store.put(KEY, path, promised, length)
    if size:
        with pytest.raises(WrongSource):
            await store.put(KEY, path, file.sha256, size - 1)
    assert await store.digest(KEY) is None
    assert leftovers(store) == []


async def test_a_file_that_changes_while_it_is_read(
    request: pytest.FixtureRequest, store: Store, make_file: Any
) -> None:
    file, path = make_file(size=3 * PART)

    def change(sent: int) -> None:
        with path.open("r+b") as opened:
            opened.seek(3 * PART - 1)
            opened.write(b"!")

    with pytest.raises(WrongSource):
        await store.put(KEY, path, file.sha256, file.size, change)
    assert await store.digest(KEY) is None
    assert leftovers(store) == []
    if store.folder is None:  # nor the parts of an upload that was never finished
        s3 = request.getfixturevalue("s3")
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix(store))


@pytest.mark.parametrize("size", [1000, 2 * PART])
async def test_an_object_with_other_bytes_is_left_and_told(
    store: Store, make_file: Any, size: int
) -> None:
    other, other_path = make_file("other", size)
    await store.put(KEY, other_path, other.sha256, size)
    file, path = make_file(size=size)
    with pytest.raises(WrongObject) as caught:
        await store.put(KEY, path, file.sha256, size)
    assert caught.value.found == other.sha256
    assert await store.digest(KEY) == other.sha256


@pytest.mark.parametrize("size", [1000, 2 * PART])
async def test_two_at_once(store: Store, make_file: Any, size: int) -> None:
    file, path = make_file(size=size)
    made = await asyncio.gather(*(store.put(KEY, path, file.sha256, size) for _ in range(4)))
    assert True in made
    assert await store.digest(KEY) == file.sha256
    assert leftovers(store) == []


async def test_an_object_that_appears_meanwhile(store: Store, make_file: Any) -> None:
    """Somebody else was faster, after we had looked: theirs stays, and is looked at."""
    file, path = make_file()
    other, _ = make_file("other")

    class Late(Store):
        theirs = path

        async def _write(self, *arguments: Any) -> None:
            await obstore.put_async(self._inner, KEY, self.theirs)
            await super()._write(*arguments)

    late = Late(store.url, store._inner)
    assert await late.put(KEY, path, file.sha256, file.size) is False
    await store.delete(KEY)
    late.theirs = path.with_name("other")
    with pytest.raises(WrongObject) as caught:
        await late.put(KEY, path, file.sha256, file.size)
    assert caught.value.found == other.sha256
    assert await store.digest(KEY) == other.sha256


async def test_a_cancelled_upload_leaves_nothing(store: Store, make_file: Any) -> None:
    file, path = make_file(size=3 * PART)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(
        store.put(KEY, path, file.sha256, file.size, lambda _: loop.call_soon_threadsafe(begun.set))
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.digest(KEY) is None
    assert leftovers(store) == []


async def test_from_store_to_store(store: Store, folder_url: str, make_file: Any) -> None:
    file, path = make_file(size=2 * PART + 1)
    other = Store.open(f"{folder_url}-2", create=True)
    await other.claim(uuid4())
    await store.put(KEY, path, file.sha256, file.size)
    for source, target in ((store, other), (other, store)):
        await target.delete("copy")
        source_key = KEY if source is store else "copy"
        target_key = "copy" if source is store else "again"
        assert await target.copy_from(source, source_key, target_key, file.sha256, file.size)
        assert not await target.copy_from(source, source_key, target_key, file.sha256, file.size)
    assert await store.digest("again") == file.sha256
    with pytest.raises(WrongSource):
        await other.copy_from(store, KEY, "wrong", "ab" * 32, file.size)
    with pytest.raises(NoObject):
        await other.copy_from(store, "nothing", "wrong", file.sha256, file.size)
    assert await other.digest("wrong") is None


async def test_whose_store_it_is(store_url: str) -> None:
    store = Store.open(store_url, create=True)
    assert await store.owner() is None
    ours, theirs = uuid4(), uuid4()
    await store.claim(ours)
    await store.claim(ours)
    assert await store.owner() == ours
    with pytest.raises(StoreError, match=f"belongs to installation {ours}"):
        await store.claim(theirs)
    with pytest.raises(StoreError, match=f"belongs to installation {ours}"):
        await store.check(theirs)
    await store.check(ours)
    await store.claim(theirs, take_over=True)
    assert await Store.open(store_url).owner() == theirs
    await obstore.put_async(store._inner, MARKER, b"[]")
    with pytest.raises(StoreError, match="not what pkgdb writes"):
        await store.owner()


async def test_a_store_that_nobody_added_takes_nothing(store_url: str, make_file: Any) -> None:
    """As the mount point of a disk that is not there."""
    file, path = make_file()
    store = Store.open(store_url, create=True)
    with pytest.raises(StoreError, match="not mounted"):
        await store.put(KEY, path, file.sha256, file.size)
    assert await store.digest(KEY) is None


@pytest.mark.parametrize(
    "url",
    [
        "/srv/objects",
        "memory:///",
        "http://example.org/objects",
        "s3://user:password@bucket/prefix",
        "s3://bucket?endpoint=http://localhost",
        "file:///nothing/here",
    ],
)
def test_what_is_no_store(url: str) -> None:
    with pytest.raises(StoreError):
        Store.open(url)


def test_an_endpoint_that_is_no_url(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    with pytest.raises(StoreError, match="AWS_ENDPOINT_URL"):
        Store.open("s3://bucket")


async def test_a_store_that_is_away(
    s3: Any, monkeypatch: pytest.MonkeyPatch, make_file: Any
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = Store.open("s3://bucket/prefix")
    with pytest.raises(StoreError, match="s3://bucket/prefix"):
        await store.owner()


async def test_leftovers_in_a_folder_are_swept(folder_url: str) -> None:
    """A killed upload's file: of the object's name, as the library writes it, or of the upload."""
    store = Store.open(folder_url, create=True)
    assert await store.sweep() == 0
    assert store.folder is not None
    uploads = store.folder / UPLOADS
    uploads.mkdir()
    old, new = uploads / "old#1", uploads / "new#1"
    for path in (old, new):
        path.touch()
    day_before = time.time() - 86_500
    os.utime(old, (day_before, day_before))
    assert await store.sweep() == 1
    assert list(uploads.iterdir()) == [new]


def test_the_store_does_not_hold_a_file_in_memory(
    spawn_python: Callable[..., str], store_url: str, tmp_path: Path
) -> None:
    """In a process of its own: at most a few parts, of a file of 25."""
    path = tmp_path / "large"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(25):
            part = bytes([number]) * PART
            file.write(part)
            digest.update(part)
    grown = spawn_python(
        """
        import asyncio, resource, sys, uuid
        from pathlib import Path
        from pkgdb.storage import Store

        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

        async def main(url, path, sha256, size):
            store = Store.open(url, create=True)
            await store.claim(uuid.uuid4())
            before = peak()
            await store.put("key", Path(path), sha256, int(size))
            assert await store.digest("key") == sha256
            print(peak() - before)

        asyncio.run(main(*sys.argv[1:]))
        """,
        store_url,
        path,
        digest.hexdigest(),
        25 * PART,
    )
    assert int(grown) < 12 * PART


def prefix(store: Store) -> str:
    return store.url.removeprefix(f"s3://{BUCKET}/")


def leftovers(store: Store) -> list[str]:
    """What is in a folder beside its marker."""
    if store.folder is None:
        return []
    found = (path for path in store.folder.rglob("*") if path.is_file())
    return sorted(
        str(path.relative_to(store.folder))
        for path in found
        if path.name != MARKER and (UPLOADS in path.parts or "#" in path.name)
    )
