-- The copies that an update still has to bring.
create function pkgdb.missing_mirror_copies(
    p_namespace pkgdb.string, p_update_id bigint, p_fence bigint, p_limit integer default 1000
)
returns setof pkgdb.mirror_copy
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_locked pkgdb.locked_update;
    v_wanted bytea[];
begin
    if p_limit is null or p_limit not between 1 and 10000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 10000';
    end if;
    v_locked := pkgdb.lock_update(p_namespace, p_update_id);
    perform pkgdb.check_update(v_locked.mirror_update, p_fence);
    if not exists (
        select from pkgdb.repository_backend k
         where k.namespace = p_namespace
           and k.repository_id = (v_locked.repository).repository_id)
    then
        return;
    end if;
    perform pkgdb.filter_update(v_locked.mirror_update);
    v_wanted := pkgdb.wanted_digests(v_locked);
    perform pkgdb.stage_files(v_locked);
    -- What was there when it was asked for before may have been lost since.
    perform pkgdb.announce_copies(v_locked.repository, v_wanted);

    return query
    select c.backend, c.url, pkgdb.object_key(p_namespace, c.sha256, c.generation),
           encode(c.sha256, 'hex'), c.size, c.generation, c.requirement, f.path
      from pkgdb.missing_copies(v_locked.repository, v_wanted) c
      join pkgdb.mirror_file f
        on f.namespace = p_namespace and f.update_id = p_update_id and f.sha256 = c.sha256
     order by f.path, c.backend
     limit p_limit;
end;
$$;
comment on function pkgdb.missing_mirror_copies is
    'At most p_limit copies of staged files, of items that the filter lets in, that the mirror''s '
    'backends do not have yet: upload each and report it with record_mirror_copy. Errors: RG400 '
    'malformed argument, RG404 no such update, RG405 isolation level, RG409 the size of a blob is '
    'known otherwise, RG412 stale fence, RG422 the update has ended.';
grant execute on function pkgdb.missing_mirror_copies to pkgdb_operator;

-- The digests of the files of the items that a commit would let in.
create function pkgdb.wanted_digests(p_locked pkgdb.locked_update)
returns bytea[]
language plpgsql
stable
as $$
begin
    return array(
        select distinct decode(f.value ->> 'sha256', 'hex')
          from pkgdb.wanted_items(p_locked) w
          cross join lateral jsonb_array_elements(coalesce(w.item -> 'files', '[]')) f);
end;
$$;

-- Holds the blobs that the wanted items refer to, in order of digest, as blobs are adopted; from
-- then on the collector leaves them alone.
create function pkgdb.stage_files(p_locked pkgdb.locked_update)
returns void
language plpgsql
set plan_cache_mode = force_generic_plan  -- the same small statements for each file
as $$
declare
    v_namespace text := (p_locked.repository).namespace;
    v_update_id bigint := (p_locked.mirror_update).update_id;
    v_now       timestamptz := pkgdb.clock();
    v_file      pkgdb.file_spec;
begin
    for v_file in
        select s.*
          from pkgdb.wanted_items(p_locked) w
          cross join lateral unnest(
               pkgdb.read_files(coalesce(w.item -> 'files', '[]'))) s
         where not exists (
            select from pkgdb.mirror_file m
             where m.namespace = v_namespace and m.update_id = v_update_id
               and m.sha256 = s.sha256
               and m.path = coalesce(s.attributes ->> 'path', s.filename))
         order by s.sha256, s.filename
    loop
        insert into pkgdb.blob (namespace, sha256, size, created_at)
        select v_namespace, v_file.sha256, v_file.size, v_now
         where not exists (
            select from pkgdb.blob b
             where b.namespace = v_namespace and b.sha256 = v_file.sha256)
        on conflict do nothing;
        if not found then
            perform pkgdb.hold_blob(v_namespace, v_file);
        end if;
        insert into pkgdb.mirror_file (namespace, update_id, sha256, path)
        values (v_namespace, v_update_id, v_file.sha256,
                coalesce(v_file.attributes ->> 'path', v_file.filename))
        on conflict (namespace, update_id, sha256) do update set path = excluded.path;
    end loop;
end;
$$;
