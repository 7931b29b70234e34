"""Functions: others in their place, one argument more, one result more, a new one.

Real revisions run frozen files; these edit what there is.
"""

from pkgdb.migrate import as_owner, execute

revision = "next_2"
down_revision = "next_1"
branch_labels = None
depends_on = None

# A type's new attribute comes last, and whatever makes a value of it is replaced with it.
RESULT = """
    alter type pkgdb.version_ref add attribute note text;
    do $$
    declare
        v_definition text;
    begin
        for v_definition in
            select replace(pg_get_functiondef(p.oid),
                           ')::pkgdb.version_ref', ', null)::pkgdb.version_ref')
              from pg_proc p
             where p.pronamespace = 'pkgdb'::regnamespace
               and p.prosrc like '%)::pkgdb.version_ref%'
        loop
            execute v_definition;
        end loop;
    end $$;
"""
BODY = """
    do $$
    begin
        execute replace(pg_get_functiondef('pkgdb.publish'::regproc),
                        'return v_result;', 'v_result.note := ''new''; return v_result;');
    end $$;
"""
# A new argument has a default. The function of the old list goes in the same transaction: beside
# the new one it would make calls ambiguous.
ARGUMENT = """
    do $$
    declare
        v_definition text := pg_get_functiondef('pkgdb.yank'::regproc);
        v_comment    text := obj_description('pkgdb.yank'::regproc, 'pg_proc');
    begin
        drop function pkgdb.yank;
        execute replace(v_definition, E')\\n RETURNS',
                        E', p_note pkgdb.string default null)\\n RETURNS');
        execute format('comment on function pkgdb.yank is %L', v_comment);
        grant execute on function pkgdb.yank to pkgdb_publisher;
    end $$;
"""
FUNCTION = """
    create function pkgdb.note_package(
        p_namespace pkgdb.string, p_registration_id bigint, p_note text
    )
    returns void
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
    as $$
        insert into pkgdb.registration_note values (p_namespace, p_registration_id, p_note);
    $$;
    grant execute on function pkgdb.note_package to pkgdb_publisher;
"""


def upgrade() -> None:
    with as_owner():
        execute(RESULT + BODY + ARGUMENT + FUNCTION)


def downgrade() -> None:
    pass
