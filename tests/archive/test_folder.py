"""The folder holds whole states, keeps them for a while, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pkgdb.archive.render
from pkgdb.archive import ArchiveError
from pkgdb.archive.folder import LOCK, Folder, Place, checked
from tests.archive.support import DAY, Site, check, listing


def generations(site: Site, link: str = "dists/stable", prefix: str = "debian") -> list[int]:
    folder = site.place(link, prefix)._folder
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())


async def test_nothing_is_written_when_nothing_changed(site: Site) -> None:
    found = site.deb("demo", "1.0")
    assert await site.render(found)
    before = listing(site.path)
    assert not await site.render(found)
    assert listing(site.path) == before
    assert await site.render(found, settings={"label": "other"})
    assert site.release()["Label"] == "other"


async def test_what_is_the_same_is_shared(site: Site) -> None:
    """An index that did not change is not compressed again, nor are the files copied."""
    first, second = site.deb("demo", "1.0", "amd64"), site.deb("demo", "1.0", "arm64")
    await site.render(first)
    tree = site.path / "debian/dists/stable"
    before = {path: (tree / path).stat().st_ino for path in ("main/binary-amd64/Packages.xz",)}
    await site.render(first, second)
    after = {path: (tree / path).stat().st_ino for path in before}
    assert after == before
    (pooled,) = (site.path / "debian/pool").rglob("demo_1.0_amd64.deb")
    assert pooled.samefile(site.store / first.files[0].sha256)


async def test_generations_are_kept_for_a_while(site: Site) -> None:
    for version in "123":
        await site.render(site.deb("demo", version))
    assert generations(site) == [1, 2, 3]
    assert site.pool() == [f"demo_{version}_all.deb" for version in "123"]
    site.clean(later=DAY / 2)
    assert generations(site) == [1, 2, 3]
    site.clean(later=DAY + timedelta(minutes=1))
    assert generations(site) == [3]
    assert site.pool() == ["demo_3_all.deb"]
    assert check(site.path) == {"demo_3_all.deb"}


async def test_indexes_of_kept_generations_are_found_by_hash(site: Site) -> None:
    hashes = []
    for version in "123":
        await site.render(site.deb("demo", version))
        folder = site.path / "debian/dists/stable/main/binary-all/by-hash/SHA256"
        hashes.append({path.name for path in folder.iterdir()})
    assert hashes[0] < hashes[1] < hashes[2]
    site.grace = timedelta()
    await site.render(site.deb("demo", "4"))
    last = {path.name for path in folder.iterdir()}
    assert len(last - hashes[2]) == 3
    assert len(last & (hashes[2] - hashes[1])) == 3  # the one before, in any case
    assert not last & hashes[1]


async def test_indexes_of_a_component_that_is_gone(site: Site) -> None:
    found = site.deb("demo", "1")
    extra = replace(found, component="extra")
    await site.render(found, extra, components=("extra", "main"))
    index = site.release()["SHA256"].split()[0]
    await site.render(found)
    kept = site.path / "debian/dists/stable/extra/binary-all/by-hash/SHA256" / index
    assert "demo_1_all.deb" in kept.read_text()
    assert "extra" not in str(site.release())


async def test_a_pool_for_all_distributions_of_a_prefix(site: Site) -> None:
    site.grace = timedelta()
    both, one, other = (site.deb(name, "1") for name in ("both", "one", "other"))
    await site.render(both, one)
    await site.render(both, other, distribution="testing")
    await site.render(one, prefix="elsewhere")
    assert site.pool() == ["both_1_all.deb", "one_1_all.deb", "other_1_all.deb"]
    await site.render(one)
    assert site.pool() == ["both_1_all.deb", "one_1_all.deb", "other_1_all.deb"]
    await site.render(other, distribution="testing")
    assert site.pool() == ["one_1_all.deb", "other_1_all.deb"]
    assert site.pool("elsewhere") == ["one_1_all.deb"]


async def test_dropped(site: Site) -> None:
    """The link goes at once; the files go after the grace; then nothing is left."""
    await site.render(site.deb("demo", "1"), distribution="stable/updates")
    place = site.place("dists/stable/updates")
    assert place.drop()
    assert not place.drop()
    assert not (site.path / "debian/dists").exists()
    site.clean(later=DAY / 2)
    assert site.pool() == ["demo_1_all.deb"]
    site.clean(later=DAY + timedelta(minutes=1))
    assert [path.name for path in site.path.iterdir()] == [".pkgdb-archive.lock"]


async def test_dropped_and_made_again(site: Site) -> None:
    """Who began to read the old one finds its indexes in the new one."""
    found = site.deb("demo", "1")
    await site.render(found)
    old = check(site.path), set(by_hash(site))
    site.place().drop()
    assert await site.render(found)
    assert (check(site.path), set(by_hash(site))) == old
    site.place().drop()
    await site.render(site.deb("demo", "2"))
    assert set(by_hash(site)) > old[1]
    site.clean(later=DAY + timedelta(minutes=1))
    assert site.pool() == ["demo_2_all.deb"]


def by_hash(site: Site) -> list[str]:
    return [path.name for path in (site.path / "debian/dists/stable").rglob("by-hash/SHA256/*")]


async def test_said_again_before_it_is_too_late(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that is valid for a while is written anew at half of it."""
    found, settings = site.deb("demo", "1"), {"valid_for": 3600}
    await site.render(found, settings=settings)
    assert not await site.render(found, settings=settings)
    age(site, seconds=1790)
    assert not await site.render(found, settings=settings)
    age(site, seconds=20)
    assert await site.render(found, settings=settings)
    assert not await site.render(found, settings=settings)


