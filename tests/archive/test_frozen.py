"""pip and npm install from a distribution, whatever changes meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pkgdb.archive import ArchiveError
from pkgdb.archive.listing import Entry
from tests.archive.support import Served, Site, entry, page, pip
from tests.projector.test_projector import npm_says
from tests.storage.wheels import wheel
from tests.support import oracle

PYPI = {"ecosystem": "pypi", "prefix": "python"}
NPM = {"ecosystem": "npm", "prefix": "node"}


def released(site: Site, version: str, **changes: Any) -> Entry:
    """A wheel whose bytes are in the store."""
    path = site.keep(wheel(site.base, version=version))
    return entry("Demo", version, path, normalized_name="demo", **changes)


def packed(site: Site, version: str, name: str = "@acme/demo", **changes: Any) -> Entry:
    """A tarball whose bytes are in the store, as npm makes it."""
    source = site.base / "source"
    source.mkdir(exist_ok=True)
    manifest = {"name": name, "version": version}
    (source / "package.json").write_text(json.dumps(manifest))
    said = npm_says(oracle("npm"), site.base, "pack", source, "--json")
    path = site.base / json.loads(said)[0]["filename"].replace("@", "").replace("/", "-")
    integrity = json.loads(said)[0]["integrity"]
    found = entry(name, version, site.keep(path), metadata=manifest, **changes)
    return replace(found, files=(replace(found.files[0], attributes={"integrity": integrity}),))


@pytest.mark.parametrize("name", ["stable", "teams/data/stable"])
@pytest.mark.parametrize("prefix", ["", "python/3"])
async def test_pip_downloads_it(site: Site, served: Served, name: str, prefix: str) -> None:
    found = released(site, "1.0")
    await site.render(found, distribution=name, ecosystem="pypi", prefix=prefix)
    root = f"{served.url}/{prefix}/{name}" if prefix else f"{served.url}/{name}"
    assert await asyncio.to_thread(pip, site.base, f"{root}/simple/", "demo") == {
        "demo-1.0-py3-none-any.whl": (site.base / "demo-1.0-py3-none-any.whl").read_bytes()
    }


def downloaded_during_a_switch(site: Site, served: Served) -> dict[str, bytes]:
    """What pip gets when the package is replaced after it has read its page."""
    asyncio.run(site.render(released(site, "1.0"), **PYPI))

    def switch(path: str) -> None:
        if path.endswith("/simple/demo/"):
            served.after = lambda path: None
            asyncio.run(site.render(released(site, "2.0"), **PYPI))

    served.after = switch
    return pip(site.base, f"{served.url}/python/stable/simple/", "demo")


def test_a_switch_in_the_middle(site: Site, served: Served) -> None:
    assert list(downloaded_during_a_switch(site, served)) == ["demo-1.0-py3-none-any.whl"]
    found = pip(site.base, f"{served.url}/python/stable/simple/", "demo")
    assert "demo-2.0-py3-none-any.whl" in found


def test_a_switch_in_the_middle_is_seen_without_grace(site: Site, served: Served) -> None:
    site.grace = timedelta()
    with pytest.raises(subprocess.CalledProcessError) as failed:
        downloaded_during_a_switch(site, served)
    assert "404" in failed.value.stderr


async def test_pages_of_a_simple_index(site: Site) -> None:
    """Highest version first, as they came; each file once, whichever components have it; and no
    package without one."""
    newer = released(site, "2.0", listed=False, yank_reason="broken")
    older = released(site, "1.0")
    nothing = entry("empty", "1.0")
    await site.render(newer, older, replace(older, component="extra"), nothing, **PYPI)
    shown = page(site.path, "python/stable/simple/demo/index.v1_json")
    assert shown["versions"] == ["2.0", "1.0"]
    assert [(file["filename"], file["yanked"]) for file in shown["files"]] == [
        ("demo-2.0-py3-none-any.whl", "broken"),
        ("demo-1.0-py3-none-any.whl", False),
    ]
    for file in shown["files"]:
        sha256 = file["hashes"]["sha256"]
        assert file["url"] == f"../../../pool/{sha256[:2]}/{sha256}/{file['filename']}"
        content = (site.path / f"python/pool/{sha256[:2]}/{sha256}/{file['filename']}").read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256
    root = page(site.path, "python/stable/simple/index.v1_json")
    assert [project["name"] for project in root["projects"]] == ["demo"]


async def test_a_page_that_did_not_change_stays(site: Site) -> None:
    """So that whoever has it is told so; one that did has a time of its own."""
    other = replace(released(site, "1.0"), name="Other", normalized_name="other")
    await site.render(released(site, "1.0"), other, **PYPI)
    pages = [site.path / f"python/stable/simple/{name}/index.html" for name in ("demo", "other")]
    before = [path.stat() for path in pages]
    await site.render(released(site, "2.0"), other, **PYPI)
    after = [path.stat() for path in pages]
    assert after[0].st_mtime >= before[0].st_mtime + 1
    assert (after[1].st_mtime, after[1].st_ino) == (before[1].st_mtime, before[1].st_ino)


async def test_names_that_are_no_paths(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """They are left out and warned of, as the projector does."""
    good = released(site, "1.0")
    odd = tuple(
        replace(good.files[0], filename=name) for name in ("../x.whl", "a/b.whl", ".x", "x" * 256)
    )
    bad = replace(good, normalized_name="../../evil")
    await site.render(replace(good, files=good.files + odd), bad, **PYPI)
    shown = page(site.path, "python/stable/simple/demo/index.v1_json")
    assert [file["filename"] for file in shown["files"]] == ["demo-1.0-py3-none-any.whl"]
    assert site.pool("python") == ["demo-1.0-py3-none-any.whl"]
    assert len(caplog.messages) == 5
    assert [
        path.name for path in (site.path / "python/stable/simple").iterdir() if path.is_dir()
    ] == ["demo"]


async def test_npm_reads_it(site: Site, served: Served) -> None:
    found = [
        packed(site, "3.0.0-rc.1", prerelease=True),
        packed(site, "2.0.0", listed=False),
        packed(site, "1.0.0", deprecation="use 3"),
    ]
    await site.render(*found, **NPM, base_url=f"{served.url}/")
    shown = page(site.path, "node/stable/npm/@acme/demo")
    assert shown["dist-tags"] == {"latest": "1.0.0"}
    assert shown["versions"]["1.0.0"]["deprecated"] == "use 3"
    registry = f"{served.url}/node/stable/npm/"
    downloaded = site.base / "downloaded"
    downloaded.mkdir()
    options = (f"--registry={registry}", f"--@acme:registry={registry}")
    await asyncio.to_thread(
        npm_says, oracle("npm"), downloaded, "pack", "@acme/demo@latest", *options
    )
    (tarball,) = downloaded.glob("*.tgz")
    assert tarball.read_bytes() == (site.base / "acme-demo-1.0.0.tgz").read_bytes()


async def test_npm_needs_the_url(site: Site) -> None:
    with pytest.raises(ArchiveError, match="base_url is missing"):
        await site.render(**NPM)


async def test_one_version_with_two_contents(site: Site) -> None:
    found = released(site, "1.0")
    path = site.base / "demo-1.0.tar.gz"
    path.write_bytes(b"other")
    other = entry("demo", "1.0.0", path, identity=b"1.0", component="extra")
    with pytest.raises(ArchiveError, match=r"demo 1.0.0 is in component main and with other"):
        await site.render(found, other, **PYPI)


async def test_dropped(site: Site) -> None:
    await site.render(released(site, "1.0"), **PYPI, distribution="a/b")
    assert site.place("a/b", "python").drop()
    assert not (site.path / "python/a").exists()
    site.clean(later=timedelta(days=2))
    assert [path.name for path in site.path.iterdir()] == [".pkgdb-archive.lock"]
