"""Freezes a loaded repository around an edit, and switches a distribution there and back."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from pkgdb.cli.database import Connection, call

_ESSENTIAL = "Priority (required) | Priority (important)"
_ALL = "Name"  # where a slow machine did not load any essential ones in time
_NEW = "99:1.0-1"  # higher than any


@dataclass
class Curated:
    """What became of it, in the order in which it happened."""

    frozen: int = 0  # versions in the repository
    differences: Counter[str] = field(default_factory=Counter)
    filtered: list[int] = field(default_factory=list)
    merged: int = 0
    missing: int = 0  # relations that the essential packages have to others
    edited: str = ""
    served: list[str] = field(default_factory=list)  # the versions of that package
    refused: str | None = None
    same: bool = False  # what was frozen first, at the end
    milliseconds: dict[str, float] = field(default_factory=dict)

    def fine(self) -> bool:
        return (
            bool(self.frozen)
            and self.differences.total() > 1
            and all([*self.filtered, self.merged])
            and self.served[0] == self.served[2] != self.served[1]
            and self.refused == "RG423"
            and self.same
        )

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.milliseconds[what] = (time.perf_counter() - started) * 1000


def curate(connection: Connection, namespace: str, repository: str) -> Curated:
    """Two snapshots around an edit, what differs; the essential of both; one served, the other."""
    curated = Curated()

    def do(function: str, **arguments: Any) -> list[dict[str, Any]]:
        return call(connection, function, namespace=namespace, **arguments)

    def essential(name: str, source: str) -> None:
        (made,) = do("filter_snapshot", snapshot=name, source=source, queries=[query])
        curated.filtered.append(made["members"])

    with curated.timed("snapshot"):
        do("create_snapshot", snapshot="before", repository=repository)
    curated.frozen = _count(connection, namespace, repository)
    for query in (_ESSENTIAL, _ALL):
        rows = do("search_versions", snapshot="before", query=query)
        names = sorted({row["name"] for row in rows})
        if len(names) > 1:
            break
    curated.edited = "bash" if "bash" in names[:-1] else names[0]
    package = {"repository": repository, "ecosystem": "deb", "name": curated.edited}
    known = do("versions", **package, limit=1)[0]
    with curated.timed("edit"):
        do(
            "publish",
            **package,
            version=_NEW,
            variant=known["variant"],
            metadata=Jsonb(known["metadata"] | {"Version": _NEW}),
        )
    do("remove_versions", repository=repository, queries=[names[-1]])
    do("create_snapshot", snapshot="after", repository=repository)
    with curated.timed("diff"):
        rows = do("diff_snapshots", left="before", right="after")
    curated.differences.update(row["change"] for row in rows)

    essential("stable-1", "before")
    with curated.timed("filter"):
        essential("stable-2", "after")
    (digest,) = do("snapshot_digest", snapshot="stable-1")
    with curated.timed("merge"):
        (merged,) = do(
            "merge_snapshots", snapshot="newest", sources=["stable-1", "stable-2"], latest=True
        )
    curated.merged = merged["members"]
    with curated.timed("verify"):
        curated.missing = len(do("verify_snapshot", snapshot="stable-2"))

    where = {"prefix": "debian", "distribution": "stable"}
    serve = Jsonb({"main": {"snapshot": "newest"}})
    do("create_distribution", **where, ecosystem="deb", components=serve)
    for snapshot in ("stable-1", "stable-2", "stable-1"):
        serve = Jsonb({"main": {"snapshot": snapshot}})
        with curated.timed("switch"):
            do("switch_distribution", **where, components=serve)
        content = do("distribution_content", **where)
        versions = [row["version"] for row in content if row["name"] == curated.edited]
        curated.served.append(" and ".join(versions))
    try:
        do("drop_snapshot", snapshot="stable-1", force=True)
    except psycopg.Error as error:
        curated.refused = error.sqlstate
    curated.same = do("snapshot_digest", snapshot="stable-1") == [digest]
    return curated


def _count(connection: Connection, namespace: str, repository: str) -> int:
    row = connection.execute(
        "select sum(versions)::bigint as count from pkgdb.registrations"
        " where namespace = %s and repository = %s",
        [namespace, repository],
    ).fetchone()
    return int(row["count"] or 0) if row else 0
