from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

import pkgdb
from pkgdb import migrate
from tests.migrations.tools import dump, install_by_psql, psql, upgrade_at_once, value
from tests.support import ServerUnderTest

HEAD = "pkgdb_0001"
ADVISORY_LOCKS = """
    select count(*) from pg_locks
    where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())
"""
STRANGERS = """
    select string_agg(found.name, ', ') from (
        select oid::regclass::text, relowner from pg_class
        where relnamespace = 'pkgdb'::regnamespace
        union all
        select oid::regprocedure::text, proowner from pg_proc
        where pronamespace = 'pkgdb'::regnamespace
        union all
        select oid::regtype::text, typowner from pg_type
        where typnamespace = 'pkgdb'::regnamespace
        union all
        select nspname::text, nspowner from pg_namespace where nspname = 'pkgdb'
    ) as found (name, owner)
    where owner <> 'pkgdb_owner'::regrole
"""


@pytest.fixture
def installed(server: ServerUnderTest, empty_dsn: str) -> str:
    """The dump of a database made by psql from sql/install.sql."""
    install_by_psql(server, empty_dsn)
    return dump(server, empty_dsn)


def test_upgrade_makes_what_install_makes(
    server: ServerUnderTest, dsn: str, installed: str
) -> None:
    assert migrate.current(dsn) == HEAD
    assert dump(server, dsn) == installed
    assert value(dsn, STRANGERS) is None


def test_the_script_makes_what_install_makes(
    server: ServerUnderTest, new_database: Callable[..., str], installed: str
) -> None:
    dsn = new_database()
    script = migrate.upgrade(None, sql=True)
    assert script is not None
    psql(server, dsn, script=script)
    assert migrate.current(dsn) == HEAD
    assert dump(server, dsn) == installed
    assert value(dsn, STRANGERS) is None
    migrate.upgrade(dsn)
    assert dump(server, dsn) == installed


def test_upgrading_again_changes_nothing(server: ServerUnderTest, dsn: str) -> None:
    before = dump(server, dsn)
    migrate.upgrade(dsn)
    assert dump(server, dsn) == before


def test_down_to_nothing_and_up_again(
    server: ServerUnderTest, new_database: Callable[..., str]
) -> None:
    dsn = new_database()
    empty = dump(server, dsn)
    assert migrate.current(dsn) is None
    migrate.upgrade(dsn)
    full = dump(server, dsn)
    migrate.downgrade(dsn, "base")
    assert dump(server, dsn) == empty
    assert migrate.current(dsn) is None
    migrate.upgrade(dsn)
    assert dump(server, dsn) == full


def test_the_script_down_to_nothing(
    server: ServerUnderTest, new_database: Callable[..., str]
) -> None:
    dsn = new_database()
    empty = dump(server, dsn)
    migrate.upgrade(dsn)
    script = migrate.downgrade(None, "head:base", sql=True)
    assert script is not None
    psql(server, dsn, script=script)
    assert dump(server, dsn) == empty


def test_twenty_at_once_make_one_schema(server: ServerUnderTest, empty_dsn: str, dsn: str) -> None:
    upgrade_at_once(*[empty_dsn] * 20)
    assert dump(server, empty_dsn) == dump(server, dsn)
    assert value(empty_dsn, "select count(*) from pkgdb.alembic_version") == 1


def test_many_databases_of_a_new_cluster_at_once(cluster: ServerUnderTest) -> None:
    names = [f"tenant_{number}" for number in range(8)]
    with psycopg.connect(cluster.root_dsn, autocommit=True) as connection:
        for name in names:
            connection.execute(f"create database {name}")
    upgrade_at_once(*[cluster.dsn(name) for name in names])
    dumps = {dump(cluster, cluster.dsn(name)) for name in names}
    assert len(dumps) == 1
    assert value(cluster.root_dsn, "select count(*) from pg_roles where rolname ~ '^pkgdb_'") == 4


@pytest.mark.parametrize("way", ["upgrade", "script", "psql"])
def test_installing_needs_no_superuser(cluster: ServerUnderTest, way: str) -> None:
    with psycopg.connect(cluster.root_dsn, autocommit=True) as connection:
        connection.execute("create role installer login createrole")
        connection.execute("create role successor login")
        connection.execute("create database app")
        connection.execute("grant create on database app to installer, successor")
    dsn = cluster.dsn("app", user="installer")
    match way:
        case "upgrade":
            migrate.upgrade(dsn)
        case "script":
            psql(cluster, dsn, script=migrate.upgrade(None, sql=True))
        case "psql":
            install_by_psql(cluster, dsn)
            migrate.stamp(dsn)
    assert value(dsn, STRANGERS) is None
    by_installer = dump(cluster, cluster.dsn("app"))

    # Whoever comes next needs to be a member of pkgdb_owner, no more.
    with psycopg.connect(cluster.root_dsn) as connection:
        connection.execute("grant pkgdb_owner to successor")
    dsn = cluster.dsn("app", user="successor")
    migrate.upgrade(dsn)
    migrate.downgrade(dsn, "base")
    assert value(dsn, "select to_regnamespace('pkgdb') is null") is True
    migrate.upgrade(dsn)
    assert dump(cluster, cluster.dsn("app")) == by_installer


