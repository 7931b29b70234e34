"""Upgrades while publishers go on: nobody is refused, and nobody waits longer than is said.

From each revision that was shipped, to the newest and to those of the folder `next`, which do what
a later release may have to do.
"""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg.conninfo import make_conninfo
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import pkgdb
from pkgdb import migrate
from pkgdb.errors import OVERTAKEN
from pkgdb.models import _Result
from pkgdb.server import Server
from tests.behaviour.calls import Calls, tables
from tests.crashes.clients import (
    ECOSYSTEM,
    NAMESPACE,
    REPOSITORY,
    Janitor,
    Load,
    Publisher,
    furnish,
    item,
)
from tests.crashes.test_crashes import check
from tests.interleavings.explorer import seed
from tests.migrations import newer
from tests.migrations.newer import NEXT, SHIPPED
from tests.migrations.test_chained import ENV
from tests.migrations.test_upgrade import ADVISORY_LOCKS
from tests.migrations.tools import ROOT, dump, psql, value
from tests.permissions.tour import walk
from tests.support import PATIENCE, ServerUnderTest, backend_pid, wait_until, wait_until_blocked
from tests.wrapper.conftest import OWNING, opener

EAGER = pkgdb.RetryPolicy(attempts=10**9, base=0)
ONCE = pkgdb.RetryPolicy(attempts=1)
BRIEF, ENDLESS = timedelta(milliseconds=200), timedelta(0)
UPGRADE, CLIENT = "an upgrade", "a client"  # names of applications

