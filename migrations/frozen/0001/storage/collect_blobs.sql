-- The first of the collector's two steps: takes what nothing needs, and says which objects to
-- delete. The second is confirm_blob_deleted.
create function pkgdb.collect_blobs(
    p_namespace pkgdb.string, p_backend pkgdb.string default null,
    p_installation_id uuid default null, p_limit integer default 100,
    p_grace interval default '0', p_lease interval default '5 minutes'
)
returns setof pkgdb.copy_task
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan  -- whatever the statistics say of one namespace
set enable_seqscan = off
set enable_hashjoin = off  -- a few blobs are looked up, and never the whole ledger read
set enable_mergejoin = off
set jit = off
as $$
declare
    v_backend  pkgdb.backend;
    v_now      timestamptz;
    v_digests  bytea[];
    v_unneeded bytea[];
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_limit is null or p_limit not between 1 and 1000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 1000';
    end if;
    if p_grace is null or p_grace not between interval '0' and interval '1000 years' then
        raise exception using errcode = 'RG400', message = 'grace must be 0 to 1000 years';
    end if;
    perform pkgdb.check_lease(p_lease);
    if p_backend is not null then
        v_backend := pkgdb.check_installation(p_namespace, p_backend, p_installation_id);
    end if;
    v_now := pkgdb.clock();

    -- Claim first, look in the next statement: whoever adopts a blob holds its row, so that one
    -- which nobody refers to now has no reference until we commit.
    v_digests := array(
        select b.sha256
          from pkgdb.blob b
         where b.namespace = p_namespace and b.unneeded_since <= v_now - p_grace
         order by b.unneeded_since
         limit p_limit
           for update skip locked);
    v_unneeded := array(
        select d.sha256
          from unnest(v_digests) d (sha256)
         where not exists (
            select from pkgdb.file f
             where f.namespace = p_namespace and f.sha256 = d.sha256)
           and not exists (
            select from pkgdb.mirror_file f
             where f.namespace = p_namespace and f.sha256 = d.sha256));
    perform from pkgdb.blob_copy c
      where c.namespace = p_namespace and c.sha256 = any (v_unneeded)
      order by c.sha256, c.backend_id, c.generation
        for update;
    update pkgdb.blob_copy c
       set state = 'deleting', next_attempt_at = v_now
     where c.namespace = p_namespace and c.sha256 = any (v_unneeded) and c.state <> 'deleting';
    delete from pkgdb.blob b
     where b.namespace = p_namespace and b.sha256 = any (v_unneeded)
       and not exists (
            select from pkgdb.blob_copy c
             where c.namespace = p_namespace and c.sha256 = b.sha256);
    update pkgdb.blob b
       set unneeded_since = null
     where b.namespace = p_namespace and b.sha256 = any (v_digests);

    if p_backend is null then
        return query
        select null::text, null::text, null::text, encode(d.sha256, 'hex'), null::bigint,
               null::bigint, null::integer, null::text, null::text
          from unnest(v_unneeded) d (sha256);
        return;
    end if;
    return query
    with due as materialized (
        select c.sha256, c.backend_id, c.generation
          from pkgdb.blob_copy c
         where c.namespace = p_namespace and c.backend_id = v_backend.backend_id
           and c.state = 'deleting' and c.next_attempt_at <= v_now
           -- Whatever made it unneeded: the last copy of what a file refers to stays.
           and (c.present_at is null
                or not pkgdb.is_last_copy(p_namespace, c.sha256, c.generation))
         order by c.next_attempt_at
         limit p_limit
           for update skip locked)
    update pkgdb.blob_copy c
       set attempts = c.attempts + 1, next_attempt_at = v_now + p_lease
      from due d
      join pkgdb.backend b on b.namespace = p_namespace and b.backend_id = d.backend_id
      join pkgdb.blob o on o.namespace = p_namespace and o.sha256 = d.sha256
     where c.namespace = p_namespace and c.sha256 = d.sha256 and c.backend_id = d.backend_id
       and c.generation = d.generation
    returning b.name::text, b.url, pkgdb.object_key(p_namespace, c.sha256, c.generation),
              encode(c.sha256, 'hex'), o.size, c.generation, c.attempts, null::text, null::text;
end;
$$;
comment on function pkgdb.collect_blobs is
    'Takes at most p_limit blobs that no file has referred to for p_grace, and hands out at most '
    'p_limit objects of one backend to be deleted: each is then reported with '
    'confirm_blob_deleted or record_copy_failure; what is not reported by the end of p_lease is '
    'handed out again. '
    'p_installation_id is what the store itself says. Without a backend it only takes blobs, and '
    'returns their digests, with nothing to delete. Several collectors share the work. The last '
    'copy of what a file refers to is never handed out. Errors: RG400 malformed argument, RG404 no '
    'such backend, RG405 isolation level, RG412 the store belongs to another installation, RG422 '
    'the database was restored or moved since (adopt_backend).';
grant execute on function pkgdb.collect_blobs to pkgdb_operator;

-- The backend of a name, live or retired, whose store says that it belongs to this database. A
-- restored clone must not delete what the original needs.
create function pkgdb.check_installation(
    p_namespace text, p_backend text, p_installation_id uuid
)
returns pkgdb.backend
language plpgsql
stable
as $$
declare
    v_backend  pkgdb.backend;
    v_identity text := pkgdb.server_identity();
begin
    select * into v_backend
      from pkgdb.backend b
     where b.namespace = p_namespace and b.name = p_backend;
    if not found then
        perform pkgdb.no_backend(p_namespace, p_backend);
    end if;
    if v_backend.installation_id is distinct from p_installation_id then
        raise exception using
            errcode = 'RG412',
            message = format('the store of backend %s belongs to another installation',
                             pkgdb.quoted(p_backend)),
            hint = 'Where this database has taken over, say so with adopt_backend.';
    end if;
    if v_backend.server_identity <> v_identity then
        raise exception using
            errcode = 'RG422',
            message = format('this database is not where backend %s was added: it was restored, '
                             'cloned or moved', pkgdb.quoted(p_backend)),
            hint = 'Where the original is gone, take over with adopt_backend.';
    end if;
    return v_backend;
end;
$$;
