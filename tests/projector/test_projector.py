"""The folder shows what the repository has, whatever was missed, repeated or interrupted."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pkgdb
from pkgdb.packages import read_package
from pkgdb.projector import Projector
from pkgdb.projector.pages import Package
from pkgdb.storage import StoreError
from tests.storage.wheels import wheel
from tests.support import oracle, wait_until

HERE = ("--namespace", "acme", "--repository", "main")
BASE = "http://packages.example.org"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


@pytest.fixture
def project(site: Path, dsn: str, work: Any) -> Callable[..., Any]:
    """Brings the folder up to date; returns how many events that took."""

    async def project(projector: type[Projector] = Projector, **options: Any) -> int:
        await work(tasks=["sequence"])
        options = {"base_url": BASE} | options
        return await projector(site, "acme", "main", dsn, **options).run(once=True)

    return project


@pytest.fixture
def release(registry: pkgdb.Registry, publish: Any, tmp_path: Path) -> Callable[..., Any]:
    """Publishes a wheel of the package demo."""

    async def release(version: str = "1.0", **options: Any) -> Path:
        path = wheel(tmp_path, version=version, **options)
        package = read_package(path)
        await publish([(pkgdb.File(**package.file_spec()), path)], version)
        return path

    return release


def page(site: Path, name: str = "demo") -> dict[str, Any]:
    return dict(json.loads((site / "simple" / name / "index.v1_json").read_text()))


def files(site: Path) -> list[Path]:
    return sorted(path for path in (site / "packages").rglob("*") if path.is_file())


async def test_pages_of_a_simple_index(
    two_stores: Any, release: Any, project: Any, site: Path, registry: Any
) -> None:
    first, second = await release("1.0"), await release("2.0")
    registry.yank("acme", "main", "pypi", "demo", "1.0", reason="<b> & so on")
    assert await project() == 0  # the beginning is what is there
    shown = page(site)
    assert shown["meta"] == {"api-version": "1.1"}
    assert (shown["name"], shown["versions"]) == ("demo", ["2.0", "1.0"])
    newer, older = shown["files"]
    assert older["filename"] == first.name
    assert older["yanked"] == "<b> & so on"
    assert newer["yanked"] is False
    assert newer["requires-python"] == ">=3.8"
    assert newer["size"] == second.stat().st_size
    sha256 = hashlib.sha256(second.read_bytes()).hexdigest()
    assert newer["hashes"] == {"sha256": sha256}
    assert (site / "simple" / "demo" / newer["url"]).read_bytes() == second.read_bytes()
    html = (site / "simple" / "demo" / "index.html").read_text()
    assert f'<a href="{newer["url"]}#sha256={sha256}" data-requires-python="&gt;=3.8">' in html
    assert 'data-yanked="&lt;b&gt; &amp; so on"' in html
    assert '<a href="demo/">demo</a>' in (site / "simple" / "index.html").read_text()
    listed = json.loads((site / "simple" / "index.v1_json").read_text())
    assert listed["projects"] == [{"name": "demo"}]


async def test_what_changes_is_followed(
    two_stores: Any, release: Any, project: Any, site: Path, registry: Any
) -> None:
    await project()
    assert json.loads((site / "simple" / "index.v1_json").read_text())["projects"] == []
    await release("1.0")
    assert await project() == 1
    assert await project() == 0
    await release("1.0", tag="py2-none-any")
    await release("2.0")
    assert await project() == 2
    assert len(page(site)["files"]) == len(files(site)) == 3
    registry.quarantine("acme", "main", "pypi", "demo", "2.0")
    registry.delete_file(
        "acme", "main", "pypi", "demo", "1.0", filename="demo-1.0-py2-none-any.whl"
    )
    await project()
    assert [file["filename"] for file in page(site)["files"]] == ["demo-1.0-py3-none-any.whl"]
    assert [path.name for path in files(site)] == ["demo-1.0-py3-none-any.whl"]
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    await project()
    assert files(site) == []
    assert not (site / "simple" / "demo").exists()
    assert json.loads((site / "simple" / "index.v1_json").read_text())["projects"] == []
    registry.release_quarantine("acme", "main", "pypi", "demo", "2.0")
    await project()
    assert page(site)["versions"] == ["2.0"]


async def test_other_repositories_are_not_shown(
    two_stores: Any, release: Any, project: Any, site: Path, registry: Any
) -> None:
    await project()
    registry.create_repository("acme", "other")
    registry.publish("acme", "other", "pypi", "secret", "1.0")
    await release()
    assert await project() == 3
    assert [path.name for path in (site / "simple").iterdir() if path.is_dir()] == ["demo"]
    registry.rename_repository("acme", "main", "renamed")
    await project()
    assert files(site) == []
    registry.rename_repository("acme", "renamed", "main")
    await project()
    assert len(files(site)) == 1
    registry.drop_repository("acme", "main")
    await project()
    assert files(site) == []


async def test_files_without_bytes_are_not_listed(registry: Any, project: Any, site: Path) -> None:
    """Published without a store: there is nothing to link to."""
    file = pkgdb.File("demo-1.0-py3-none-any.whl", "ab" * 32, 10)
    registry.publish("acme", "main", "pypi", "demo", "1.0", files=[file])
    await project()
    assert not (site / "simple" / "demo").exists()


async def test_a_folder_on_the_same_disk_shares_the_bytes(
    add_backend: Any, folder_url: str, release: Any, project: Any, site: Path, copies: Any
) -> None:
    store = await add_backend("disk", folder_url)
    path = await release()
    await project()
    (shown,) = files(site)
    ((_, key, _),) = copies(read_package(path).sha256).values()
    assert shown.samefile(store.folder / key)


async def test_bytes_of_a_bucket(
    add_backend: Any, bucket_url: str, release: Any, project: Any, site: Path
) -> None:
    await add_backend("cloud", bucket_url)
    path = await release()
    await project()
    (shown,) = files(site)
    assert shown.read_bytes() == path.read_bytes()


async def test_a_damaged_object_is_not_shown(
    two_stores: Any, release: Any, project: Any, site: Path, copies: Any, s3: Any
) -> None:
    """The other store's is taken; where no other has it, the folder stays as it was."""
    await project()
    path = await release()
    at = copies(read_package(path).sha256)
    (two_stores[0].folder / at["disk"][1]).unlink()
    bucket, _, prefix = two_stores[1].url.removeprefix("s3://").partition("/")
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{at['cloud'][1]}", Body=b"x")
    with pytest.raises(StoreError, match="other bytes"):
        await project()
    assert not (site / "simple" / "demo").exists()
    body = path.read_bytes()
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{at['cloud'][1]}", Body=body)
    assert await project() == 1
    assert [shown.read_bytes() for shown in files(site)] == [body]


