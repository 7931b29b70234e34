"""Nobody's search_path changes what pkgdb calls, reads or writes.

A schema of an attacker comes first, with a function, operator, table or type of each name
that pkgdb uses. Whoever calls one of them finds out: they say so in a notice, and raise.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.permissions.conftest import ROLES
from tests.permissions.test_matrix import FUNCTIONS, VIEWS, allowed
from tests.permissions.tour import REPOSITORY, TOUR, Call, known, perform, until, walk

SHADOW_FUNCTIONS = """
    select distinct p.proname, pg_get_function_identity_arguments(p.oid),
           pg_get_function_result(p.oid)
      from pg_proc p
     where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind in ('f', 'a', 'w')
       and p.proname::text = any (%s)
       and not exists (
            select from unnest(p.proargtypes::oid[] || p.prorettype) t (type)
             where t.type in ('internal'::regtype, '"any"'::regtype, 'cstring'::regtype,
                              'trigger'::regtype, 'event_trigger'::regtype))
       and p.proargmodes is null"""
SHADOW_OPERATORS = """
    select o.oprname, nullif(o.oprleft, 0)::regtype::text, o.oprright::regtype::text,
           o.oprresult::regtype::text
      from pg_operator o
     where o.oprnamespace = 'pg_catalog'::regnamespace
       and o.oprleft::regtype::text = any (%(types)s)
       and o.oprright::regtype::text = any (%(types)s)"""
TYPES = ["text", "bytea", "bigint", "integer", "boolean", "jsonb", "text[]", "bytea[]", "name"]
TYPES += ["timestamp with time zone", "interval", "anyarray", "record", "oid", "character"]


@pytest.fixture
def trap(db: psycopg.Connection[Any], logins: dict[str, str]) -> int:
    """Schema `evil`, which everybody may use; how many shadows are in it."""
    db.execute("create schema evil; grant usage on schema evil to public")
    sources = db.execute(
        "select coalesce(prosrc, '') || coalesce(pg_get_function_sqlbody(oid), '')"
        " from pg_proc where pronamespace = 'pkgdb'::regnamespace"
    )
    names = {name for (source,) in sources for name in re.findall(r"(\w+)\s*\(", source)}
    body = """language plpgsql as $$ begin
        raise notice 'shadow';
        raise exception using errcode = 'SHADW', message = 'a shadow was called';
    end; $$"""
    functions = db.execute(SHADOW_FUNCTIONS, [list(names)]).fetchall()
    for name, arguments, result in functions:
        db.execute(f"create function evil.{name}({arguments}) returns {result} {body}")
    for name, arguments in [("format", "text, text"), ("concat", "text, text")]:
        db.execute(f"create function evil.{name}({arguments}) returns text {body}")
    for name in ["count", "min", "max"]:
        db.execute(f"create function evil.{name}(anyelement) returns bigint {body}")
    operators = db.execute(SHADOW_OPERATORS, {"types": TYPES}).fetchall()
    for number, (name, left, right, result) in enumerate(operators):
        db.execute(
            f"create function evil.operator_{number}({left}, {right}) returns {result} {body};"
            f" create operator evil.{name}"
            f" (leftarg = {left}, rightarg = {right}, function = evil.operator_{number})"
        )
    own = db.execute("""
        select p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid)
          from pg_proc p where p.pronamespace = 'pkgdb'::regnamespace""").fetchall()
    for name, arguments, result in own:
        db.execute(f"create function evil.{name}({arguments}) returns {result} {body}")
    relations = db.execute("""
        select c.relname, c.relkind in ('r', 'v') from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('r', 'v', 'c')""")
    for name, is_relation in relations.fetchall():
        kind = "table" if is_relation else "type"
        db.execute(f"create {kind} evil.{name} {'' if is_relation else 'as'} (nothing boolean)")
    db.execute("create domain evil.string as boolean check (value)")
    for name in ["text", "bytea", "jsonb", "bigint"]:
        db.execute(sql.SQL("create type evil.{} as enum ('x')").format(sql.Identifier(name)))
    db.execute("grant select, insert, update, delete on all tables in schema evil to public")
    return len(functions) + len(operators) + len(own)


PATH = "set search_path = evil, pg_temp, pg_catalog, pkgdb"


@contextmanager
def hostile(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """The caller's own temporary tables and types come before all else, then `evil`."""
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    for name in ["registration", "repository", "package_version", "file", "ecosystem", "pg_locks"]:
        connection.execute(
            sql.SQL("create temporary table {} (nothing int)").format(sql.Identifier(name))
        )
    connection.execute("create type pg_temp.version_ref as (nothing int)")
    connection.execute("create type pg_temp.lock_key as (nothing int)")
    connection.execute(PATH)
    yield
    assert "shadow" not in notices


