"""Who may do what: the whole of it, and nothing else."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.permissions.conftest import ROLES
from tests.permissions.tour import TOUR, known, perform, until, walk

FUNCTIONS = """
                        reader  publisher  operator  stranger
    resolve             yes     yes        yes       -
    versions            yes     yes        yes       -
    version_key         yes     yes        yes       -
    normalize_version   yes     yes        yes       -
    normalize_name      yes     yes        yes       -
    is_prerelease       yes     yes        yes       -
    locate_blob         yes     yes        yes       -
    publish             -       yes        yes       -
    publish_many        -       yes        yes       -
    add_files           -       yes        yes       -
    begin_publication   -       yes        yes       -
    renew_publication   -       yes        yes       -
    record_copy         -       yes        yes       -
    record_validation   -       yes        yes       -
    commit_publication  -       yes        yes       -
    abort_publication   -       yes        yes       -
    yank                -       yes        yes       -
    unyank              -       yes        yes       -
    deprecate           -       yes        yes       -
    quarantine          -       yes        yes       -
    release_quarantine  -       yes        yes       -
    delete_version      -       yes        yes       -
    restore_version     -       yes        yes       -
    delete_file         -       yes        yes       -
    set_tag             -       yes        yes       -
    drop_tag            -       yes        yes       -
    create_repository   -       -          yes       -
    alter_repository    -       -          yes       -
    rename_repository   -       -          yes       -
    drop_repository     -       -          yes       -
    reserve_name        -       -          yes       -
    release_name        -       -          yes       -
    expire_publications -       -          yes       -
    apply_retention     -       -          yes       -
    purge               -       -          yes       -
    check_integrity     -       -          yes       -
    repair_latest       -       -          yes       -
    upgrade_scheme      -       -          yes       -
    add_backend         -       -          yes       -
    adopt_backend       -       -          yes       -
    retire_backend      -       -          yes       -
    set_repository_backend -    -          yes       -
    promote_backends    -       -          yes       -
    claim_copies        -       -          yes       -
    verify_copy         -       -          yes       -
    record_copy_failure -       -          yes       -
    collect_blobs       -       -          yes       -
    confirm_blob_deleted -      -          yes       -
    read_events         yes     yes        yes       -
    register_consumer   -       yes        yes       -
    acknowledge_events  -       yes        yes       -
    drop_consumer       -       yes        yes       -
    sequence_events     -       -          yes       -
    prune_events        -       -          yes       -
    diff_snapshots      yes     yes        yes       -
    verify_snapshot     yes     yes        yes       -
    snapshot_digest     yes     yes        yes       -
    search_versions     yes     yes        yes       -
    distribution_content yes    yes        yes       -
    create_snapshot     -       -          yes       -
    merge_snapshots     -       -          yes       -
    pull_snapshot       -       -          yes       -
    filter_snapshot     -       -          yes       -
    rename_snapshot     -       -          yes       -
    drop_snapshot       -       -          yes       -
    seal_snapshots      -       -          yes       -
    copy_versions       -       -          yes       -
    move_versions       -       -          yes       -
    remove_versions     -       -          yes       -
    create_distribution -       -          yes       -
    switch_distribution -       -          yes       -
    drop_distribution   -       -          yes       -
    begin_mirror_update -       -          yes       -
    stage_mirror_items  -       -          yes       -
    missing_mirror_copies -     -          yes       -
    record_mirror_copy  -       -          yes       -
    commit_mirror_update -      -          yes       -
    abort_mirror_update -       -          yes       -
"""
# Not part of the interface: a view uses them, and its reader must be allowed to.
HELPERS = """
                        reader  publisher  operator  stranger
    policy_of           yes     yes        yes       -
    object_key          yes     yes        yes       -
    alternative_text    yes     yes        yes       -
    repository_lock     -       -          yes       -
    registration_lock   -       -          yes       -
    distribution_lock   -       -          yes       -
    snapshot_lock       -       -          yes       -
