-- Drops a distribution. What it served stays, and can be dropped then.
create function pkgdb.drop_distribution(
    p_namespace pkgdb.string, p_prefix pkgdb.string, p_distribution pkgdb.string,
    p_if_revision bigint default null, p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns pkgdb.distribution_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_request      pkgdb.request;
    v_locked       pkgdb.locked_distribution;
    v_distribution pkgdb.distribution;
    v_result       pkgdb.distribution_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'drop_distribution',
        jsonb_build_array(p_prefix, p_distribution, p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    v_locked := pkgdb.lock_distribution(p_namespace, p_prefix, p_distribution, '{}');
    v_distribution := v_locked.distribution;
    if v_distribution.distribution_id is null then
        perform pkgdb.no_distribution(p_namespace, p_prefix, p_distribution);
    end if;
    perform pkgdb.check_revision(v_distribution.revision, p_if_revision);

    v_result := pkgdb.touch_distribution(v_distribution, 'dropped', p_actor);
    delete from pkgdb.distribution_component c
     where c.namespace = p_namespace and c.distribution_id = v_distribution.distribution_id;
    delete from pkgdb.distribution d
     where d.namespace = p_namespace and d.distribution_id = v_distribution.distribution_id;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.drop_distribution is
    'Drops a distribution; its name is free at once. Outcome dropped. Errors: RG400 malformed '
    'argument, RG404 no such distribution, RG405 isolation level, RG412 stale p_if_revision.';
grant execute on function pkgdb.drop_distribution to pkgdb_operator;
