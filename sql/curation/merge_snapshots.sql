-- Merges snapshots, left to right, into a new one.
create function pkgdb.merge_snapshots(
    p_namespace pkgdb.string, p_snapshot pkgdb.string, p_sources text[],
    p_latest boolean default false, p_no_remove boolean default false,
    p_description text default '', p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns pkgdb.snapshot_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set work_mem = '64MB'  -- sorts what the sources contain
set jit = off
as $$
declare
    v_request  pkgdb.request;
    v_sources  pkgdb.snapshot[];
    v_snapshot pkgdb.snapshot;
    v_result   pkgdb.snapshot_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'merge_snapshots',
        jsonb_build_array(p_snapshot, p_sources, p_latest, p_no_remove, p_description));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('snapshot', p_snapshot, 255);
    perform pkgdb.check_description(p_description);
    if coalesce(cardinality(p_sources), 0) = 0 then
        raise exception using errcode = 'RG400', message = 'sources are missing';
    end if;
    if p_latest is null or p_no_remove is null or (p_latest and p_no_remove) then
        raise exception using
            errcode = 'RG400',
            message = 'latest and no_remove must be true or false, and not both true';
    end if;
    v_sources := pkgdb.lock_snapshots(p_namespace, p_sources);

    v_snapshot := pkgdb.insert_snapshot(
        p_namespace, p_snapshot, p_description,
        case when p_latest then pkgdb.merge_latest(v_sources)
             else pkgdb.merge_members(v_sources, p_no_remove) end);
    perform pkgdb.insert_sources(v_snapshot, v_sources);
    v_result := pkgdb.touch_snapshot(v_snapshot, 'created', p_actor);
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.merge_snapshots is
    'Merges snapshots into a new one, left to right. A package is an ecosystem, name and variant: '
    'a later source that has it replaces what earlier ones have of it; with p_no_remove all '
    'versions stay, and of one version with other content the later; with p_latest only the '
    'highest version of each stays. Outcome created. Errors: RG400 malformed argument, RG404 no '
    'such snapshot, RG405 isolation level, RG409 the name is taken.';
grant execute on function pkgdb.merge_snapshots to pkgdb_operator;

-- Of each package the members of the last source that has it; or of each version the last.
create function pkgdb.merge_members(p_sources pkgdb.snapshot[], p_no_remove boolean)
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    return array(
        select c.member
          from (select r.member, s.place,
                       max(s.place) over (
                           partition by r.ecosystem, r.normalized_name, r.variant,
                                        case when p_no_remove then r.normalized_version end)
                       as last_place
                  from generate_subscripts(p_sources, 1) s (place)
                  cross join lateral pkgdb.snapshot_rows(p_sources[s.place]) r) c
         where c.place = c.last_place);
end;
$$;

-- Of each package the highest version. Two of one version: the greater text, then the greater
-- digest of their content, so that the order of the sources does not matter; of the very same
-- version at two epochs its later state.
create function pkgdb.merge_latest(p_sources pkgdb.snapshot[])
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    return array(
        select distinct on (c.ecosystem, c.normalized_name, c.variant) c.member
          from (select r.*,
                       min(r.version_id) over twins <> max(r.version_id) over twins as has_twins
                  from unnest(p_sources) s
                  cross join lateral pkgdb.snapshot_rows(s) r
                window twins as (
                    partition by r.ecosystem, r.normalized_name, r.variant, r.version_key,
                                 r.version)) c
         order by c.ecosystem, c.normalized_name, c.variant, c.version_key desc, c.version desc,
                  case when c.has_twins then pkgdb.member_digest(c.member) end desc,
                  c.version_id desc, (c.member).epoch desc);
end;
$$;
