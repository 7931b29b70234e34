"""Files of an archive, over HTTP or out of a folder.

HTTP goes through `urllib`, in threads: it knows the environment's proxies and follows redirects.
`obstore`, which the stores of this project use, takes no reply without a Content-Length, writes no
`+` as `%2B` (S3 takes it for a space otherwise), and would follow a redirect from https to http.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
import stat
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, InvalidURL
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

import pkgdb
from pkgdb.mirrors.upstream import Absent, Got, UpstreamError, Wrong, plain_path

__all__ = ["Archive"]

_CHUNK = 256 << 10
_SILENCE = 30.0  # seconds
_SLOWEST, _AFTER = 1 << 10, 60.0  # bytes a second, once so many seconds have passed
_TRIES = 5
_PAUSE = 0.5  # after the first failure, and twice as long after each further one
_ABSENT = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}  # S3 forbids what is absent
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_AS_THEY_ARE = "/%:@!$&'()*+,;="  # in the path of a URL
_AGENT = f"pkgdb/{pkgdb.__version__}"


class Archive(ABC):
    """The files below one URL, or in one folder."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @staticmethod
    def open(url: str) -> Archive:
        """The archive at an `http://`, `https://` or `file://` URL, or in a folder.

        Raises:
            UpstreamError: It is none of those, or has a password or options in it.
        """
        if url.startswith("/"):
            return _Folder(url, Path(url))
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018  # raises where it is none
        except ValueError as error:
            raise UpstreamError(f"{url!a}: {error}") from error
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise UpstreamError("the URL of an upstream has no password and no options in it")
        if parts.scheme in ("http", "https") and parts.hostname and parts.netloc.isascii():
            return _Http(parts._replace(path=quote(parts.path, safe=_AS_THEY_ARE)).geturl())
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            return _Folder(url, Path(request.url2pathname(parts.path)))
        raise UpstreamError(f"{url!a} is no http://, https:// or file:// URL")

    async def read(self, path: str, largest: int) -> bytes:
        """A small file, past all caches.

        Raises:
            Absent: It is not there.
            Wrong: It has more bytes than `largest`.
            UpstreamError: The archive is away, or refuses.
        """
        with BytesIO() as file:
            await self._bring(_Download(self._at(path), file, largest, fresh=True))
            return file.getvalue()

    async def fetch(
        self, path: str, target: Path, sha256: str, size: int, got: Got | None = None
    ) -> None:
        """Writes a file into a new one, right and whole or not at all; otherwise as `read`.

        Raises:
            Wrong: It has other bytes than these.
        """
        with target.open("xb") as file:
            try:
                download = _Download(self._at(path), file, size, got=got)
                await self._bring(download)
                found = download.digest.hexdigest()
                if (download.size, found) != (size, sha256):
                    raise Wrong(
                        f"{download.where} has {download.size} bytes with sha256 {found}, and"
                        f" upstream says {size} bytes with sha256 {sha256}"
                    )
            except BaseException:
                target.unlink()  # noqa: ASYNC240  # whoever is cancelled waits no more
                raise

    @abstractmethod
    def _at(self, path: str) -> str:
        """Where a file is; UpstreamError where that would be somewhere else."""

    @abstractmethod
    def _write(self, download: _Download) -> None:
        """Brings the file, in a thread."""

    async def _bring(self, download: _Download) -> None:
        try:
            await asyncio.to_thread(self._write, download)
        finally:
            download.stopped.set()


