"""HTTP as it is: redirects, proxies, servers that fail half-way, and folders."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from pkgdb.mirrors import Absent, UpstreamError, Wrong, transport
from pkgdb.mirrors.transport import Archive
from tests.mirrors.archives import Archive as Made
from tests.mirrors.archives import Handler, Server, failing

CONTENT = bytes(range(256)) * 4000  # more than is read at once
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def fetch(web: Server, tmp_path: Path) -> Callable[..., Any]:
    """Brings `CONTENT` from a path of the server; how many bytes were told."""

    async def fetch(path: str = "file", url: str | None = None) -> int:
        target = tmp_path / "target"
        told: list[int] = []
        await Archive.open(url or web.url).fetch(path, target, DIGEST, len(CONTENT), told.append)
        assert target.read_bytes() == CONTENT
        return sum(told)

    return fetch


@pytest.fixture
def there(archive: Made, web: Server) -> Path:
    """`CONTENT`, on the server as `file`."""
    path = archive.folder / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("pool/libstdc++_1%3a2~rc1_all.deb", "/pool/libstdc%2B%2B_1%253a2~rc1_all.deb"),
        ("a b/\u00e4?#&;", "/a%20b/%C3%A4%3F%23%26%3B"),
        ("./a/./b", "/a/b"),
    ],
)
async def test_paths_in_urls(web: Server, fetch: Any, path: str, asked: str) -> None:
    web.answers[asked] = lambda request: request.reply(200, CONTENT)
    await fetch(path)
    assert web.paths == ["/debian" + asked]


async def test_urls_that_need_quoting(web: Server, fetch: Any) -> None:
    web.answers["file"] = lambda request: request.reply(200, CONTENT)
    await fetch(url=web.url + "/a b/\u00e4%20+/")
    assert web.paths == ["/debian/a%20b/%C3%A4%20+/file"]


async def test_what_a_server_is_told(web: Server, there: Path, fetch: Any) -> None:
    await fetch()
    await Archive.open(web.url).read("file", len(CONTENT))
    whole, fresh = (headers for _, headers in web.asked)
    assert whole["User-Agent"].startswith("pkgdb/")
    assert "Cache-Control" not in whole
    assert fresh["Cache-Control"] == "max-age=0"


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_they_are_followed(
        self, web: Server, there: Path, fetch: Any, status: int
    ) -> None:
        web.answers["/old"] = lambda request: request.reply(status, Location="/debian/file")
        assert await fetch("old") == len(CONTENT)

    async def test_in_circles(self, web: Server, fetch: Any) -> None:
        web.answers["/file"] = lambda request: request.reply(302, Location="/debian/file")
        with pytest.raises(UpstreamError, match="HTTP 302"):
            await fetch()

    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd", "ftp://example.org/a", "data:,x", "http://[::1/", "http://:x/",
            f"http://{'a' * 70}/", "http://a..b/",
        ],
    )  # fmt: skip
    async def test_out_of_http(self, web: Server, fetch: Any, url: str) -> None:
        web.answers["/file"] = lambda request: request.reply(302, Location=url)
        with pytest.raises(UpstreamError):
            await fetch()
        assert len(web.asked) == 1

    def test_out_of_tls(self) -> None:
        asked, reply = Request("https://example.org/file"), BytesIO()
        redirect = transport._Redirects().redirect_request
        assert redirect(asked, reply, 302, "", {}, "https://example.com/file") is not None
        with pytest.raises(UpstreamError, match="out of TLS"):
            redirect(asked, reply, 302, "", {}, "http://example.org/file")
        assert reply.closed


class TestFailures:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    async def test_passing_ones(self, web: Server, there: Path, fetch: Any, status: int) -> None:
        web.answers["/file"] = failing(4, status)
        assert await fetch() == len(CONTENT)
        assert len(web.asked) == 5

    async def test_ones_that_do_not_pass(self, web: Server, fetch: Any) -> None:
        web.answers["/file"] = failing(100)
        with pytest.raises(UpstreamError, match=r"file: HTTP 503 Service Unavailable"):
            await fetch()
        assert len(web.asked) == 5

    @pytest.mark.parametrize(("status", "error"), [(404, Absent), (410, Absent), (403, Absent)])
    async def test_what_is_not_there(
        self, web: Server, fetch: Any, status: int, error: type[Exception]
    ) -> None:
        web.answers["/file"] = failing(100, status)
        with pytest.raises(error, match=f"file: HTTP {status}"):
            await fetch()
        assert len(web.asked) == 1

    @pytest.mark.parametrize("status", [400, 401, 407, 418])
    async def test_what_is_refused(self, web: Server, fetch: Any, status: int) -> None:
        web.answers["/file"] = failing(100, status)
        with pytest.raises(UpstreamError, match=f"HTTP {status}") as caught:
            await fetch()
        assert not isinstance(caught.value, Absent)
        assert len(web.asked) == 1

    async def test_nobody_listens(self, tmp_path: Path, unused_tcp_port: int) -> None:
        archive = Archive.open(f"http://127.0.0.1:{unused_tcp_port}/debian")
        with pytest.raises(UpstreamError, match="refused"):
            await archive.read("file", 1)

    async def test_no_http(self, web: Server, fetch: Any) -> None:
        def garble(request: Handler) -> None:
            request.wfile.write(b"220 mail.example.org ESMTP\r\n")
            request.close_connection = True

        web.answers["/file"] = garble
        with pytest.raises(UpstreamError):
            await fetch()
        assert len(web.asked) == 5

    async def test_silence(self, web: Server, fetch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "_SILENCE", 0.05)
        over = threading.Event()
        web.answers["/file"] = lambda request: not over.wait(60)
        try:
            with pytest.raises(UpstreamError, match="timed out"):
                await fetch()
        finally:
            over.set()

    async def test_a_trickle(
        self, there: Path, fetch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "_AFTER", 0.0)
        monkeypatch.setattr(transport, "_SLOWEST", 1 << 60)
        with pytest.raises(UpstreamError, match=r"only .* bytes in"):
            await fetch()

    async def test_a_certificate_that_nobody_vouches_for(
        self, fetch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import ssl
        from urllib.error import URLError

        tries = []

        class Opener:
            def open(self, *arguments: Any, **named: Any) -> None:
                tries.append(arguments)
                raise URLError(ssl.SSLCertVerificationError("self-signed certificate"))

        archive = Archive.open("https://example.org/debian")
        monkeypatch.setattr(archive, "_opener", Opener())
        with pytest.raises(UpstreamError, match="self-signed"):
            await archive.read("file", 1)
        assert len(tries) == 1


class TestInterrupted:
    """Replies that end early."""

    def half(self, tag: str | None = '"1"', **headers: str) -> Callable[[Handler], None]:
        def answer(request: Handler) -> None:
            del request.control.answers["/file"]
            request.send_response(200)
            request.send_header("Content-Length", str(len(CONTENT)))
            for name, value in headers.items():
                request.send_header(name.replace("_", "-"), value)
            if tag:
                request.send_header("ETag", tag)
            request.end_headers()
            request.wfile.write(CONTENT[: len(CONTENT) // 2])
            request.close_connection = True

        return answer

    async def test_the_rest_is_asked_for(self, web: Server, fetch: Any) -> None:
        half = self.half()

        def first(request: Handler) -> None:
            half(request)
            web.answers["/file"] = rest

        def rest(request: Handler) -> None:
            start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            assert request.headers["If-Range"] == '"1"'
            span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            request.reply(206, CONTENT[start:], Content_Range=span)

        web.answers["/file"] = first
        assert await fetch() == len(CONTENT)
        assert len(web.asked) == 2

    @pytest.mark.parametrize(
        ("tag", "more", "mark"),
        [
            ('"1"', {}, '"1"'),
            ('W/"1"', {}, None),
            (None, {"Last_Modified": "Sat, 10 Jun 2023 09:53:33 GMT"}, "Sat, 10 Jun 2023"),
            (None, {}, None),
        ],
    )
    async def test_a_server_that_starts_over(
        self,
        web: Server,
        there: Path,
        fetch: Any,
        tag: str | None,
        more: dict[str, str],
        mark: str | None,
    ) -> None:
        """The server knows no ranges; and none is asked for where nothing tells its versions."""
        web.answers["/file"] = self.half(tag, **more)
        assert await fetch() == len(CONTENT)
        _, headers = web.asked[1]
        assert headers.get("If-Range", "").startswith(mark or "")
        assert ("Range" in headers) == (mark is not None)

    async def test_a_server_that_sends_another_part(self, web: Server, fetch: Any) -> None:
        half = self.half()

        def first(request: Handler) -> None:
            half(request)
            web.answers["/file"] = lambda request: request.reply(
                206, CONTENT[-9:], Content_Range=f"bytes {len(CONTENT) - 9}-/{len(CONTENT)}"
            )

        web.answers["/file"] = first
        with pytest.raises(Wrong, match="has 9 bytes"):
            await fetch()

    async def test_chunked(self, web: Server, fetch: Any) -> None:
        def chunked(request: Handler) -> None:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)
            request.reply(200, body, Transfer_Encoding="chunked")

        web.answers["/file"] = chunked
        assert await fetch() == len(CONTENT)

    async def test_chunked_and_cut(self, web: Server, there: Path, fetch: Any) -> None:
        def cut(request: Handler) -> None:
            del web.answers["/file"]
            body = b"%x\r\n%b" % (len(CONTENT), CONTENT[:9])
            request.reply(200, body, Transfer_Encoding="chunked")
            request.close_connection = True

        web.answers["/file"] = cut
        assert await fetch() == len(CONTENT)

    async def test_without_a_length(self, web: Server, fetch: Any) -> None:
        def plain(request: Handler) -> None:
            request.send_response(200)
            request.end_headers()
            request.wfile.write(CONTENT)
            request.close_connection = True

        web.answers["/file"] = plain
        assert await fetch() == len(CONTENT)


class TestProxies:
    async def test_the_environments(
        self, web: Server, there: Path, fetch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{web.port}")
        web.answers["/file"] = lambda request: request.reply(200, CONTENT)
        await fetch(url="http://archive.invalid/debian")
        assert web.paths == ["http://archive.invalid/debian/file"]

    async def test_hosts_that_are_near(
        self, web: Server, there: Path, fetch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await fetch()
        assert web.paths == ["/debian/file"]


async def test_nobody_waits_any_longer(web: Server, tmp_path: Path, fetch: Any) -> None:
    asked, over = threading.Event(), threading.Event()

    def wait(request: Handler) -> None:
        asked.set()
        over.wait(60)
        request.reply(200, CONTENT)

    web.answers["/file"] = wait
    task = asyncio.create_task(fetch())
    await asyncio.to_thread(asked.wait, 60)
    task.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not (tmp_path / "target").exists()
    finally:
        over.set()


class TestFolders:
    @pytest.mark.parametrize("url", [str, Path.as_uri], ids=["path", "url"])
    async def test_files(
        self, archive: Made, there: Path, fetch: Any, url: Callable[[Path], str]
    ) -> None:
        assert await fetch(url=url(archive.folder)) == len(CONTENT)

    async def test_names_that_need_quoting(self, tmp_path: Path) -> None:
        folder = tmp_path / "a b%20+"
        folder.mkdir()
        (folder / "libstdc++_1%3a2.deb").write_bytes(b"x")
        archive = Archive.open(folder.as_uri())
        assert await archive.read("libstdc++_1%3a2.deb", 1) == b"x"

    async def test_what_is_not_there(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for path in ("none", "none/file", "file/file"):
            with pytest.raises(Absent, match="is not there"):
                await Archive.open(str(tmp_path)).read(path, 1)

    async def test_what_would_never_end(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UpstreamError, match="is no file"):
            await Archive.open(str(tmp_path)).read("pipe", 1)

    async def test_a_target_that_is_there(self, archive: Made, there: Path, tmp_path: Path) -> None:
        """It is another one's."""
        target = tmp_path / "target"
        target.write_bytes(b"another")
        with pytest.raises(FileExistsError):
            await Archive.open(str(archive.folder)).fetch("file", target, DIGEST, len(CONTENT))
        assert target.read_bytes() == b"another"
