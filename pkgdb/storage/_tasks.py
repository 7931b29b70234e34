"""Running coroutines side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

__all__ = ["beside", "each"]

T = TypeVar("T")
Work = Coroutine[Any, Any, object]


async def each(items: Iterable[T], work: Callable[[T], Work], at_once: int) -> None:
    """Works on all items, on at most `at_once` at a time. The first error ends the others."""
    gate = asyncio.Semaphore(at_once)

    async def gated(item: T) -> None:
        async with gate:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(gated(item))
    except BaseExceptionGroup as errors:
        raise _first(errors) from None


@asynccontextmanager
async def beside(work: Work) -> AsyncIterator[None]:
    """Works for as long as the block takes. An error of either ends both."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as errors:
        raise _first(errors) from None


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
