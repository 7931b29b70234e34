"""Archives of Debian packages, made on the fly and served on the loopback interface."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import lz4.frame

from tests.packages import making
from tests.support import oracle

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".bz2": bz2.compress,
    ".gz": gzip.compress,
    ".lz4": lz4.frame.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}


@dataclass(frozen=True)
class Deb:
    """A package: a real, if tiny, file."""

    name: str
    version: str = "1.0"
    architecture: str = "amd64"
    fields: str = ""
    path: str = ""
    """Where it is instead of in the pool."""
    component: str = "main"

    @property
    def control(self) -> str:
        return (
            f"Package: {self.name}\nVersion: {self.version}\nArchitecture: {self.architecture}\n"
            f"Maintainer: Some One <one@example.org>\n{self.fields}Description: {self.name}\n"
        )

    @property
    def content(self) -> bytes:
        return making.deb(self.control)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def filename(self) -> str:
        return self.path or (
            f"pool/{self.component}/{self.name[0]}/{self.name}/"
            f"{self.name}_{self.version.partition(':')[2] or self.version}_{self.architecture}.deb"
        )

    @property
    def stanza(self) -> str:
        content = self.content
        return (
            f"{self.control}Filename: {self.filename}\nSize: {len(content)}\n"
            f"SHA256: {self.sha256}\n"
        )


@dataclass
class Keys:
    """A GnuPG home with secret keys, and how to sign with them."""

    home: Path

    def gpg(self, *arguments: str, given: bytes = b"", clock: str | None = None) -> bytes:
        faked = [f"--faked-system-time={clock}"] if clock else []
        command = [oracle("gpg"), "--homedir", self.home, "--batch", "--quiet", "--yes", *faked]
        return subprocess.run(
            [*command, *arguments], input=given, capture_output=True, check=True
        ).stdout

    def make(self, name: str, expire: str = "never", clock: str | None = None) -> str:
        self.gpg(
            "--passphrase", "", "--quick-gen-key", f"{name} <{name}@example.org>",
            "ed25519", "sign", expire, clock=clock,
        )  # fmt: skip
        return name

    def keyring(self, *names: str, armor: bool = False) -> bytes:
        armored = ["--armor"] if armor else []
        return self.gpg("--export", *armored, *(f"{name}@example.org" for name in names))

    def clearsigned(
        self, text: bytes, *names: str, more: Iterable[str] = (), clock: str | None = None
    ) -> bytes:
        signers = [f"--local-user={name}@example.org" for name in names]
        return self.gpg(*signers, *more, "--clearsign", given=text, clock=clock)

    def signature(self, text: bytes, *names: str) -> bytes:
        signers = [f"--local-user={name}@example.org" for name in names]
        return self.gpg(*signers, "--armor", "--detach-sign", given=text)


@dataclass
class Archive:
    """An archive in a folder. `publish` writes all of it anew."""

    folder: Path
    keys: Keys | None = None
    distribution: str = "stable"
    forms: tuple[str, ...] = (".xz", ".gz")
    listed: tuple[str, ...] = ("",)
    """Forms that the Release names and the server does not have."""
    by_hash: bool = False
    inline: bool = True
    """With an InRelease."""
    signer: str = "archive"
    valid_for: timedelta | None = timedelta(days=7)
    architectures: tuple[str, ...] = ("amd64", "i386")
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def flat(self) -> bool:
        return self.distribution.endswith("/")

    @property
    def base(self) -> Path:
        return self.folder / ("" if self.flat else "dists") / self.distribution

    def publish(self, *debs: Deb, extra: str = "") -> str:
        """Writes packages and indexes; returns the text of the Release."""
        for deb in debs:
            self.write(self.folder / deb.filename, deb.content)
        return self.release(self.indexes(debs, extra))

    def indexes(self, debs: Iterable[Deb], extra: str = "") -> dict[str, bytes]:
        """The Packages files, by name."""
        apart = "all" in self.architectures
        places: dict[str, list[str]] = {"Packages": []} if self.flat else {}
        debs = list(debs)
        for component in sorted({deb.component for deb in debs} | {"main"}):
            for architecture in self.architectures:
                wanted = {architecture} if apart else {architecture, "all"}
                stanzas = [
                    deb.stanza
                    for deb in debs
                    if deb.component == component and deb.architecture in wanted
                ]
                if self.flat:
                    places["Packages"] += stanzas
                else:
                    places[f"{component}/binary-{architecture}/Packages"] = stanzas
        return {
            name: "\n".join([*dict.fromkeys(stanzas), *([extra] if extra else [])]).encode()
            for name, stanzas in places.items()
        }

    def release(self, indexes: Mapping[str, bytes]) -> str:
        """Writes indexes, and a Release that names them."""
        lines = []
        for name, text in indexes.items():
            for form in (*self.forms, *self.listed):
                packed = FORMS[form](text)
                digest = hashlib.sha256(packed).hexdigest()
                lines.append(f" {digest} {len(packed):>8} {name}{form}")
                if form in self.forms:
                    self.write(self.base / f"{name}{form}", packed)
                if form in self.forms and self.by_hash:
                    self.write(self.base / Path(name).parent / "by-hash/SHA256" / digest, packed)
        fields = {"Origin": "Example", "Suite": self.distribution, "Date": http_date()}
        if self.valid_for is not None:
            fields["Valid-Until"] = http_date(self.valid_for)
        if not self.flat:
            components = dict.fromkeys(name.split("/")[0] for name in indexes)
            fields |= {"Components": " ".join(components)}
            fields |= {"Architectures": " ".join(self.architectures)}
        if self.by_hash:
            fields["Acquire-By-Hash"] = "yes"
        text = "".join(f"{key}: {value}\n" for key, value in (fields | dict(self.fields)).items())
        text += "SHA256:\n" + "\n".join(lines) + "\n"
        self.sign(text)
        return text

    def sign(self, text: str) -> None:
        for name in ("InRelease", "Release", "Release.gpg"):
            (self.base / name).unlink(missing_ok=True)
        if self.inline:
            signed = text.encode()
            if self.keys is not None:
                signed = self.keys.clearsigned(signed, self.signer)
            self.write(self.base / "InRelease", signed)
            return
        self.write(self.base / "Release", text.encode())
        if self.keys is not None:
            signature = self.keys.signature(text.encode(), self.signer)
            self.write(self.base / "Release.gpg", signature)

    def write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def http_date(later: timedelta = timedelta()) -> str:
    return format_datetime(datetime.now(UTC) + later, usegmt=True).replace("GMT", "UTC")


@dataclass
class Server:
    """Serves a folder. `answers` says what to do instead, by the end of a path."""

    url: str
    port: int
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    answers: dict[str, Callable[[Handler], bool | None]] = field(default_factory=dict)
    """Each is called with the request; what it does not answer (False), the folder does."""

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def count(self, end: str) -> int:
        return sum(path.endswith(end) for path in self.paths)


class Handler(SimpleHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    control: Server

    def do_GET(self) -> None:
        self.control.asked.append((self.path, dict(self.headers)))
        for end, answer in list(self.control.answers.items()):
            if self.path.endswith(end) and answer(self) is not False:
                return
        super().do_GET()

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Transfer_Encoding" not in headers and "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server of the folder, below /debian."""
    control: Server

    class Of(Handler):
        def translate_path(self, path: str) -> str:
            if not path.startswith("/debian/"):
                return os.devnull + "/none"
            return super().translate_path(path.removeprefix("/debian"))

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, directory=str(folder), **named)

    with ThreadingHTTPServer(("127.0.0.1", 0), Of) as server:
        server.daemon_threads = True
        port = server.server_address[1]
        Of.control = control = Server(f"http://127.0.0.1:{port}/debian", port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield control
        finally:
            server.shutdown()
            thread.join()


def failing(times: int, status: int = 503) -> Callable[[Handler], bool | None]:
    """An answer: an error, so many times."""
    counts: Counter[str] = Counter()

    def answer(request: Handler) -> bool | None:
        counts["asked"] += 1
        if counts["asked"] > times:
            return False
        request.reply(status)
        return None

    return answer