def plain(value: Any, names: list[str]) -> str:
    """Without times, random ids and names of logins: two runs differ in those."""
    changing = [r"datetime\.datetime\(.*?\)\)", r"UUID\(.*?\)", *map(re.escape, names)]
    return re.sub("|".join(changing), "its own", repr(value))


def test_the_trap_is_sharp(db: psycopg.Connection[Any], trap: int) -> None:
    assert trap > 300
    db.execute(PATH)
    for statement in [
        "select length('x'::pg_catalog.text)",
        "select 'a'::pg_catalog.text = 'b'::pg_catalog.text",
        "select lower('A'::pg_catalog.text)",
        "select unnest(array[1])",
    ]:
        with pytest.raises(psycopg.Error) as raised:
            db.execute(statement)
        assert raised.value.sqlstate == "SHADW", statement
    assert db.execute("select * from registration").fetchall() == []


def test_calls_do_the_same(
    db: psycopg.Connection[Any],
    new_database: Callable[..., str],
    template: str,
    people: dict[str, psycopg.Connection[Any]],
    trap: int,
) -> None:
    """The whole tour, each call by the least of the roles that may make it."""
    with psycopg.connect(new_database(template), autocommit=True) as clean:
        expected = walk(clean)
    answers = []
    with ExitStack() as opened:
        for role in ROLES[:3]:
            opened.enter_context(hostile(people[role]))
        for call in TOUR:
            role = next(role for role in ROLES if call.function in allowed(FUNCTIONS)[role])
            answers.append(perform(people[role], call.function, known(db, call)))
    names = [*(each.info.user for each in people.values()), db.info.user]
    assert [plain(a, names) for a in answers] == [plain(e, names) for e in expected]


def test_views_show_the_same(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]], trap: int
) -> None:
    walk(db, until("drop_tag"))
    with hostile(people["operator"]):
        for view in sorted(allowed(VIEWS)["operator"] - {"lock_waits"}):
            statement = f"select * from pkgdb.{view}"
            assert (
                people["operator"].execute(statement).fetchall() == db.execute(statement).fetchall()
            ), view
        people["operator"].execute("select * from pkgdb.lock_waits")


SPELLINGS = {
    "semver53": "1.10.0-rc.1+b",
    "semver64": "18446744073709551615.0.0",
    "pep440": "v1!2.0.0RC1.post2.dev3+Local.07",
    "debian": "1:2.0~rc1-3+b1",
    "natural": "v1.2-nightly.2024",
}
COLUMNS = "scheme, version, normalized_version, version_key, prerelease"


@pytest.mark.parametrize("path", [PATH, "set search_path = ''", "set search_path = evil, pg_temp"])
def test_generated_columns_of_a_superuser(
    db: psycopg.Connection[Any], trap: int, path: str
) -> None:
    """As in a restore, a superuser's insert runs the version functions in the inserter's path."""
    items = [
        {"ecosystem": "npm", "name": "a", "version": SPELLINGS["semver53"]},
        {"ecosystem": "cargo", "name": "a", "version": SPELLINGS["semver64"]},
        {"ecosystem": "pypi", "name": "a", "version": SPELLINGS["pep440"]},
        {"ecosystem": "deb", "name": "aa", "version": SPELLINGS["debian"]},
        {"ecosystem": "generic", "name": "a", "version": SPELLINGS["natural"]},
    ]
    walk(db, [Call("create_repository", REPOSITORY)])
    perform(db, "publish_many", REPOSITORY | {"p_items": items})
    look = f"select {COLUMNS} from pkgdb.package_version order by version_id"
    expected = db.execute(look).fetchall()
    assert {row[0] for row in expected} == set(SPELLINGS)

    db.execute("create table public.kept as select * from pkgdb.package_version")
    db.execute("""
        set session_replication_role = replica; delete from pkgdb.package_version;
        set session_replication_role = origin""")
    notices: list[str] = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    db.execute(path)
    db.execute("""
        insert into pkgdb.package_version
            (namespace, registration_id, version_id, scheme, version, variant, status, listed,
             metadata, added_epoch, created_at, published_at)
        overriding system value
        select namespace, registration_id, version_id, scheme, version, variant, status, listed,
               metadata, added_epoch, created_at, published_at
          from public.kept order by version_id""")
    db.execute("update pkgdb.package_version set version = version")
    db.execute("reindex table pkgdb.package_version")
    db.execute("vacuum full pkgdb.package_version")
    db.execute("reset search_path")
    assert "shadow" not in notices
    assert db.execute(look).fetchall() == expected
    assert db.execute("select * from pkgdb.check_integrity()").fetchall() == []


def test_a_superuser_calls_with_the_path(
    db: psycopg.Connection[Any], connect: Callable[..., psycopg.Connection[Any]], trap: int
) -> None:
    """Who runs migrations and maintenance is an attractive victim."""
    looking = connect()
    with hostile(db):
        walk(db, looking=looking)