# As docs/migrations.md says to clients that have no wrapper.
AGAIN = [psycopg.errors.lookup(code) for code in (*OVERTAKEN, "40001", "40P01")]
INVALID = "select count(*) from pg_index where not indisvalid"
MADE = "select to_regclass('pkgdb.registration_summary_idx') is not null"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a later release."""
    monkeypatch.setattr(migrate, "_config", newer.config)


@pytest.fixture(params=["shipped", "later"])
def head(request: pytest.FixtureRequest) -> str:
    """The newest revision: of this release, or of a later one."""
    if request.param == "shipped":
        return SHIPPED[0]
    request.getfixturevalue("later")
    return NEXT[-1]


# Clients at work, and an upgrade beneath them.


class Place(Server):
    """A database, for clients that ask a server for one."""

    def __init__(self, dsn: str) -> None:
        self.place = dsn

    def dsn(self, dbname: str = "", user: str = "") -> str:
        return self.place


class Asking(Publisher):
    """SQL. A call that an upgrade overtook has changed nothing, and another one follows."""

    def step(self, calls: Calls) -> None:
        with suppress(*AGAIN):
            super().step(calls)


class AskingJanitor(Janitor):
    def step(self, calls: Calls) -> None:
        with suppress(*AGAIN):
            super().step(calls)


class Wrapped(Publisher):
    """The wrapper, which does that by itself."""

    def run(self, server: Server) -> None:
        try:
            with pkgdb.connect(server.dsn()) as registry:
                main = registry.repository(NAMESPACE, REPOSITORY)
                while not self.load.stopping.is_set():
                    key = self.new()
                    made = main.publish(ECOSYSTEM, *key[1:], files=item(key)["files"])
                    assert made.outcome == "created"
                    assert main.yank(ECOSYSTEM, *key[1:]).outcome == "yanked"
                    self.versions[key] = "available"
                    self.created[key] += 1
                    self.acknowledged += 1
                    self.load.answers.release()
        except BaseException as error:
            self.failure = error


@pytest.mark.parametrize("start", SHIPPED)
def test_upgrade_while_everybody_goes_on(empty_dsn: str, start: str, head: str) -> None:
    migrate.upgrade(empty_dsn, start)
    furnish(empty_dsn)
    load = Load(seed())
    kinds = [Asking, Asking, Wrapped, Wrapped]
    publishers = [kind(load, number) for number, kind in enumerate(kinds)]
    everybody = [*publishers, AskingJanitor(load, len(kinds))]
    threads = [threading.Thread(target=each.run, args=[Place(empty_dsn)]) for each in everybody]

    def go_on() -> None:
        """Until each has been answered ten times more."""
        before = [each.acknowledged for each in everybody]
        while not all(
            now.acknowledged >= then + 10 or now.failure
            for now, then in zip(everybody, before, strict=True)
        ):
            assert load.answers.acquire(timeout=PATIENCE), [each.failure for each in everybody]

    for thread in threads:
        thread.start()
    try:
        go_on()
        migrate.upgrade(empty_dsn)
        go_on()
    finally:
        load.stopping.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert [each.failure for each in everybody if each.failure] == []
    assert migrate.current(empty_dsn) == head
    with psycopg.connect(empty_dsn, autocommit=True) as db:
        check(Calls(db).at(NAMESPACE), publishers)
    print(sum(each.acknowledged for each in everybody), "calls acknowledged")


# Locks.


@dataclasses.dataclass
class Upgrade:
    """One that runs beside the test."""

    result: Future[Any]
    pid: int


@pytest.fixture
def upgrading(dsn: str, db: psycopg.Connection, later: None) -> Iterator[Callable[..., Upgrade]]:
    """Start an upgrade to the later release."""
    named = make_conninfo(dsn, application_name=UPGRADE)
    with ThreadPoolExecutor() as threads:

        def start(*to: str, **options: Any) -> Upgrade:
            result = threads.submit(migrate.upgrade, named, *to, **options)
            return Upgrade(result, pid_of(db, UPGRADE))

        yield start
        # Whatever a failed test has left waiting.
        db.execute(
            """select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()"""
        )


def pid_of(db: psycopg.Connection, application: str) -> int:
    query: LiteralString = """
        select max(pid) from pg_stat_activity
         where application_name = %s and datname = current_database()"""
    return int(wait_until(db, query, [application]))


@pytest.fixture
def main(db: psycopg.Connection) -> Calls:
    """Repository `main`."""
    Calls(db).create_repository("acme", "main")
    return Calls(db).at("acme", "main")


@pytest.fixture
def holder(main: Calls, connect: Callable[..., psycopg.Connection]) -> psycopg.Connection:
    """Somebody who has published, and has not committed yet."""
    connection = connect(autocommit=False)
    main.on(connection).publish("generic", "held", "1")
    return connection


@pytest.fixture
def publish(dsn: str, holder: psycopg.Connection) -> Iterator[Callable[[], Future[Any]]]:
    """Start to publish something else, by someone who does not wait for ever."""
    options = {"application_name": CLIENT, "options": "-c lock_timeout=3s"}
    numbers = count(1)
    with ThreadPoolExecutor() as threads, pkgdb.connect(dsn, **options) as registry:
        main = registry.repository("acme", "main")
        yield lambda: threads.submit(main.publish, "generic", "other", str(next(numbers)))


def behind(db: psycopg.Connection, upgrade: Upgrade, publish: Callable[[], Future[Any]]) -> Any:
    """A call that waits behind the upgrade. The upgrade may have been between two attempts."""
    client = pid_of(db, CLIENT)
    for _ in range(1000):
        call = publish()
        while not call.done():
            waits = "select %s = any(pg_blocking_pids(%s))"
            if db.execute(waits, [upgrade.pid, client]).fetchone() == (True,):
                return call
        call.result()
    return pytest.fail("nobody waits behind the upgrade")


def test_publishers_do_not_wait_for_whom_the_upgrade_waits_for(
    main: Calls,
    db: psycopg.Connection,
    holder: psycopg.Connection,
    publish: Callable[[], Future[Any]],
    upgrading: Callable[..., Upgrade],
) -> None:
    upgrade = upgrading(lock_timeout=BRIEF, retry=EAGER)
    wait_until(db, "select %s = any(pg_blocking_pids(%s))", [backend_pid(holder), upgrade.pid])
    for _ in range(3):
        assert behind(db, upgrade, publish).result().outcome == "created"
    assert not upgrade.result.done()
    holder.commit()
    upgrade.result.result()
    assert migrate.current(db.info.dsn) == NEXT[-1]
    assert main.resolve("generic", "held", "latest").version == "1"
    assert Calls(db).rows("check_integrity") == []


def test_without_a_lock_timeout_they_do(
    db: psycopg.Connection,
    holder: psycopg.Connection,
    publish: Callable[[], Future[Any]],
    upgrading: Callable[..., Upgrade],
) -> None:
    upgrade = upgrading(lock_timeout=ENDLESS, retry=EAGER)
    wait_until_blocked(db, upgrade.pid)
    with pytest.raises(pkgdb.LockTimeout):
        behind(db, upgrade, publish).result()
    assert not upgrade.result.done()
    holder.commit()
    upgrade.result.result()


def test_it_gives_up_in_the_end(
    server: ServerUnderTest,
    dsn: str,
    db: psycopg.Connection,
    holder: psycopg.Connection,
    upgrading: Callable[..., Upgrade],
) -> None:
    before = dump(server, dsn)
    retry = pkgdb.RetryPolicy(attempts=3, base=0)
    with pytest.raises(pkgdb.LockTimeout) as caught:
        upgrading(lock_timeout=BRIEF, retry=retry).result.result()
    assert caught.value.sqlstate == "55P03"
    assert caught.value.detail == "Tried 3 times, each waiting for at most 200ms."
    assert "pg_stat_activity" in str(caught.value)
    assert dump(server, dsn) == before
    assert value(dsn, INVALID) == 0
    holder.commit()
    assert value(dsn, ADVISORY_LOCKS) == 0
    upgrading(retry=ONCE).result.result()


def test_at_the_head_it_needs_nothing_and_blocks_nobody(
    dsn: str, main: Calls, db: psycopg.Connection, connect: Callable[..., psycopg.Connection]
) -> None:
    holder = connect(autocommit=False)
    for name in tables(holder):
        if name != migrate.VERSION_TABLE:
            holder.execute(f"lock table pkgdb.{name} in access exclusive mode".encode())
    migrate.upgrade(dsn, retry=ONCE)
    holder.rollback()

    # And in a transaction that does not end: what does it hold, and who could wait for it?
    with migrate.engine(dsn).connect() as connection, connection.begin():
        connection.execute(text("select 1"))
        migrate.upgrade(connection)
        pid = connection.scalar(text("select pg_backend_pid()"))
        held = """
            select distinct l.mode from pg_locks l join pg_class c on c.oid = l.relation
             where l.pid = %s and c.relnamespace = 'pkgdb'::regnamespace"""
        assert db.execute(held, [pid]).fetchall() == [("AccessShareLock",)]
        db.execute("set lock_timeout = '1ms'")
        assert main.publish("generic", "demo", "1").outcome == "created"
        db.execute("alter table pkgdb.registration set (fillfactor = 70)")  # as a migration would


def test_what_failed_is_tried_again_alone(
    dsn: str, db: psycopg.Connection, upgrading: Callable[..., Upgrade]
) -> None:
    """A deadlock, made up, in the second revision: two more revisions are two."""
    db.execute("create sequence public.attempts")
    db.execute("grant all on sequence public.attempts to public")
    db.execute("""
        create function public.fail() returns event_trigger language plpgsql as $$
        begin
            if nextval('public.attempts') <= 2 then
                raise exception using errcode = '40P01', message = 'made up';
            end if;
        end $$""")
    db.execute("""
        create event trigger fail on ddl_command_start
            when tag in ('ALTER TYPE') execute function public.fail()""")
    with pytest.raises(pkgdb.Deadlock):
        upgrading("+2", retry=ONCE).result.result()
    assert migrate.current(dsn) == NEXT[0]
    migrate.upgrade(dsn, "+2", retry=EAGER)
    assert migrate.current(dsn) == NEXT[2]
    assert value(dsn, "select last_value from public.attempts") == 3


# An index made concurrently waits for whoever has an older snapshot.


@pytest.fixture
def old_snapshot(main: Calls, connect: Callable[..., psycopg.Connection]) -> psycopg.Connection:
    connection = connect(autocommit=False)
    connection.execute("set transaction isolation level repeatable read")
    connection.execute("select 1")
    return connection


def test_publishers_go_on_while_an_index_waits(
    main: Calls,
    db: psycopg.Connection,
    old_snapshot: psycopg.Connection,
    upgrading: Callable[..., Upgrade],
) -> None:
    upgrade = upgrading(lock_timeout=BRIEF, retry=ONCE)
    wait_until(db, MADE)
    wait_until_blocked(db, upgrade.pid)
    db.execute("set lock_timeout = '1ms'")
    assert main.publish("generic", "demo", "1").outcome == "created"
    assert main.yank("generic", "demo", "1").outcome == "yanked"
    old_snapshot.rollback()
    upgrade.result.result()
    assert value(db.info.dsn, INVALID) == 0


def test_several_at_once(
    dsn: str, db: psycopg.Connection, old_snapshot: psycopg.Connection, later: None
) -> None:
    """All but one wait, and whoever has a turn does not wait for those who have none."""
    named = make_conninfo(dsn, application_name=UPGRADE)
    command = [sys.executable, "-c", newer.PROGRAM, named]
    runs = [
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        wait_until(db, MADE)
        wait_until(
            db,
            "select count(*) = 3 from pg_stat_activity where application_name = %s",
            [UPGRADE],
        )
    finally:
        old_snapshot.rollback()
        errors = [run.communicate()[1] for run in runs]
    assert [(run.returncode, error) for run, error in zip(runs, errors, strict=True)] == [
        (0, "")
    ] * 3
    assert migrate.current(dsn) == NEXT[-1]
    assert value(dsn, INVALID) == 0


def test_to_wait_for_the_other_run_as_for_any_lock_would_be_a_deadlock(
    dsn: str,
    db: psycopg.Connection,
    holder: psycopg.Connection,
    connect: Callable[..., psycopg.Connection],
    monkeypatch: pytest.MonkeyPatch,
    upgrading: Callable[..., Upgrade],
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c deadlock_timeout=10ms")
    upgrade = upgrading(lock_timeout=ENDLESS, retry=ONCE)
    wait_until_blocked(db, upgrade.pid)
    (key,) = db.execute(
        """select (classid::bigint << 32) | objid::bigint from pg_locks
            where pid = %s and locktype = 'advisory'""",
        [upgrade.pid],
    ).fetchone() or (0,)
    other = connect()
    other.execute("set deadlock_timeout = '1h'")
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(other.execute, "select pg_advisory_lock(%s)", [key])
        wait_until_blocked(db, backend_pid(other))
        holder.commit()
        with pytest.raises(pkgdb.Deadlock):
            upgrade.result.result()
        waiting.result()


# Cut off.


def test_cut_off_in_a_revision(
    server: ServerUnderTest,
    dsn: str,
    db: psycopg.Connection,
    holder: psycopg.Connection,
    upgrading: Callable[..., Upgrade],
) -> None:
    before = dump(server, dsn)
    upgrade = upgrading(lock_timeout=ENDLESS)
    wait_until_blocked(db, upgrade.pid)
    db.execute("select pg_terminate_backend(%s)", [upgrade.pid])
    with pytest.raises(DBAPIError):
        upgrade.result.result()
    holder.commit()
    assert dump(server, dsn) == before
    assert migrate.current(dsn) == SHIPPED[0]
    migrate.upgrade(dsn)
    assert migrate.current(dsn) == NEXT[-1]


def test_cut_off_in_an_index(
    dsn: str,
    db: psycopg.Connection,
    old_snapshot: psycopg.Connection,
    upgrading: Callable[..., Upgrade],
) -> None:
    upgrade = upgrading()
    wait_until(db, MADE)
    wait_until_blocked(db, upgrade.pid)
    db.execute("select pg_terminate_backend(%s)", [upgrade.pid])
    with pytest.raises(DBAPIError):
        upgrade.result.result()
    old_snapshot.rollback()
    assert value(dsn, INVALID) == 1
    assert migrate.current(dsn) == NEXT[-2]
    migrate.upgrade(dsn)
    assert migrate.current(dsn) == NEXT[-1]
    assert value(dsn, INVALID) == 0
    assert value(dsn, MADE) is True


# Old clients on a new schema.


@pytest.mark.parametrize("driver", OWNING)
def test_the_wrapper_does_not_notice(driver: str, dsn: str, later: None) -> None:
    """Its statements were prepared, and its results have got another column."""
    for opened in opener(OWNING, driver, dsn):
        registry = opened().registry
        registry.create_repository("acme", "main")
        keyed = {"request_key": "k"}
        first = registry.publish("acme", "main", "generic", "keyed", "1", **keyed)
        for number in range(10):
            registry.publish("acme", "main", "generic", "demo", f"{number}")
            registry.yank("acme", "main", "generic", "demo", f"{number}")
        migrate.upgrade(dsn)
        assert registry.publish("acme", "main", "generic", "keyed", "1", **keyed) == first
        made = registry.publish("acme", "main", "generic", "demo", "10")
        assert isinstance(made, pkgdb.VersionRef)
        assert made.outcome == "created"
        assert registry.yank("acme", "main", "generic", "demo", "10").outcome == "yanked"


def test_but_for_trying_again_it_would(dsn: str, later: None) -> None:
    with pkgdb.connect(dsn, retry=ONCE) as registry:
        main = registry.repository("acme", "main")
        main.create()
        for number in range(10):
            main.publish("generic", "demo", f"{number}")
        migrate.upgrade(dsn)
        with pytest.raises(pkgdb.PkgdbError) as caught:
            main.publish("generic", "demo", "10")
        assert caught.value.sqlstate == "0A000"  # cached plan must not change result type
        assert main.publish("generic", "demo", "10").outcome == "created"


@pytest.mark.parametrize("sqlstate", sorted(OVERTAKEN))
def test_whatever_overtakes_a_call(dsn: str, db: psycopg.Connection, sqlstate: str) -> None:
    db.execute("create sequence public.calls")
    db.execute("grant all on sequence public.calls to public")
    body = f"""
        create or replace function pkgdb.normalize_name(p_ecosystem text, p_name text)
        returns text language plpgsql volatile as $$
        begin
            if nextval('public.calls') = 1 then
                raise exception using errcode = '{sqlstate}', message = 'made up';
            end if;
            return 'fine';
        end $$"""
    db.execute(body.encode())
    with pkgdb.connect(dsn) as registry:
        assert registry.normalize_name("pypi", "x") == "fine"


@pytest.mark.parametrize("model", _Result.__subclasses__())
def test_a_result_with_more_columns_is_understood(model: type[_Result]) -> None:
    row: dict[str, Any] = {field.name: [] for field in dataclasses.fields(model)}  # type: ignore[arg-type]
    assert model.from_row(row | {"new": 1}) == model.from_row(row)


def test_every_call_goes_on_as_it_was(dsn: str, db: psycopg.Connection, later: None) -> None:
    migrate.upgrade(dsn)
    walk(db)
    assert Calls(db).rows("check_integrity") == []
    new = Calls(db).at("acme", "main").publish("generic", "demo", "1")
    assert new.note == "new"
    Calls(db).note_package("acme", new.registration_id, "good")
    assert Calls(db).at("acme", "main").yank("generic", "demo", "1", note="why").outcome == "yanked"


# Additive only: what clients of the release before rely on is there, and means the same.

INTERFACE = """
    with callable as (
        select p.* from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.prosecdef
    )
    select 'argument', p.proname, a.name, format_type(p.proargtypes[a.place - 1], null),
           pg_get_function_arg_default(p.oid, a.place::integer)
      from callable p
     cross join lateral unnest(p.proargnames[1:p.pronargs]) with ordinality a (name, place)
    union all
    select 'place', p.proname, a.name, a.place::text, null
      from callable p
     cross join lateral unnest(p.proargnames[1:p.pronargs]) with ordinality a (name, place)
    union all
    select 'answer', p.proname, pg_get_function_result(p.oid), null, null from callable p
    union all
    select 'grant', p.proname, a.grantee::regrole::text, null, null
      from callable p cross join lateral aclexplode(p.proacl) a
    union all
    select 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnum::text
      from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('v', 'c') and a.attnum > 0
       and not a.attisdropped
