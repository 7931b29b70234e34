-- Frees the slots of publications whose lease has ended, so that no crash holds a version for ever.
create function pkgdb.expire_publications(p_namespace pkgdb.string, p_limit integer default 1000)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_locks        pkgdb.lock_key[];
    v_candidates   bigint[];
    v_now          timestamptz;
    v_version      pkgdb.package_version;
    v_registration pkgdb.registration;
    v_expired      bigint := 0;
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    -- Each takes a lock of its own, and the table of locks is finite.
    if p_limit is null or p_limit not between 1 and 1000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 1000';
    end if;

    v_now := pkgdb.clock();
    select array_agg(c.version_id),
           array_agg(pkgdb.registration_lock(
               p_namespace, r.scope_id, r.ecosystem, r.normalized_name))
           || array_agg(pkgdb.repository_lock(p_namespace, r.repository_id))
      into v_candidates, v_locks
      from (select v.registration_id, v.version_id
              from pkgdb.package_version v
             where v.namespace = p_namespace and v.status = 'processing'
               and v.lease_until < v_now
             order by v.lease_until
             limit p_limit) c
      join pkgdb.registration r
        on r.namespace = p_namespace and r.registration_id = c.registration_id;
    perform pkgdb.lock_keys(variadic coalesce(v_locks, '{}'));

    -- Read again: meanwhile a publication may have been renewed, committed or aborted.
    v_now := pkgdb.clock();
    for v_version in
        select v.*
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.version_id = any (v_candidates)
           and v.status = 'processing' and v.lease_until < v_now
         order by v.registration_id, v.version_id
    loop
        select * into strict v_registration
          from pkgdb.registration r
         where r.namespace = p_namespace and r.registration_id = v_version.registration_id;
        update pkgdb.file f
           set status = 'failed', removed_at = v_now
         where f.namespace = p_namespace and f.registration_id = v_version.registration_id
           and f.version_id = v_version.version_id and f.status = 'processing';
        update pkgdb.package_version v
           set status = 'failed', lease_until = null, removed_at = v_now
         where v.namespace = p_namespace and v.registration_id = v_version.registration_id
           and v.version_id = v_version.version_id;
        perform pkgdb.touch(v_registration, v_version, 'expired', null);
        v_expired := v_expired + 1;
    end loop;
    return v_expired;
end;
$$;
comment on function pkgdb.expire_publications is
    'Frees the slots of versions in state processing whose lease has ended, at most p_limit per '
    'call. Returns how many. Errors: RG400 malformed argument, RG405 isolation level.';
grant execute on function pkgdb.expire_publications to pkgdb_operator;
