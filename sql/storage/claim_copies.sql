-- Hands out copies that have to be made from another backend: of blobs that were lost, that a
-- backend being filled does not have yet, or that an optional upload did not bring.
create function pkgdb.claim_copies(
    p_namespace pkgdb.string, p_limit integer default 100, p_lease interval default '5 minutes'
)
returns setof pkgdb.copy_task
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan  -- whatever the statistics say of one namespace
set enable_seqscan = off
set jit = off
as $$
declare
    v_now timestamptz;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_limit is null or p_limit not between 1 and 1000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 1000';
    end if;
    perform pkgdb.check_lease(p_lease);
    v_now := pkgdb.clock();

    perform pkgdb.announce_fillings(p_namespace, p_limit);
    return query
    with due as materialized (
        select c.sha256, c.backend_id, c.generation, s.url as source_url,
               pkgdb.object_key(p_namespace, c.sha256, s.generation) as source_key
          from pkgdb.backend b
          join pkgdb.blob_copy c
            on c.namespace = p_namespace and c.backend_id = b.backend_id
           and c.state = 'pending'
          cross join lateral (
               select sb.url, sc.generation
                 from pkgdb.blob_copy sc
                 join pkgdb.backend sb
                   on sb.namespace = p_namespace and sb.backend_id = sc.backend_id
                where sc.namespace = p_namespace and sc.sha256 = c.sha256
                  and sc.state = 'present' and sb.status = 'live'
                order by sc.verified_at desc nulls last
                limit 1) s
         where b.namespace = p_namespace and b.status = 'live'
           and (c.next_attempt_at is null or c.next_attempt_at <= v_now)
           and pkgdb.is_wanted(p_namespace, c.sha256, c.backend_id)
         order by c.next_attempt_at nulls first, c.generation
         limit p_limit
           for update of c skip locked)
    update pkgdb.blob_copy c
       set attempts = c.attempts + 1, next_attempt_at = v_now + p_lease
      from due d
      join pkgdb.backend b on b.namespace = p_namespace and b.backend_id = d.backend_id
      join pkgdb.blob o on o.namespace = p_namespace and o.sha256 = d.sha256
     where c.namespace = p_namespace and c.sha256 = d.sha256 and c.backend_id = d.backend_id
       and c.generation = d.generation
    returning b.name::text, b.url, pkgdb.object_key(p_namespace, c.sha256, c.generation),
              encode(c.sha256, 'hex'), o.size, c.generation, c.attempts, d.source_url,
              d.source_key;
end;
$$;
comment on function pkgdb.claim_copies is
    'Hands out at most p_limit copies to be made, each with a source that has the bytes: lost '
    'ones, those that a backend being filled lacks, and optional ones that their publisher did '
    'not bring. Copy source_key of source_url to object_key of url, then call verify_copy with '
    'the digest seen, or record_copy_failure; what is not answered by the end of p_lease is '
    'handed out again. Several workers share the work. Errors: RG400 malformed argument, RG405 '
    'isolation level.';
grant execute on function pkgdb.claim_copies to pkgdb_operator;

-- Announces what backends being filled lack, bit by bit. What was seen before the rows were held is
-- looked at again: a backend may have been retired, a blob be needed no longer.
create function pkgdb.announce_fillings(p_namespace text, p_limit integer)
returns void
language plpgsql
as $$
declare
    v_now      timestamptz := pkgdb.clock();
    v_digests  bytea[];
    v_backends bigint[];
begin
    select array_agg(m.sha256), array_agg(m.backend_id) into v_digests, v_backends
      from (select distinct f.sha256, k.backend_id
              from pkgdb.repository_backend k
              join pkgdb.registration r
                on r.namespace = p_namespace and r.repository_id = k.repository_id
              join pkgdb.file f
                on f.namespace = p_namespace and f.registration_id = r.registration_id
               and f.status in ('available', 'pending_destruction')
             where k.namespace = p_namespace and k.requirement = 'filling'
               and not exists (
                    select from pkgdb.blob_copy c
                     where c.namespace = p_namespace and c.sha256 = f.sha256
                       and c.backend_id = k.backend_id and c.state in ('pending', 'present'))
             limit p_limit) m;

    -- Lock order: backends, blobs, copies.
    perform from pkgdb.backend b
      where b.namespace = p_namespace and b.backend_id = any (v_backends)
      order by b.backend_id
        for key share;
    perform from pkgdb.blob b
      where b.namespace = p_namespace and b.sha256 = any (v_digests)
      order by b.sha256
        for key share;
    insert into pkgdb.blob_copy (namespace, sha256, backend_id, state, created_at)
    select p_namespace, m.sha256, m.backend_id, 'pending', v_now
      from unnest(v_digests, v_backends) m (sha256, backend_id)
     where pkgdb.is_wanted(p_namespace, m.sha256, m.backend_id)
     order by m.sha256, m.backend_id
    on conflict (namespace, sha256, backend_id) where state in ('pending', 'present') do nothing;
end;
$$;
