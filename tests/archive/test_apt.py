"""Real apt takes what it is offered, and never sees half of a change."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pkgdb.archive.folder
import pkgdb.archive.render
from pkgdb.archive.folder import Place, State
from tests.archive.support import Apt, Served, Site, gets


@pytest.fixture
def apt(site: Site, served: Served) -> Apt:
    return new_apt(site, served)


def new_apt(site: Site, served: Served, suite: str = "stable main") -> Apt:
    return Apt(site.base, f"deb [trusted=yes] {served.url}/debian {suite}")


async def test_packages_with_what_they_depend_on(site: Site, apt: Apt) -> None:
    """At first, after a switch, and after a rollback, of which none is a second long."""
    library = site.deb("libdemo", "1.0")
    old = site.deb("demo", "1:1.0-1", "amd64", Depends="libdemo (>= 1.0)")
    new = site.deb("demo", "1:2.0~rc1+b1-1", "amd64", Depends="libdemo (>= 1.0)")
    other = site.deb("other", "1.0", "arm64")
    for shown, name, version in (
        (old, "demo_1%3a1.0-1_amd64.deb", "1.0-1"),
        (new, "demo_1%3a2.0~rc1+b1-1_amd64.deb", "2.0~rc1+b1-1"),
        (old, "demo_1%3a1.0-1_amd64.deb", "1.0-1"),
    ):
        await site.render(library, shown, other)
        assert await asyncio.to_thread(gets, apt, "demo") == {
            "libdemo_1.0_all.deb": (site.base / "libdemo_1.0_all.deb").read_bytes(),
            name: (site.base / f"demo_{version}_amd64.deb").read_bytes(),
        }
    assert "Unable to locate package other" in apt.download("other")


async def test_a_change_within_a_second_is_not_seen_without_times_of_their_own(
    site: Site, apt: Apt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The web server says that nothing was changed since, and apt keeps what it has."""
    moment = int(time.time())

    async def same(place: Place) -> int:
        return moment

    monkeypatch.setattr(pkgdb.archive.render, "_date", same)
    await site.render(site.deb("demo", "1.0"))
    first = await asyncio.to_thread(gets, apt, "demo")
    await site.render(site.deb("demo", "2.0"))
    assert await asyncio.to_thread(gets, apt, "demo") == first
    moment += 1
    await site.render(site.deb("demo", "3.0"))
    assert list(await asyncio.to_thread(gets, apt, "demo")) == ["demo_3.0_all.deb"]


async def test_odd_file_names(site: Site, apt: Apt) -> None:
    """Whatever a file is called, apt gets it."""
    for version, (name, pooled) in enumerate(
        {
            "demo_1%3a1.0-1+b1~x_all.deb": "demo_1_3a1.0-1+b1~x_all.deb",
            "pool/main/.a b/.hidden": "_hidden.deb",
            "ü#?&='\".deb": "_______.deb",
            "x" * 300 + ".deb": "x" * 196 + ".deb",
        }.items()
    ):
        entry = site.deb("demo", str(version))
        file = replace(entry.files[0], filename=name)
        await site.render(replace(entry, files=(file,)))
        assert pooled in site.pool()
        path = site.base / f"demo_{version}_all.deb"
        assert await asyncio.to_thread(gets, apt, "demo") == {path.name: path.read_bytes()}


@pytest.mark.parametrize("name", ["stable", "stable/updates", "a+b.c~d"])
async def test_names_of_distributions(site: Site, served: Served, name: str) -> None:
    """Without a word from apt of another name that it had expected."""
    await site.render(site.deb("demo", "1.0"), distribution=name, components=("contrib", "main"))
    apt = new_apt(site, served, f"{name} main contrib")
    assert await asyncio.to_thread(gets, apt, "demo")


async def test_packages_for_any_architecture_alone(site: Site, apt: Apt) -> None:
    await site.render(site.deb("demo", "1.0"))
    assert site.release()["Architectures"] == "all"
    assert await asyncio.to_thread(gets, apt, "demo")


async def test_nothing_at_all(site: Site, apt: Apt) -> None:
    await site.render(settings={"architectures": ["amd64"]})
    assert await asyncio.to_thread(apt.update) == ""


async def test_a_time_after_which_it_is_not_taken(site: Site, apt: Apt) -> None:
    await site.render(site.deb("demo", "1.0"), settings={"valid_for": 3600})
    assert await asyncio.to_thread(gets, apt, "demo")


# A client in the middle of an update


