-- Creates a distribution: a name that clients read, and what it serves.
create function pkgdb.create_distribution(
    p_namespace pkgdb.string, p_prefix pkgdb.string, p_distribution pkgdb.string,
    p_ecosystem pkgdb.string, p_components jsonb, p_settings jsonb default '{}',
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.distribution_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_request      pkgdb.request;
    v_locked       pkgdb.locked_distribution;
    v_distribution pkgdb.distribution;
    v_now          timestamptz;
    v_result       pkgdb.distribution_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'create_distribution',
        jsonb_build_array(p_prefix, p_distribution, p_ecosystem, p_components, p_settings));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    if p_prefix is distinct from '' then
        perform pkgdb.check_path('prefix', p_prefix);
    end if;
    perform pkgdb.check_path('distribution', p_distribution);
    -- One inside of the folder of another would be lost when that one is switched.
    if strpos(p_distribution, '/') > 0 then
        raise exception using
            errcode = 'RG400',
            message = format('distribution %s has a slash', pkgdb.quoted(p_distribution)),
            hint = 'Put what is before it into the prefix.';
    end if;
    perform pkgdb.find_ecosystem(p_ecosystem);
    perform pkgdb.check_components(p_components);
    perform pkgdb.check_settings(p_settings);
    v_locked := pkgdb.lock_distribution(p_namespace, p_prefix, p_distribution, p_components);
    if v_locked.components = '{}' then
        raise exception using errcode = 'RG400', message = 'components are missing';
    end if;

    -- The unique index decides between two creators.
    v_now := pkgdb.clock();
    insert into pkgdb.distribution
        (namespace, prefix, name, ecosystem, settings, created_at, updated_at)
    values
        (p_namespace, p_prefix, p_distribution, p_ecosystem, p_settings, v_now, v_now)
    on conflict do nothing
    returning * into v_distribution;
    if not found then
        raise exception using
            errcode = 'RG409',
            message = format('distribution %s exists', pkgdb.quoted(p_distribution));
    end if;
    insert into pkgdb.distribution_component
        (namespace, distribution_id, component, snapshot_id, repository_id)
    select p_namespace, v_distribution.distribution_id, c.component, c.snapshot_id,
           c.repository_id
      from unnest(v_locked.components) c;
    perform pkgdb.check_clashes(v_distribution);
    v_result := pkgdb.touch_distribution(v_distribution, 'created', p_actor);
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.create_distribution is
    'Creates distribution p_distribution (one part of a path) below p_prefix (a relative path, may '
    'be '''') for the packages of one ecosystem. p_components: an object of {"snapshot": name} or '
    '{"repository": name} (served live) by component. p_settings: object of any of origin, label, '
    'suite, codename, version, description, architectures, not_automatic, '
    'but_automatic_upgrades, valid_for (seconds). Outcome created. Errors: RG400 malformed '
    'argument, RG404 no such snapshot or repository, RG405 isolation level, RG409 it exists, or '
    'two components have one version with other content.';
grant execute on function pkgdb.create_distribution to pkgdb_operator;
