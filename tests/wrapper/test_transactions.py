"""Whose transaction it is, what is tried again, and what a lost connection means."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout
from sqlalchemy import NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

import pkgdb
from tests.wrapper.conftest import URL
from tests.wrapper.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]
FAST = pkgdb.RetryPolicy(attempts=3, base=0)


@pytest.fixture
def failing(db: psycopg.Connection) -> Callable[..., None]:
    """Makes the function `normalize_name` fail so many times before it answers `fine`."""

    def failing(times: int, statement: str) -> None:
        # A sequence counts on when its transaction is rolled back.
        db.execute("create sequence public.calls")
        db.execute("grant all on sequence public.calls to public")
        body = f"""
            create or replace function pkgdb.normalize_name(p_ecosystem text, p_name text)
            returns text language plpgsql volatile as $body$
            begin
                if nextval('public.calls') <= {times} then
                    {statement};
                end if;
                return 'fine';
            end
            $body$
        """
        db.execute(body.encode())

    return failing


def raising(sqlstate: str) -> str:
    return f"raise exception using errcode = '{sqlstate}', message = 'made up'"


def calls(db: psycopg.Connection) -> int:
    (value,) = db.execute("select last_value from public.calls").fetchone() or (0,)
    return int(value)


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
def test_our_own_transaction_is_tried_again(
    owning: Any, failing: Any, sqlstate: str, db: psycopg.Connection
) -> None:
    failing(2, raising(sqlstate))
    assert owning(retry=FAST).registry.normalize_name("pypi", "x") == "fine"
    assert calls(db) == 3


def test_trying_again_ends(owning: Any, failing: Any, db: psycopg.Connection) -> None:
    failing(9, raising("40P01"))
    with pytest.raises(pkgdb.Deadlock) as caught:
        owning(retry=FAST).registry.normalize_name("pypi", "x")
    assert caught.value.sqlstate == "40P01"
    assert calls(db) == 3


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("55P03", pkgdb.LockTimeout),
        ("57014", pkgdb.QueryCanceled),
        ("25006", pkgdb.ReadOnly),
        ("53100", pkgdb.InsufficientResources),
        ("RG405", pkgdb.WrongIsolation),
        ("RG422", pkgdb.InvalidState),
        ("RG423", pkgdb.InUse),
        ("P0001", pkgdb.PkgdbError),
    ],
)
def test_other_errors_are_told_at_once(
    owning: Any,
    failing: Any,
    sqlstate: str,
    expected: type[pkgdb.PkgdbError],
    db: psycopg.Connection,
) -> None:
    failing(9, raising(sqlstate) + ", detail = 'why', hint = 'do'")
    with pytest.raises(expected) as caught:
        owning(retry=FAST).registry.normalize_name("pypi", "x")
    error = caught.value
    assert type(error) is expected
    assert (error.sqlstate, error.message, error.detail, error.hint) == (
        sqlstate,
        "made up",
        "why",
        "do",
    )
    assert str(error) == f"{sqlstate}: made up\nDETAIL: why\nHINT: do"
    assert calls(db) == 1


def test_a_callers_transaction_is_never_tried_again(
    joined: Any, failing: Any, db: psycopg.Connection
) -> None:
    failing(1, raising("40P01"))
    with pytest.raises(pkgdb.Deadlock):
        joined().registry.normalize_name("pypi", "x")
    assert calls(db) == 1


def test_a_grouped_transaction_is_never_tried_again(
    owning: Any, failing: Any, db: psycopg.Connection
) -> None:
    failing(1, raising("40P01"))
    registry = owning(retry=FAST).registry
    with pytest.raises(pkgdb.Deadlock), registry.transaction() as tx:
        tx.normalize_name("pypi", "x")
    assert calls(db) == 1


def test_pauses_double_up_to_a_cap() -> None:
    policy = pkgdb.RetryPolicy(base=1, cap=4)
    for attempt, longest in ((1, 1), (2, 2), (3, 4), (4, 4)):
        assert 0 <= policy.pause(attempt) <= longest


def test_our_own_transactions_are_read_committed(owning: Any, dsn: str) -> None:
    serializable = make_conninfo(dsn, options="-c default_transaction_isolation=serializable")
    registry = owning(serializable).registry
    assert registry.create_repository("acme", "main").outcome == "created"
    with registry.transaction() as tx:
        assert tx.create_repository("acme", "other").outcome == "created"


def test_a_callers_serializable_transaction_is_refused(joined: Any, dsn: str) -> None:
    serializable = make_conninfo(dsn, options="-c default_transaction_isolation=serializable")
    with pytest.raises(pkgdb.WrongIsolation):
        joined(serializable).registry.create_repository("acme", "main")


def test_an_error_caught_inside_does_not_pass_for_a_commit(
    owning: Any, db: psycopg.Connection
) -> None:
    registry = owning().registry

    def swallowing() -> None:
        with registry.transaction() as tx:
            tx.create_repository("acme", "main")
            with pytest.raises(pkgdb.NotFound):
                tx.publish("acme", "none", "pypi", "demo", "1.0")

    with pytest.raises(pkgdb.PkgdbError) as caught:
        swallowing()
    assert caught.value.sqlstate == "25P02"
    assert db.execute("select * from pkgdb.repositories").fetchall() == []
    assert registry.create_repository("acme", "main").outcome == "created"


def test_an_error_of_the_callers_own_is_left_alone(owning: Any) -> None:
    registry = owning().registry
    with pytest.raises(psycopg.errors.UniqueViolation), registry.transaction():
        raise psycopg.errors.UniqueViolation("mine")


def test_a_registry_is_not_used_inside_its_own_transaction(dsn: str) -> None:
    with pkgdb.connect(dsn) as registry, registry.transaction() as tx:
        with pytest.raises(RuntimeError, match="inside transaction"):
            registry.create_repository("acme", "main")
        assert tx.create_repository("acme", "main").outcome == "created"


async def test_calls_of_several_tasks_take_turns(dsn: str) -> None:
    async with await pkgdb.aconnect(dsn) as registry:
        repo = registry.repository("acme", "main")
        await repo.create()
        refs = await asyncio.gather(*(repo.publish("pypi", "demo", f"{n}.0") for n in range(8)))
        assert {ref.outcome for ref in refs} == {"created"}
        assert (await repo.resolve("pypi", "demo", "latest")).version == "7.0"


# Lost connections


@pytest.fixture
def proxy(dsn: str) -> Iterator[Proxy]:
    with Proxy(dsn) as proxy:
        yield proxy


def test_a_connection_lost_before_the_commit_is_replaced(
    owning: Any, failing: Any, db: psycopg.Connection
) -> None:
    failing(1, "perform pg_terminate_backend(pg_backend_pid())")
    assert owning().registry.normalize_name("pypi", "x") == "fine"
    assert calls(db) == 2


def test_a_connection_is_replaced_once(owning: Any, failing: Any, db: psycopg.Connection) -> None:
    failing(9, "perform pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(pkgdb.ConnectionFailed) as caught:
        owning().registry.normalize_name("pypi", "x")
    assert type(caught.value) is pkgdb.ConnectionFailed
    assert calls(db) == 2


def test_a_connection_lost_while_idle_is_replaced(owning: Any, db: psycopg.Connection) -> None:
    registry = owning().registry
    registry.create_repository("acme", "main")
    db.execute(
        """
        select pg_terminate_backend(pid, 10000) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()
        """
    )
    assert registry.create_repository("acme", "main").outcome == "unchanged"


def test_a_callers_lost_connection_is_told(joined: Any, failing: Any) -> None:
    failing(1, "perform pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(pkgdb.ConnectionFailed):
        joined().registry.normalize_name("pypi", "x")


@pytest.mark.parametrize("cut", ["before", "after"])
def test_lost_while_committing_the_outcome_is_unknown(
    owning: Any, proxy: Proxy, cut: str, db: psycopg.Connection
) -> None:
    registry = owning(proxy.dsn).registry
    proxy.cut = [cut]
    with pytest.raises(pkgdb.OutcomeUnknown):
        registry.create_repository("acme", "main")
    committed = len(db.execute("select * from pkgdb.repositories").fetchall())
    assert committed == (1 if cut == "after" else 0)
    # The advice is to repeat it.
    outcome = registry.create_repository("acme", "main").outcome
    assert outcome == ("unchanged" if cut == "after" else "created")


@pytest.mark.parametrize("cut", ["before", "after"])
def test_with_a_request_key_a_lost_call_is_repeated(
    owning: Any, proxy: Proxy, cut: str, db: psycopg.Connection
) -> None:
    registry = owning(proxy.dsn).registry
    proxy.cut = [cut]
    made = registry.create_repository("acme", "main", request_key="k")
    assert made.outcome == "created"
    assert proxy.commits == 2
    assert len(db.execute("select * from pkgdb.repositories").fetchall()) == 1


def test_lost_twice_the_outcome_is_unknown_even_with_a_key(owning: Any, proxy: Proxy) -> None:
    registry = owning(proxy.dsn).registry
    proxy.cut = ["after", "before"]
    with pytest.raises(pkgdb.OutcomeUnknown):
        registry.create_repository("acme", "main", request_key="k")
    assert proxy.commits == 2


def test_a_lookup_is_repeated(owning: Any, proxy: Proxy) -> None:
    registry = owning(proxy.dsn).registry
    proxy.cut = ["after"]
    assert registry.normalize_name("pypi", "A") == "a"
    assert proxy.commits == 2


def test_a_grouped_transaction_lost_while_committing(owning: Any, proxy: Proxy) -> None:
    registry = owning(proxy.dsn).registry
    proxy.cut = ["after"]
    with pytest.raises(pkgdb.OutcomeUnknown), registry.transaction() as tx:
        tx.create_repository("acme", "main")
    assert registry.create_repository("acme", "main").outcome == "unchanged"


def test_a_lost_transaction_does_not_pass_for_a_commit(owning: Any, failing: Any) -> None:
    failing(1, "perform pg_terminate_backend(pg_backend_pid())")
    registry = owning().registry

    def swallowing() -> None:
        with registry.transaction() as tx:
            tx.create_repository("acme", "main")
            with pytest.raises(pkgdb.ConnectionFailed):
                tx.normalize_name("pypi", "x")

    with pytest.raises(pkgdb.ConnectionFailed) as caught:
        swallowing()
    assert type(caught.value) is pkgdb.ConnectionFailed
    assert registry.create_repository("acme", "main").outcome == "created"


# Opening and closing


def test_no_server(dsn: str) -> None:
    nowhere = make_conninfo(dsn, dbname="nowhere")
    with pytest.raises(pkgdb.ConnectionFailed):
        pkgdb.connect(nowhere)
    with pytest.raises(pkgdb.ConnectionFailed):
        asyncio.run(pkgdb.aconnect(nowhere))


def test_an_exhausted_pool(dsn: str) -> None:
    with ConnectionPool(dsn, min_size=1, max_size=1, timeout=0.1) as pool, pool.connection():
        with pytest.raises(pkgdb.ConnectionFailed) as caught:
            pkgdb.Registry(pool).create_repository("acme", "main")
        assert isinstance(caught.value.__cause__, PoolTimeout)


def test_a_closed_registry_stays_closed(dsn: str) -> None:
    with pkgdb.connect(dsn) as registry:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        registry.create_repository("acme", "main")


async def test_what_it_cannot_run_on(dsn: str) -> None:
    def refused(registry: type, wrong: object) -> None:
        with pytest.raises(TypeError, match="cannot run on"):
            registry(wrong)

    for wrong in (create_engine(URL, poolclass=NullPool), "dbname=x", None):
        refused(pkgdb.Registry, wrong)
        refused(pkgdb.AsyncRegistry, wrong)
    for wrong in (AsyncConnectionPool(dsn, open=False), AsyncSession()):
        refused(pkgdb.Registry, wrong)
    for wrong in (ConnectionPool(dsn, open=False), Session()):
        refused(pkgdb.AsyncRegistry, wrong)


def test_optional_libraries_are_optional() -> None:
    missing = "import sys; sys.modules |= dict.fromkeys(['psycopg_pool', 'packageurl', 'greenlet'])"
    program = f"{missing}; import pkgdb, pkgdb.tables"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.parametrize(("threshold", "expected"), [(None, 0), (0, 1)])
def test_options_reach_the_driver(
    dsn: str, db: psycopg.Connection, threshold: int | None, expected: int
) -> None:
    db.execute(
        """
        create or replace function pkgdb.normalize_name(p_ecosystem text, p_name text)
        returns text language sql volatile as $$
            select count(*)::text from pg_prepared_statements
             where statement like '%normalize_name%'
        $$
        """
    )
    with pkgdb.connect(dsn, prepare_threshold=threshold, application_name="mine") as registry:
        registry.normalize_name("pypi", "x")
        assert registry.normalize_name("pypi", "x") == str(expected)
        names = db.execute("select application_name from pg_stat_activity").fetchall()
        assert ("mine",) in names


def test_the_callers_row_and_cursor_factories_do_not_matter(dsn: str) -> None:
    with psycopg.connect(
        dsn, row_factory=psycopg.rows.scalar_row, cursor_factory=psycopg.RawCursor
    ) as connection:
        registry = pkgdb.Registry(connection)
        assert registry.create_repository("acme", "main").outcome == "created"
