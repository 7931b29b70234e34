"""What must hold for every object of the schema, asked of the catalog."""

import re
from typing import Any

import psycopg
import pytest

# The same for all tenants, and written when the schema is installed. References to them are checked
# only when a row of theirs is deleted or its key changes, which nobody does: an index on the
# referring side would cost every publish and serve nothing.
REFERENCE_TABLES = ["ecosystem", "version_scheme", "protection"]

CALLABLE = """
    with callable as (
        select p.* from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace
           and (has_function_privilege('pkgdb_reader', p.oid, 'execute')
                or has_function_privilege('pkgdb_publisher', p.oid, 'execute')
                or has_function_privilege('pkgdb_operator', p.oid, 'execute'))
    ), used_by_view as (
        select d.refobjid as oid from pg_depend d
          join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
          join pg_class c on c.oid = r.ev_class and c.relnamespace = 'pkgdb'::regnamespace
         where d.refclassid = 'pg_proc'::regclass
    ), used_by_column as (
        select d.refobjid as oid from pg_depend d
          join pg_attrdef a on d.classid = 'pg_attrdef'::regclass and a.oid = d.objid
          join pg_class c on c.oid = a.adrelid and c.relnamespace = 'pkgdb'::regnamespace
         where d.refclassid = 'pg_proc'::regclass
    )
"""
# What a view uses is checked against its reader: such a helper is callable, but not an interface.
PUBLIC = f"""
    {CALLABLE}, public_function as (
        select * from callable where prosecdef or oid not in (select oid from used_by_view)
    )
"""
INDEX_COLUMNS = """
    with index_column as (
        select i.indexrelid::regclass::text as index, i.indrelid, i.indisunique, i.indisprimary,
               k.place, k.attnum, a.attname, a.atttypid, i.indcollation[k.place - 1] as "collation"
          from pg_index i
          join pg_class c on c.oid = i.indrelid and c.relnamespace = 'pkgdb'::regnamespace
          cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, place)
          left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
         where k.place <= i.indnkeyatts and c.relname <> 'alembic_version'
    )
"""

