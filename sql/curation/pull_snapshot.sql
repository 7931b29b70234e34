-- A snapshot with packages of another one pulled into it, as a new snapshot.
create function pkgdb.pull_snapshot(
    p_namespace pkgdb.string, p_snapshot pkgdb.string, p_target pkgdb.string,
    p_source pkgdb.string, p_queries text[], p_follow boolean default true,
    p_no_remove boolean default false, p_all_matches boolean default false,
    p_architectures text[] default null, p_kinds text[] default '{depends,pre-depends}',
    p_dry_run boolean default false, p_description text default '',
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.snapshot_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_request  pkgdb.request;
    v_sources  pkgdb.snapshot[];
    v_target   pkgdb.member[];
    v_source   pkgdb.member[];
    v_wanted   text[];
    v_pulled   pkgdb.member[];
    v_members  pkgdb.member[];
    v_changes  jsonb;
    v_snapshot pkgdb.snapshot;
    v_result   pkgdb.snapshot_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'pull_snapshot',
        jsonb_build_array(p_snapshot, p_target, p_source, p_queries, p_follow, p_no_remove,
                          p_all_matches, p_architectures, p_kinds, p_dry_run, p_description));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('snapshot', p_snapshot, 255);
    perform pkgdb.check_description(p_description);
    perform pkgdb.check_following(p_kinds, p_architectures);
    if p_follow is null or p_no_remove is null or p_all_matches is null or p_dry_run is null then
        raise exception using
            errcode = 'RG400',
            message = 'follow, no_remove, all_matches and dry_run must be true or false';
    end if;
    v_sources := pkgdb.lock_snapshots(p_namespace, array[p_target, p_source]::text[]);

    v_target := pkgdb.snapshot_members(v_sources[1]);
    v_source := pkgdb.snapshot_members(v_sources[2]);
    v_wanted := coalesce(
        p_architectures,
        pkgdb.architectures_of(pkgdb.member_variants(
            case when v_target = '{}' then v_source else v_target end)));
    v_pulled := pkgdb.choose_members(
        p_namespace, v_target, pkgdb.members_of(v_source, v_wanted), p_queries,
        p_follow, v_wanted, p_kinds);
    if not p_all_matches then
        v_pulled := pkgdb.highest_members(v_pulled);
    end if;
    v_members := pkgdb.replace_members(v_target, v_pulled, p_no_remove);
    v_changes := pkgdb.member_changes(
            'remove', pkgdb.members_without(v_target, v_members))
        || pkgdb.member_changes(
            'add', pkgdb.members_without(v_members, v_target));
    if p_dry_run then
        v_result := (null, null, cardinality(v_members), 'planned', v_changes);
    else
        v_snapshot := pkgdb.insert_snapshot(p_namespace, p_snapshot, p_description, v_members);
        perform pkgdb.insert_sources(v_snapshot, v_sources);
        v_result := pkgdb.touch_snapshot(v_snapshot, 'created', p_actor, v_changes);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.pull_snapshot is
    'Makes a new snapshot of p_target and the packages of p_source that one of p_queries matches, '
    'as far as they are for one of p_architectures (null: those of the target) or for all, with '
    'what they depend on (relations of p_kinds) unless p_follow is false: whatever target and '
    'pulled packages lack and the source has. Of each package (ecosystem, name, variant) the '
    'highest match is pulled, with p_all_matches every one. Versions of a pulled package that the '
    'target had go, with p_no_remove they stay. p_dry_run: only says what would change. Outcome '
    'created or planned; changes says which versions are added and removed. Errors: RG400 '
    'malformed argument, RG404 no such snapshot, RG405 isolation level, RG409 the name is taken.';
grant execute on function pkgdb.pull_snapshot to pkgdb_operator;

-- Refuses lists with nulls: kinds of relations, and architectures where they are stated.
create function pkgdb.check_following(p_kinds text[], p_architectures text[])
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_kinds is null or exists (
        select from unnest(p_kinds || p_architectures) k (word) where k.word is null)
    then
        raise exception using
            errcode = 'RG400', message = 'kinds of relations, or one of them or of the '
                                         'architectures, are missing',
            hint = 'Kinds: depends, pre-depends, recommends, suggests, or none: an empty array.';
    end if;