@dataclass
class _Download:
    """A file on its way into another one."""

    where: str
    file: IO[bytes]
    largest: int
    got: Got | None = None
    fresh: bool = False
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    mark: str | None = None
    """What the server calls the version of which we have the beginning."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """Nobody waits for it any longer."""

    def add(self, chunk: bytes) -> None:
        if self.stopped.is_set():
            raise InterruptedError
        self.size += len(chunk)
        if self.size > self.largest:
            raise Wrong(f"{self.where} has more bytes than the {self.largest} that it may have")
        self.digest.update(chunk)
        self.file.write(chunk)
        if self.got is not None:
            self.got(len(chunk))

    def start_over(self) -> None:
        if self.got is not None:
            self.got(-self.size)
        self.file.seek(0)
        self.file.truncate()
        self.size, self.digest = 0, hashlib.sha256()


class _Folder(Archive):
    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url)
        self._folder = folder

    def _at(self, path: str) -> str:
        return str(self._folder / plain_path(path))

    def _write(self, download: _Download) -> None:
        path = Path(download.where)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise UpstreamError(f"{path} is no file")
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    download.add(chunk)
        except UpstreamError:
            raise
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Absent(f"{path} is not there") from error
        except OSError as error:
            raise UpstreamError(str(error)) from error


class _Passing(Exception):
    """It may be better at the next try."""


class _Http(Archive):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._opener = request.OpenerDirector()
        for handler in (
            request.ProxyHandler(),
            request.HTTPHandler(),
            request.HTTPSHandler(),
            request.HTTPDefaultErrorHandler(),
            request.HTTPErrorProcessor(),
            request.UnknownHandler(),
            _Redirects(),
        ):
            self._opener.add_handler(handler)

    def _at(self, path: str) -> str:
        return f"{self.url}/{quote(plain_path(path))}"

    def _write(self, download: _Download) -> None:
        pause = _PAUSE
        for tries_left in reversed(range(_TRIES)):
            try:
                return self._attempt(download)
            except _Passing as error:
                if tries_left == 0:
                    raise UpstreamError(f"{download.where}: {error}") from error
            if download.stopped.wait(pause * random.uniform(0.5, 1)):  # noqa: S311
                raise InterruptedError
            pause *= 2
        return None

    def _attempt(self, download: _Download) -> None:
        headers = {"User-Agent": _AGENT}
        if download.fresh:
            headers["Cache-Control"] = "max-age=0"
        if download.size and download.mark:
            headers |= {"Range": f"bytes={download.size}-", "If-Range": download.mark}
        asked = request.Request(download.where, headers=headers)  # noqa: S310  # see Archive.open
        with _told(download.where):
            reply: HTTPResponse = self._opener.open(asked, timeout=_SILENCE)
        with reply:
            begins = reply.headers.get("Content-Range", "").startswith(f"bytes {download.size}-")
            if reply.status != HTTPStatus.PARTIAL_CONTENT or not begins:
                download.start_over()
            download.mark = _mark(reply)
            for chunk in self._chunks(download.where, reply):
                download.add(chunk)

    def _chunks(self, where: str, reply: HTTPResponse) -> Iterator[bytes]:
        began, size = time.monotonic(), 0
        while True:
            with _told(where):
                chunk = reply.read1(_CHUNK)
            if not chunk:
                break
            yield chunk
            size += len(chunk)
            passed = time.monotonic() - began
            if passed > _AFTER and size / passed < _SLOWEST:
                raise _Passing(f"only {size} bytes in {passed:.0f} seconds")
        if reply.length:
            raise _Passing(f"ended {reply.length} bytes early")


class _Redirects(request.HTTPRedirectHandler):
    """As urllib follows them, but never out of TLS."""

    def redirect_request(
        self, req: request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> request.Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            fp.close()
            raise UpstreamError(f"{req.full_url} redirects out of TLS, to {newurl!a}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _mark(reply: HTTPResponse) -> str | None:
    tag = reply.headers.get("ETag", "")
    return tag if tag.startswith('"') else reply.headers.get("Last-Modified")


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Errors of HTTP as ours."""
    try:
        yield
    except UpstreamError:
        raise
    except HTTPError as error:
        with error:
            said = f"HTTP {error.code} {ascii(error.reason)[1:-1]}"
        if error.code in _ABSENT:
            raise Absent(f"{where}: {said}") from error
        if error.code in _PASSING or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Passing(said) from error
        raise UpstreamError(f"{where}: {said}") from error
    except (InvalidURL, ValueError) as error:  # a redirect to what is no URL
        raise UpstreamError(f"{where}: {error}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError | str):
            raise UpstreamError(f"{where}: {reason}") from error
        raise _Passing(str(reason) or type(reason).__name__) from error
