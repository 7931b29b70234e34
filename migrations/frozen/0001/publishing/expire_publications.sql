-- Ends publications whose lease has ended, so that no crash holds a version for ever.
create function pkgdb.expire_publications(p_namespace pkgdb.string, p_limit integer default 1000)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_locks       pkgdb.lock_key[];
    v_candidates  bigint[];
    v_now         timestamptz;
    v_publication pkgdb.publication;
    v_unneeded    bytea[] := array[]::bytea[];
    v_expired     bigint := 0;
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    -- Each takes a lock of its own, and the table of locks is finite.
    if p_limit is null or p_limit not between 1 and 1000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 1000';
    end if;

    v_now := pkgdb.clock();
    select array_agg(c.publication_id),
           array_agg(pkgdb.registration_lock(
               p_namespace, r.scope_id, r.ecosystem, r.normalized_name))
           || array_agg(pkgdb.repository_lock(p_namespace, r.repository_id))
      into v_candidates, v_locks
      from (select p.publication_id, p.registration_id
              from pkgdb.publication p
             where p.namespace = p_namespace and p.status = 'open' and p.lease_until < v_now
             order by p.lease_until
             limit p_limit) c
      join pkgdb.registration r
        on r.namespace = p_namespace and r.registration_id = c.registration_id;
    perform pkgdb.lock_keys(variadic coalesce(v_locks, '{}'));

    -- Read again: meanwhile one may have been renewed, committed or aborted.
    v_now := pkgdb.clock();
    for v_publication in
        select p.*
          from pkgdb.publication p
         where p.namespace = p_namespace and p.publication_id = any (v_candidates)
           and p.status = 'open' and p.lease_until < v_now
         order by p.publication_id
    loop
        perform pkgdb.end_publication(v_publication, 'expired', 'its lease ended');
        perform pkgdb.free_slot(
            p_namespace, v_publication.registration_id, v_publication.version_id);
        v_unneeded := v_unneeded
            || pkgdb.forget_unpublished(p_namespace, v_publication.registration_id);
        v_expired := v_expired + 1;
    end loop;
    perform pkgdb.mark_unneeded(p_namespace, v_unneeded);
    return v_expired;
end;
$$;
comment on function pkgdb.expire_publications is
    'Ends open publications whose lease has ended, at most p_limit per call, and frees the slots '
    'of versions that no other fills. Returns how many. Errors: RG400 malformed argument, RG405 '
    'isolation level.';
grant execute on function pkgdb.expire_publications to pkgdb_operator;
