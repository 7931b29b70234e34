-- Points components of a distribution elsewhere, all at once.
create function pkgdb.switch_distribution(
    p_namespace pkgdb.string, p_prefix pkgdb.string, p_distribution pkgdb.string,
    p_components jsonb, p_settings jsonb default null, p_if_revision bigint default null,
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
    v_result       pkgdb.distribution_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'switch_distribution',
        jsonb_build_array(p_prefix, p_distribution, p_components, p_settings, p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_components(p_components);
    if p_settings is not null then
        perform pkgdb.check_settings(p_settings);
    end if;
    v_locked := pkgdb.lock_distribution(p_namespace, p_prefix, p_distribution, p_components);
    v_distribution := v_locked.distribution;
    if v_distribution.distribution_id is null then
        perform pkgdb.no_distribution(p_namespace, p_prefix, p_distribution);
    end if;
    perform pkgdb.check_revision(v_distribution.revision, p_if_revision);

    if coalesce(p_settings, v_distribution.settings) = v_distribution.settings
        and not exists (
            select
              from jsonb_object_keys(p_components) k (component)
              left join unnest(v_locked.components) n on n.component = k.component
              left join pkgdb.distribution_component c
                on c.namespace = p_namespace
               and c.distribution_id = v_distribution.distribution_id
               and c.component = k.component
             where (n.snapshot_id, n.repository_id) is distinct from
                   (c.snapshot_id, c.repository_id))
    then
        v_result := (v_distribution.distribution_id, v_distribution.revision, 'unchanged');
    else
        delete from pkgdb.distribution_component c
         using jsonb_object_keys(p_components) k (component)
         where c.namespace = p_namespace
           and c.distribution_id = v_distribution.distribution_id
           and c.component = k.component;
        insert into pkgdb.distribution_component
            (namespace, distribution_id, component, snapshot_id, repository_id)
        select p_namespace, v_distribution.distribution_id, c.component, c.snapshot_id,
               c.repository_id
          from unnest(v_locked.components) c;
        if not exists (
            select from pkgdb.distribution_component c
             where c.namespace = p_namespace
               and c.distribution_id = v_distribution.distribution_id)
        then
            raise exception using
                errcode = 'RG400',
                message = 'a distribution keeps at least one component',
                hint = 'drop_distribution takes it away.';
        end if;
        perform pkgdb.check_clashes(v_distribution);
        update pkgdb.distribution d
           set settings = coalesce(p_settings, d.settings)
         where d.namespace = p_namespace and d.distribution_id = v_distribution.distribution_id;
        v_result := pkgdb.touch_distribution(v_distribution, 'switched', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.switch_distribution is
    'Points the components named in p_components (as in create_distribution; null takes one away) '
    'elsewhere, and leaves the others; p_settings, where given, takes the place of all settings. '
    'Readers see all of it or nothing. Switching back is how one rolls back. Outcome switched or '
    'unchanged. Errors: RG400 malformed argument, RG404 no such distribution, snapshot or '
    'repository, RG405 isolation level, RG409 two components have one version with other content, '
    'RG412 stale p_if_revision.';
grant execute on function pkgdb.switch_distribution to pkgdb_operator;