"""


def interface(dsn: str) -> set[tuple[str, ...]]:
    with psycopg.connect(dsn) as db:
        return set(db.execute(INTERFACE).fetchall())


def broken(before: set[tuple[str, ...]], after: set[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """What is not there any more, and what an old call would have to give."""
    known = {function for kind, function, *_ in before if kind == "argument"}
    wanted = {
        each
        for each in after - before
        if each[0] == "argument" and each[1] in known and each[-1] is None
    }
    return sorted(before - after | wanted, key=str)


@pytest.mark.parametrize("start", SHIPPED)
def test_only_additions(empty_dsn: str, start: str, head: str) -> None:
    migrate.upgrade(empty_dsn, start)
    before = interface(empty_dsn)
    migrate.upgrade(empty_dsn)
    assert broken(before, interface(empty_dsn)) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("drop function pkgdb.yank", "yank"),
        ("alter function pkgdb.yank rename to withdraw", "yank"),
        ("revoke execute on function pkgdb.yank from pkgdb_publisher", "yank"),
        ("alter view pkgdb.tags rename column tag to label", "tags"),
        ("alter type pkgdb.version_ref rename attribute outcome to result", "version_ref"),
        (
            """do $$ begin execute replace(replace(
                pg_get_functiondef('pkgdb.drop_consumer'::regproc), 'OR REPLACE ', ''),
                'p_consumer pkgdb.string', 'p_consumer pkgdb.string, p_why text');
                drop function pkgdb.drop_consumer(pkgdb.string, pkgdb.string); end $$""",
            "drop_consumer",
        ),
    ],
)
def test_what_is_none_is_found(dsn: str, db: psycopg.Connection, change: str, what: str) -> None:
    before = interface(dsn)
    db.execute(change.encode())
    assert {each[1] for each in broken(before, interface(dsn))} == {what}


# One table that publishers use, and no scan of it, so that nobody waits longer than is said.

STRONG = """
    select c.relname::text from pg_locks l join pg_class c on c.oid = l.relation
     where l.pid = pg_backend_pid() and c.oid = any (%s)
       and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
