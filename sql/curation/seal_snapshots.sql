-- Notes the digests of new snapshots, so that check_integrity notices whatever changes them.
create function pkgdb.seal_snapshots(p_namespace pkgdb.string, p_limit integer default 10)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_snapshot pkgdb.snapshot;
    v_sealed   bigint := 0;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_limit is null or p_limit not between 1 and 1000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 1000';
    end if;
    for v_snapshot in
        select s.*
          from pkgdb.snapshot s
         where s.namespace = p_namespace and s.digest is null
         order by s.snapshot_id
         limit p_limit
           for no key update skip locked
    loop
        update pkgdb.snapshot s
           set digest = pkgdb.listing_digest(v_snapshot)
         where s.namespace = p_namespace and s.snapshot_id = v_snapshot.snapshot_id;
        v_sealed := v_sealed + 1;
    end loop;
    return v_sealed;
end;
$$;
comment on function pkgdb.seal_snapshots is
    'Notes the digest of at most p_limit snapshots that have none yet, and returns how many; '
    'check_integrity compares from then on. Reads all that they contain. Errors: RG400 malformed '
    'argument, RG405 isolation level.';
grant execute on function pkgdb.seal_snapshots to pkgdb_operator;