def age(site: Site, seconds: int) -> None:
    """Makes what is shown older."""
    for path in site.path.rglob("state.json"):
        said = json.loads(path.read_text())
        for name in ("date", "valid_until"):
            said[name] = said[name] and said[name] - seconds
        path.write_text(json.dumps(said))


async def test_a_clock_that_was_set_back(site: Site) -> None:
    """What is newer says so: apt takes nothing that states to be older."""
    await site.render(site.deb("demo", "1"))
    age(site, seconds=-3600)
    before = site.place().last()
    await site.render(site.deb("demo", "2"))
    after = site.place().last()
    assert before is not None
    assert after is not None
    assert after.date == before.date + 1


# Bytes


async def test_bytes_that_nobody_has(site: Site) -> None:
    found = [site.deb("demo", f"{number}") for number in range(14)]
    await site.render(found[0])
    for entry in found[1:]:
        (site.store / entry.files[0].sha256).unlink()
    with pytest.raises(ArchiveError) as failed:
        await site.render(found[0], found[1], found[2], site.deb("there", "1"))
    assert str(failed.value) == "bytes are on no backend: demo_1_all.deb, demo_2_all.deb"
    with pytest.raises(ArchiveError, match=r"demo_6_all\.deb and 3 more$"):
        await site.render(*found)
    assert check(site.path) == {"demo_0_all.deb"}
    assert site.pool() == ["demo_0_all.deb"]


async def test_bytes_that_are_others(site: Site) -> None:
    """A damaged object reaches nobody; a whole one elsewhere is taken instead."""
    found = site.deb("demo", "1")
    sha256 = found.files[0].sha256
    content = (site.store / sha256).read_bytes()
    (site.store / sha256).write_bytes(content[::-1])
    with pytest.raises(ArchiveError, match=r"cannot be read: demo_1_all.deb \(.*other bytes"):
        await site.render(found)
    assert site.place().current() is None
    locate, spare = site.locate, site.base / "spare"
    spare.mkdir()
    (spare / "object").write_bytes(content)

    async def elsewhere(sha256: str) -> list[Any]:
        (known,) = await locate(sha256)
        away = replace(known, url=(site.base / "away").as_uri())
        return [away, known, replace(known, url=spare.as_uri(), object_key="object")]

    site.locate = elsewhere  # type: ignore[method-assign]
    await site.render(found)
    assert check(site.path) == {"demo_1_all.deb"}


async def test_a_failure_is_mended(site: Site) -> None:
    """What was brought stays for the next attempt, and goes when that is for something else."""
    there, away = site.deb("there", "1"), site.deb("away", "1")
    bytes_of_away = (site.store / away.files[0].sha256).read_bytes()
    (site.store / away.files[0].sha256).write_bytes(b"x")
    with pytest.raises(ArchiveError):
        await site.render(there, away)
    assert site.pool() == ["there_1_all.deb"]
    kept = listing(site.path / "debian/pool")
    (site.store / away.files[0].sha256).write_bytes(bytes_of_away)
    await site.render(there, away)
    assert kept.items() <= listing(site.path / "debian/pool").items()
    assert len(generations(site)) == 1


# Names


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../x",
        "x/../y",
        "/x",
        "x//y",
        "x/",
        "",
        ".x",
        "x/.y",
        "a\\b",
        "a\nb",
        "a\0b",
        "x" * 256,
    ],
)
async def test_no_name_leads_out_of_the_folder(site: Site, path: str) -> None:
    with pytest.raises(ArchiveError, match="cannot be a path"):
        checked("name", path)
    for names in ({"distribution": path}, {"prefix": path or "/"}):
        with pytest.raises(ArchiveError, match="cannot be a path"):
            await site.render(site.deb("demo", "1"), **names)
    assert [path.name for path in site.path.iterdir()] == [".pkgdb-archive.lock"]


async def test_names_that_archives_use_themselves(site: Site) -> None:
    for names in (
        {"prefix": "a/pool"},
        {"prefix": "dists"},
        {"distribution": "dists", "ecosystem": "pypi"},
        {"distribution": "a/pool/b", "ecosystem": "pypi"},
    ):
        with pytest.raises(ArchiveError, match="use themselves"):
            await site.render(**names)
    with pytest.raises(ArchiveError, match="too long"):
        await site.render(distribution="/".join("abcdefghij" * 20))