STORED_IN = """
    select c.oid, c.relfilenode from pg_class c
     where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'r'
       and c.relname <> 'alembic_version'
"""


def heavy(db: psycopg.Connection, change: Callable[[], object]) -> list[str]:
    """The tables that a change locks against writers, in its transaction; `!`: and writes anew."""
    before = dict(db.execute(STORED_IN).fetchall())
    change()
    after = dict(db.execute(STORED_IN).fetchall())
    locked = {name for (name,) in db.execute(STRONG, [list(before)]).fetchall()}
    moved = [oid for oid, file in before.items() if after.get(oid) != file]
    rewritten = db.execute("select relname::text from pg_class where oid = any (%s)", [moved])
    return sorted(locked | {f"{name}!" for (name,) in rewritten})


@pytest.mark.parametrize(
    ("before", "revision"), [*pairwise([*reversed(SHIPPED), *NEXT])], ids=lambda name: name
)
def test_a_revision_locks_one_table(
    empty_dsn: str, before: str, revision: str, later: None
) -> None:
    migrate.upgrade(empty_dsn, before)
    with migrate.engine(empty_dsn).connect() as connection, connection.begin():
        connection.execute(text("select 1"))
        db = connection.connection.driver_connection
        assert isinstance(db, psycopg.Connection)
        locked = heavy(db, partial(migrate.upgrade, connection, revision))
    assert len(locked) <= 1
    assert not locked or not locked[0].endswith("!")