NO_FOLDER = f"packages/dd/dd/{'d' * 60}"


@pytest.mark.parametrize("ecosystem", ["npm", "pypi"])
@pytest.mark.parametrize(
    ("named", "meant"),
    [
        (f"{NO_FOLDER}/../../../../../victim", "../victim"),
        (f"{NO_FOLDER}/..%2F..%2F..%2F..%2F..%2Fvictim", "../victim"),
        (f"{NO_FOLDER}/../../../../simple/other/index.html", "simple/other/index.html"),
        (f"{NO_FOLDER}/of-another-1.0.tgz", f"{NO_FOLDER}/of-another-1.0.tgz"),
    ],
    ids=["outside", "quoted", "a page", "a file"],
)
async def test_no_text_on_a_page_names_a_file_to_remove(
    two_stores: Any,
    publish: Any,
    registry: Any,
    project: Any,
    site: Path,
    make_file: Any,
    ecosystem: str,
    named: str,
    meant: str,
) -> None:
    """A publisher may write into its page what it likes, and take it away again."""
    file, path = make_file("evil-1.0.0.tgz")
    attributes = {"requires-python": named, "tarball": f"{BASE}/{named}"}
    file = pkgdb.File(file.filename, file.sha256, file.size, None, attributes)
    metadata = {"description": named, "dist": {"tarball": f"{BASE}/{named}"}}
    where = {"ecosystem": ecosystem, "name": "evil"}
    await publish([(file, path)], "1.0.0", metadata=metadata, **where)
    await project()
    (shown,) = files(site)
    if ecosystem == "npm":
        dist = json.loads((site / "npm" / "evil").read_text())["versions"]["1.0.0"]["dist"]
        assert site / dist["tarball"].removeprefix(f"{BASE}/") == shown
    for folder in (site / NO_FOLDER, (site / meant).parent):
        folder.mkdir(parents=True, exist_ok=True)
    (site / meant).touch()
    registry.delete_version("acme", "main", ecosystem, "evil", "1.0.0")
    await publish([make_file("evil-1.0.1.tgz")], "1.0.1", **where)
    await project()
    assert (site / meant).exists()
    assert not shown.exists()  # what a page does link to goes with it


@pytest.mark.parametrize(
    "filename",
    [
        *("x" * 256 + ".whl", "é" * 130 + ".whl", ".hidden.whl"),
        *("x" * 251 + ".whl", "é" * 125 + ".whl"),  # 255 and 254 bytes
    ],
)
async def test_an_odd_file_name_stops_nothing_else(
    two_stores: Any,
    publish: Any,
    release: Any,
    project: Any,
    site: Path,
    tmp_path: Path,
    filename: str,
) -> None:
    """What no folder can hold is left out; a name as long as any is shown."""
    path = tmp_path / "odd"
    path.write_bytes(b"odd")
    file = pkgdb.File(filename, hashlib.sha256(b"odd").hexdigest(), 3)
    await publish([(file, path)], name="a-odd-one")
    await release()
    await project()
    assert page(site)["versions"] == ["1.0"]
    fits = len(filename.encode()) <= 255 and not filename.startswith(".")
    assert (site / "simple" / "a-odd-one").exists() == fits
    assert {shown.name for shown in files(site)} == {"demo-1.0-py3-none-any.whl"} | (
        {filename} if fits else set()
    )