end;
$$;

-- Of a source what the queries match, and what that needs beyond a base.
create function pkgdb.choose_members(
    p_namespace text, p_base pkgdb.member[], p_source pkgdb.member[], p_queries text[],
    p_follow boolean, p_architectures text[], p_kinds text[]
)
returns pkgdb.member[]
language plpgsql
stable
as $$
declare
    v_matches pkgdb.member[] := pkgdb.match_members(p_namespace, p_source, p_queries);
    v_graph   pkgdb.package_graph;
    v_chosen  bigint[];
begin
    if not p_follow or v_matches = '{}' then
        return v_matches;
    end if;
    v_graph := pkgdb.member_graph(
        array(
            select distinct on (m.version_id) m
              from unnest(p_source || p_base) m
             order by m.version_id),
        p_kinds);
    v_chosen := pkgdb.follow_dependencies(
        v_graph,
        array(select m.version_id from unnest(v_matches) m),
        array(select m.version_id from unnest(p_base) m),
        array(select m.version_id from unnest(p_source) m),
        p_architectures, p_kinds);
    return array(
        select m
          from unnest(p_source) m
          join unnest(v_chosen) c (version_id) on c.version_id = m.version_id);
end;
$$;

-- The members that are for one of some architectures, or for all.
create function pkgdb.members_of(
    p_members pkgdb.member[], p_architectures text[]
)
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    return array(
        select m
          from unnest(p_members) m
          join pkgdb.package_version v
            on v.namespace = m.namespace and v.registration_id = m.registration_id
           and v.version_id = m.version_id
         where v.variant in ('all', '') or v.variant = any (p_architectures));
end;
$$;

-- Of each package the highest version.
create function pkgdb.highest_members(p_members pkgdb.member[])
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    return array(
        select distinct on (g.ecosystem, g.normalized_name, v.variant) m
          from unnest(p_members) m
          join pkgdb.registration g
            on g.namespace = m.namespace and g.registration_id = m.registration_id
          join pkgdb.package_version v
            on v.namespace = m.namespace and v.registration_id = m.registration_id
           and v.version_id = m.version_id
         order by g.ecosystem, g.normalized_name, v.variant, v.version_key desc, v.version desc,
                  v.version_id desc);
end;
$$;

-- A set with others put into it: they replace what it has of the same packages, or only of the same
-- versions.
create function pkgdb.replace_members(
    p_members pkgdb.member[], p_new pkgdb.member[], p_versions boolean
)
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    return array(
        with new_package as materialized (
            select g.ecosystem, g.normalized_name, v.variant,
                   case when p_versions then v.normalized_version end as normalized_version
              from unnest(p_new) m
              join pkgdb.registration g
                on g.namespace = m.namespace and g.registration_id = m.registration_id
              join pkgdb.package_version v
                on v.namespace = m.namespace and v.registration_id = m.registration_id
               and v.version_id = m.version_id
        )
        select m
          from unnest(p_members) m
          join pkgdb.registration g
            on g.namespace = m.namespace and g.registration_id = m.registration_id
          join pkgdb.package_version v
            on v.namespace = m.namespace and v.registration_id = m.registration_id
           and v.version_id = m.version_id
         where not exists (
            select from new_package n
             where n.ecosystem = g.ecosystem and n.normalized_name = g.normalized_name
               and n.variant = v.variant
               and coalesce(n.normalized_version, v.normalized_version) = v.normalized_version)
         union all
        select m from unnest(p_new) m);
end;
$$;

-- The members that are not among others, with the same content.
create function pkgdb.members_without(p_members pkgdb.member[], p_others pkgdb.member[])
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    return array(
        select m
          from unnest(p_members) m
          left join unnest(p_others) o on o.version_id = m.version_id
         where o.version_id is null
            or (o.epoch <> m.epoch and pkgdb.member_digest(o) <> pkgdb.member_digest(m)));
end;
$$;