def test_what_locks_more_is_found(connect: Callable[..., psycopg.Connection]) -> None:
    db = connect(autocommit=False)

    def change() -> None:
        db.execute("alter table pkgdb.tag add column x text default random()::text")
        db.execute("alter table pkgdb.file add column x text")

    assert heavy(db, change) == ["file", "tag", "tag!"]


# Other ways to run them.


def test_as_a_script(
    server: ServerUnderTest, dsn: str, new_database: Callable[..., str], template: str, later: None
) -> None:
    other = new_database(template)
    script = migrate.upgrade(None, f"{SHIPPED[0]}:head", sql=True)
    assert script is not None
    assert script.startswith("SET lock_timeout = '500ms';")
    psql(server, other, script=script)
    migrate.upgrade(dsn)
    assert dump(server, other) == dump(server, dsn)
    assert migrate.current(other) == NEXT[-1]


def test_by_the_env_of_an_application(
    server: ServerUnderTest, dsn: str, empty_dsn: str, tmp_path: Path, later: None
) -> None:
    (tmp_path / "env.py").write_text(ENV)
    config: Config = migrate._config(None, engine=migrate.engine(empty_dsn))
    config.set_main_option("script_location", str(tmp_path))
    command.upgrade(config, "heads")
    migrate.upgrade(dsn)
    assert dump(server, empty_dsn) == dump(server, dsn)


