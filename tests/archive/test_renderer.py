"""The folder follows the database: every change is seen, and nothing is done without one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from debian.deb822 import Deb822
from psycopg.conninfo import make_conninfo

import pkgdb
import pkgdb.archive.renderer
from pkgdb.archive import ArchiveError, ArchiveRenderer, Rendering
from pkgdb.archive.folder import Folder
from pkgdb.archive.listing import Distribution
from tests.archive.support import Apt, Desk, check, gets, index_of, listing, page, pip, serve
from tests.packages import making
from tests.storage.wheels import wheel
from tests.support import PATIENCE

DEMO = ("acme", "main", "deb", "demo")
AMD64 = {"variant": "amd64"}


async def test_promoted_and_rolled_back(desk: Desk) -> None:
    """What was tested is frozen, served, and served again after what came next."""
    registry = desk.registry
    for version, snapshot in (("1.0", "s1"), ("2.0", "s2")):
        await desk.deb(version)
        registry.create_snapshot("acme", snapshot, "main")
    desk.serve(main={"snapshot": "s1"})
    with serve(desk.site) as served:
        apt = Apt(desk.base, f"deb [trusted=yes] {served.url}/debian stable main")
        for snapshot, version in (("s1", "1.0"), ("s2", "2.0"), ("s1", "1.0")):
            registry.switch_distribution(
                "acme", "debian", "stable", {"main": {"snapshot": snapshot}}
            )
            assert await desk.render() == {"debian/stable": "rendered"}
            assert await desk.render() == {"debian/stable": "unchanged"}
            name = f"demo_{version}_amd64.deb"
            found = await asyncio.to_thread(gets, apt, "demo")
            assert found == {name: (desk.base / name).read_bytes()}


# Changes of what is served live

Mutation = Callable[[Desk], object]
CHANGES: dict[str, Mutation] = {
    "publish": lambda desk: publish(desk, "9.0"),
    "publish_many": lambda desk: publish_many(desk),
    "yank": lambda desk: desk.registry.yank(*DEMO, "2.0", **AMD64),
    "unyank": lambda desk: desk.registry.unyank(*DEMO, "3.0", **AMD64),
    "quarantine": lambda desk: desk.registry.quarantine(*DEMO, "2.0", **AMD64),
    "release_quarantine": lambda desk: desk.registry.release_quarantine(*DEMO, "4.0", **AMD64),
    "delete_version": lambda desk: desk.registry.delete_version(*DEMO, "2.0", **AMD64),
    "restore_version": lambda desk: desk.registry.restore_version(*DEMO, "5.0", **AMD64),
    "apply_retention": lambda desk: retain(desk),
    "copy_versions": lambda desk: desk.registry.copy_versions(
        "acme", "main", "new", from_repository="other"
    ),
    "move_versions": lambda desk: desk.registry.move_versions("acme", "main", "other", "new"),
    "move_versions away": lambda desk: desk.registry.move_versions(
        "acme", "other", "main", "demo (= 1.0)"
    ),
    "remove_versions": lambda desk: desk.registry.remove_versions("acme", "main", "demo (= 1.0)"),
    "commit_mirror_update": lambda desk: update_mirror(desk),
    "switch_distribution": lambda desk: desk.registry.switch_distribution(
        "acme", "debian", "stable", {"main": {"repository": "other"}, "more": None}
    ),
}


def publish(desk: Desk, version: str) -> None:
    desk.registry.publish(*DEMO, version, **AMD64, files=[known(desk)])


def publish_many(desk: Desk) -> None:
    item = {"ecosystem": "deb", "name": "demo", "version": "9.0", "variant": "amd64"}
    desk.registry.publish_many("acme", "main", [item | {"files": [known(desk)]}])


def known(desk: Desk) -> dict[str, Any]:
    """A file whose bytes are stored."""
    (version, *_) = desk.registry.versions(*DEMO)
    file = version.files[0]
    return {"filename": "again.deb", "sha256": file.sha256, "size": file.size}


def retain(desk: Desk) -> None:
    desk.registry.alter_repository("acme", "main", {"keep_versions": 1})
    assert desk.registry.apply_retention("acme", "main") > 0


def update_mirror(desk: Desk) -> None:
    begun = desk.registry.begin_mirror_update("acme", "upstream")
    assert begun.update_id is not None
    assert begun.fence is not None
    item = {"ecosystem": "deb", "name": "mirrored", "version": "1", "variant": "amd64"}
    items = [item | {"files": [known(desk)]}]
    desk.registry.stage_mirror_items("acme", begun.update_id, begun.fence, items)
    done = desk.registry.commit_mirror_update("acme", begun.update_id, begun.fence)
    assert done.outcome == "committed"


@pytest.fixture
async def busy(desk: Desk) -> Desk:
    """Served live: versions of all kinds, and a mirror that has nothing yet."""
    registry = desk.registry
    registry.create_repository("acme", "other")
    registry.set_repository_backend("acme", "other", "disk", "required")
    registry.create_repository("acme", "upstream", "mirror")
    for version in ("1.0", "2.0", "3.0", "4.0", "5.0"):
        await desk.deb(version)
    await desk.deb("1.0", "other", name="new")
    registry.yank(*DEMO, "3.0", **AMD64)
    registry.quarantine(*DEMO, "4.0", **AMD64)
    registry.delete_version(*DEMO, "5.0", **AMD64)
    desk.serve(main={"repository": "main"}, more={"repository": "upstream"})
    return desk


@pytest.mark.parametrize("name", CHANGES)
async def test_every_change_is_seen(busy: Desk, name: str) -> None:
    """Also one that has no place in the feed yet; and afterwards there is nothing to do."""
    assert await busy.render_sequenced() == {"debian/stable": "rendered"}
    CHANGES[name](busy)
    assert await busy.render() == {"debian/stable": "rendered"}
    fresh = busy.base / "fresh"
    await busy.render(fresh)
    assert check(busy.site) == check(fresh)
    assert packages(busy.site) == packages(fresh)
    for _ in range(2):
        assert await busy.render_sequenced() == {"debian/stable": "unchanged"}


def packages(site: Path) -> list[str]:
    """All indexes of an archive."""
    tree = (site / "debian/dists/stable").resolve()
    return [path.read_text() for path in sorted(tree.rglob("Packages"))]


async def test_what_apt_does_not_see_writes_nothing(busy: Desk) -> None:
    await busy.render_sequenced()
    before = tree_of(busy)
    busy.registry.deprecate(*DEMO, "2.0", **AMD64, message="old")
    busy.registry.rename_repository("acme", "main", "renamed")
    busy.registry.purge("acme")
    busy.registry.publish("acme", "other", "deb", "more", "1.0", "amd64")
    assert await busy.render() == {"debian/stable": "unchanged"}
    assert tree_of(busy) == before


def tree_of(desk: Desk) -> dict[str, tuple[int, int]]:
    return listing(desk.site / "debian/dists")


async def test_nothing_is_read_when_nothing_happened(
    busy: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await busy.render_sequenced()
    before = listing(busy.site)
    monkeypatch.setattr(ArchiveRenderer, "_read", None)
    assert await busy.render() == {"debian/stable": "unchanged"}
    assert listing(busy.site) == before
    busy.registry.yank(*DEMO, "2.0", **AMD64)
    with pytest.raises(TypeError):
        await busy.render()


async def test_other_options_are_rendered_anew(busy: Desk) -> None:
    """Though nothing happened in the database."""
    await busy.render_sequenced()
    with pytest.raises(ArchiveError, match=r"^debian/stable: gpg cannot sign with nobody"):
        await busy.render(key="nobody@example.org", homedir=busy.base)
    assert await busy.render() == {"debian/stable": "unchanged"}


# What happens at the same time


async def late_commit(busy: Desk) -> str:
    """What becomes of a change that was made before a rendering and is committed after it."""
    with psycopg.connect(busy.dsn) as connection:
        pkgdb.Registry(connection).yank(*DEMO, "2.0", **AMD64)
        busy.registry.deprecate("acme", "other", "deb", "new", "1.0", **AMD64, message="earlier")
        assert await busy.render_sequenced() == {"debian/stable": "rendered"}
    return (await busy.render())["debian/stable"]


async def test_a_change_that_is_committed_late(busy: Desk) -> None:
    assert await late_commit(busy) == "rendered"
    assert "demo_2.0_amd64.deb" not in check(busy.site)


async def test_it_is_missed_where_only_the_feed_is_asked(
    busy: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that has no place yet is all that tells of it."""

    async def head(self: ArchiveRenderer, connection: Any) -> Any:
        cursor = await connection.execute("select head, '' from pkgdb.feed_positions")
        return await cursor.fetchone()

    monkeypatch.setattr(ArchiveRenderer, "_feed", head)
    assert await late_commit(busy) == "unchanged"
    assert "demo_2.0_amd64.deb" in check(busy.site)