async def test_a_distribution_inside_another(site: Site) -> None:
    await site.render(site.deb("demo", "1"))
    with pytest.raises(ArchiveError, match="is a link: a distribution cannot be inside another"):
        await site.render(site.deb("demo", "1"), distribution="stable/updates")
    site.place().drop()
    await site.render(site.deb("demo", "1"), distribution="stable/updates")
    with pytest.raises(ArchiveError, match="made by something else"):
        await site.render(site.deb("demo", "1"))
    assert check(site.path, distribution="stable/updates") == {"demo_1_all.deb"}


async def test_what_others_made_is_left_alone(site: Site) -> None:
    dists = site.path / "debian" / "dists"
    dists.mkdir(parents=True)
    (dists / "stable").symlink_to(site.base)
    with pytest.raises(ArchiveError, match="made by something else"):
        await site.render(site.deb("demo", "1"))
    assert (dists / "stable").readlink() == site.base
    pool = site.path / "debian" / "pool"
    pool.symlink_to(site.base / "store")
    with pytest.raises(ArchiveError, match="is a link"):
        await site.render(site.deb("demo", "1"), distribution="testing")


async def test_namespaces_share_a_folder(site: Site) -> None:
    await site.render(site.deb("demo", "1"))
    with pytest.raises(ArchiveError, match="shows namespace 'acme'"):
        await site.render(site.deb("demo", "2"), namespace="other")
    await site.render(site.deb("demo", "2"), namespace="other", distribution="theirs")
    assert check(site.path) == {"demo_1_all.deb"}


def test_one_at_a_time(site: Site) -> None:
    other = Folder(site.path)
    with site.folder.alone(), pytest.raises(BlockingIOError, match="another renderer works in"):
        other.alone().__enter__()
    with other.alone():
        pass


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list them")
def test_a_process_that_is_being_started_holds_nothing(site: Site) -> None:
    """Between fork and exec it has a copy of each descriptor."""
    with site.folder.alone():
        (held,) = [
            descriptor
            for descriptor in Path("/proc/self/fd").iterdir()
            if descriptor.exists() and descriptor.samefile(site.path / LOCK)
        ]
        copy = os.dup(int(held.name))
    with site.folder.alone():
        os.close(copy)


async def cleaned_while_rendering(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another renderer comes when the files are in the pool, and nothing names them yet."""
    other, date = Site(site.base), pkgdb.archive.render._date
    busy: list[BlockingIOError] = []

    async def come(place: Place) -> int:
        monkeypatch.undo()
        try:
            await other.render(site.deb("other", "1"), distribution="other")
        except BlockingIOError as error:
            busy.append(error)
        return await date(place)

    monkeypatch.setattr(pkgdb.archive.render, "_date", come)
    await site.render(site.deb("demo", "1"))
    assert check(site.path) == {"demo_1_all.deb"}
    assert busy


async def test_cleaning_waits_for_rendering(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await cleaned_while_rendering(site, monkeypatch)


async def test_cleaning_does_harm_without_the_lock(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is served names files that are gone."""
    site.path.mkdir()
    monkeypatch.setattr(Folder, "alone", lambda folder: nullcontext())
    with monkeypatch.context() as inner, pytest.raises(FileNotFoundError, match=r"demo_1_all\.deb"):
        await cleaned_while_rendering(site, inner)


# What was interrupted: see test_interruptions


async def test_generations_that_nobody_has_seen(site: Site) -> None:
    await site.render(site.deb("demo", "1"))
    folder = site.place()._folder
    shutil.copytree(folder / "1", folder / "2")
    (folder / "3").mkdir()
    (site.path / "debian/pool/00").mkdir()
    (site.path / "debian/.incoming").mkdir(exist_ok=True)
    (site.path / "debian/.incoming/x").touch()
    await site.render(site.deb("demo", "1"))
    assert generations(site) == [1]
    assert not (site.path / "debian/.incoming").exists()


async def test_nothing_is_swept_where_it_is_not_known_what_is_needed(site: Site) -> None:
    await site.render(site.deb("demo", "1"))
    (site.place()._folder / "1" / "files").unlink()
    site.grace = timedelta()
    await site.render(site.deb("demo", "1"), site.deb("demo", "2"), distribution="testing")
    with pytest.raises(FileNotFoundError):
        await site.render(site.deb("demo", "3"), distribution="testing")
    assert check(site.path) == {"demo_1_all.deb"}
    await site.render(site.deb("demo", "3"))
    assert check(site.path) == {"demo_3_all.deb"}
    assert site.pool() == ["demo_3_all.deb"]


async def test_a_torn_state_of_what_is_seen(site: Site) -> None:
    """The machine lost it: it is written anew, and shown as it is until then."""
    await site.render(site.deb("demo", "1"))
    (site.place()._folder / "1" / "state.json").write_text("{")
    (site.store / site.deb("demo", "2").files[0].sha256).unlink()
    with pytest.raises(ArchiveError, match="no backend"):
        await site.render(replace(site.deb("gone", "1"), files=missing(site)))
    assert check(site.path) == {"demo_1_all.deb"}
    await site.render(site.deb("demo", "1"))
    assert check(site.path) == {"demo_1_all.deb"}


def missing(site: Site) -> tuple[Any, ...]:
    entry = site.deb("missing", "1")
    (site.store / entry.files[0].sha256).unlink()
    return entry.files