def switched_in_between(site: Site, served: Served, apt: Apt) -> str:
    """What apt says when a switch comes after it has read Release, and before the indexes."""
    asyncio.run(site.render(site.deb("demo", "1.0", "amd64")))
    new = site.deb("demo", "2.0", "amd64")

    def switch(path: str) -> None:
        if path.endswith("/Release"):
            served.after = lambda path: None
            asyncio.run(site.render(new))

    served.after = switch
    said = apt.update()
    assert site.packages()[0]["Version"] == "2.0"
    return said


def test_a_switch_in_the_middle(site: Site, served: Served, apt: Apt) -> None:
    """It has all of the old state; and of the new one when it asks again."""
    assert switched_in_between(site, served, apt) == ""
    assert any("/by-hash/SHA256/" in path for path in served.asked)
    assert apt.download("demo") == ""
    assert list(apt.downloaded()) == ["demo_1.0_amd64.deb"]
    apt("clean")
    assert list(gets(apt, "demo")) == ["demo_2.0_amd64.deb"]


def test_a_switch_in_the_middle_is_seen_without_kept_indexes(
    site: Site, served: Served, apt: Apt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Place, "kept", lambda *arguments: [])
    monkeypatch.setattr(Place, "expired", lambda *arguments: [])
    assert "E: " in switched_in_between(site, served, apt)


def test_a_file_is_gone_without_grace(site: Site, served: Served, apt: Apt) -> None:
    """It may be read for a while, and no longer."""
    site.grace = timedelta()
    assert switched_in_between(site, served, apt) == ""  # the last one's are there in any case
    assert "404" in apt.download("demo")


def asked_at_each_step(
    site: Site, apt: Apt, monkeypatch: pytest.MonkeyPatch, switch: Any = Place.switch
) -> tuple[list[str], list[str]]:
    """What apt says and what it offers, asked at every step of a switch."""
    asyncio.run(site.render(site.deb("demo", "1.0", "amd64")))
    monkeypatch.setattr(Place, "switch", switch)
    said: list[str] = []
    offered: list[str] = []

    def step(function: Callable[[Path], None]) -> Callable[[Path], None]:
        def stepped(*arguments: Any) -> None:
            function(*arguments)
            said.append(apt.update())
            apt.download("demo")
            offered.extend(apt.downloaded())
            apt("clean")

        return stepped

    for name in ("_write", "_sync"):
        monkeypatch.setattr(pkgdb.archive.folder, name, step(getattr(pkgdb.archive.folder, name)))
    asyncio.run(site.render(site.deb("demo", "2.0", "amd64")))
    return said, offered


def test_every_step_of_a_switch(site: Site, apt: Apt, monkeypatch: pytest.MonkeyPatch) -> None:
    said, offered = asked_at_each_step(site, apt, monkeypatch)
    assert set(said) == {""}
    assert len(offered) == len(said)
    old, new = "demo_1.0_amd64.deb", "demo_2.0_amd64.deb"
    assert offered == [old] * offered.count(old) + [new] * offered.count(new)
    assert min(offered.count(old), offered.count(new)) > 0


def test_steps_are_seen_where_files_are_written_in_place(
    site: Site, apt: Apt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_place(self: Place, fresh: Path, state: State) -> None:
        for path in sorted((fresh / "tree").rglob("*")):
            if path.is_file():
                target = self._path / path.relative_to(fresh / "tree")
                pkgdb.archive.folder._write(target, path.read_bytes())

    said, _ = asked_at_each_step(site, apt, monkeypatch, in_place)
    assert any("E: " in one for one in said)


@pytest.mark.slow
async def test_updates_while_it_is_switched_all_the_time(site: Site, apt: Apt) -> None:
    states = [
        [
            site.deb("libdemo", f"{number}"),
            site.deb("demo", f"{number}", "amd64", Depends="libdemo"),
        ]
        for number in (1, 2, 3)
    ]
    await site.render(*states[0])
    done = threading.Event()
    said: list[str] = []

    def update() -> None:
        while not done.is_set():
            said.append(apt.update() or apt.download("demo"))
            shutil.rmtree(apt.base / "cache")
            (apt.base / "cache/archives/partial").mkdir(parents=True)

    updates = asyncio.create_task(asyncio.to_thread(update))
    try:
        for number in range(1, 31):
            assert await site.render(*states[number % 3])
    finally:
        done.set()
        await updates
    assert len(said) > 30
    assert set(said) == {""}
    assert set(await asyncio.to_thread(gets, apt, "demo")) == {
        "demo_1_amd64.deb",
        "libdemo_1_all.deb",
    }
