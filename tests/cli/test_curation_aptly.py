"""`import-aptly` from a real aptly, whose own lists say whether all of it is there."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psycopg
import pytest

from tests.mirrors.archives import Deb
from tests.support import oracle

HERE = ("--namespace", "n")
LISTED = "{{.Package}} {{.Version}} {{.Architecture}} {{.SHA256}}"


class Aptly:
    """An aptly of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir()
        (root / "aptly.conf").write_text(
            f'{{"rootDir": "{root}", "architectures": ["amd64", "arm64"], "gpgDisableSign": true}}'
        )

    @property
    def command(self) -> list[str]:
        return [oracle("aptly"), f"-config={self.root / 'aptly.conf'}"]

    def __call__(self, *arguments: object) -> str:
        done = subprocess.run(
            [*self.command, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or "no results" in done.stderr, done
        return done.stdout

    def add(self, repository: str, *debs: Deb) -> None:
        folder = self.root / "incoming"
        folder.mkdir()
        for deb in debs:
            (folder / Path(deb.filename).name).write_bytes(deb.content)
        self("repo", "add", "-remove-files", repository, folder)
        if folder.exists():
            folder.rmdir()

    def content(self, kind: str, name: str) -> set[str]:
        return set(self(kind, "search", f"-format={LISTED}", name, "Name").splitlines())


@pytest.fixture
def aptly(tmp_path: Path) -> Aptly:
    """Two local repositories, five snapshots, two publications."""
    aptly = Aptly(tmp_path / "aptly")
    aptly("repo", "create", "local")
    aptly("repo", "create", "rebuilt")
    needs = "Depends: libhello (>= 1) | libc6:any\nPriority: optional\n"
    aptly.add("local", Deb("hello", "1:1.0-1", fields=needs), Deb("libhello", "1.2", "arm64"))
    aptly("snapshot", "create", "first", "from", "repo", "local")
    aptly.add("local", Deb("libhello", "1.3"), Deb("docs", "2.0", "all"))
    aptly("repo", "remove", "local", "libhello_1.2_arm64")
    aptly("snapshot", "create", "second [of two]", "from", "repo", "local")
    aptly.add("rebuilt", Deb("hello", "1:1.0-1", fields="Priority: extra\n"))
    aptly("snapshot", "create", "rebuilt", "from", "repo", "rebuilt")
    aptly("snapshot", "create", "nothing", "empty")
    aptly("snapshot", "merge", "-no-remove", "all", "first", "second [of two]")
    aptly("publish", "snapshot", "-skip-signing", "-distribution=stable", "-origin=Acme", "first")
    aptly("publish", "repo", "-skip-signing", "-distribution=next", "local", "deb/live")
    return aptly


@pytest.fixture
def api(aptly: Aptly) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*aptly.command, "api", "serve", f"-listen=127.0.0.1:{port}", "-no-lock"]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(f"{url}/api/version", process)
            yield url
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, "aptly ended"
        try:
            with urlopen(url):
                return
        except URLError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def ours(run_json: Callable) -> Callable[[str, str], set[str]]:
    """What is in one of our repositories or snapshots, as aptly would list it."""

    def ours(kind: str, name: str) -> set[str]:
        listed = run_json(kind, "search", name, *HERE, "--files")["versions"]
        return {
            f"{row['name']} {row['version']} {row['variant']} {row['files'][0]['sha256']}"
            for row in listed
        }

    return ours


SNAPSHOTS = ["first", "second [of two]", "rebuilt", "nothing", "all"]


def same(aptly: Aptly, ours: Callable[[str, str], set[str]]) -> None:
    for name in SNAPSHOTS:
        assert ours("snapshot", name) == aptly.content("snapshot", name), name
    for name in ("local", "rebuilt"):
        assert ours("repository", name) == aptly.content("repo", name), name
    assert len(ours("snapshot", "all")) == 4


def test_metadata_alone(run, run_json, aptly: Aptly, api: str, ours, db: psycopg.Connection):
    result = run("import-aptly", api, *HERE)
    assert result.exit_code == 0, result.stderr
    assert "snapshot second [of two] created: 3 packages\n" in result.stdout
    same(aptly, ours)
    listed = [row["snapshot"] for row in run_json("snapshot", "list", *HERE)["snapshots"]]
    assert sorted(listed) == sorted(SNAPSHOTS)

    (hello,) = run_json("snapshot", "search", "first", "hello", *HERE)["versions"]
    assert hello["metadata"]["Priority"] == "optional"
    assert hello["metadata"]["Description"] == "hello"
    (rebuilt,) = run_json("snapshot", "search", "rebuilt", *HERE)["versions"]
    assert rebuilt["metadata"]["Priority"] == "extra"
    verified = run_json("snapshot", "verify", "first", *HERE, "--architecture", "amd64")
    assert [row["relation"] for row in verified["missing"]] == [
        "libhello (>= 1) | libc6:any"
    ]  # the library is there for arm64 alone, as aptly says:
    said = aptly("snapshot", "verify", "-architectures=amd64", "first")
    assert "libhello (>= 1) [amd64]" in said

    shown = run_json("distribution", "show", "stable", *HERE)
    assert shown["components"] == {"main": {"snapshot": "first"}}
    assert shown["settings"]["origin"] == "Acme"
    live = run_json("distribution", "show", "next", "--prefix", "deb/live", *HERE)
    assert live["components"] == {"main": {"repository": "local"}}
    assert run("check").exit_code == 0


def test_again_changes_nothing_and_goes_on(run, run_json, aptly: Aptly, api: str, ours):
    assert run("import-aptly", api, *HERE).exit_code == 0
    before = run_json("snapshot", "list", *HERE)
    again = run_json("import-aptly", api, *HERE)
    assert {one["outcome"] for one in again["lists"]} == {"unchanged"}
    assert {one["outcome"] for one in again["distributions"]} == {"unchanged"}
    assert run_json("snapshot", "list", *HERE) == before
    # As after an import that ended between two snapshots.
    run("snapshot", "drop", "all", *HERE)
    once_more = run_json("import-aptly", api, *HERE)
    created = [one["name"] for one in once_more["lists"] if one["outcome"] == "created"]
    assert created == ["all"]
    same(aptly, ours)


def test_with_the_files(run, aptly: Aptly, api: str, ours, tmp_path: Path):
    run("repository", "create", "x", *HERE)
    run("backend", "add", "disk", tmp_path / "objects", *HERE)
    pool = ("--pool", aptly.root / "pool", "--backend", "disk")
    result = run("import-aptly", api, *pool, *HERE)
    assert result.exit_code == 0, result.stderr
    same(aptly, ours)
    # The mirror that it went through is not needed any longer.
    assert run("mirror", "drop", "aptly", "--force", *HERE).exit_code == 0
    assert run("worker", "--once", "--purge-after", 0).exit_code == 0
    same(aptly, ours)
    www = tmp_path / "www"
    assert run("distribution", "render", www, "--once", *HERE).exit_code == 0
    served = {path.name for path in www.glob("pool/*/*/*.deb")}
    assert served == {Path(path).name for path in aptly.root.glob("public/pool/**/*.deb")}
    assert run("check").exit_code == 0


def test_another_content_under_a_name_is_told(run, aptly: Aptly, api: str):
    run("snapshot", "create", "first", *HERE)
    run("repository", "create", "x", *HERE)
    run("snapshot", "create", "first", *HERE)
    result = run("import-aptly", api, *HERE)
    assert result.exit_code == 2
    assert "snapshot 'first' has another content than in aptly" in result.stderr


def test_a_damaged_pool_is_told(run, aptly: Aptly, api: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("pkgdb.mirrors.updater._SETTLING", ())
    for path in (aptly.root / "pool").glob("*/*/*hello*"):
        path.write_bytes(b"x")
    run("repository", "create", "x", *HERE)
    run("backend", "add", "disk", tmp_path / "objects", *HERE)
    pool = ("--pool", aptly.root / "pool", "--backend", "disk")
    result = run("import-aptly", api, *pool, *HERE)
    assert result.exit_code == 2
    assert "sha256" in result.stderr
    assert run("snapshot", "list", *HERE).stdout == "no snapshots\n"


@pytest.mark.parametrize(
    "arguments", [("file:///etc/passwd",), ("http://127.0.0.1:1",), ("http://x", "--backend", "b")]
)
def test_what_is_no_aptly(run, run_json, arguments):
    result = run("import-aptly", *arguments, *HERE)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
