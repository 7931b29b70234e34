"""Renderings in processes of their own, which end at a step that the test names.

Steps are the changes of the folder, counted as the interpreter announces them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pkgdb.archive.listing import Entry
from tests.archive.support import Site

_REMOVALS = {"os.remove", "os.rmdir"}
_ADDITIONS = {"os.link", "os.mkdir", "os.rename", "os.symlink"}
_CHANGES = {*_REMOVALS, *_ADDITIONS, "os.utime"}


def watch(folder: Path, at: int, end: Callable[[str], None]) -> list[str]:
    """Calls `end` before each change of the folder from that one on; returns what is counted."""
    counted: list[str] = []

    def step(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            changes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        else:
            changes = event in _CHANGES
        # shutil.rmtree names what it removes by the folder that it has open.
        if changes and (
            any(str(each).startswith(str(folder)) for each in arguments)
            or (event in _REMOVALS and arguments[1] != -1)
        ):
            counted.append(event)
            if len(counted) > at:
                end(event)

    sys.addaudithook(step)
    return counted


def die(event: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def full(event: str) -> None:
    if event in {*_ADDITIONS, "open"}:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def victim(
    pipe: Connection, base: Path, at: int, end: Callable[[str], None], entries: list[Entry] | None
) -> None:
    """Renders, or with None removes; says how many steps it took, and with which error."""
    site = Site(base)
    site.grace = timedelta()
    counted = watch(site.path, at, end)
    pipe.send((failing(site, entries), len(counted)))


def small_files(pipe: Connection, base: Path, size: int, entries: list[Entry]) -> None:
    """Renders where no file can have more than so many bytes; says with which error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    pipe.send(failing(Site(base), entries))


def failing(site: Site, entries: list[Entry] | None) -> int | None:
    try:
        if entries is None:
            site.drop()
        else:
            asyncio.run(site.render(*entries))
    except OSError as error:
        return error.errno
    return 0