async def switched_while_it_is_read(busy: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is shown where a switch comes between reading a distribution and its content."""
    await busy.render_sequenced()
    switch = partial(busy.registry.switch_distribution, "acme", "debian", "stable")
    switch({}, {"label": "second"})
    made, calls = pkgdb.archive.renderer._distribution, 0

    def distribution(row: dict[str, Any]) -> Distribution:
        nonlocal calls
        calls += 1
        if calls == 2:
            switch({"main": {"repository": "other"}, "more": None}, {"label": "third"})
        return made(row)

    monkeypatch.setattr(pkgdb.archive.renderer, "_distribution", distribution)
    await busy.render()
    assert calls == 2
    return shown(busy)


def shown(desk: Desk) -> str:
    release = Deb822((desk.site / "debian/dists/stable/Release").read_text().splitlines())
    return f"{release['Label']}, {'new' if 'Package: new' in index_of(desk.site) else 'demo'}"


async def test_one_state_is_read(busy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await switched_while_it_is_read(busy, monkeypatch) == "second, demo"
    assert await busy.render() == {"debian/stable": "rendered"}
    assert shown(busy) == "third, new"


async def test_two_states_are_read_without_a_transaction_for_both(
    busy: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def moment(self: ArchiveRenderer) -> AsyncIterator[Any]:
        async with self._pool.connection() as connection, connection.transaction():
            yield connection

    monkeypatch.setattr(ArchiveRenderer, "_moment", moment)
    assert await switched_while_it_is_read(busy, monkeypatch) == "second, new"


async def test_dropped_while_it_is_read(busy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await busy.render()
    busy.registry.switch_distribution("acme", "debian", "stable", {}, {"label": "second"})
    read = ArchiveRenderer._read

    async def drop(self: ArchiveRenderer, distribution: Distribution) -> Any:
        busy.registry.drop_distribution("acme", "debian", "stable")
        return await read(self, distribution)

    monkeypatch.setattr(ArchiveRenderer, "_read", drop)
    assert await busy.render() == {"debian/stable": "unchanged"}
    assert await busy.render() == {"debian/stable": "removed"}
    assert await busy.render() == {}


# Several distributions


async def test_removed(desk: Desk) -> None:
    await desk.deb("1.0")
    desk.serve()
    for name in ("testing", "unstable"):
        desk.registry.create_distribution("acme", "", name, "deb", {"main": {"repository": "main"}})
    await desk.render()
    assert await desk.render(distributions=[("debian", "stable")]) == {"debian/stable": "unchanged"}
    desk.registry.drop_distribution("acme", "debian", "stable")
    desk.registry.drop_distribution("acme", "", "testing")
    assert await desk.render(distributions=[("debian", "stable")]) == {"debian/stable": "removed"}
    assert not (desk.site / "debian/dists").exists()
    assert (desk.site / "dists/testing").exists()
    assert await desk.render() == {"testing": "removed", "unstable": "unchanged"}
    with pytest.raises(ArchiveError, match=r"^debian/gone: there is no such distribution in acme$"):
        await desk.render(distributions=[("debian", "gone"), ("", "unstable")])
    assert check(desk.site, "", "unstable") == {"demo_1.0_amd64.deb"}


async def test_a_database_without_the_namespace_removes_nothing(
    desk: Desk, new_database: Callable[..., str], template: str
) -> None:
    await desk.deb("1.0")
    desk.serve()
    await desk.render()
    elsewhere = replace(desk, dsn=new_database(template))
    with pytest.raises(pkgdb.NotFound, match="no namespace 'acme'"):
        await elsewhere.render()
    assert check(desk.site) == {"demo_1.0_amd64.deb"}


async def test_other_namespaces_are_left_alone(desk: Desk) -> None:
    desk.registry.create_repository("other", "main")
    desk.serve()
    desk.registry.create_distribution(
        "other", "debian", "theirs", "deb", {"main": {"repository": "main"}}
    )
    theirs = ArchiveRenderer(desk.site, "other", desk.dsn)
    assert await theirs.run(once=True) == [Rendering("debian", "theirs", 1, "rendered")]
    assert await desk.render() == {"debian/stable": "rendered"}
    assert await theirs.run(once=True) == [Rendering("debian", "theirs", 1, "unchanged")]


async def test_one_that_cannot_be_rendered_stops_no_other(desk: Desk) -> None:
    registry = desk.registry
    await desk.deb("1.0")
    desk.serve()
    registry.create_repository("acme", "bare")
    for name, ecosystem in (("stable", "deb"), ("crates", "cargo"), ("node", "npm")):
        registry.create_distribution("acme", "a", name, ecosystem, {"main": {"repository": "bare"}})
    file = pkgdb.File("bare_1.0_all.deb", "ab" * 32, 10)
    registry.publish("acme", "bare", "deb", "bare", "1.0", "all", files=[file])
    with pytest.raises(ArchiveError) as failed:
        await desk.render()
    assert str(failed.value).split("\n") == [
        "a/crates: cargo cannot be rendered, only deb, npm, pypi",
        "a/node: documents for npm name the URL of the folder: base_url is missing",
        "a/stable: bytes are on no backend: bare_1.0_all.deb",
    ]
    assert check(desk.site) == {"demo_1.0_amd64.deb"}
    assert not (desk.site / "a/dists/stable").exists()


async def test_components_that_come_to_clash(busy: Desk) -> None:
    """The function that switches refuses it; what is served live can still change."""
    busy.registry.switch_distribution("acme", "debian", "stable", {"more": {"repository": "other"}})
    await busy.render()
    before = check(busy.site)
    path = busy.base / "new_2.0_amd64.deb"
    for repository, text in (("main", "a"), ("other", "b")):
        control = f"Package: new\nVersion: 2.0\nArchitecture: amd64\nDescription: {text}\n"
        path.write_bytes(making.deb(control))
        await busy.ship(path, repository)
    with pytest.raises(
        ArchiveError,
        match=r"new 2\.0 amd64 is in component main and with other content in more",
    ):
        await busy.render()
    assert check(busy.site) == before


# pip and npm


async def test_a_simple_index(desk: Desk) -> None:
    for version in ("1.9", "1.10", "2.0rc1"):
        await desk.ship(wheel(desk.base, version=version))
    desk.registry.create_snapshot("acme", "s1", "main")
    desk.registry.create_distribution(
        "acme", "python", "stable", "pypi", {"main": {"snapshot": "s1"}}
    )
    desk.registry.quarantine("acme", "main", "pypi", "demo", "1.9")
    await desk.ship(wheel(desk.base, version="3.0"))
    assert await desk.render() == {"python/stable": "rendered"}
    assert page(desk.site, "python/stable/simple/demo/index.v1_json")["versions"] == [
        "2.0rc1",
        "1.10",
    ]
    with serve(desk.site) as served:
        index = f"{served.url}/python/stable/simple/"
        found = await asyncio.to_thread(pip, desk.base, index, "demo")
    assert list(found) == ["demo-1.10-py3-none-any.whl"]


async def test_packuments(desk: Desk) -> None:
    for version in ("9.0.0", "10.0.0", "11.0.0-rc.1", "8.0.0"):
        path = desk.base / f"acme-demo-{version}.tgz"
        path.write_bytes(making.npm({"name": "@acme/demo", "version": version}))
        await desk.ship(path)
    desk.registry.create_distribution(
        "acme", "node", "stable", "npm", {"main": {"repository": "main"}}
    )
    base_url = "http://packages.example.org"
    assert await desk.render(base_url=base_url) == {"node/stable": "rendered"}
    packument = page(desk.site, "node/stable/npm/@acme/demo")
    assert packument["dist-tags"] == {"latest": "10.0.0"}
    assert list(packument["versions"]) == ["11.0.0-rc.1", "10.0.0", "9.0.0", "8.0.0"]
    tarball = packument["versions"]["8.0.0"]["dist"]["tarball"].removeprefix(f"{base_url}/")
    assert (desk.site / tarball).read_bytes() == path.read_bytes()
    desk.registry.deprecate("acme", "main", "npm", "@acme/demo", "8.0.0", message="old")
    assert await desk.render(base_url=base_url) == {"node/stable": "rendered"}
    packument = page(desk.site, "node/stable/npm/@acme/demo")
    assert packument["versions"]["8.0.0"]["deprecated"] == "old"


# Around it


async def test_a_reader_can_render(desk: Desk, logins: dict[str, str]) -> None:
    await desk.deb("1.0")
    desk.serve()
    reader = replace(desk, dsn=make_conninfo(desk.dsn, user=logins["reader"]))
    assert await reader.render() == {"debian/stable": "rendered"}
    stranger = replace(desk, dsn=make_conninfo(desk.dsn, user=logins["stranger"]))
    with pytest.raises(pkgdb.PermissionDenied):
        await stranger.render()


async def test_bytes_of_a_bucket(
    base: Path, dsn: str, registry: pkgdb.Registry, add_backend: Any, bucket_url: str
) -> None:
    await add_backend("cloud", bucket_url)
    desk = Desk(base, dsn, registry)
    await desk.deb("1.0")
    desk.serve()
    brought: list[tuple[int, int]] = []
    await desk.render(progress=lambda *counts: brought.append(counts))
    assert brought == [(1, 1)]
    assert check(desk.site) == {"demo_1.0_amd64.deb"}


async def test_one_renderer_at_a_time(desk: Desk) -> None:
    desk.serve()
    with (
        Folder(desk.site).alone(),
        pytest.raises(BlockingIOError, match="another renderer works in"),
    ):
        await desk.render()
    assert await desk.render() == {"debian/stable": "rendered"}


async def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.01)


async def test_it_follows_until_it_is_stopped(
    desk: Desk, db: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong meanwhile, of which it warns once."""
    caplog.set_level(logging.INFO, "pkgdb.archive")
    await desk.deb("1.0")
    desk.registry.create_repository("acme", "bare")
    desk.serve(main={"repository": "main"}, bare={"repository": "bare"})
    renderer = ArchiveRenderer(desk.site, "acme", desk.dsn, interval=timedelta(milliseconds=10))
    link = desk.site / "debian/dists/stable"
    running = asyncio.create_task(renderer.run())
    await eventually(link.exists)
    file = pkgdb.File("bare_1.0_all.deb", "ab" * 32, 10)
    desk.registry.publish("acme", "bare", "deb", "bare", "1.0", "all", files=[file])
    warned = "debian/stable: bytes are on no backend: bare_1.0_all.deb"
    await eventually(lambda: warned in caplog.messages)
    db.execute(
        """
        select pg_terminate_backend(pid)
          from pg_stat_activity
         where application_name = 'pkgdb archive' and datname = current_database()
        """
    )
    desk.registry.delete_version("acme", "bare", "deb", "bare", "1.0", "all")
    await desk.deb("2.0")
    await eventually(lambda: "demo_2.0_amd64.deb" in check(desk.site))
    desk.registry.drop_distribution("acme", "debian", "stable")
    await eventually(lambda: not link.exists())
    renderer.stop()
    done = await running
    assert [(one.prefix, one.distribution, one.outcome) for one in done] == [
        ("debian", "stable", "removed")
    ]
    assert caplog.messages.count(warned) == 1
