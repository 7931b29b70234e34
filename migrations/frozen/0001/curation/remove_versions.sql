-- Deletes the versions that queries match. What is not there is no error.
create function pkgdb.remove_versions(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_queries text[],
    p_dry_run boolean default false, p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns pkgdb.change_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_request    pkgdb.request;
    v_repository pkgdb.repository;
    v_members    pkgdb.member[];
    v_result     pkgdb.change_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'remove_versions',
        jsonb_build_array(p_repository, p_queries, p_dry_run));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    if p_dry_run is null then
        raise exception using errcode = 'RG400', message = 'dry_run must be true or false';
    end if;
    v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
    perform pkgdb.check_removable(v_repository);
    v_members := pkgdb.match_members(
        p_namespace, pkgdb.repository_members(v_repository), p_queries);

    if not p_dry_run then
        perform pkgdb.bury_members(v_repository, v_members, p_actor);
    end if;
    v_result := (
        v_repository.repository_id, v_repository.revision, 0, cardinality(v_members), 0, 0,
        case when p_dry_run then 'planned' when v_members = '{}' then 'unchanged'
             else 'removed' end,
        pkgdb.member_changes('remove', v_members));
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.remove_versions is
    'Deletes, as delete_version does, what one of p_queries matches in a repository; nothing is a '
    'success that removes 0. p_dry_run: only says what would be removed. Takes the repository for '
    'itself, waiting at most 10 seconds. Outcome removed, unchanged or planned. Errors: RG400 '
    'malformed argument or query, RG403 immutable, RG404 no such repository, RG405 isolation '
    'level, RG422 lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.remove_versions to pkgdb_operator;
