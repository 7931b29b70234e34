"""Read-only transactions, isolation levels and timeouts: each function's documented answer."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.permissions.test_matrix import FUNCTIONS, allowed
from tests.permissions.tour import (
    MAKE_WORK,
    MIRROR,
    READING,
    STABLE,
    TOUR,
    Call,
    known,
    perform,
    refusal,
    snapshot,
    update,
    walk,
)

# These take no lock on anything that has a name: they need none, or another row decides.
NEVER_WAIT = {"create_repository", "purge", "expire_publications"}
NEVER_WAIT |= {"add_backend", "adopt_backend", "retire_backend", "claim_copies", "verify_copy"}
NEVER_WAIT |= {"record_copy", "record_copy_failure", "collect_blobs", "confirm_blob_deleted"}
NEVER_WAIT |= {"sequence_events", "prune_events", "register_consumer", "acknowledge_events"}
NEVER_WAIT |= {"drop_consumer", "seal_snapshots", "record_mirror_copy"}


@pytest.fixture
def caller(connect: Callable[..., psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    return connect(autocommit=False)


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_above_read_committed(
    db: psycopg.Connection[Any], caller: psycopg.Connection[Any], level: IsolationLevel
) -> None:
    """What changes something is refused, what reads is not."""
    caller.set_isolation_level(level)
    refused: set[str] = set()
    for call in TOUR:
        state = refusal(caller, call.function, known(db, call))
        assert state in (None, "RG405"), call
        refused |= {call.function} if state else set()
        caller.rollback()
        walk(db, [call])
    assert refused == allowed(FUNCTIONS)["operator"] - READING


# What has come since the caller's snapshot of the database, and calls that would be decided by it.
SINCE = [
    Call("create_repository", MIRROR | {"p_kind": "mirror"}),
    Call("begin_mirror_update", MIRROR),
    Call("create_snapshot", snapshot("one")),
    Call(
        "create_distribution",
        STABLE | {"p_ecosystem": "deb", "p_components": {"main": {"snapshot": "one"}}},
    ),
]
DECIDED = [
    Call("begin_mirror_update", MIRROR),
    Call("abort_mirror_update", update()),
    Call("create_snapshot", snapshot("two")),
    Call("rename_snapshot", snapshot("one") | {"p_new_name": "two"}),
    Call("switch_distribution", STABLE | {"p_components": {"extra": {"snapshot": "one"}}}),
]


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_nothing_is_decided_by_what_is_not_seen(
    db: psycopg.Connection[Any], caller: psycopg.Connection[Any], level: IsolationLevel
) -> None:
    caller.set_isolation_level(level)
    caller.execute("select")
    walk(db, SINCE)
    for call in DECIDED:
        with caller.transaction(force_rollback=True):
            assert refusal(caller, call.function, known(db, call)) == "RG405", call


def test_read_only(db: psycopg.Connection[Any], caller: psycopg.Connection[Any]) -> None:
    caller.read_only = True
    refused: set[str] = set()
    for call in TOUR:
        state = refusal(caller, call.function, known(db, call))
        assert state in (None, "25006"), call
        refused |= {call.function} if state else set()
        caller.rollback()
        walk(db, [call])
    assert refused == allowed(FUNCTIONS)["operator"] - READING - MAKE_WORK.keys()
    for function, statement in MAKE_WORK.items():
        db.execute(statement)
        call = next(call for call in TOUR if call.function == function)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            perform(caller, call.function, known(db, call))
        caller.rollback()


@pytest.mark.parametrize(
    ("setting", "sqlstate"), [("statement_timeout", "57014"), ("lock_timeout", "55P03")]
)
def test_timeouts(
    db: psycopg.Connection[Any],
    caller: psycopg.Connection[Any],
    connect: Callable[..., psycopg.Connection[Any]],
    setting: str,
    sqlstate: str,
) -> None:
    """While someone holds everything, each function waits no longer than its caller says."""
    caller.execute(f"set {setting} = '10ms'")
    caller.commit()
    holder = connect(autocommit=False)
    stopped: set[str] = set()
    for call in TOUR:
        holder.execute("""
            select pkgdb.lock_keys(variadic array(
                    select pkgdb.repository_lock(namespace, repository_id, true)
                      from pkgdb.repository
                     union all
                    select pkgdb.distribution_lock(namespace, distribution_id, true)
                      from pkgdb.distribution
                     union all
                    select pkgdb.snapshot_lock(namespace, snapshot_id, true)
                      from pkgdb.snapshot))""").fetchall()
        state = refusal(caller, call.function, known(db, call))
        assert state in (None, sqlstate), call
        stopped |= {call.function} if state else set()
        caller.rollback()
        holder.rollback()
        walk(db, [call])
    waiting = allowed(FUNCTIONS)["operator"] - READING - NEVER_WAIT
    if setting == "lock_timeout":
        assert stopped == waiting
    else:  # on a slow machine anything may take longer than that
        assert stopped >= waiting


def test_a_caller_keeps_its_own_lock_timeout(
    db: psycopg.Connection[Any], caller: psycopg.Connection[Any]
) -> None:
    """A function that bounds its wait puts the caller's setting back."""
    walk(db, TOUR[:7])
    for own in ("0", "3s", "1h"):
        caller.execute("select set_config('lock_timeout', %s, true)", [own])
        before = caller.execute("show lock_timeout").fetchone()
        perform(caller, "alter_repository", TOUR[2].arguments)
        assert caller.execute("show lock_timeout").fetchone() == before
        caller.rollback()
