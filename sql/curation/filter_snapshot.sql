-- The packages of a snapshot that queries match, as a new snapshot.
create function pkgdb.filter_snapshot(
    p_namespace pkgdb.string, p_snapshot pkgdb.string, p_source pkgdb.string, p_queries text[],
    p_follow boolean default false, p_architectures text[] default null,
    p_kinds text[] default '{depends,pre-depends}', p_description text default '',
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
    v_source   pkgdb.member[];
    v_snapshot pkgdb.snapshot;
    v_result   pkgdb.snapshot_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'filter_snapshot',
        jsonb_build_array(p_snapshot, p_source, p_queries, p_follow, p_architectures, p_kinds,
                          p_description));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('snapshot', p_snapshot, 255);
    perform pkgdb.check_description(p_description);
    perform pkgdb.check_following(p_kinds, p_architectures);
    if p_follow is null then
        raise exception using errcode = 'RG400', message = 'follow must be true or false';
    end if;
    v_sources := pkgdb.lock_snapshots(p_namespace, array[p_source]::text[]);

    v_source := pkgdb.snapshot_members(v_sources[1]);
    v_snapshot := pkgdb.insert_snapshot(
        p_namespace, p_snapshot, p_description,
        pkgdb.choose_members(
            p_namespace, '{}', v_source, p_queries, p_follow,
            coalesce(
                p_architectures,
                pkgdb.architectures_of(pkgdb.member_variants(v_source))),
            p_kinds));
    perform pkgdb.insert_sources(v_snapshot, v_sources);
    v_result := pkgdb.touch_snapshot(v_snapshot, 'created', p_actor);
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.filter_snapshot is
    'Makes a new snapshot of what one of p_queries matches in p_source; with p_follow also of what '
    'that depends on there (relations of p_kinds, for p_architectures: null for those of the '
    'source). Outcome created. Errors: RG400 malformed argument, RG404 no such snapshot, RG405 '
    'isolation level, RG409 the name is taken.';
grant execute on function pkgdb.filter_snapshot to pkgdb_operator;