def test_a_later_revision_can_add_a_column_to_each_table(db: psycopg.Connection[Any]) -> None:
    """From 15.20 on a server refuses where something was parsed that has the table's rows in it."""
    tables = db.execute(
        """select oid::regclass::text from pg_class
            where relnamespace = 'pkgdb'::regnamespace and relkind in ('r', 'p')"""
    ).fetchall()
    assert tables
    for (table,) in tables:
        with db.transaction(force_rollback=True):
            db.execute(
                f"alter table {table} add column added pkgdb.string not null default 'so far'"
            )


def test_joins_the_transaction_of_a_connection(empty_dsn: str) -> None:
    engine = migrate.engine(empty_dsn)
    with engine.connect() as connection:
        connection.execute(text("set lock_timeout = '7s'"))
        connection.commit()
        with connection.begin() as transaction:
            migrate.upgrade(connection)
            assert connection.scalar(text("select current_user")) == "postgres"
            assert connection.scalar(text("show lock_timeout")) == "7s"
            assert connection.scalar(text(ADVISORY_LOCKS)) == 1
            assert migrate.current(empty_dsn) is None
            transaction.rollback()
        assert migrate.current(empty_dsn) is None
        assert connection.scalar(text("select to_regnamespace('pkgdb') is null")) is True


def test_a_connection_is_given_back_as_it_was(empty_dsn: str) -> None:
    with migrate.engine(empty_dsn).connect() as connection:
        connection.execute(text("set lock_timeout = '7s'"))
        connection.commit()
        migrate.upgrade(connection)
        assert not connection.in_transaction()
        assert connection.scalar(text("show lock_timeout")) == "7s"
        assert connection.scalar(text(ADVISORY_LOCKS)) == 0
        assert connection.scalar(text("select current_user")) == "postgres"
    assert migrate.current(empty_dsn) == HEAD


def test_takes_an_engine_and_a_sqlalchemy_url(empty_dsn: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(empty_dsn))
    migrate.upgrade(engine)
    assert migrate.current(engine) == HEAD
    engine.dispose()
    assert migrate.engine("postgresql+psycopg://host/name").url.database == "name"


def test_refuses_autocommit(empty_dsn: str) -> None:
    engine = migrate.engine(empty_dsn).execution_options(isolation_level="AUTOCOMMIT")
    with pytest.raises(DBAPIError) as caught:
        migrate.upgrade(engine)
    assert isinstance(caught.value.orig, psycopg.errors.NoActiveSqlTransaction)
    assert (
        value(
            empty_dsn,
            "select count(*) from pg_proc where pronamespace = 'pkgdb'::regnamespace",
        )
        == 0
    )


def test_a_failure_leaves_no_lock_and_a_stamp_adopts_the_schema(
    server: ServerUnderTest, empty_dsn: str
) -> None:
    install_by_psql(server, empty_dsn)
    before = dump(server, empty_dsn)
    with migrate.engine(empty_dsn).connect() as connection:
        with pytest.raises(DBAPIError, match="already exists"):
            migrate.upgrade(connection)
        assert connection.scalar(text(ADVISORY_LOCKS)) == 0
        assert connection.scalar(text("show lock_timeout")) == "0"
    migrate.stamp(empty_dsn)
    assert migrate.current(empty_dsn) == HEAD
    migrate.upgrade(empty_dsn)
    assert dump(server, empty_dsn) == before


def test_gives_up_on_a_table_in_use_instead_of_queueing(server: ServerUnderTest, dsn: str) -> None:
    before = dump(server, dsn)
    with psycopg.connect(dsn) as reader:
        reader.execute("lock table pkgdb.repository in access share mode")
        with pytest.raises(pkgdb.LockTimeout):
            migrate.downgrade(dsn, "base", retry=pkgdb.RetryPolicy(attempts=1))
    assert migrate.current(dsn) == HEAD
    assert dump(server, dsn) == before


def test_needs_a_target_to_run_anything() -> None:
    with pytest.raises(TypeError, match="a target"):
        migrate.upgrade(None)
