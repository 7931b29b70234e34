"""What tests of the feed share: making events, reading them all, and other histories."""

from typing import Any

import psycopg

from tests.behaviour.calls import Calls


def publish(api: Calls, *versions: str, name: str = "demo") -> None:
    """One event each. `api` is at a namespace that has a repository `main`."""
    for version in versions:
        api.publish("main", "generic", name, version)


def sequence(api: Calls, limit: int = 10_000) -> int:
    return int(api.sequence_events(limit)[0])


def publish_and_sequence(api: Calls, *versions: str) -> None:
    publish(api, *versions)
    sequence(api)


def told(rows: list[Any]) -> list[tuple[int, str]]:
    """Position and version of events, or their name where they have no version."""
    return [(row.position, row.version or row.name) for row in rows]


def begin_elsewhere(db: psycopg.Connection[Any]) -> None:
    """As if what comes next were another server's: it started at another time."""
    db.execute("""
        update pkgdb.feed_incarnation
           set server_started_at = server_started_at - interval '1 second'""")