LINTS = {
    "a foreign key without an index": """
        select c.conrelid::regclass::text, c.conname from pg_constraint c
         where c.connamespace = 'pkgdb'::regnamespace and c.contype = 'f'
           and not c.confrelid::regclass::text = any (
                select 'pkgdb.' || unnest(%(reference_tables)s::text[]))
           and not exists (
                select from pg_index i
                 where i.indrelid = c.conrelid
                   and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
                   and (i.indpred is null
                        -- What refers to nothing need not be in it.
                        or pg_get_expr(i.indpred, i.indrelid) in (
                            select format('(%%I IS NOT NULL)', a.attname) from pg_attribute a
                             where a.attrelid = c.conrelid and a.attnum = any (c.conkey))))
           -- A version is deleted by its key, which begins with the registration's.
           and not exists (
                select from pg_constraint p
                 where p.conrelid = c.conrelid and p.contype = 'p'
                   and p.conkey[1:2] = c.conkey[1:2])""",
    "a security definer without a fixed search_path": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.prosecdef
           and not coalesce(
                p.proconfig @> array['search_path=pg_catalog, pg_temp'], false)""",
    "a body that is parsed when it runs and that a caller's search_path can reach": f"""
        {CALLABLE.replace("with", "with recursive", 1)}, reachable as (
            select oid from callable
            union select oid from used_by_view
            union select oid from used_by_column
            -- A parsed body runs in its caller's path; one with a path of its own hands that on.
            union
            select d.refobjid from reachable r
              join pg_proc p on p.oid = r.oid and p.proconfig is null
              join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid
             where d.refclassid = 'pg_proc'::regclass
        )
        select p.oid::regprocedure from reachable r join pg_proc p on p.oid = r.oid
         where p.pronamespace = 'pkgdb'::regnamespace and p.prosqlbody is null
           and not coalesce(
                p.proconfig @> array['search_path=pg_catalog, pg_temp'], false)""",
    # From 15.20 on it keeps columns with a default from being added to the table.
    "a parsed body that takes the row of a table, alone or in another type": """
        with recursive holding as (
            select c.reltype as type from pg_class c
             where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('r', 'p')
            union
            select k.type from holding h cross join lateral (
                select t.typarray from pg_type t where t.oid = h.type and t.typarray <> 0
                union all select t.oid from pg_type t where t.typbasetype = h.type
                union all
                select c.reltype from pg_attribute a join pg_class c on c.oid = a.attrelid
                 where a.atttypid = h.type) k (type)
        )
        select distinct p.oid::regprocedure from pg_proc p
          join holding h on h.type = any (p.proargtypes::oid[])
         where p.prosqlbody is not null""",
    "a parsed body that a SET clause keeps from being inlined": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.prosqlbody is not null
           and p.proconfig is not null""",
    "an object of another owner": """
        select 'function', p.oid::regprocedure::text from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.proowner <> 'pkgdb_owner'::regrole
        union all
        select 'relation', c.oid::regclass::text from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relowner <> 'pkgdb_owner'::regrole
        union all
        select 'type', t.oid::regtype::text from pg_type t
         where t.typnamespace = 'pkgdb'::regnamespace and t.typowner <> 'pkgdb_owner'::regrole
        union all
        select 'schema', nspname::text from pg_namespace
         where nspname = 'pkgdb' and nspowner <> 'pkgdb_owner'::regrole""",
    "anything granted to PUBLIC": """
        select 'function', p.oid::regprocedure::text from pg_proc p
         cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where p.pronamespace = 'pkgdb'::regnamespace and a.grantee = 0
        union all
        select 'relation', c.oid::regclass::text from pg_class c
         cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
         where c.relnamespace = 'pkgdb'::regnamespace and a.grantee = 0
        union all
        select 'schema', n.nspname::text from pg_namespace n
         cross join lateral aclexplode(n.nspacl) a
         where n.nspname = 'pkgdb' and a.grantee = 0""",
    "a grant with grant option": """
        select p.oid::regprocedure::text from pg_proc p cross join lateral aclexplode(p.proacl) a
         where p.pronamespace = 'pkgdb'::regnamespace and a.is_grantable
           and a.grantee <> p.proowner
        union all
        select c.oid::regclass::text from pg_class c cross join lateral aclexplode(c.relacl) a
         where c.relnamespace = 'pkgdb'::regnamespace and a.is_grantable
           and a.grantee <> c.relowner""",
    "a public function that is not a security definer": PUBLIC
    + "select oid::regprocedure from public_function where not prosecdef",
    "a security definer that nobody may call": PUBLIC
    + """select p.oid::regprocedure from pg_proc p
          where p.pronamespace = 'pkgdb'::regnamespace and p.prosecdef
            and p.oid not in (select oid from public_function)""",
    "a public function without a comment that tells its errors": PUBLIC
    + """select p.oid::regprocedure, d.description from public_function p
           left join pg_description d
             on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0
          where p.proname <> 'check_integrity'  -- it raises nothing
            and coalesce(d.description, '') !~ 'Errors: .*RG400'""",
    "a mutation whose comment leaves out the isolation level": PUBLIC
    + """select p.oid::regprocedure from public_function p
          where p.provolatile = 'v' and obj_description(p.oid, 'pg_proc') !~ 'RG405 isolation'""",
    "a wait for a whole repository that the comment leaves out": PUBLIC
    + """select p.oid::regprocedure from public_function p
          where (p.prosrc ~ %(exclusive)s)
             <> (obj_description(p.oid, 'pg_proc') ~ '55P03 lock timeout')""",
    "a view, table or type without a comment": """
        select c.oid::regclass from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('r', 'v')
           and c.relname <> 'alembic_version' and obj_description(c.oid, 'pg_class') is null
        union all
        select t.oid::regtype::oid from pg_type t
         where t.typnamespace = 'pkgdb'::regnamespace and t.typtype = 'd'
           and obj_description(t.oid, 'pg_type') is null""",
    "a public result type without a comment": PUBLIC
    + """select distinct p.prorettype::regtype from public_function p
           join pg_type t on t.oid = p.prorettype and t.typnamespace = 'pkgdb'::regnamespace
          where obj_description(t.oid, 'pg_type') is null
            and obj_description(t.typrelid, 'pg_class') is null""",
    "a STRICT public function: a null that means nothing is RG400": PUBLIC
    + "select oid::regprocedure from public_function where proisstrict",
    "a public function over namespaces whose first argument is not p_namespace": PUBLIC
    + """select oid::regprocedure, proargnames from public_function
          where proargnames[1] <> 'p_namespace'
            and proname not in ('version_key', 'normalize_version', 'normalize_name',
                                'is_prerelease')""",
    "common arguments in another order": PUBLIC
    + """select f.signature, f.common from (
            select p.oid::regprocedure as signature,
                   array(select n from unnest(p.proargnames) with ordinality a (n, place)
                          where n = any (%(common)s::text[]) order by place) as common
              from public_function p) f
          where f.common <> array(
                select c from unnest(%(common)s::text[]) with ordinality a (c, place)
                 where c = any (f.common) order by place)""",
    "an argument that is not called p_": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.pronargs > 0
           and exists (
                select from unnest(p.proargnames[1:p.pronargs]) n
                 where n !~ '^p_[a-z0-9_]+$')""",
    "an optional argument that is called otherwise, or has another default, elsewhere": PUBLIC
    + """select p.oid::regprocedure from public_function p
          where pg_get_function_arguments(p.oid) !~ 'p_actor [a-z.]+ DEFAULT NULL'
            and 'p_actor' = any (p.proargnames)
             or pg_get_function_arguments(p.oid) !~ 'p_request_key [a-z.]+ DEFAULT NULL'
            and 'p_request_key' = any (p.proargnames)
             or pg_get_function_arguments(p.oid) !~ 'p_if_revision bigint DEFAULT NULL'
            and 'p_if_revision' = any (p.proargnames)""",
    "two functions of one name": """
        select p.proname, count(*) from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace group by p.proname having count(*) > 1""",
    "a key or reference that does not begin with namespace": INDEX_COLUMNS
    + """select index, attname from index_column
          where place = 1 and attname is distinct from 'namespace'
            and indrelid::regclass::text <> all (
                select 'pkgdb.' || unnest(%(reference_tables)s::text[]))
         union all
         select c.conname, a.attname from pg_constraint c
           join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
          where c.connamespace = 'pkgdb'::regnamespace and c.contype = 'f'
            and a.attname <> 'namespace'
            and c.confrelid::regclass::text <> all (
                select 'pkgdb.' || unnest(%(reference_tables)s::text[]))""",
    "a table without namespace": """
        select c.oid::regclass from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'r'
           and c.relname <> all (%(reference_tables)s::text[] || '{alembic_version}'::text[])
           and not exists (
                select from pg_attribute a
                 where a.attrelid = c.oid and a.attname = 'namespace' and a.attnum = 1
                   and a.attnotnull and a.atttypid = 'pkgdb.string'::regtype)""",
    "an indexed text that is not of the domain with collation C": INDEX_COLUMNS
    + """select index, attname, "collation"::regcollation from index_column
          where "collation" <> 0 and ("collation" <> '"C"'::regcollation
                                    or atttypid <> 'pkgdb.string'::regtype)""",
    "an index on an expression": """
        select i.indexrelid::regclass from pg_index i join pg_class c on c.oid = i.indrelid
         where c.relnamespace = 'pkgdb'::regnamespace and i.indexprs is not null""",
    "an index that another one makes superfluous": """
        select a.indexrelid::regclass, b.indexrelid::regclass from pg_index a
          join pg_index b on b.indrelid = a.indrelid and b.indexrelid <> a.indexrelid
          join pg_class c on c.oid = a.indrelid and c.relnamespace = 'pkgdb'::regnamespace
         where not a.indisunique and a.indpred is null and b.indpred is null
           and b.indkey::text || ' ' like a.indkey::text || ' %%'
           and a.indoption::text = (b.indoption::int2[])[0:a.indnkeyatts - 1]::text""",
    "a table without a primary key": """
        select c.oid::regclass from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'r'
           and not exists (
                select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p')""",
    "a trigger or a rule": """
        select t.tgrelid::regclass, t.tgname::text from pg_trigger t
          join pg_class c on c.oid = t.tgrelid
         where c.relnamespace = 'pkgdb'::regnamespace and not t.tgisinternal
        union all
        select r.ev_class::regclass, r.rulename::text from pg_rewrite r
          join pg_class c on c.oid = r.ev_class
         where c.relnamespace = 'pkgdb'::regnamespace and r.rulename <> '_RETURN'""",
    "a sequence that is not an identity column's": """
        select c.oid::regclass from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'S'
           and not exists (
                select from pg_depend d
                 where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i')""",
    "an identity that a caller may choose": """
        select a.attrelid::regclass, a.attname from pg_attribute a
          join pg_class c on c.oid = a.attrelid
         where c.relnamespace = 'pkgdb'::regnamespace and a.attidentity = 'd'""",
    "a handler of all errors, or dynamic SQL": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace
           and regexp_replace(p.prosrc, 'E?''(?:[^'']|'''')*''|--[^\\n]*', '', 'g') ~* (
               case when p.proname = any (%(dynamic)s) then '' else '\\mexecute\\M|' end ||
               '\\mwhen\\s+others\\M|\\mdblink|\\mcopy\\M|\\mlisten\\M|\\mnotify\\M')""",
    "a function in a language other than SQL and PL/pgSQL": """
        select p.oid::regprocedure, l.lanname from pg_proc p join pg_language l on l.oid = p.prolang
         where p.pronamespace = 'pkgdb'::regnamespace and l.lanname not in ('sql', 'plpgsql')""",
    "an advisory lock or a clock outside of their one place": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace
           and (p.prosrc ~ 'pg_(try_)?advisory' and p.proname !~ '^lock_(keys|repository_key)$'
                or coalesce(p.prosrc, '') || coalesce(pg_get_function_sqlbody(p.oid), '')
                   ~* ('\\m(now|(clock|statement|transaction)_timestamp|timeofday)\\('
                       '|current_timestamp|localtimestamp|current_date')
                   and p.proname <> 'clock')""",
    "a session-level advisory lock": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace
           and p.prosrc ~ 'pg_(try_)?advisory_(un)?lock'""",
    "a volatile function that only reads": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.provolatile = 'v'
           and p.prosrc !~* '\\m(insert|update|delete)\\M|advisory|\\mfor (key )?(share|update)\\M'
           and not exists (
                select from pg_proc other
                 where other.pronamespace = p.pronamespace and other.provolatile = 'v'
                   and p.prosrc ~ ('pkgdb\\.' || other.proname || '\\('))
           and p.proname <> 'clock'""",
    "a stable or immutable function that calls a volatile one": """
        select p.oid::regprocedure, other.proname from pg_proc p
          join pg_proc other on other.pronamespace = p.pronamespace and other.provolatile = 'v'
         where p.pronamespace = 'pkgdb'::regnamespace and p.provolatile <> 'v'
           and coalesce(p.prosrc, '') || coalesce(pg_get_function_sqlbody(p.oid), '')
               ~ ('pkgdb\\.' || other.proname || '\\(')""",
    "an immutable function that calls a stable one or reads a table": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.provolatile = 'i'
           and (exists (
                select from pg_proc other
                 where other.pronamespace = p.pronamespace and other.provolatile = 's'
                   and coalesce(p.prosrc, '') || coalesce(pg_get_function_sqlbody(p.oid), '')
                       ~ ('pkgdb\\.' || other.proname || '\\('))
                or exists (
                select from pg_class c
                 where c.relnamespace = p.pronamespace and c.relkind = 'r'
                   and p.prosrc ~* (
                        '\\m(from|join|into|update)\\s+pkgdb\\.' || c.relname || '\\M')))""",
    # One that catches an error begins a subtransaction, which a parallel worker may not; nor may
    # whoever calls one.
    "an immutable function that is not parallel safe": """
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.provolatile = 'i'
           and (p.proparallel <> 's') <> (
                p.prosrc ~ '\\mexception\\s+when\\M' or exists (
                select from pg_proc other
                 where other.pronamespace = p.pronamespace and other.proparallel <> 's'
                   and coalesce(p.prosrc, '') || coalesce(pg_get_function_sqlbody(p.oid), '')
                       ~ ('pkgdb\\.' || other.proname || '\\(')))""",
    "a constraint or index with a name of another pattern": """
        select c.conname from pg_constraint c
          join pg_class t on t.oid = c.conrelid
         where c.connamespace = 'pkgdb'::regnamespace and c.contype <> 'n'
           and t.relname <> 'alembic_version'
           and c.conname !~ ('^' || t.relname || case c.contype
                when 'p' then '_pkey$' when 'f' then '_[a-z0-9_]+_fkey$'
                when 'u' then '_[a-z0-9_]+_key$' when 'c' then '_[a-z0-9_]+_check$' end)
        union all
        select i.relname from pg_index x
          join pg_class i on i.oid = x.indexrelid
          join pg_class t on t.oid = x.indrelid
         where t.relnamespace = 'pkgdb'::regnamespace and t.relname <> 'alembic_version'
           and i.relname !~ ('^' || t.relname || case when x.indisprimary then '_pkey$'
                when x.indisunique then '_[a-z0-9_]+_key$' else '_[a-z0-9_]+_idx$' end)""",
    "a time without zone, a bounded or blank-padded text, a float, json": """
        select a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod)
          from pg_attribute a join pg_class c on c.oid = a.attrelid
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('r', 'v', 'c')
           and c.relname <> 'alembic_version' and a.attnum > 0 and not a.attisdropped
           and a.atttypid in ('timestamp'::regtype, 'timetz'::regtype, 'varchar'::regtype,
                              'bpchar'::regtype, 'real'::regtype, 'double precision'::regtype,
                              'json'::regtype, 'money'::regtype)""",
    "a reader's view without a barrier": """
        select c.oid::regclass from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'v'
           and has_table_privilege('pkgdb_reader', c.oid, 'select')
           and not coalesce(c.reloptions @> array['security_barrier=true'], false)""",
    "a view that shows the domain, which clients do not know": """
        select a.attrelid::regclass, a.attname from pg_attribute a
          join pg_class c on c.oid = a.attrelid
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'v'
           and a.atttypid = 'pkgdb.string'::regtype""",
    "a live state that an index names negatively": """
        select i.indexrelid::regclass from pg_index i join pg_class c on c.oid = i.indrelid
         where c.relnamespace = 'pkgdb'::regnamespace
           and pg_get_expr(i.indpred, i.indrelid) ~* 'status <>|status !=|not \\(status'""",
    "an unlogged or partitioned table, row security, inheritance": """
        select c.oid::regclass from pg_class c
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('r', 'p')
           and (c.relpersistence <> 'p' or c.relkind = 'p' or c.relrowsecurity
                or c.relhassubclass)""",
    "a foreign key that acts by itself, is deferrable or not validated": """
        select c.conname from pg_constraint c
         where c.connamespace = 'pkgdb'::regnamespace
           and (c.confupdtype not in ('a', ' ') or c.confdeltype not in ('a', ' ')
                or c.condeferrable or not c.convalidated)""",
}
COMMON = ["p_namespace", "p_repository", "p_ecosystem", "p_name", "p_version", "p_variant"]
COMMON += ["p_if_revision", "p_request_key", "p_actor"]
# What these execute is put together of fixed texts; all that a query says is in its parameters.
DYNAMIC = ["match_members", "filter_staged"]


@pytest.mark.parametrize("lint", LINTS)
def test_there_is_not(db: psycopg.Connection[Any], lint: str) -> None:
    params = {
        "reference_tables": REFERENCE_TABLES,
        "common": COMMON,
        "exclusive": EXCLUSIVE,
        "dynamic": DYNAMIC,
    }
    offenders = db.execute(LINTS[lint], params).fetchall()
    assert offenders == []


def test_reference_tables_are_what_they_say(db: psycopg.Connection[Any]) -> None:
    """No function writes to them: the exemption from indexes rests on that."""
    writers = db.execute(
        """select p.oid::regprocedure from pg_proc p
            cross join unnest(%s::text[]) t (name)
            where p.pronamespace = 'pkgdb'::regnamespace
              and p.prosrc ~* ('\\m(insert into|update|delete from)\\s+pkgdb\\.' || t.name || '\\M')
        """,
        [REFERENCE_TABLES],
    ).fetchall()
    assert writers == []


# What takes a repository for itself: RG422 where the transaction holds it shared.
EXCLUSIVE = (
    r"lock_repository\(p_namespace, p_repository, true\)|repository_lock\([\w., ]+, true\)"
    r"|lock_repositories\(|lock_update\(p_namespace, p_update_id, true\)"
)


def raised_by(db: psycopg.Connection[Any]) -> dict[str, set[str]]:
    """From each function to the SQLSTATEs that it, or what it calls, may raise."""
    sources = {
        name: re.sub(r"--[^\n]*", "", source)
        for name, source in db.execute("""
            select proname, coalesce(prosrc, '') || coalesce(pg_get_function_sqlbody(oid), '')
              from pg_proc where pronamespace = 'pkgdb'::regnamespace""")
    }
    raised = {
        name: set(re.findall(r"errcode = '(RG\d+)'", source)) for name, source in sources.items()
    }
    # A request key used for another call: what it is to repeat a call is said once, in errors.md.
    raised["begin_request"].remove("RG409")
    # How a dry run ends the block that it undoes: caught where it is raised.
    for name, source in sources.items():
        if "when sqlstate 'RG001'" in source:
            raised[name].remove("RG001")
    # Only those that take the repository for themselves come here.
    raised["lock_repository_key"].remove("RG422")
    for name, source in sources.items():
        if re.search(EXCLUSIVE, source):
            raised[name].add("RG422")
    calls = {
        name: {called for called in re.findall(r"(?:pkgdb\.)?(\w+)\(", source) if called in sources}
        for name, source in sources.items()
    }
    while True:
        more = {
            name: raised[name].union(*(raised[called] for called in calls[name]))
            for name in sources
        }
        if more == raised:
            return raised
        raised = more


CANNOT_COME = {
    ("check_integrity", "RG400"): "what is stored was checked",
    ("commit_publication", "RG410"): "its files were let in when it began",
    ("repair_latest", "RG412"): "it has no p_if_revision",
}


def test_comments_name_the_errors(db: psycopg.Connection[Any]) -> None:
    """A comment names no error that cannot come, and every one that can."""
    raised = raised_by(db)
    comments = dict(
        db.execute(PUBLIC + "select proname, obj_description(oid, 'pg_proc') from public_function")
    )
    assert len(comments) >= 30
    wrong = {}
    for name, comment in comments.items():
        errors = comment.partition("Errors:")[2]
        if "those of publish" in errors:
            errors += comments["publish"].replace("RG412", "")  # it has no p_if_revision
        said = set(re.findall(r"RG\d{3}", errors))
        can = {state for state in raised[name] if (name, state) not in CANNOT_COME}
        if said != can:
            wrong[name] = f"leaves out {sorted(can - said)}, cannot be {sorted(said - can)}"
    assert wrong == {}
