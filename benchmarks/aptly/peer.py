"""aptly, in a folder of its own: its command line, and its server on a Unix socket."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.aptly.packages import Index, Key, Package

CLIENTS = 16
BATCH = 60_000

T = TypeVar("T")


class Aptly:
    """One aptly root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "aptly.conf"
        root.mkdir(parents=True, exist_ok=True)
        self.config.write_text(json.dumps({"rootDir": str(root)}))
        self.socket = root / "socket"

    # -- the command line ---------------------------------------------------------------------

    def run(self, *arguments: str) -> str:
        done = self.attempt(*arguments)
        if done.returncode:
            raise SystemExit(f"aptly {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["aptly", f"-config={self.config}", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    def timed(self, *arguments: str) -> float:
        start = time.perf_counter()
        self.run(*arguments)
        return time.perf_counter() - start

    # -- the server ---------------------------------------------------------------------------

    @contextmanager
    def serving(self) -> Iterator["Client"]:
        """Its API, which keeps the database to itself as long as it runs."""
        self.socket.unlink(missing_ok=True)
        with (self.root / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    "aptly",
                    f"-config={self.config}",
                    "api",
                    "serve",
                    f"-listen=unix://{self.socket}",
                ],
                stdout=log,
                stderr=log,
                env=os.environ | {"GIN_MODE": "release"},
            )
        try:
            while True:
                client = self.client()
                try:
                    client.ask("GET", "/version")
                    break
                except (FileNotFoundError, ConnectionRefusedError):
                    if process.poll() is not None:
                        raise SystemExit(f"aptly did not start: {self.root / 'log'}") from None
                    time.sleep(0.02)
            yield client
        finally:
            process.terminate()
            process.wait()

    def client(self) -> "Client":
        return Client(self.socket)


class Client:
    """A connection to its API that stays open."""

    def __init__(self, path: Path) -> None:
        self.connection = _Connection(str(path))

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON; SystemExit where it is refused."""
        status, answer = self.attempt(method, path, body)
        if status >= 300:
            raise SystemExit(f"aptly: {method} {path}: {status} {answer!r}")
        return json.loads(answer) if answer else None

    def attempt(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        self.connection.request(method, f"/api{path}", data, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        return response.status, response.read()

    def timed(self, method: str, path: str, body: object = None) -> float:
        start = time.perf_counter()
        self.ask(method, path, body)
        return time.perf_counter() - start

    def packages(self, where: str) -> dict[Key, str]:
        """The references in `repos/<name>` or `snapshots/<name>`, by what they name."""
        return {key_of(reference): reference for reference in self.ask("GET", f"/{where}/packages")}

    def edit(self, method: str, references: Sequence[str], repository: str = "main") -> None:
        self.ask(method, f"/repos/{repository}/packages", {"PackageRefs": list(references)})


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def key_of(reference: str) -> Key:
    """What a reference names: `Pamd64 name version hash`."""
    architecture, name, version, _ = reference.split(" ")
    return name, version, architecture[1:]


def concurrently(work: Callable[[int], list[T]]) -> tuple[list[T], float]:
    """Run it for each of the clients at once: all that they return, and the seconds it took."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        start = time.perf_counter()
        returned = list(pool.map(work, range(CLIENTS)))
        return [one for several in returned for one in several], time.perf_counter() - start


# -- what it is given -----------------------------------------------------------------------------


def prepare(index: Index, size: int, cache: Path, say: Callable[[str], None]) -> Path:
    """A root in the cache with so many packages in `main`, and what they are changed by beside.

    It goes on from the largest smaller one. No pool: nothing that is measured reads it.
    """
    root = cache / f"{index.digest}-{size}"
    if root.exists():
        return root
    made = cache / f"making-{size}"
    shutil.rmtree(made, ignore_errors=True)
    smaller = [int(path.name.rpartition("-")[2]) for path in cache.glob(f"{index.digest}-*")]
    have = max((other for other in smaller if other < size), default=0)
    if have:
        aptly = copy(cache / f"{index.digest}-{have}", made)
    else:
        aptly = Aptly(made)
        for repository in ("main", "newer", "added", "edits"):
            aptly.run("repo", "create", repository)
        _add(aptly, "edits", index.edits())
    say(f"aptly: adding {size - have:,} packages, for the first time only")
    _add(aptly, "newer", index.newer(have, size))
    _add(aptly, "added", index.added(have, size))
    for start in range(have, size, BATCH):
        _add(aptly, "main", index.base(start, min(start + BATCH, size)))
    shutil.rmtree(made / "pool")
    made.rename(root)
    return root


def copy(source: Path, target: Path) -> Aptly:
    """A root with the same database."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source / "db", target / "db")
    return Aptly(target)


def _add(aptly: Aptly, repository: str, packages: Sequence[Package]) -> None:
    incoming = aptly.root / "incoming"
    incoming.mkdir()
    for number, package in enumerate(packages):
        (incoming / f"{number}.deb").write_bytes(package.deb())
    aptly.run("repo", "add", "-remove-files", repository, str(incoming))
    if left := sum(1 for _ in incoming.iterdir()):
        raise SystemExit(f"aptly did not take {left} of {len(packages)} packages")
    incoming.rmdir()
