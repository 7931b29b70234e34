"""Updating a mirror: whole or not at all, whatever fails, whoever else is at it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pkgdb
from pkgdb.errors import ConnectionFailed
from pkgdb.mirrors import (
    BadSignature,
    Changed,
    Expired,
    MirrorUpdated,
    MirrorUpdater,
    UpstreamError,
)
from pkgdb.mirrors.updater import STEPS
from pkgdb.storage import Store, StoreError
from pkgdb.storage.store import MARKER
from tests.mirrors.archives import Archive, Deb, Handler, Keys, Server, failing
from tests.support import wait_until

SHORT = timedelta(milliseconds=200)
HELLO = Deb("hello", fields="Depends: world (>= 1)\n")
WORLD = Deb("world", architecture="all")
THERE = Deb("there", architecture="i386")
ALL = ["hello 1.0 amd64", "there 1.0 i386", "world 1.0 all"]


async def kept(store: Store, registry: pkgdb.Registry, *debs: Deb) -> bool:
    """Whether a store has the bytes of packages, where the ledger says."""
    for deb in debs:
        places = [p for p in registry.locate_blob("acme", deb.sha256) if p.url == store.url]
        found = [await store.digest(place.object_key) for place in places]
        if found != [deb.sha256]:
            return False
    return True


async def test_metadata_only(
    archive: Archive, mirror: Any, update: Any, content: Any, db: Any, registry: Any, web: Server
) -> None:
    archive.publish(HELLO, WORLD, THERE)
    mirror()
    done = await update(actor="robot")
    assert (done.outcome, done.downloaded, done.found, done.failures) == ("committed", 0, 0, ())
    assert done.report["added"] == 3
    assert content() == ALL
    assert not [path for path in web.paths if path.endswith(".deb")]
    assert db.execute("select relation from pkgdb.dependencies").fetchall() == [("world (>= 1)",)]
    assert db.execute("select release from pkgdb.mirrors").fetchall() == [(done.release,)]
    (file,) = registry.resolve("acme", "debian", "deb", "hello", "1.0").files
    assert (file.sha256, file.attributes["path"]) == (HELLO.sha256, HELLO.filename)

    asked = len(web.asked)
    assert await update() == MirrorUpdated("unchanged", done.release)
    assert web.paths[asked:] == ["/debian/dists/stable/InRelease"]
    assert registry.check_integrity() == []


async def test_what_upstream_changed(
    archive: Archive, mirror: Any, update: Any, content: Any, registry: Any
) -> None:
    archive.publish(HELLO, WORLD, THERE)
    mirror()
    await update()
    changed = Deb("world", architecture="all", fields="Section: misc\n")
    archive.publish(HELLO, changed, Deb("new"))
    done = await update()
    assert {key: done.report[key] for key in ("added", "removed", "changed", "unchanged")} == {
        "added": 1, "removed": 1, "changed": 1, "unchanged": 1,
    }  # fmt: skip
    assert content() == ["hello 1.0 amd64", "new 1.0 amd64", "world 1.0 all"]
    (file,) = registry.resolve("acme", "debian", "deb", "world", "1.0").files
    assert file.sha256 == changed.sha256
    assert registry.check_integrity() == []


async def test_a_filter(
    archive: Archive, mirror: Any, add_backend: Any, update: Any, content: Any, web: Server
) -> None:
    """What it leaves out is not even downloaded."""
    archive.publish(HELLO, WORLD, THERE)
    mirror(filter="hello | there", download=True)
    await add_backend()
    done = await update()
    assert done.downloaded == 2
    assert content() == ["hello 1.0 amd64", "there 1.0 i386"]
    assert web.count(".deb") == 2

    mirror(filter="hello", filter_with_deps=True, download=True)
    await update()
    assert content() == ["hello 1.0 amd64", "world 1.0 all"]


async def test_progress(archive: Archive, mirror: Any, add_backend: Any, update: Any) -> None:
    archive.publish(HELLO, WORLD, THERE)
    mirror()
    await add_backend()
    told: dict[str, list[tuple[int, int | None]]] = {}
    await update(progress=lambda what, done, total: told.setdefault(what, []).append((done, total)))
    assert set(told) == {"indexes", "items", "files"}
    assert told["items"][-1] == (4, None)  # world is in two indexes
    size = sum(len(deb.content) for deb in (HELLO, WORLD, THERE))
    assert (told["files"][0], told["files"][-1]) == ((0, size), (size, size))
    assert [done for done, total in told["indexes"] if done == total] == [told["indexes"][-1][0]]


class TestBackends:
    async def test_every_one_gets_the_bytes(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        registry: Any,
        web: Server,
    ) -> None:
        archive.publish(HELLO, WORLD, THERE)
        mirror(download=True)
        stores = [await add_backend("one"), await add_backend("two")]
        done = await update()
        assert (done.downloaded, done.found) == (3, 0)
        assert web.count(".deb") == 3
        for store in stores:
            assert await kept(store, registry, HELLO, WORLD, THERE)
        archive.publish(HELLO, WORLD, THERE, Deb("new"))
        assert (await update()).downloaded == 1
        assert registry.check_integrity() == []

    async def test_bytes_that_another_repository_brought(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        dsn: str,
        settings: Any,
    ) -> None:
        archive.publish(HELLO)
        mirror()
        await add_backend()
        await update()
        with pkgdb.connect(dsn) as registry:
            registry.create_repository("acme", "second", "mirror", policy={"upstream": settings})
            registry.set_repository_backend("acme", "second", "disk")
        async with MirrorUpdater.open(dsn) as updater:
            done = await updater.update("acme", "second")
        assert (done.outcome, done.downloaded) == ("committed", 0)

    async def test_an_optional_one_that_is_away(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        content: Any,
        tmp_path: Path,
    ) -> None:
        archive.publish(HELLO, WORLD)
        mirror()
        await add_backend("disk")
        await add_backend("far", "optional")
        (tmp_path / "far").rename(tmp_path / "gone")
        done = await update()
        assert content() == ["hello 1.0 amd64", "world 1.0 all"]
        assert {(failure.backend, failure.sha256) for failure in done.failures} == {
            ("far", HELLO.sha256), ("far", WORLD.sha256),
        }  # fmt: skip

    async def test_a_required_one_that_is_away(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        content: Any,
        tmp_path: Path,
    ) -> None:
        archive.publish(HELLO)
        mirror()
        await add_backend("disk")
        (tmp_path / "disk").rename(tmp_path / "gone")
        with pytest.raises(StoreError):
            await update()
        assert content() == []
        (tmp_path / "gone").rename(tmp_path / "disk")
        assert (await update()).outcome == "committed"

    async def test_nowhere_to_download_to(self, archive: Archive, mirror: Any, update: Any) -> None:
        archive.publish(HELLO)
        mirror(download=True)
        with pytest.raises(StoreError, match="no backend to keep them on"):
            await update()

    async def test_no_downloads_and_yet_a_backend(
        self, archive: Archive, mirror: Any, add_backend: Any, update: Any, content: Any
    ) -> None:
        archive.publish(HELLO)
        mirror(download=False)
        await add_backend()
        with pytest.raises(pkgdb.InvalidState, match="bytes are missing"):
            await update()
        assert content() == []

    async def test_a_backend_that_comes_while_it_runs(
        self, archive: Archive, mirror: Any, add_backend: Any, update: Any, registry: Any
    ) -> None:
        archive.publish(HELLO)
        mirror()
        await add_backend("disk")
        stores = []

        class Late(MirrorUpdater):
            async def commit(self, *arguments: Any) -> Any:
                if not stores:
                    stores.append(await add_backend("late"))
                return await super().commit(*arguments)

        assert (await update(Late)).downloaded == 2
        assert await kept(stores[0], registry, HELLO)

    async def test_other_bytes_under_a_key(
        self, archive: Archive, mirror: Any, add_backend: Any, update: Any, registry: Any
    ) -> None:
        """They are left to whom they belong; the blob gets another key."""
        archive.publish(HELLO)
        mirror()
        store = await add_backend()
        spoilt = []

        class Spoiling(MirrorUpdater):
            async def upload(self, job: Any, copy: Any, source: Path) -> None:
                if not spoilt:
                    spoilt.append(copy.object_key)
                    path = store.folder / copy.object_key
                    path.parent.mkdir(parents=True)
                    path.write_bytes(b"other bytes")
                await super().upload(job, copy, source)

        assert (await update(Spoiling)).outcome == "committed"
        assert await kept(store, registry, HELLO)
        assert (store.folder / spoilt[0]).read_bytes() == b"other bytes"


class Interrupted(Exception):
    pass


def interrupted(step: str, after: bool) -> type[MirrorUpdater]:
    """An updater that fails before or after a step, the second time where it has several."""

    class Failing(MirrorUpdater):
        pass

    calls = 0

    async def fail(self: MirrorUpdater, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == (1 if step in ("begin", "commit") else 2):
            if after:
                await getattr(MirrorUpdater, step)(self, *arguments)
            raise Interrupted
        return await getattr(MirrorUpdater, step)(self, *arguments)

    setattr(Failing, step, fail)
    return Failing


class TestResuming:
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("step", STEPS)
    async def test_whatever_fails_is_finished_by_the_next_run(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        content: Any,
        registry: Any,
        step: str,
        after: bool,
    ) -> None:
        archive.publish(HELLO, WORLD, THERE)
        mirror()
        store = await add_backend()
        with pytest.raises(Interrupted):
            await update(interrupted(step, after), downloads=1)
        committed = (step, after) == ("commit", True)
        assert content() == (ALL if committed else [])
        done = await update()
        assert done.outcome == ("unchanged" if committed else "committed")
        assert content() == ALL
        assert await kept(store, registry, HELLO, WORLD, THERE)
        assert (await update()).outcome == "unchanged"
        assert registry.check_integrity() == []

    async def test_a_process_that_was_killed_while_downloading(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        content: Any,
        db: Any,
        dsn: str,
        web: Server,
    ) -> None:
        archive.publish(HELLO, WORLD, THERE)
        mirror()
        await add_backend()
        await asyncio.to_thread(killed_while_downloading, dsn)
        assert content() == []
        assert db.execute("select status, staged from pkgdb.mirror_updates").fetchall() == [
            ("open", 3)
        ]
        asked = len(web.asked)
        done = await update(actor="robot")
        assert (done.outcome, done.downloaded) == ("committed", 2)  # one had been recorded
        assert content() == ALL
        assert sum(path.endswith(".deb") for path in web.paths[asked:]) == 2
        rows = db.execute("select status, fence from pkgdb.mirror_updates").fetchall()
        assert rows == [("committed", 2)]

    async def test_staged_items_go_where_upstream_moved_on(
        self, archive: Archive, mirror: Any, update: Any, content: Any
    ) -> None:
        archive.publish(HELLO, THERE)
        mirror()
        with pytest.raises(Interrupted):
            await update(interrupted("commit", False))
        archive.publish(WORLD)
        await update()
        assert content() == ["world 1.0 all"]


def killed_while_downloading(dsn: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, dsn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"downloading\n"
        process.send_signal(signal.SIGKILL)


KILLED = """
import asyncio, sys
from pkgdb.mirrors import MirrorUpdater

