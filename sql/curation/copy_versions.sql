-- Copies versions into a repository, as if each were published there.
create function pkgdb.copy_versions(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_queries text[],
    p_from_repository pkgdb.string default null, p_from_snapshot pkgdb.string default null,
    p_replace boolean default false, p_dry_run boolean default false,
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.change_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
    v_request    pkgdb.request;
    v_locked     pkgdb.repository[];
    v_repository pkgdb.repository;
    v_snapshots  pkgdb.snapshot[];
    v_chosen     pkgdb.chosen_copies;
    v_result     pkgdb.change_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'copy_versions',
        jsonb_build_array(p_repository, p_queries, p_from_repository, p_from_snapshot, p_replace,
                          p_dry_run));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    if p_replace is null or p_dry_run is null
        or num_nonnulls(p_from_repository, p_from_snapshot) <> 1
        or p_from_repository = p_repository
    then
        raise exception using
            errcode = 'RG400',
            message = 'copy from another repository, or from a snapshot; replace and dry_run must '
                      'be true or false';
    end if;
    if p_from_snapshot is null then
        v_locked := pkgdb.lock_repositories(
            p_namespace, array[p_repository, p_from_repository]::text[], array[true, false]);
    else
        v_locked := array[pkgdb.lock_repository(p_namespace, p_repository, true)];
        v_snapshots := pkgdb.lock_snapshots(p_namespace, array[p_from_snapshot]::text[]);
    end if;
    v_repository := v_locked[1];
    perform pkgdb.check_publishable(v_repository, null, null);
    v_chosen := pkgdb.choose_copies(v_locked[2], v_snapshots[1], p_queries);

    -- A dry run does it all, and then undoes it. (A code that ends in 000 would stand for all of
    -- its class, and every refusal be taken for a dry run.)
    begin
        v_result := pkgdb.publish_copies(
            v_repository, v_chosen.copies, p_replace, p_actor);
        v_result.outcome := case when v_result.added + v_result.removed > 0 then 'copied'
                                 else 'unchanged' end;
        if p_dry_run then
            raise exception using errcode = 'RG001', message = 'a dry run';
        end if;
    exception when sqlstate 'RG001' then
        v_result.outcome := 'planned';
    end;
    v_result.revision := v_repository.revision;
    v_result.repository_id := v_repository.repository_id;
    v_result.skipped := v_chosen.found - cardinality(v_chosen.copies);
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.copy_versions is
    'Publishes in p_repository what one of p_queries matches in p_from_repository or '
    'p_from_snapshot: files (their bytes are shared), metadata and dependencies, in one '
    'transaction; not what is quarantined. A version that is there with other content is an '
    'error, with p_replace it goes first. p_dry_run: only says what would change. Takes the '
    'repository for itself, waiting at most 10 seconds. Outcome copied, unchanged or planned. '
    'Errors: RG400 malformed argument, RG403 mirror, reserved or protected name, immutable, RG404 '
    'no such repository or snapshot, RG405 isolation level, RG409 exists with other content or '
    'the name is taken, RG410 deleted and reuse forbidden, RG422 being published, not available, '
    'bytes missing, or lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.copy_versions to pkgdb_operator;