def test_in_a_transaction_of_the_caller(server: ServerUnderTest, dsn: str, later: None) -> None:
    before = dump(server, dsn)
    with migrate.engine(dsn).connect() as connection:
        with connection.begin() as transaction:
            migrate.upgrade(connection)
            assert migrate.current(connection) == NEXT[-1]
            transaction.rollback()
        assert dump(server, dsn) == before
        with connection.begin():
            migrate.upgrade(connection)
    assert migrate.current(dsn) == NEXT[-1]
    assert value(dsn, INVALID) == 0


def test_nothing_is_tried_again_in_a_transaction_of_the_caller(
    dsn: str, holder: psycopg.Connection, later: None
) -> None:
    with migrate.engine(dsn).connect() as connection, ExitStack() as stack:
        stack.enter_context(connection.begin())
        with pytest.raises(pkgdb.LockTimeout) as caught:
            migrate.upgrade(connection, lock_timeout=BRIEF)
        assert caught.value.detail is None


def test_one_that_was_just_begun(dsn: str, tmp_path: Path) -> None:
    """What `alembic revision` writes in a checkout runs."""
    config: Config = migrate._config(dsn)
    config.set_main_option("path_separator", "newline")
    locations = [migrate.version_location(), str(tmp_path)]
    config.set_main_option("version_locations", "\n".join(locations))
    command.revision(
        config, "Add nothing", head=SHIPPED[0], version_path=str(tmp_path), rev_id="begun"
    )
    command.upgrade(config, "begun")
    assert migrate.current(dsn) == "begun"


def test_down_to_nothing(server: ServerUnderTest, empty_dsn: str, later: None) -> None:
    empty = dump(server, empty_dsn)
    migrate.upgrade(empty_dsn)
    migrate.downgrade(empty_dsn, "base")
    assert dump(server, empty_dsn) == empty


def test_not_without_a_transaction(dsn: str, later: None) -> None:
    engine = migrate.engine(dsn).execution_options(isolation_level="AUTOCOMMIT")
    with pytest.raises(DBAPIError) as caught:
        migrate.upgrade(engine)
    assert isinstance(caught.value.orig, psycopg.errors.NoActiveSqlTransaction)
    assert migrate.current(dsn) == SHIPPED[0]
