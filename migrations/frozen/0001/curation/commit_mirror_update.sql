-- Brings a mirror to what was staged, all at once: what is new comes in, what upstream has no
-- longer goes, what has other content there is replaced.
create function pkgdb.commit_mirror_update(
    p_namespace pkgdb.string, p_update_id bigint, p_fence bigint,
    p_actor pkgdb.string default null
)
returns pkgdb.mirror_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_locked     pkgdb.locked_update;
    v_update     pkgdb.mirror_update;
    v_repository pkgdb.repository;
    v_now        timestamptz;
    v_report     jsonb;
    v_digests    bytea[];
begin
    if p_actor is not null then
        perform pkgdb.check_text('actor', p_actor, 255);
    end if;
    v_locked := pkgdb.lock_update(p_namespace, p_update_id, true);
    v_update := v_locked.mirror_update;
    v_repository := v_locked.repository;
    if v_update.status = 'committed' and v_update.fence = p_fence then
        return pkgdb.mirror_ref(v_update, null, 'unchanged');
    end if;
    perform pkgdb.check_update(v_update, p_fence);
    perform pkgdb.filter_update(v_update);
    perform pkgdb.check_stored(v_repository, pkgdb.wanted_digests(v_locked));

    v_report := pkgdb.apply_update(v_locked, p_actor);
    v_now := pkgdb.clock();
    insert into pkgdb.mirror as m (namespace, repository_id, release, updated_at)
    values (p_namespace, v_repository.repository_id, v_update.release, v_now)
    on conflict (namespace, repository_id)
    do update set release = excluded.release, updated_at = excluded.updated_at;
    perform pkgdb.touch_repository(v_repository, 'updated', p_actor);
    v_digests := pkgdb.end_update(v_update, 'committed', null, v_report);
    v_update.status := 'committed';
    v_update.report := v_report;
    -- What the filter left out was brought in vain. Last, as others may wait for these rows.
    perform pkgdb.mark_unneeded(p_namespace, v_digests);
    return pkgdb.mirror_ref(v_update, null, 'committed');
end;
$$;
comment on function pkgdb.commit_mirror_update is
    'Makes a mirror what was staged and its filter lets in, in one transaction. Quarantine '
    'outlives what upstream does; tags, listing and deprecation of what is replaced are kept. '
    'Takes the repository for itself, waiting at most 10 seconds. Outcome committed or '
    'unchanged; report says how many versions were added, removed, changed, unchanged, left out '
    'because their names are protected or reserved, and filtered. Errors: RG400 malformed '
    'argument, RG404 no such update, RG405 isolation level, RG409 two versions of upstream have '
    'files of one name, RG412 stale fence, RG422 the update has ended, bytes are missing, or '
    'lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.commit_mirror_update to pkgdb_operator;

-- The staged items that the mirror's filter lets in, apart from names that are protected or
-- reserved: those are not for upstream to fill. Or just these.
create function pkgdb.wanted_items(
    p_locked pkgdb.locked_update, p_kept_out boolean default false
)
returns setof pkgdb.mirror_item
language plpgsql
stable
as $$
declare
    v_all boolean := p_kept_out or not pkgdb.has_filter(p_locked.mirror_update);
begin
    return query
    select i.*
      from pkgdb.mirror_item i
      left join lateral (
           select true as reserved
             from pkgdb.registration r
            where r.namespace = i.namespace
              and r.scope_id = (p_locked.repository).repository_id
              and r.ecosystem = i.ecosystem and r.normalized_name = i.normalized_name
              and r.status = 'reserved'
           offset 0) k on true
     where i.namespace = (p_locked.mirror_update).namespace
       and i.update_id = (p_locked.mirror_update).update_id
       and (v_all or i.wanted)
       and p_kept_out = (
            k.reserved is not null
            or (p_locked.repository).protected_names <> '{}'
            and pkgdb.is_protected((p_locked.repository).protected_names, i.normalized_name));
end;
$$;

