"""A proxy between client and server that cuts the connection at a COMMIT."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo

COMMIT = b"COMMIT\0"


class Proxy:
    """Forwards connections to the server of a DSN, each by two threads.

    `cut` says what happens to the next commits: each entry is used up by one of them. `before`
    ends the connection with the commit unsent; `after` lets the server commit, and ends the
    connection with its answer unread. An empty list lets everything pass.
    """

    def __init__(self, dsn: str) -> None:
        self.cut: list[str] = []
        self.commits = 0
        self._server = conninfo_to_dict(dsn)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.dsn = make_conninfo(
            dsn, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
        )
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        # A listener that is only closed would leave accept() waiting.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for end in self._open:
            hang_up(end)
        for thread in self._threads[1:]:
            thread.join()
        for end in self._open:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self._connect()
            self._open += [client, server]
            muted = threading.Event()
            for target, arguments in (
                (self._upstream, (client, server, muted)),
                (self._downstream, (server, client, muted)),
            ):
                thread = threading.Thread(target=target, args=arguments)
                self._threads.append(thread)
                thread.start()

    def _connect(self) -> socket.socket:
        host, port = str(self._server["host"]), self._server.get("port", 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, int(port or 5432)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _upstream(
        self, client: socket.socket, server: socket.socket, muted: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if COMMIT in data:
                    self.commits += 1
                    cut = self.cut.pop(0) if self.cut else None
                    if cut == "before":
                        break
                    if cut == "after":
                        muted.set()
                server.sendall(data)
        hang_up(server)
        hang_up(client)

    def _downstream(
        self, server: socket.socket, client: socket.socket, muted: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if muted.is_set():  # the answer to the commit: the server is done with it
                    break
                client.sendall(data)
        hang_up(client)
        hang_up(server)


def hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