class Slow(MirrorUpdater):
    recorded = 0
    async def record(self, *arguments):
        await super().record(*arguments)
        self.recorded += 1
    async def fetch(self, *arguments):
        if self.recorded:
            print("downloading", flush=True)
            sys.stdin.read()
        await super().fetch(*arguments)

async def main():
    async with Slow.open(sys.argv[1], downloads=1) as updater:
        await updater.update("acme", "debian", actor="robot")

asyncio.run(main())
"""


class TestOthers:
    async def test_the_second_waits_for_the_first(
        self, archive: Archive, mirror: Any, add_backend: Any, update: Any, db: Any
    ) -> None:
        archive.publish(HELLO, WORLD, THERE)
        mirror()
        await add_backend()
        done = await asyncio.gather(*(update(actor=actor) for actor in ("a", "b", "c")))
        assert sorted(one.outcome for one in done) == ["committed", "unchanged", "unchanged"]
        assert sum(one.downloaded for one in done) == 3
        assert db.execute("select status from pkgdb.mirror_updates").fetchall() == [("committed",)]

    async def test_somebody_who_does_not_end(
        self, archive: Archive, mirror: Any, update: Any
    ) -> None:
        archive.publish(HELLO)
        mirror()
        with pytest.raises(Interrupted):
            await update(interrupted("commit", False), actor="other")
        with pytest.raises(TimeoutError, match="still being updated by somebody else"):
            await update(patience=SHORT)

    async def test_somebody_who_was_killed(
        self, archive: Archive, mirror: Any, add_backend: Any, update: Any
    ) -> None:
        """After the lease anyone goes on, and downloads nothing twice."""
        archive.publish(HELLO)
        mirror()
        await add_backend()
        with pytest.raises(Interrupted):
            await update(interrupted("commit", False), actor="other", lease=timedelta(seconds=1))
        done = await update()
        assert (done.outcome, done.downloaded) == ("committed", 0)

    async def test_the_lease_is_renewed(
        self, archive: Archive, mirror: Any, add_backend: Any, update: Any, db: Any
    ) -> None:
        archive.publish(HELLO)
        mirror()
        await add_backend()

        class Slow(MirrorUpdater):
            async def fetch(self, *arguments: Any) -> None:
                (first,) = db.execute("select lease_until from pkgdb.mirror_updates").fetchone()
                later = "select lease_until > %s from pkgdb.mirror_updates"
                await asyncio.to_thread(wait_until, db, later, [first])
                await super().fetch(*arguments)

        assert (await update(Slow, lease=timedelta(seconds=1))).outcome == "committed"

    async def test_whoever_was_taken_over_cannot_commit(
        self, archive: Archive, mirror: Any, update: Any, content: Any
    ) -> None:
        """By another run with the same key, which is still at it."""
        archive.publish(HELLO)
        mirror()

        class Overtaken(MirrorUpdater):
            async def commit(self, *arguments: Any) -> Any:
                archive.publish(WORLD)
                with pytest.raises(Interrupted):
                    await update(interrupted("commit", False))
                return await super().commit(*arguments)

        with pytest.raises(pkgdb.StaleRevision, match="Somebody else has taken it over"):
            await update(Overtaken)
        assert content() == []
        await update()
        assert content() == ["world 1.0 all"]

    @pytest.mark.parametrize("when", ["stage", "fetch", "record"])
    async def test_whoever_was_taken_over_changes_nothing(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        content: Any,
        when: str,
    ) -> None:
        """By another run with the same key, which has finished meanwhile."""
        archive.publish(HELLO)
        mirror()
        await add_backend()

        class Overtaken(MirrorUpdater):
            overtaken = False

        async def wait(self: Overtaken, *arguments: Any) -> Any:
            if not self.overtaken:
                self.overtaken = True
                await update()
                archive.publish(WORLD)
                await update()
            return await getattr(MirrorUpdater, when)(self, *arguments)

        setattr(Overtaken, when, wait)
        with pytest.raises((pkgdb.StaleRevision, pkgdb.InvalidState)) as caught:
            await update(Overtaken)
        assert "mirror update" in str(caught.value)
        assert content() == ["world 1.0 all"]

    async def test_settings_that_change_meanwhile(
        self, archive: Archive, mirror: Any, update: Any, content: Any
    ) -> None:
        archive.publish(HELLO, WORLD, THERE)
        mirror()

        class Late(MirrorUpdater):
            async def commit(self, *arguments: Any) -> Any:
                await asyncio.to_thread(mirror, architectures=["i386"])
                return await super().commit(*arguments)

        with pytest.raises(pkgdb.StaleRevision, match="fence"):
            await update(Late)
        assert content() == []
        await update()
        assert content() == ["there 1.0 i386", "world 1.0 all"]

    async def test_settings_that_change_before_it_begins(
        self, archive: Archive, mirror: Any, update: Any, content: Any
    ) -> None:
        archive.publish(HELLO, WORLD, THERE)
        mirror()

        class Late(MirrorUpdater):
            changed = False

            async def begin(self, *arguments: Any) -> Any:
                if not self.changed:
                    self.changed = True
                    await asyncio.to_thread(mirror, architectures=["i386"])
                return await super().begin(*arguments)

        assert (await update(Late)).outcome == "committed"
        assert content() == ["there 1.0 i386", "world 1.0 all"]

    async def test_an_update_that_was_aborted(
        self, archive: Archive, mirror: Any, update: Any, content: Any
    ) -> None:
        archive.publish(HELLO)
        mirror()

        class Aborted(MirrorUpdater):
            async def commit(self, job: Any, ref: Any) -> Any:
                await self.registry.abort_mirror_update("acme", ref.update_id, ref.fence)
                return await super().commit(job, ref)

        with pytest.raises(pkgdb.InvalidState, match="aborted"):
            await update(Aborted)
        assert content() == []


class TestConnections:
    @pytest.mark.parametrize("step", STEPS)
    async def test_one_that_is_lost(
        self, archive: Archive, mirror: Any, add_backend: Any, update: Any, db: Any, step: str
    ) -> None:
        archive.publish(HELLO, WORLD)
        mirror()
        await add_backend()

        class Losing(MirrorUpdater):
            lost = False

        async def lose(self: Losing, *arguments: Any) -> Any:
            if not self.lost:
                self.lost = True
                db.execute(
                    "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
                    " where application_name = 'pkgdb mirror'"
                )
            return await getattr(MirrorUpdater, step)(self, *arguments)

        setattr(Losing, step, lose)
        assert (await update(Losing)).outcome == "committed"

    async def test_the_answer_to_the_commit(
        self, archive: Archive, mirror: Any, update: Any
    ) -> None:
        archive.publish(HELLO, WORLD)
        mirror()

        class Losing(MirrorUpdater):
            async def commit(self, *arguments: Any) -> Any:
                await super().commit(*arguments)
                raise ConnectionFailed("lost")

        done = await update(Losing)
        assert (done.outcome, done.report["added"]) == ("committed", 2)

    async def test_one_that_is_lost_for_good(
        self, archive: Archive, mirror: Any, update: Any
    ) -> None:
        archive.publish(HELLO)
        mirror()

        class Losing(MirrorUpdater):
            async def commit(self, *arguments: Any) -> Any:
                raise ConnectionFailed("lost")

        with pytest.raises(ConnectionFailed, match="lost"):
            await update(Losing)


class TestMoving:
    """An archive that changes while it is read."""

    def then(self, web: Server, end: str, *moves: Callable[[], object]) -> None:
        """Does one thing after the other, each time that something is asked for."""
        left = list(moves)

        def answer(request: Handler) -> bool:
            if left:
                left.pop(0)()
            return False

        web.answers[end] = answer

    @pytest.mark.parametrize("times", [1, 3])
    async def test_indexes(
        self, archive: Archive, mirror: Any, update: Any, content: Any, web: Server, times: int
    ) -> None:
        archive.publish(HELLO)
        mirror(architectures=["amd64"])
        moves = [lambda n=n: archive.publish(HELLO, Deb(f"new{n}")) for n in range(times)]
        self.then(web, "Packages.xz", *moves)
        done = await update()
        assert done.outcome == "committed"
        assert content() == ["hello 1.0 amd64", f"new{times - 1} 1.0 amd64"]
        assert web.count("InRelease") == times + 1

    async def test_indexes_that_never_rest(
        self, archive: Archive, mirror: Any, update: Any, content: Any, web: Server
    ) -> None:
        archive.publish(HELLO)
        mirror(architectures=["amd64"])
        await update()
        moves = [lambda n=n: archive.publish(HELLO, Deb(f"new{n}")) for n in range(9)]
        archive.publish(HELLO, Deb("new"))
        self.then(web, "Packages.xz", *moves)
        asked = web.count("InRelease")
        with pytest.raises(Changed):
            await update()
        assert web.count("InRelease") == asked + 4
        assert content() == ["hello 1.0 amd64"]

    async def test_packages_that_go(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        content: Any,
        web: Server,
    ) -> None:
        archive.publish(HELLO, WORLD)
        mirror()
        await add_backend()

        def move() -> None:
            (archive.folder / HELLO.filename).unlink()
            archive.publish(Deb("hello", "2.0"), WORLD)

        self.then(web, HELLO.filename, move)
        done = await update()
        assert content() == ["hello 2.0 amd64", "world 1.0 all"]
        assert done.outcome == "committed"

    @pytest.mark.parametrize("how", ["absent", "other", "shorter", "longer"])
    async def test_packages_that_are_not_what_the_index_says(
        self,
        archive: Archive,
        mirror: Any,
        add_backend: Any,
        update: Any,
        content: Any,
        how: str,
        tmp_path: Path,
    ) -> None:
        archive.publish(WORLD)
        mirror()
        store = await add_backend()
        await update()
        archive.publish(HELLO, WORLD)
        path = archive.folder / HELLO.filename
        made = {"shorter": HELLO.content[:-1], "longer": HELLO.content * 2}
        path.write_bytes(made.get(how, HELLO.content[::-1]))
        if how == "absent":
            path.unlink()
        with pytest.raises(Changed, match=r"hello_1.0_amd64.deb"):
            await update()
        assert content() == ["world 1.0 all"]
        objects = [path for path in store.folder.rglob("*") if path.is_file()]
        assert sorted(path.read_bytes() for path in objects if path.name != MARKER) == [
            WORLD.content
        ]

        archive.write(path, HELLO.content)
        assert (await update()).downloaded == 1
        assert content() == ["hello 1.0 amd64", "world 1.0 all"]


class TestRefused:
    """Upstreams that are not to be trusted, or not to be read: the mirror stays as it is."""

    @pytest.fixture
    async def before(self, archive: Archive, mirror: Any, update: Any) -> None:
        archive.publish(WORLD)
        mirror()
        await update()
        archive.publish(WORLD, HELLO)

    @pytest.mark.parametrize(
        ("spoil", "error"),
        [
            (lambda archive: setattr(archive, "signer", "other"), BadSignature),
            (lambda archive: setattr(archive, "keys", None), BadSignature),
            (lambda archive: setattr(archive, "valid_for", -timedelta(days=1)), Expired),
            (lambda archive: setattr(archive, "architectures", ()), UpstreamError),
        ],
        ids=["other", "unsigned", "expired", "empty"],
    )
    async def test_releases(
        self, archive: Archive, before: None, update: Any, content: Any, db: Any,
        spoil: Any, error: type[Exception],
    ) -> None:  # fmt: skip
        spoil(archive)
        archive.publish(HELLO)
        with pytest.raises(error):
            await update()
        assert content() == ["world 1.0 all"]

    async def test_an_archive_that_is_away(
        self, before: None, update: Any, content: Any, web: Server
    ) -> None:
        web.answers["Release"] = failing(100)
        with pytest.raises(UpstreamError, match="HTTP 503"):
            await update()
        assert content() == ["world 1.0 all"]

    @pytest.mark.parametrize(
        ("stanza", "error", "reason"),
        [
            (Deb("bad", "1_2").stanza, pkgdb.MalformedArgument, r"item 2 \('bad' '1_2'\)"),
            (Deb("A B").stanza, pkgdb.MalformedArgument, "item 2"),
            (Deb("hello", fields="Section: x\n").stanza, pkgdb.Conflict, "other content"),
            (HELLO.stanza.replace(HELLO.sha256, "x" * 64), pkgdb.MalformedArgument, "item 2"),
            (HELLO.stanza.replace(HELLO.filename, "../x.deb"), UpstreamError, "plain relative"),
            ("Package: x\n", UpstreamError, "line 1[0-9]: no Version"),
        ],
        ids=["version", "name", "twice", "digest", "path", "stanza"],
    )
    async def test_packages(
        self, archive: Archive, before: None, update: Any, content: Any,
        stanza: str, error: type[Exception], reason: str,
    ) -> None:  # fmt: skip
        archive.publish(HELLO, extra=stanza)
        with pytest.raises(error, match=reason):
            await update()
        assert content() == ["world 1.0 all"]
        archive.publish(HELLO)
        await update()
        assert content() == ["hello 1.0 amd64"]

    async def test_a_key_that_is_given_later(
        self, archive: Archive, mirror: Any, update: Any, content: Any, keyring: Path, keys: Keys
    ) -> None:
        """The settings are others then: the same release is checked again."""
        archive.signer = "other"
        archive.publish(HELLO)
        mirror(keyring=None)
        await update()
        assert content() == ["hello 1.0 amd64"]
        mirror(keyring=str(keyring))
        with pytest.raises(BadSignature):
            await update()

    @pytest.mark.parametrize("kind", ["hosted", None])
    async def test_what_is_no_mirror(self, registry: Any, update: Any, kind: str | None) -> None:
        if kind:
            registry.create_repository("acme", "debian", kind)
        with pytest.raises(pkgdb.NotFound, match="no mirror 'debian' in namespace 'acme'"):
            await update()

    async def test_a_mirror_of_nothing(self, registry: Any, update: Any) -> None:
        registry.create_repository("acme", "debian", "mirror")
        with pytest.raises(UpstreamError, match="needs a url and a distribution"):
            await update()


async def test_another_ecosystem(
    registry: pkgdb.Registry, update: Any, content: Any, tmp_path: Path
) -> None:
    """Whatever can be read as an upstream can be followed."""

    class Numbers:
        def __init__(self, settings: Any, folder: Path) -> None:
            self.last = int(settings["distribution"])

        async def read_release(self) -> str:
            return str(self.last)

        async def items(self, got: Any = None) -> Any:
            for number in range(self.last):
                yield [{"ecosystem": "generic", "name": "n", "version": f"{number}.0.0"}]

        async def fetch(self, *arguments: Any) -> None:
            raise AssertionError

    registry.create_repository(
        "acme", "debian", "mirror", policy={"upstream": {"url": "numbers:", "distribution": "3"}}
    )
    assert (await update(connect=Numbers)).report["added"] == 3
