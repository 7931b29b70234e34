-- The schema, owned by a role that nobody logs in as. From here to the end of the transaction the
-- installer acts as that role, so that every object below belongs to it.
do $$
begin
    if not exists (select from pg_catalog.pg_namespace where nspname = 'pkgdb') then
        create schema pkgdb authorization pkgdb_owner;
    end if;
end;
$$;

set local role pkgdb_owner;
-- How texts are read below, whatever the installer's session says. A function's body in $$ is read
-- in its caller's session, and has no backslash in a plain text.
set local standard_conforming_strings = on;

comment on schema pkgdb is
    'State of package registries. Call the functions; read the views; tables are private.';

-- Nothing is executable by PUBLIC: each function file grants what it must.
alter default privileges for role pkgdb_owner revoke execute on functions from public;

grant usage on schema pkgdb to pkgdb_reader;

-- Every indexed text column: byte order, so that a change of the C library's collations cannot
-- corrupt a unique index, and comparing never depends on the database's locale.
create domain pkgdb.string as text collate "C";
comment on domain pkgdb.string is
    'Text that is indexed or compared: collation "C" whatever the database''s own.';
