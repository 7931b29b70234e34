-- Which server, database and history this is.

-- Another text after a dump and restore, a point-in-time restore, a fail-over or a clone that went
-- its own way; the same after a restart.
create function pkgdb.server_identity()
returns text
language plpgsql
stable
as $$
begin
    return format(
        '%s/%s/%s',
        (select c.system_identifier from pg_control_system() c),
        (select d.oid from pg_database d where d.datname = current_database()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8));  -- the timeline
end;
$$;
