"""Running coroutines side by side."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

__all__ = ["Patience", "beside", "each"]

T = TypeVar("T")
Work = Coroutine[Any, Any, object]

_LONGEST_PAUSE = 5.0


class Patience:
    """How far a call may go yet: tries of what fails at once, time of what others are at."""

    def __init__(self, tries: int, time: timedelta) -> None:
        self._deadline = asyncio.get_running_loop().time() + time.total_seconds()
        self._tries = tries
        self._pauses = 0

    def try_again(self, error: BaseException) -> None:
        """Raises the error where it has been tried often enough."""
        self._tries -= 1
        if self._tries <= 0:
            raise error

    async def pause(self, error: BaseException) -> None:
        """Rests; raises the error once the time has run out."""
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise error
        await self.rest(left)

    async def rest(self, longest: float = _LONGEST_PAUSE) -> None:
        """Waits a little, and longer each time."""
        pause = min(_LONGEST_PAUSE, 0.05 * 2**self._pauses)
        self._pauses += 1
        await asyncio.sleep(min(longest, pause * random.uniform(0.5, 1)))  # noqa: S311


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
