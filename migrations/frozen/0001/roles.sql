-- The four roles, created if absent. Roles belong to the cluster: a second database reuses them,
-- and two databases may be installed at the same moment, so losing the race to create one is a
-- success. Needs CREATEROLE (or the roles to exist already and pkgdb_owner to be granted); no
-- superuser.
do $$
declare
    v_role text;
begin
    foreach v_role in array array[
        'pkgdb_owner', 'pkgdb_reader', 'pkgdb_publisher', 'pkgdb_operator']
    loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
            begin
                execute pg_catalog.format('create role %I nologin', v_role);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;

    -- The installer acts as pkgdb_owner to create objects. PostgreSQL 16 and newer give the creator
    -- of a role ADMIN but not SET or INHERIT, so membership is granted explicitly.
    if not pg_catalog.pg_has_role(current_user, 'pkgdb_owner', 'usage') then
        begin
            execute pg_catalog.format('grant pkgdb_owner to %I', current_user);
        exception when unique_violation then
            null;
        end;
    end if;

    -- Each role may do what the one before it may.
    if not pg_catalog.pg_has_role('pkgdb_publisher', 'pkgdb_reader', 'usage') then
        begin
            grant pkgdb_reader to pkgdb_publisher;
        exception when unique_violation then
            null;
        end;
    end if;
    if not pg_catalog.pg_has_role('pkgdb_operator', 'pkgdb_publisher', 'usage') then
        begin
            grant pkgdb_publisher to pkgdb_operator;
        exception when unique_violation then
            null;
        end;
    end if;
end;
$$;