async def test_a_name_as_long_as_a_folder_may_have(
    two_stores: Any, publish: Any, project: Any, site: Path, make_file: Any
) -> None:
    await publish([make_file("long.whl")], name="a" * 255)
    await project()
    assert [file["filename"] for file in page(site, "a" * 255)["files"]] == ["long.whl"]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("step", ["_bring", "_write_text", "_write_roots", "_move"])
@pytest.mark.parametrize("first", [True, False], ids=["the beginning", "an event"])
async def test_what_was_interrupted_is_done_again(
    two_stores: Any, release: Any, project: Any, site: Path, step: str, first: bool
) -> None:
    if not first:
        await project()
    path = await release()

    def interrupted(self: Any, *arguments: Any) -> Any:
        raise Interrupted

    with pytest.raises(Interrupted):
        await project(type("Failing", (Projector,), {step: interrupted}))
    await project()
    assert [shown.read_bytes() for shown in files(site)] == [path.read_bytes()]
    assert page(site)["versions"] == ["1.0"]


async def test_events_that_were_pruned(
    two_stores: Any, release: Any, project: Any, site: Path, registry: Any, db: Any
) -> None:
    """The registered reader keeps them; if it was dropped, everything is written anew."""
    await project()
    await release("1.0")
    await release("2.0")
    registry.sequence_events("acme")
    assert registry.prune_events("acme", keep=timedelta()) > 0
    assert await project() == 2
    (consumer,) = db.execute("select consumer from pkgdb.consumers").fetchone()
    registry.drop_consumer("acme", consumer)
    registry.delete_version("acme", "main", "pypi", "demo", "1.0")
    registry.sequence_events("acme")
    registry.prune_events("acme", keep=timedelta())
    await project()
    assert page(site)["versions"] == ["2.0"]
    assert len(files(site)) == 1


async def test_a_cursor_of_another_history(
    two_stores: Any, release: Any, project: Any, site: Path
) -> None:
    """As after a restore of the database to an earlier time."""
    await project()
    await release()
    await project()
    cursor = site / ".pkgdb-projection.json"
    said = json.loads(cursor.read_text())
    cursor.write_text(json.dumps(said | {"position": 99}))
    stray = site / "simple" / "stray" / "index.html"
    stray.parent.mkdir()
    stray.touch()
    await project()
    assert json.loads(cursor.read_text()) == said
    assert not stray.parent.exists()
    assert len(files(site)) == 1


@pytest.mark.parametrize("left", ["", '{"position": 1, "repos', "{}", "\0" * 100])
async def test_a_torn_cursor(
    two_stores: Any, release: Any, project: Any, site: Path, left: str
) -> None:
    """As after a power cut: everything is written anew."""
    await release()
    await project()
    cursor = site / ".pkgdb-projection.json"
    said = json.loads(cursor.read_text())
    cursor.write_text(left)
    stray = site / "simple" / "stray" / "index.html"
    stray.parent.mkdir()
    stray.touch()
    await project()
    assert json.loads(cursor.read_text()) == said
    assert not stray.parent.exists()
    assert page(site)["versions"] == ["1.0"]


@pytest.mark.parametrize("left", ["", '{"files": [', "{}", "\0" * 100])
async def test_a_torn_page(
    two_stores: Any, release: Any, project: Any, site: Path, left: str
) -> None:
    await release("1.0")
    await project()
    (site / "simple" / "demo" / "index.v1_json").write_text(left)
    await release("2.0")
    await project()
    assert page(site)["versions"] == ["2.0", "1.0"]


async def test_one_at_a_time(two_stores: Any, site: Path, dsn: str, db: Any) -> None:
    projector = Projector(site, "acme", "main", dsn)
    running = asyncio.create_task(projector.run())
    await asyncio.to_thread(wait_until, db, "select count(*) = 1 from pkgdb.consumers")
    with pytest.raises(BlockingIOError, match="another projector"):
        await Projector(site, "acme", "main", dsn).run(once=True)
    projector.stop()
    await running


@pytest.mark.parametrize(
    "name", ["..", ".git", "@a/..", "a/b/c", "@../x", "%2e%2e", "a b", "", "a" * 256]
)
def test_names_that_are_no_paths(name: str) -> None:
    assert Package("npm", name, name).paths == ()
    assert Package("pypi", name, name).paths == ()


