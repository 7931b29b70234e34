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
    v_due bigint;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_limit is null or p_limit not between 1 and 1000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 1000';
    end if;
    perform pkgdb.check_lease(p_lease);
    v_now := pkgdb.clock();

    -- Lock order: backends, blobs, copies. So what is missing is announced first, as far as needed.
    loop
        select count(*) into v_due
          from (select
                  from pkgdb.backend b
                  cross join lateral (
                       select
                         from pkgdb.blob_copy p
                        where p.namespace = p_namespace and p.backend_id = b.backend_id
                          and p.state = 'pending' and p.next_attempt_at <= v_now
                        limit p_limit) c
                 where b.namespace = p_namespace and b.status = 'live'
                 limit p_limit) d;
        exit when v_due >= p_limit or not pkgdb.announce_filling(p_namespace, v_now);
    end loop;

    -- Along the index of each backend. What nobody wants yet, or nobody has, makes room for others.
    return query
    with candidate as materialized (
        select c.sha256, c.backend_id, c.generation
          from pkgdb.backend b
          cross join lateral (
               select p.sha256, p.backend_id, p.generation
                 from pkgdb.blob_copy p
                where p.namespace = p_namespace and p.backend_id = b.backend_id
                  and p.state = 'pending' and p.next_attempt_at <= v_now
                order by p.next_attempt_at
                limit p_limit
                  for update skip locked) c
         where b.namespace = p_namespace and b.status = 'live'
         limit p_limit
    ), due as materialized (
        select c.sha256, c.backend_id, c.generation, s.url as source_url,
               pkgdb.object_key(p_namespace, c.sha256, s.generation) as source_key
          from candidate c
          cross join lateral (
               select sb.url, sc.generation
                 from pkgdb.blob_copy sc
                 join pkgdb.backend sb
                   on sb.namespace = p_namespace and sb.backend_id = sc.backend_id
                where sc.namespace = p_namespace and sc.sha256 = c.sha256
                  and sc.state = 'present' and sb.status = 'live'
                order by sc.verified_at desc nulls last
                limit 1) s
         where pkgdb.is_wanted(p_namespace, c.sha256, c.backend_id)
    ), postponed as (
        update pkgdb.blob_copy c
           set next_attempt_at = v_now + interval '5 minutes'
          from candidate d
         where c.namespace = p_namespace and c.sha256 = d.sha256
           and c.backend_id = d.backend_id and c.generation = d.generation
           and not exists (select from due u where u.generation = d.generation)
    )
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

-- Announces what a backend being filled lacks of the next packages; false where nothing is left.
-- Each package is looked at once: what comes later is refused unless its bytes are there. What was
-- seen before the rows were held is looked at again: a blob may be needed no longer.
create function pkgdb.announce_filling(p_namespace text, p_now timestamptz)
returns boolean
language plpgsql
as $$
declare
    v_filling       pkgdb.repository_backend;
    v_registrations bigint[];
    v_digests       bytea[];
begin
    select * into v_filling
      from pkgdb.repository_backend k
     where k.namespace = p_namespace and k.requirement = 'filling'
       and exists (
            select from pkgdb.registration r
             where r.namespace = p_namespace and r.repository_id = k.repository_id
               and r.registration_id > k.announced_to)
     order by k.repository_id, k.backend_id
     limit 1
       for update skip locked;
    if not found then
        return false;
    end if;
    v_registrations := array(
        select r.registration_id
          from pkgdb.registration r
         where r.namespace = p_namespace and r.repository_id = v_filling.repository_id
           and r.registration_id > v_filling.announced_to
         order by r.registration_id
         limit 100);
    v_digests := array(
        select distinct f.sha256
          from unnest(v_registrations) r (registration_id)
          join pkgdb.file f
            on f.namespace = p_namespace and f.registration_id = r.registration_id
           and f.status in ('available', 'pending_destruction'));

    -- Lock order: backends, blobs, copies.
    perform from pkgdb.backend b
      where b.namespace = p_namespace and b.backend_id = v_filling.backend_id
        for key share;
    perform from pkgdb.blob b
      where b.namespace = p_namespace and b.sha256 = any (v_digests)
      order by b.sha256
        for key share;
    insert into pkgdb.blob_copy
        (namespace, sha256, backend_id, state, next_attempt_at, created_at)
    select p_namespace, d.sha256, v_filling.backend_id, 'pending', p_now, p_now
      from unnest(v_digests) d (sha256)
     where pkgdb.is_wanted(p_namespace, d.sha256, v_filling.backend_id)
     order by d.sha256
    on conflict (namespace, sha256, backend_id) where state in ('pending', 'present') do nothing;
    update pkgdb.repository_backend k
       set announced_to = (select max(r.registration_id)
                             from unnest(v_registrations) r (registration_id))
     where k.namespace = p_namespace and k.repository_id = v_filling.repository_id
       and k.backend_id = v_filling.backend_id;
    return true;
end;
$$;