"""
VIEWS = """
                        reader  publisher  operator  stranger
    repositories        yes     yes        yes       -
    registrations       yes     yes        yes       -
    package_versions    yes     yes        yes       -
    files               yes     yes        yes       -
    tags                yes     yes        yes       -
    repository_backends yes     yes        yes       -
    blob_copies         yes     yes        yes       -
    feed_positions      yes     yes        yes       -
    snapshots           yes     yes        yes       -
    snapshot_sources    yes     yes        yes       -
    distributions       yes     yes        yes       -
    distribution_components yes yes        yes       -
    mirrors             yes     yes        yes       -
    mirror_updates      yes     yes        yes       -
    dependencies        yes     yes        yes       -
    publications        -       yes        yes       -
    validations         -       yes        yes       -
    backends            -       yes        yes       -
    consumers           -       yes        yes       -
    dead_letters        -       -          yes       -
    lock_waits          -       -          yes       -
    outdated_registrations -    -          yes       -
"""


def allowed(table: str) -> dict[str, set[str]]:
    """From each role to the names that its column says yes to."""
    header, *rows = [line.split() for line in table.strip().splitlines()]
    assert header == list(ROLES)
    assert all(mark in ("yes", "-") for _, *marks in rows for mark in marks)
    return {
        role: {name for name, *marks in rows if marks[place] == "yes"}
        for place, role in enumerate(header)
    }


def sqlstate(connection: psycopg.Connection[Any], statement: Any) -> str | None:
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def column(db: psycopg.Connection[Any], statement: Any, *params: Any) -> set[Any]:
    return {row[0] for row in db.execute(statement, params)}


def test_the_tour_covers_the_matrix() -> None:
    assert {call.function for call in TOUR} == allowed(FUNCTIONS)["operator"]


@pytest.mark.parametrize("role", ROLES)
def test_catalog_grants_what_the_table_says(
    db: psycopg.Connection[Any], logins: dict[str, str], role: str
) -> None:
    executable = """
        select p.proname from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace
           and has_schema_privilege(%s, p.pronamespace, 'usage')
           and has_function_privilege(%s, p.oid, 'execute')"""
    readable = """
        select c.relname from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind <> 'S' and c.relkind <> 'i'
           and c.relkind <> 'c' and has_any_column_privilege(%s, c.oid, 'select')"""
    name = logins[role]
    expected = allowed(FUNCTIONS)[role] | allowed(HELPERS)[role]
    assert column(db, executable, name, name) == expected
    assert column(db, readable, name) == allowed(VIEWS)[role]


def test_no_role_has_any_other_privilege(
    db: psycopg.Connection[Any], logins: dict[str, str]
) -> None:
    for name in [*logins.values(), "pkgdb_reader", "pkgdb_publisher", "pkgdb_operator"]:
        writable = """
            select c.relname, p.privilege from pg_class c
             cross join unnest(array['insert', 'update', 'delete', 'truncate', 'references',
                                     'trigger']) p (privilege)
             where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('r', 'v', 'p', 'm')
               and (has_table_privilege(%(name)s, c.oid, p.privilege)
                    or p.privilege in ('insert', 'update', 'references')
                       and has_any_column_privilege(%(name)s, c.oid, p.privilege))
            union all
            select c.relname, p.privilege from pg_class c
             cross join unnest(array['usage', 'select', 'update']) p (privilege)
             where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'S'
               and has_sequence_privilege(%(name)s, c.oid, p.privilege)
            union all
            select 'schema', 'create'
             where has_schema_privilege(%(name)s, 'pkgdb', 'create')
            union all
            select 'role', m.privilege
              from unnest(array['member', 'usage']) m (privilege)
             where pg_has_role(%(name)s, 'pkgdb_owner', m.privilege)"""
        assert db.execute(writable, {"name": name}).fetchall() == [], name


def test_roles_themselves_can_do_nothing(db: psycopg.Connection[Any]) -> None:
    roles = """
        select rolname from pg_roles
         where rolname like 'pkgdb\\_%%' and rolname not like 'pkgdb\\_test\\_%%'
           and not (rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolreplication
                    or rolbypassrls)"""
    names = {"pkgdb_owner", "pkgdb_reader", "pkgdb_publisher", "pkgdb_operator"}
    assert column(db, roles) == names


@pytest.mark.parametrize("role", ROLES)
def test_calls(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]], role: str
) -> None:
    """Every function of the schema, private ones too, called with nulls by someone logged in."""
    signatures = db.execute("""
        select p.proname,
               array(select format_type(t.type, null)
                       from unnest(p.proargtypes::oid[]) with ordinality t (type, place)
                      order by t.place),
               p.provariadic <> 0
          from pg_proc p where p.pronamespace = 'pkgdb'::regnamespace""").fetchall()
    assert len(signatures) > 50
    for name, types, variadic in signatures:
        arguments = [f"null::{of_type}" for of_type in types]
        if variadic:
            arguments[-1] = f"variadic {arguments[-1]}"
        call = f"select pkgdb.{name}({', '.join(arguments)})"
        state = sqlstate(people[role], call)
        if name in allowed(FUNCTIONS)[role] | allowed(HELPERS)[role]:
            assert state is None or state.startswith("RG"), (call, state)
        else:
            assert state == "42501", (call, state)


@pytest.mark.parametrize("role", ["reader", "publisher", "operator"])
def test_each_role_gets_its_part_of_the_tour_done(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]], role: str
) -> None:
    """What a role may not call, someone who may does instead."""
    for call in TOUR:
        if call.function not in allowed(FUNCTIONS)[role]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                perform(people[role], call.function, known(db, call))
            walk(db, [call])
        else:
            walk(people[role], [call], looking=db)


@pytest.mark.parametrize("role", ROLES)
def test_views(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]], role: str
) -> None:
    walk(db, until("drop_tag"))  # something to see in each
    for view in allowed(VIEWS)["operator"]:
        statement = sql.SQL("select * from pkgdb.{}").format(sql.Identifier(view))
        if view in allowed(VIEWS)[role]:
            expected = db.execute(statement).fetchall()
            assert people[role].execute(statement).fetchall() == expected
            assert expected or view in ("lock_waits", "outdated_registrations")
        else:
            assert sqlstate(people[role], statement) == "42501", view


def test_an_operator_sees_named_locks(
    db: psycopg.Connection[Any],
    connect: Callable[..., psycopg.Connection[Any]],
    people: dict[str, psycopg.Connection[Any]],
) -> None:
    walk(db, TOUR[:7])
    holder = connect(autocommit=False)
    perform(holder, "publish", TOUR[7].arguments)
    seen = people["operator"].execute(
        "select lock_kind, namespace, repository, ecosystem, name, granted from pkgdb.lock_waits"
        " where pid = %s and lock_kind is not null",
        [holder.info.backend_pid],
    )
    assert sorted(seen) == [
        ("registration", "acme", "main", "pypi", "Demo.App", True),
        ("repository", "acme", "main", None, None, True),
    ]


@pytest.mark.parametrize("role", ROLES)
def test_statements_on_tables_and_sequences(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]], role: str
) -> None:
    relations = db.execute("""
        select c.relname, c.relkind, (
                select a.attname from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and a.attgenerated = '' limit 1)
          from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('r', 'S', 'v')""")
    db.execute("grant create on schema public to public")
    tables = 0
    for name, kind, first in relations.fetchall():
        statements = {
            "r": [
                f"select * from pkgdb.{name}",
                f"select count(*) from pkgdb.{name}",
                f"copy pkgdb.{name} to stdout",
                f"insert into pkgdb.{name} default values",
                f"insert into pkgdb.{name} ({first}) values (null) on conflict do nothing",
                f"update pkgdb.{name} set {first} = null",
                f"delete from pkgdb.{name}",
                f"truncate pkgdb.{name} cascade",
                f"do 'begin lock table pkgdb.{name}; end'",
                f"create table public.mine ({first} text references pkgdb.{name})",
                f"create trigger mine after insert on pkgdb.{name} for each row"
                " execute function suppress_redundant_updates_trigger()",
                f"alter table pkgdb.{name} add column mine text",
                f"drop table pkgdb.{name} cascade",
                f"create index mine on pkgdb.{name} ({first})",
                f"grant all on pkgdb.{name} to public",
            ],
            "S": [
                f"select nextval('pkgdb.{name}')",
                f"select setval('pkgdb.{name}', 1)",
                f"select * from pkgdb.{name}",
                f"alter sequence pkgdb.{name} restart",
            ],
            "v": [
                f"insert into pkgdb.{name} default values",
                f"update pkgdb.{name} set {first} = null",
                f"delete from pkgdb.{name}",
                f"alter view pkgdb.{name} set (security_barrier = false)",
                f"create or replace view pkgdb.{name} as select 1",
            ],
        }[kind]
        tables += len(statements) > 5
        for statement in statements:
            state = sqlstate(people[role], statement)
            # What nobody could do to such a view is refused before anyone asks who does it.
            nobody = {"0A000", "55000"} if kind == "v" else set()
            assert state in {"42501"} | nobody, statement
    assert tables > 10


STATEMENTS_AGAINST_THE_SCHEMA = [
    "set role pkgdb_owner",
    "set session authorization pkgdb_owner",
    "set session authorization postgres",
    "grant pkgdb_owner to current_user",
    "create function pkgdb.mine() returns int language sql return 1",
    "create or replace function pkgdb.clock() returns timestamptz language sql return now()",
    "create table pkgdb.mine (a int)",
    "create view pkgdb.mine as select 1 as a",
    "create type pkgdb.mine as (a int)",
    "create domain pkgdb.mine as text",
    "create operator pkgdb.=== (leftarg = text, rightarg = text, function = texteq)",
    "create sequence pkgdb.mine",
    "create schema authorization pkgdb_owner",
    "alter schema pkgdb rename to mine",
    "drop schema pkgdb cascade",
    "comment on schema pkgdb is 'mine'",
    "alter function pkgdb.publish reset all",
    "alter function pkgdb.publish owner to current_user",
    "alter function pkgdb.publish set schema public",
    "drop function pkgdb.publish",
    "comment on function pkgdb.publish is 'mine'",
    "grant execute on function pkgdb.publish to public",
    "alter domain pkgdb.string add check (value <> '')",
    "drop domain pkgdb.string cascade",
    "alter type pkgdb.version_ref add attribute mine text",
    "alter default privileges for role pkgdb_owner grant execute on functions to public",
    "alter role pkgdb_owner login",
    "reassign owned by pkgdb_owner to current_user",
    "drop owned by pkgdb_owner",
]


OWNERS_AND_GRANTS = """
    select 'schema', nspname::text, nspowner, nspacl::text from pg_namespace
     where nspname = 'pkgdb'
    union all
    select 'function', oid::regprocedure::text, proowner, proacl::text from pg_proc
     where pronamespace = 'pkgdb'::regnamespace
    union all
    select 'relation', oid::regclass::text, relowner, relacl::text from pg_class
     where relnamespace = 'pkgdb'::regnamespace
    union all
    select 'type', oid::regtype::text, typowner, typacl::text from pg_type
     where typnamespace = 'pkgdb'::regnamespace
    union all
    select 'default', defaclobjtype::text, defaclrole, defaclacl::text from pg_default_acl
    union all
    select 'member', roleid::regrole::text, member, admin_option::text from pg_auth_members
     order by 1, 2, 3"""


@pytest.mark.parametrize("role", ROLES)
def test_nobody_gets_into_the_schema(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]], role: str
) -> None:
    before = db.execute(OWNERS_AND_GRANTS).fetchall()
    for statement in STATEMENTS_AGAINST_THE_SCHEMA:
        state = sqlstate(people[role], statement)
        if state is None:  # who holds a privilege without grant option gets a warning alone
            assert statement.startswith("grant execute"), statement
        else:
            assert state == "42501", statement
    assert db.execute(OWNERS_AND_GRANTS).fetchall() == before


def test_who_leaves_a_role_loses_what_it_gave(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]]
) -> None:
    walk(people["operator"], TOUR[:1])
    db.execute("revoke pkgdb_operator from " + people["operator"].info.user)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        walk(people["operator"], TOUR[1:2])