create function pkgdb.has_filter(p_update pkgdb.mirror_update)
returns boolean
language sql
immutable parallel safe
as $$
    select coalesce(p_update.upstream ->> 'filter', '') <> '';
$$;

-- Lets the filter look at what is staged, once.
create function pkgdb.filter_update(p_update pkgdb.mirror_update)
returns void
language plpgsql
as $$
declare
    v_ids bigint[];
begin
    if p_update.filtered or not pkgdb.has_filter(p_update) then
        return;
    end if;
    v_ids := pkgdb.filter_staged(p_update);
    update pkgdb.mirror_item i
       set wanted = not i.wanted
      from pkgdb.staged_versions(p_update) s
      left join unnest(v_ids) w (version_id) on w.version_id = s.version_id
     where i.namespace = p_update.namespace and i.update_id = p_update.update_id
       and i.ecosystem = s.ecosystem and i.normalized_name = s.normalized_name
       and i.normalized_version = s.normalized_version and i.variant = s.variant
       and i.wanted <> (w.version_id is not null);
    update pkgdb.mirror_update u
       set filtered = true
     where u.namespace = p_update.namespace and u.update_id = p_update.update_id;
end;
$$;

-- Staged items as the query language and the resolver look at published versions; version_id is
-- their place.
create type pkgdb.staged_version as (
    namespace          text,
    registration_id    bigint,
    version_id         bigint,
    ecosystem          text,
    name               text,
    normalized_name    text,
    scheme             text,
    version            text,
    normalized_version text,
    variant            text,
    version_key        bytea,
    metadata           jsonb,
    dependencies       pkgdb.dependency_spec[]
);

create function pkgdb.staged_versions(p_update pkgdb.mirror_update)
returns setof pkgdb.staged_version
language plpgsql
stable
as $$
begin
    return query
    select i.namespace::text, 0::bigint,
           row_number() over (
               order by i.ecosystem, i.normalized_name, i.normalized_version, i.variant),
           i.ecosystem::text, i.item ->> 'name', i.normalized_name::text, e.scheme::text,
           i.item ->> 'version', i.normalized_version::text, i.variant::text,
           i.version_key, coalesce(i.item -> 'metadata', '{}'), i.dependencies
      from pkgdb.mirror_item i
      join pkgdb.ecosystem e on e.ecosystem = i.ecosystem
     where i.namespace = p_update.namespace and i.update_id = p_update.update_id;
end;
$$;

-- What a staged item provides, as rows of the table that has it of published ones.
create function pkgdb.staged_provides(p_version pkgdb.staged_version)
returns setof pkgdb.dependency
language plpgsql
immutable parallel safe
as $$
begin
    return query
    select p_version.namespace::pkgdb.string, p_version.registration_id, p_version.version_id,
           d.position, d.alternative, d.kind::pkgdb.string, p_version.scheme::pkgdb.string,
           d.name::pkgdb.string, d.architecture, d.lower_version, d.lower_strict,
           d.upper_version, d.upper_strict,
           case when d.lower_version is not null
                then pkgdb.scheme_version_key(p_version.scheme, d.lower_version) end,
           case when d.upper_version is not null
                then pkgdb.scheme_version_key(p_version.scheme, d.upper_version) end
      from unnest(p_version.dependencies) d
     where d.kind = 'provides';
end;
$$;

-- The places of the staged items that the filter matches, with what they depend on where it says
-- so.
create function pkgdb.filter_staged(p_update pkgdb.mirror_update)
returns bigint[]
language plpgsql
stable
as $$
declare
    v_kinds   constant text[] := array['depends', 'pre-depends'];
    v_matcher pkgdb.compiled_query;
    v_ids     bigint[];
    v_graph   pkgdb.package_graph;
