"""Locks between processes, on files."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, *, busy: str | None = None) -> Iterator[None]:
    """Holds the lock of a file, which is made where there is none.

    Args:
        path: The file.
        busy: What is said where another process holds it; without that it is waited for.

    Raises:
        BlockingIOError: With `busy`: another process holds it.
    """
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError as error:
            raise BlockingIOError(busy) from error
        try:
            yield
        finally:
            # To close the file is not enough: a process that another thread is just starting has
            # a copy of the descriptor until it has become another program.
            fcntl.flock(lock, fcntl.LOCK_UN)
