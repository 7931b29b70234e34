-- Backends that have been filled are required from here on.
create function pkgdb.promote_backends(p_namespace pkgdb.string)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_nestloop = off  -- whole repositories are compared, whatever the statistics say
set jit = off
as $$
declare
    v_candidates bigint[];
    v_locks      pkgdb.lock_key[];
    v_filling    pkgdb.repository_backend;
    v_repository pkgdb.repository;
    v_promoted   bigint := 0;
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    select array_agg(k.repository_id),
           array_agg(pkgdb.repository_lock(p_namespace, k.repository_id, true))
      into v_candidates, v_locks
      from pkgdb.repository_backend k
     where k.namespace = p_namespace and k.requirement = 'filling'
       and pkgdb.is_filled(p_namespace, k.repository_id, k.backend_id);
    perform pkgdb.lock_keys(variadic coalesce(v_locks, '{}'));

    -- Read again: until here versions could be restored whose bytes are elsewhere.
    for v_filling in
        select k.*
          from pkgdb.repository_backend k
         where k.namespace = p_namespace and k.repository_id = any (v_candidates)
           and k.requirement = 'filling'
           and pkgdb.is_filled(p_namespace, k.repository_id, k.backend_id)
         order by k.repository_id, k.backend_id
    loop
        update pkgdb.repository_backend k
           set requirement = 'required'
         where k.namespace = p_namespace and k.repository_id = v_filling.repository_id
           and k.backend_id = v_filling.backend_id;
        select * into strict v_repository
          from pkgdb.repository r
         where r.namespace = p_namespace and r.repository_id = v_filling.repository_id;
        perform pkgdb.touch_repository(v_repository, 'altered', null);
        v_promoted := v_promoted + 1;
    end loop;
    return v_promoted;
end;
$$;
comment on function pkgdb.promote_backends is
    'Turns backends that are filling and hold every blob of their repository into required ones; '
    'returns how many. Takes such repositories for itself, waiting at most 10 seconds. Errors: '
    'RG400 malformed argument, RG405 isolation level, RG422 lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.promote_backends to pkgdb_operator;
