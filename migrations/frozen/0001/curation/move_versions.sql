-- Moves versions from one repository to another: in one transaction, so that they are never in both
-- or in neither.
create function pkgdb.move_versions(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_from_repository pkgdb.string,
    p_queries text[], p_replace boolean default false, p_dry_run boolean default false,
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.change_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
    v_request pkgdb.request;
    v_locked  pkgdb.repository[];
    v_members pkgdb.member[];
    v_copies  pkgdb.copied_version[];
    v_found   bigint;
    v_result  pkgdb.change_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'move_versions',
        jsonb_build_array(p_repository, p_from_repository, p_queries, p_replace, p_dry_run));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    if p_replace is null or p_dry_run is null or p_from_repository = p_repository then
        raise exception using
            errcode = 'RG400',
            message = 'move from another repository; replace and dry_run must be true or false';
    end if;
    v_locked := pkgdb.lock_repositories(
        p_namespace, array[p_repository, p_from_repository]::text[], array[true, true]);
    perform pkgdb.check_publishable(v_locked[1], null, null);
    perform pkgdb.check_removable(v_locked[2]);
    v_members := pkgdb.match_members(
        p_namespace, pkgdb.repository_members(v_locked[2]), p_queries);
    v_found := cardinality(v_members);
    v_members := pkgdb.without_quarantined(v_members);
    v_copies := array(select c from pkgdb.read_copies(p_namespace, v_members) c);

    -- A dry run does it all, and then undoes it. (A code that ends in 000 would stand for all of
    -- its class, and every refusal be taken for a dry run.)
    begin
        v_result := pkgdb.publish_copies(v_locked[1], v_copies, p_replace, p_actor);
        perform pkgdb.bury_members(v_locked[2], v_members, p_actor);
        v_result.outcome := case when v_members = '{}' then 'unchanged' else 'moved' end;
        if p_dry_run then
            raise exception using errcode = 'RG001', message = 'a dry run';
        end if;
    exception when sqlstate 'RG001' then
        v_result.outcome := 'planned';
    end;
    v_result.repository_id := (v_locked[1]).repository_id;
    v_result.revision := (v_locked[1]).revision;
    v_result.skipped := v_found - cardinality(v_members);
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.move_versions is
    'Publishes in p_repository what one of p_queries matches in p_from_repository, as '
    'copy_versions does (p_replace and p_dry_run too), and deletes it there, in one transaction. '
    'Takes both repositories for itself, waiting at most 10 seconds for each. Outcome moved, '
    'unchanged or planned. Errors: RG400 malformed argument, RG403 mirror, reserved or protected '
    'name, immutable, RG404 no such repository, RG405 isolation level, RG409 exists with other '
    'content or the name is taken, RG410 deleted and reuse forbidden, RG422 being published, not '
    'available, bytes missing, or lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.move_versions to pkgdb_operator;