begin
    -- What a package provides is looked up in what was staged of it.
    v_matcher := pkgdb.compile_query(p_update.upstream ->> 'filter');
    execute format(
        'select coalesce(array_agg(v.version_id), ''{}'')
           from pkgdb.staged_versions($3) v
          cross join lateral (
               select v.ecosystem, v.name, v.normalized_name) g
          where %s',
        replace(v_matcher.condition, 'pkgdb.dependency d', 'pkgdb.staged_provides(v) d'))
       into v_ids
      using v_matcher.parameters, v_matcher.keys, p_update;
    if not coalesce((p_update.upstream -> 'filter_with_deps')::boolean, false) then
        return v_ids;
    end if;

    select array_agg(
               (s.version_id, s.ecosystem, s.normalized_name, s.variant, s.version_key
               )::pkgdb.node)
      into v_graph.nodes
      from pkgdb.staged_versions(p_update) s;
    select array_agg(
               (s.version_id, d.position, d.alternative, d.kind, d.name, d.architecture, s.scheme,
                d.lower_version, null, d.lower_strict, d.upper_version, null, d.upper_strict
               )::pkgdb.relation)
      into v_graph.relations
      from pkgdb.staged_versions(p_update) s
      cross join lateral unnest(s.dependencies) d
     where d.kind = 'provides' or d.kind = any (v_kinds);
    return pkgdb.follow_dependencies(
        v_graph, v_ids, '{}', array(select n.id from unnest(v_graph.nodes) n),
        pkgdb.architectures_of(array(select n.variant from unnest(v_graph.nodes) n)), v_kinds);
end;
$$;

-- What has to be done to a mirror: what is there and is not wanted just so, and what is wanted and
-- is not there just so.
create type pkgdb.mirror_difference as (
    gone    pkgdb.member[],
    kept    pkgdb.package_version[],  -- of these, what is replaced, and was unlisted or deprecated
    new     pkgdb.mirror_item[],
    changed bigint,
    wanted  bigint
);

create function pkgdb.compare_update(p_locked pkgdb.locked_update)
returns pkgdb.mirror_difference
language plpgsql
stable
as $$
declare
    v_epoch      bigint := (p_locked.repository).epoch;
    v_difference pkgdb.mirror_difference;
begin
    -- A full join, which no plan makes by looking at everything for each row.
    with live as (
        select g.ecosystem, g.normalized_name, v.version, (v.version).normalized_version,
               (v.version).variant, c.content
          from pkgdb.registration g
          cross join lateral (
               select o as version
                 from pkgdb.package_version o
                where o.namespace = g.namespace and o.registration_id = g.registration_id
                  and o.status in ('available', 'quarantined')
               offset 0) v
          left join lateral (
               select m.content
                 from pkgdb.mirror_version m
                where m.namespace = g.namespace and m.registration_id = g.registration_id
                  and m.version_id = (v.version).version_id
               offset 0) c on true
         where g.namespace = (p_locked.repository).namespace
           and g.repository_id = (p_locked.repository).repository_id
    ), paired as (
        select l.version as version, w as item, l.version is null as is_new,
               w.item is null as is_gone,
               l.content is distinct from w.content as differs
          from live l
          full join pkgdb.wanted_items(p_locked) w
            on w.ecosystem = l.ecosystem and w.normalized_name = l.normalized_name
           and w.normalized_version = l.normalized_version and w.variant = l.variant
    )
    select coalesce(array_agg(
               ((p.version).namespace, (p.version).registration_id, (p.version).version_id, v_epoch
               )::pkgdb.member) filter (where p.differs and not p.is_new), '{}'),
           coalesce(array_agg(p.version) filter (
               where p.differs and not p.is_new and not p.is_gone
                 and (not (p.version).listed or (p.version).deprecation is not null)), '{}'),
           coalesce(array_agg(p.item) filter (where p.differs and not p.is_gone), '{}'),
           count(*) filter (where p.differs and not p.is_new and not p.is_gone),
           count(*) filter (where not p.is_gone)
      into v_difference
      from paired p;
    return v_difference;
end;
$$;

