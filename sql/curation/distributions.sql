-- What the functions of distributions share.

create type pkgdb.distribution_ref as (
    distribution_id bigint,
    revision        bigint,
    outcome         text
);
comment on type pkgdb.distribution_ref is
    'What a call did to a distribution, and its revision now.';

-- A prefix or a component is a relative path: parts of plain characters, none of them hidden, nor
-- one that an archive has for itself.
create function pkgdb.check_path(p_what text, p_path text)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    perform pkgdb.check_text(p_what, p_path, 255);
    if p_path !~ '^[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*)*$'
        or p_path ~ '(^|/)(dists|pool)(/|$)'
    then
        raise exception using
            errcode = 'RG400',
            message = format('%s %s is not a plain relative path', p_what, pkgdb.quoted(p_path));
    end if;
end;
$$;

-- Refuses settings that a renderer would not know.
create function pkgdb.check_settings(p_settings jsonb)
returns void
language plpgsql
immutable parallel safe
as $$
declare
    v_key   text;
    v_value jsonb;
    v_valid boolean;
begin
    if p_settings is null or jsonb_typeof(p_settings) <> 'object' then
        raise exception using errcode = 'RG400', message = 'settings must be a JSON object';
    end if;
    for v_key, v_value in select s.key, s.value from jsonb_each(p_settings) s
    loop
        v_valid := case
            when v_key in ('origin', 'label', 'suite', 'codename', 'version', 'description') then
                jsonb_typeof(v_value) = 'string' and length(v_value #>> '{}') between 1 and 1000
                and v_value #>> '{}' !~ '[[:cntrl:]]'
            when v_key = 'architectures' then case
                when jsonb_typeof(v_value) = 'array' then not exists (
                    select from jsonb_array_elements(v_value) e (name)
                     where jsonb_typeof(e.name) <> 'string'
                        or (e.name #>> '{}') !~ '^[a-z0-9][a-z0-9-]{0,62}$')
                else false end
            when v_key in ('not_automatic', 'but_automatic_upgrades') then
                jsonb_typeof(v_value) = 'boolean'
            when v_key = 'valid_for' then
                jsonb_typeof(v_value) = 'number' and v_value #>> '{}' ~ '^[1-9][0-9]{0,9}$'
        end;
        if v_valid is not true then
            raise exception using
                errcode = 'RG400',
                message = format('setting %s cannot be %s', pkgdb.quoted(v_key),
                                 pkgdb.quoted(v_value::text)),
                hint = 'origin, label, suite, codename, version, description: texts of one line; '
                       'architectures: an array of names; not_automatic, but_automatic_upgrades: '
                       'true or false; valid_for: seconds.';
        end if;
    end loop;
end;
$$;

-- Refuses what does not say where each component comes from.
create function pkgdb.check_components(p_components jsonb)
returns void
language plpgsql
immutable parallel safe
as $$
declare
    v_component text;
    v_source    jsonb;
    v_valid     boolean;
begin
    if p_components is null or jsonb_typeof(p_components) <> 'object' then
        raise exception using errcode = 'RG400', message = 'components must be a JSON object';
    end if;
    for v_component, v_source in select c.key, c.value from jsonb_each(p_components) c
    loop
        perform pkgdb.check_path('component', v_component);
        v_valid := case jsonb_typeof(v_source)
            when 'null' then true
            when 'object' then
                v_source - array['snapshot', 'repository'] = '{}'
                and num_nonnulls(v_source -> 'snapshot', v_source -> 'repository') = 1
                and jsonb_typeof(coalesce(v_source -> 'snapshot', v_source -> 'repository'))
                    = 'string'
            else false end;
        if not v_valid then
            raise exception using
                errcode = 'RG400',
                message = format('component %s cannot be served from %s',
                                 pkgdb.quoted(v_component), pkgdb.quoted(v_source::text)),
                hint = 'Say {"snapshot": name} or {"repository": name}.';
        end if;
    end loop;
end;
$$;

-- The distribution of a path, or null.
create function pkgdb.find_distribution(p_namespace text, p_prefix text, p_distribution text)
returns pkgdb.distribution
language plpgsql
stable
as $$
declare
    v_distribution pkgdb.distribution;
begin
    select * into v_distribution
      from pkgdb.distribution d
     where d.namespace = p_namespace and d.prefix = p_prefix and d.name = p_distribution;
    return v_distribution;
end;
$$;

create function pkgdb.no_distribution(p_namespace text, p_prefix text, p_distribution text)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_prefix is null then
        perform pkgdb.check_text('prefix', p_prefix, 255);
    end if;
    perform pkgdb.check_text('distribution', p_distribution, 255);
    raise exception using
        errcode = 'RG404',
        message = format('no distribution %s with prefix %s in namespace %s',
                         pkgdb.quoted(p_distribution), pkgdb.quoted(p_prefix),
                         pkgdb.quoted(p_namespace));
end;
$$;

-- A distribution, locked exclusively, with the sources that its components are to have, locked
-- shared. Lock order: repositories, distribution, snapshots; all resolved again under the locks.
create type pkgdb.locked_distribution as (
    distribution pkgdb.distribution,
    components   pkgdb.distribution_component[]
);

create function pkgdb.lock_distribution(
    p_namespace text, p_prefix text, p_distribution text, p_components jsonb
)
returns pkgdb.locked_distribution
language plpgsql
as $$
declare
    v_keys        pkgdb.lock_key[];
    v_held        pkgdb.lock_key[];
    v_locked      pkgdb.locked_distribution;
    v_component   record;
begin
    perform pkgdb.lock_keys(variadic '{}');
    loop
        v_locked.distribution := pkgdb.find_distribution(p_namespace, p_prefix, p_distribution);
        v_locked.components := '{}';
        for v_component in
            select c.key as name, c.value ->> 'snapshot' as snapshot,
                   c.value ->> 'repository' as repository, s.snapshot_id, r.repository_id
              from jsonb_each(p_components) c
              left join pkgdb.snapshot s
                on s.namespace = p_namespace and s.name = c.value ->> 'snapshot'
              left join pkgdb.repository r
                on r.namespace = p_namespace and r.name = c.value ->> 'repository'
               and r.status = 'live'
             where c.value <> 'null'
             order by c.key
        loop
            if v_component.repository_id is null and v_component.snapshot is null then
                perform pkgdb.no_repository(p_namespace, v_component.repository);
            elsif v_component.snapshot_id is null and v_component.repository is null then
                perform pkgdb.find_snapshot(p_namespace, v_component.snapshot);
            end if;
            v_locked.components := v_locked.components || (
                p_namespace, (v_locked.distribution).distribution_id, v_component.name,
                v_component.snapshot_id, v_component.repository_id
            )::pkgdb.distribution_component;
        end loop;

        v_keys := array(
            select pkgdb.repository_lock(p_namespace, c.repository_id)
              from unnest(v_locked.components) c
             where c.repository_id is not null
             union all
            select pkgdb.snapshot_lock(p_namespace, c.snapshot_id)
              from unnest(v_locked.components) c
             where c.snapshot_id is not null);
        if (v_locked.distribution).distribution_id is not null then
            v_keys := v_keys || pkgdb.distribution_lock(
                p_namespace, (v_locked.distribution).distribution_id, true);
        end if;
        exit when v_keys is not distinct from v_held;
        perform pkgdb.lock_keys(variadic v_keys);
        v_held := v_keys;
    end loop;
    return v_locked;
end;
$$;

-- Refuses components of which two have one version with other content: clients would be given
-- either. What is served live can still change: the renderer looks again.
create function pkgdb.check_clashes(p_distribution pkgdb.distribution)
returns void
language plpgsql
stable
as $$
declare
    v_clash record;
begin
    if (select count(*) < 2
          from pkgdb.distribution_component c
         where c.namespace = p_distribution.namespace
           and c.distribution_id = p_distribution.distribution_id)
    then
        return;
    end if;
    select t.name, t.version, t.variant into v_clash
      from (select min(g.name) as name, min(v.version) as version, v.variant, m.namespace,
                   min(m.registration_id) as registration_id, min(m.version_id) as version_id,
                   min(m.version_id) <> max(m.version_id) as has_twins, min(m.epoch) as first,
                   max(m.epoch) as last,
                   array_agg(distinct (m.namespace, m.registration_id, m.version_id, m.epoch
                                      )::pkgdb.member) as members
              from pkgdb.component_members(p_distribution) m
              join pkgdb.registration g
                on g.namespace = m.namespace and g.registration_id = m.registration_id
               and g.ecosystem = p_distribution.ecosystem
              join pkgdb.package_version v
                on v.namespace = m.namespace and v.registration_id = m.registration_id
               and v.version_id = m.version_id
             group by m.namespace, g.normalized_name, v.normalized_version, v.variant
            having count(distinct m) > 1) t
     -- The very same version at two epochs differs if files came or went between them.
     where case
         when t.has_twins then (
             select count(distinct d.digest) > 1 from pkgdb.member_digests(t.members) d)
         else exists (
             select from pkgdb.file f
              where f.namespace = t.namespace and f.registration_id = t.registration_id
                and f.version_id = t.version_id
                and (f.added_epoch > t.first and f.added_epoch <= t.last
                     or f.removed_epoch > t.first and f.removed_epoch <= t.last)) end
     order by t.name, t.version, t.variant
     limit 1;
    if found then
        raise exception using
            errcode = 'RG409',
            message = format('two components have version %s of %s%s with other content',
                             pkgdb.quoted(v_clash.version), pkgdb.quoted(v_clash.name),
                             case when v_clash.variant <> ''
                                  then format(' for %s', pkgdb.quoted(v_clash.variant))
                                  else '' end);
    end if;
end;
$$;

-- What a component serves.
create function pkgdb.source_members(p_component pkgdb.distribution_component)
returns pkgdb.member[]
language plpgsql
stable
as $$
declare
    v_snapshot   pkgdb.snapshot;
    v_repository pkgdb.repository;
begin
    if p_component.snapshot_id is not null then
        select * into strict v_snapshot
          from pkgdb.snapshot s
         where s.namespace = p_component.namespace and s.snapshot_id = p_component.snapshot_id;
        return pkgdb.snapshot_members(v_snapshot);
    end if;
    select * into strict v_repository
      from pkgdb.repository r
     where r.namespace = p_component.namespace and r.repository_id = p_component.repository_id;
    return pkgdb.repository_members(v_repository);
end;
$$;

create function pkgdb.component_members(p_distribution pkgdb.distribution)
returns setof pkgdb.member
language plpgsql
stable
as $$
begin
    return query
    select m.*
      from pkgdb.distribution_component c
      cross join lateral unnest(pkgdb.source_members(c)) m
     where c.namespace = p_distribution.namespace
       and c.distribution_id = p_distribution.distribution_id;
end;
$$;

-- Every change of a distribution ends here: its revision and its event.
create function pkgdb.touch_distribution(
    p_distribution pkgdb.distribution, p_event text, p_actor text
)
returns pkgdb.distribution_ref
language plpgsql
as $$
declare
    v_now      timestamptz := pkgdb.clock();
    v_revision bigint;
begin
    update pkgdb.distribution d
       set revision = d.revision + 1, updated_at = v_now
     where d.namespace = p_distribution.namespace
       and d.distribution_id = p_distribution.distribution_id
    returning d.revision into strict v_revision;

    insert into pkgdb.outbox
        (namespace, event, distribution_id, revision, ecosystem, name, actor, login, occurred_at)
    values
        (p_distribution.namespace, 'distribution_' || p_event, p_distribution.distribution_id,
         v_revision, p_distribution.ecosystem,
         concat_ws('/', nullif(p_distribution.prefix, ''), p_distribution.name), p_actor,
         session_user, v_now);

    return (p_distribution.distribution_id, v_revision, p_event)::pkgdb.distribution_ref;
end;
$$;
