"""How often, and after which pause, a transaction that pkgdb owns is run again."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["DEFAULT_RETRY", "RetryPolicy"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` runs of a transaction; pauses double from `base` to `cap` seconds.

    Deadlocks (40P01) and serialization failures (40001) are worth another run: the server chose
    a victim. So is what an upgrade overtook (`pkgdb.errors.OVERTAKEN`). A lock timeout (55P03) is
    not: it says that the lock is busy for long. A run on a new connection, after one was lost,
    counts as well. `RetryPolicy(attempts=1)` never runs anything again.
    """

    attempts: int = 5
    base: float = 0.02
    cap: float = 1.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number `attempt`, which counts from 1.

        Anything between nothing and the full pause, so that two victims do not meet again.
        """
        return random.uniform(0, min(self.cap, self.base * 2 ** (attempt - 1)))  # noqa: S311


DEFAULT_RETRY = RetryPolicy()