-- Writes the difference between a mirror and what was staged. The repository is held exclusively.
create function pkgdb.apply_update(p_locked pkgdb.locked_update, p_actor text)
returns jsonb
language plpgsql
as $$
declare
    v_repository pkgdb.repository := p_locked.repository;
    v_update     pkgdb.mirror_update := p_locked.mirror_update;
    v_difference pkgdb.mirror_difference := pkgdb.compare_update(p_locked);
    v_tags       pkgdb.tag[];
    v_kept_out   bigint;
begin
    select count(*) into v_kept_out from pkgdb.wanted_items(p_locked, true) w;
    v_tags := array(
        select t
          from unnest(v_difference.gone) m
          join pkgdb.tag t
            on t.namespace = m.namespace and t.registration_id = m.registration_id
           and t.version_id = m.version_id);

    perform pkgdb.bury_members(v_repository, v_difference.gone, p_actor);
    perform pkgdb.insert_staged(v_repository, v_difference.new, p_actor);
    perform pkgdb.keep_overlay(
        v_repository, v_difference.new, v_difference.kept, v_tags, p_actor);
    return jsonb_build_object(
        'added', cardinality(v_difference.new) - v_difference.changed,
        'removed', cardinality(v_difference.gone) - v_difference.changed,
        'changed', v_difference.changed,
        'unchanged', v_difference.wanted - cardinality(v_difference.new),
        'protected', v_kept_out,
        'filtered', v_update.staged - v_difference.wanted - v_kept_out);
end;
$$;

-- Inserts new items of an update, so many at a time.
create function pkgdb.insert_staged(
    p_repository pkgdb.repository, p_items pkgdb.mirror_item[], p_actor text
)
returns void
language plpgsql
set plan_cache_mode = force_generic_plan  -- foreign keys are checked by plans, too
as $$
declare
    v_chunk constant integer := 5000;
    v_now   timestamptz := pkgdb.clock();
    v_items pkgdb.bulk_item[];
begin
    -- All blobs first, in order of digest: chunk by chunk two updates could wait for each other.
    insert into pkgdb.blob (namespace, sha256, size, created_at)
    select distinct on (f.sha256) p_repository.namespace, f.sha256, f.size, v_now
      from unnest(p_items) i
      cross join lateral unnest(pkgdb.read_files(coalesce(i.item -> 'files', '[]'))) f
     where not exists (
        select from pkgdb.blob b
         where b.namespace = p_repository.namespace and b.sha256 = f.sha256
        offset 0)
     order by f.sha256
    on conflict do nothing;
    for v_start in 1 .. cardinality(p_items) by v_chunk
    loop
        v_items := array(
            select pkgdb.read_item(i.place::integer, i.item, e)
              from unnest(p_items[v_start : v_start + v_chunk - 1]) with ordinality
                   i (namespace, update_id, ecosystem, normalized_name, normalized_version,
                      variant, item, content, version_key, dependencies, wanted, place)
              join pkgdb.ecosystem e on e.ecosystem = i.ecosystem
             order by i.place);
        v_items := pkgdb.claim_names(p_repository, pkgdb.plain_items(p_repository, v_items));
        begin
            v_items := pkgdb.insert_plain_items(p_repository, v_items, p_actor);
        exception when unique_violation then
            raise exception using
                errcode = 'RG409',
                message = 'two versions of upstream have files of one name';
        end;
        insert into pkgdb.mirror_version (namespace, registration_id, version_id, content)
        select p_repository.namespace, (v.registration).registration_id, v.version_id, i.content
          from unnest(v_items) v
          join unnest(p_items[v_start : v_start + v_chunk - 1]) i
            on i.ecosystem = v.ecosystem and i.normalized_name = v.normalized_name
           and i.normalized_version = v.normalized_version and i.variant = v.variant;
    end loop;
end;
$$;

