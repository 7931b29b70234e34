"""Bytes: the stores that they are kept in, publishing to them, and the worker that tends them.

Needs the `storage` extra. What must be true is decided by the SQL functions; this package moves
bytes, tells the functions what it did, and can be killed at any point.
"""

from pkgdb.storage.publisher import AsyncPublisher, OptionalFailure, Published, Publisher
from pkgdb.storage.store import NoObject, Store, StoreError, WrongObject, WrongSource
from pkgdb.storage.worker import TASKS, Worker, WorkerReport

__all__ = [
    "TASKS",
    "AsyncPublisher",
    "NoObject",
    "OptionalFailure",
    "Published",
    "Publisher",
    "Store",
    "StoreError",
    "Worker",
    "WorkerReport",
    "WrongObject",
    "WrongSource",
]