async def test_packuments(
    two_stores: Any, publish: Any, registry: Any, project: Any, site: Path, make_file: Any
) -> None:
    for version in ("1.0.0", "2.0.0", "3.0.0-rc.1"):
        file, path = make_file(f"demo-{version}.tgz")
        file = pkgdb.File(file.filename, file.sha256, file.size, None, {"integrity": "sha512-x"})
        await publish([(file, path)], version, ecosystem="npm", name="@acme/demo")
    registry.set_tag("acme", "main", "npm", "@acme/demo", "3.0.0-rc.1", tag="next")
    registry.yank("acme", "main", "npm", "@acme/demo", "1.0.0", reason="broken")
    await project()
    shown = json.loads((site / "npm" / "@acme" / "demo").read_text())
    assert shown["name"] == "@acme/demo"
    assert shown["dist-tags"] == {"latest": "2.0.0", "next": "3.0.0-rc.1"}
    assert set(shown["versions"]) == set(shown["time"]) == {"1.0.0", "2.0.0", "3.0.0-rc.1"}
    assert shown["versions"]["1.0.0"]["deprecated"] == "broken"
    manifest = shown["versions"]["2.0.0"]
    assert "deprecated" not in manifest
    assert manifest["dist"]["integrity"] == "sha512-x"
    tarball = manifest["dist"]["tarball"].removeprefix(f"{BASE}/")
    assert (site / tarball).read_bytes() == (site.parent / "demo-2.0.0.tgz").read_bytes()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """The URL of a web server that serves the folder, as any does."""
    site.mkdir()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(site))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_pip_downloads_it(
    run: Any,
    registry: Any,
    served: str,
    site: Path,
    tmp_path: Path,
    folder_url: str,
    bucket_url: str,
) -> None:
    """Published to a folder and a bucket with the command line, and projected by it."""
    for name, url in (("disk", folder_url), ("cloud", bucket_url)):
        assert run("backend", "add", name, url, *HERE).exit_code == 0
    path = wheel(tmp_path)
    assert run("publish", path, *HERE).exit_code == 0
    assert run("worker", "--once").exit_code == 0
    assert run("project", site, *HERE, "--once").stdout == "0 events\n"
    downloaded = tmp_path / "downloaded"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--isolated", "--no-cache-dir"),
            *("--no-deps", "--index-url", f"{served}/simple/", "--dest", downloaded, "demo==1.0"),
        ],
        check=True,
        capture_output=True,
    )
    assert (downloaded / path.name).read_bytes() == path.read_bytes()


def test_npm_reads_it(
    run: Any, registry: Any, served: str, site: Path, tmp_path: Path, folder_url: str
) -> None:
    npm = oracle("npm")
    source = tmp_path / "source"
    source.mkdir()
    manifest = {"name": "@acme/demo", "version": "1.2.3", "description": "shown"}
    (source / "package.json").write_text(json.dumps(manifest))
    (source / "index.js").write_text("module.exports = 42\n")
    said = npm_says(npm, tmp_path, "pack", source, "--json")
    packed = tmp_path / json.loads(said)[0]["filename"].replace("@", "").replace("/", "-")
    assert run("backend", "add", "disk", folder_url, *HERE).exit_code == 0
    result = run("publish", packed, *HERE)
    assert result.exit_code == 0, result.stderr
    assert run("project", site, *HERE, "--once", "--base-url", served).exit_code == 0

    registry_url = f"--registry={served}/npm/"
    scoped = f"--@acme:registry={served}/npm/"
    said = npm_says(npm, tmp_path, "view", "@acme/demo", "--json", registry_url, scoped)
    shown = json.loads(said)
    assert (shown["version"], shown["description"]) == ("1.2.3", "shown")
    downloaded = tmp_path / "downloaded"
    downloaded.mkdir()
    npm_says(npm, downloaded, "pack", "@acme/demo@latest", registry_url, scoped)
    (tarball,) = downloaded.glob("*.tgz")
    assert tarball.read_bytes() == packed.read_bytes()


def npm_says(npm: str, folder: Path, *arguments: object) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().startswith("npm_config_")
    }
    return subprocess.run(
        [npm, *(str(a) for a in arguments), "--cache", folder / "cache", "--offline=false"],
        cwd=folder,
        env=environment | {"HOME": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_it_ends_well_when_told_to(
    registry: Any, dsn: str, db: psycopg.Connection, site: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pkgdb", "project", site, *HERE, "--interval", "600", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PKGDB_DSN": dsn},
    )
    with process:
        wait_until(db, "select count(*) = 1 from pkgdb.consumers")
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate()
        assert process.returncode == 0
    assert json.loads(said) == {"events": 0}