-- Items of an update with the registrations that have their names: all are written with their set.
create function pkgdb.plain_items(p_repository pkgdb.repository, p_items pkgdb.bulk_item[])
returns pkgdb.bulk_item[]
language plpgsql
stable
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
begin
    return array(
        select (i.item, i.ecosystem, i.name, i.version, i.variant, i.files, i.metadata,
                i.dependencies, i.normalized_name, i.normalized_version, i.message, true, r,
                null, null)::pkgdb.bulk_item
          from unnest(p_items) i
          cross join lateral (
               select p_repository.namespace as namespace,
                      p_repository.repository_id as scope_id
               offset 0) k
          left join lateral (
               select n.*
                 from pkgdb.registration n
                where n.namespace = k.namespace and n.scope_id = k.scope_id
                  and n.ecosystem = i.ecosystem and n.normalized_name = i.normalized_name
               offset 0) r on true
         order by i.item);
end;
$$;

-- What people decided stands: who was blocked when it was deleted or replaced still is, and what
-- upstream has replaced keeps its tags, its listing and its deprecation.
create function pkgdb.keep_overlay(
    p_repository pkgdb.repository, p_new pkgdb.mirror_item[], p_kept pkgdb.package_version[],
    p_tags pkgdb.tag[], p_actor text
)
returns void
language plpgsql
as $$
declare
    v_now          timestamptz := pkgdb.clock();
    v_kept         pkgdb.package_version;
    v_registration pkgdb.registration;
    v_version      pkgdb.package_version;
begin
    insert into pkgdb.tag (namespace, registration_id, tag, version_id, updated_at)
    select t.namespace, t.registration_id, t.tag, n.version_id, v_now
      from unnest(p_tags) t
      join pkgdb.package_version o
        on o.namespace = t.namespace and o.registration_id = t.registration_id
       and o.version_id = t.version_id
      join pkgdb.package_version n
        on n.namespace = t.namespace and n.registration_id = t.registration_id
       and n.normalized_version = o.normalized_version and n.variant = o.variant
       and n.status = 'available';
    foreach v_kept in array p_kept
    loop
        update pkgdb.package_version v
           set listed = v_kept.listed, yank_reason = v_kept.yank_reason,
               deprecation = v_kept.deprecation
         where v.namespace = v_kept.namespace and v.registration_id = v_kept.registration_id
           and v.normalized_version = v_kept.normalized_version and v.variant = v_kept.variant
           and v.status = 'available'
        returning * into strict v_version;
        select * into strict v_registration
          from pkgdb.registration r
         where r.namespace = v_kept.namespace and r.registration_id = v_kept.registration_id;
        perform pkgdb.touch(
            v_registration, v_version,
            case when v_kept.listed then 'deprecated' else 'yanked' end, p_actor);
    end loop;
    for v_version in
        select v.*
          from unnest(p_new) i
          join pkgdb.registration g
            on g.namespace = i.namespace and g.scope_id = p_repository.repository_id
           and g.ecosystem = i.ecosystem and g.normalized_name = i.normalized_name
          join pkgdb.tombstone t
            on t.namespace = g.namespace and t.registration_id = g.registration_id
           and t.normalized_version = i.normalized_version and t.variant = i.variant
           and t.filename = '' and t.quarantine_reason is not null
          join pkgdb.package_version v
            on v.namespace = g.namespace and v.registration_id = g.registration_id
           and v.normalized_version = i.normalized_version and v.variant = i.variant
           and v.status = 'available'
         order by v.registration_id, v.version_id
    loop
        update pkgdb.package_version v
           set status = 'quarantined', quarantine_reason = t.quarantine_reason
          from pkgdb.tombstone t
         where v.namespace = v_version.namespace
           and v.registration_id = v_version.registration_id
           and v.version_id = v_version.version_id
           and t.namespace = v.namespace and t.registration_id = v.registration_id
           and t.normalized_version = v.normalized_version and t.variant = v.variant
           and t.filename = '';
        select * into strict v_registration
          from pkgdb.registration r
         where r.namespace = v_version.namespace
           and r.registration_id = v_version.registration_id;
        perform pkgdb.touch(v_registration, v_version, 'quarantined', p_actor);
    end loop;
end;
$$;
