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

-- (In what follows names come before ecosystems: they tell packages apart sooner.)

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
                           partition by r.normalized_name, r.variant, r.ecosystem,
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
        select distinct on (t.normalized_name, t.variant, t.ecosystem) t.member
          from (select c.*,
                       min(c.version_id) over package <> max(c.version_id) over package
                       as has_twins
                  from (select r.*, first_value(r.version_key) over highest as highest_key,
                               first_value(r.version) over highest as highest_version
                          from pkgdb.source_rows(p_sources) r
                        window highest as (
                            partition by r.normalized_name, r.variant, r.ecosystem
                            order by r.version_key desc, r.version desc)) c
                 where c.version_key = c.highest_key and c.version = c.highest_version
                window package as (
                    partition by c.normalized_name, c.variant, c.ecosystem)) t
         order by t.normalized_name, t.variant, t.ecosystem,
                  case when t.has_twins then pkgdb.member_digest(t.member) end desc,
                  t.version_id desc, (t.member).epoch desc);
end;
$$;

-- What several snapshots contain; a repository of which several are snapshots is read once, and of
-- a version that they have in common it is the later state.
create function pkgdb.source_rows(p_sources pkgdb.snapshot[])
returns setof pkgdb.member_row
language plpgsql
stable
as $$
declare
    v_source pkgdb.snapshot;
begin
    for v_source in
        select s.* from unnest(p_sources) s where s.repository_id is null
    loop
        return query select * from pkgdb.snapshot_rows(v_source);
    end loop;
    return query
    select (v.namespace, v.registration_id, v.version_id, v.epoch)::pkgdb.member,
           g.ecosystem::text, g.normalized_name::text, v.variant::text,
           v.normalized_version::text, v.version::text, v.version_key, v.version_id
      from (select s.namespace, s.repository_id, array_agg(s.epoch) as epochs,
                   max(s.epoch) as last_epoch
              from unnest(p_sources) s
             where s.repository_id is not null
             group by s.namespace, s.repository_id
            offset 0) p
      join pkgdb.registration g
        on g.namespace = p.namespace and g.repository_id = p.repository_id
      cross join lateral (
           select o.*, e.epoch
             from pkgdb.package_version o
             cross join lateral (
                  select case
                      when o.removed_epoch is null and o.added_epoch <= p.last_epoch
                          then p.last_epoch
                      else (select max(u.epoch)
                              from unnest(p.epochs) u (epoch)
                             where o.added_epoch <= u.epoch and o.removed_epoch > u.epoch)
                      end as epoch) e
            where o.namespace = g.namespace and o.registration_id = g.registration_id
              and e.epoch is not null
           offset 0) v;
end;
$$;
