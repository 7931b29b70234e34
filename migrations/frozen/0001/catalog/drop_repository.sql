-- Drops a repository: everything in it becomes a ghost at once, and the purge removes it bit by
-- bit.
create function pkgdb.drop_repository(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_force boolean default false,
    p_if_revision bigint default null, p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns pkgdb.repository_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Everything of the repository is touched: what the planner believes about tables that nobody has
-- analysed yet must not make it read them once for each package.
set enable_nestloop = off
set jit = off
as $$
declare
    v_request    pkgdb.request;
    v_repository pkgdb.repository;
    v_keys       text[];
    v_digests    bytea[];
    v_now        timestamptz;
    v_result     pkgdb.repository_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'drop_repository',
        jsonb_build_array(p_repository, p_force, p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    if p_force is null then
        raise exception using errcode = 'RG400', message = 'force must be true or false';
    end if;
    v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
    perform pkgdb.check_revision(v_repository.revision, p_if_revision);
    perform pkgdb.check_removable(v_repository);
    if not p_force and exists (
        select from pkgdb.snapshot s
         where s.namespace = p_namespace and s.repository_id = v_repository.repository_id)
    then
        raise exception using
            errcode = 'RG423',
            message = format('repository %s has snapshots', pkgdb.quoted(p_repository)),
            hint = 'Drop them first, or force: they keep what they contain.';
    end if;
    if exists (
        select from pkgdb.distribution_component c
         where c.namespace = p_namespace and c.repository_id = v_repository.repository_id)
    then
        raise exception using
            errcode = 'RG423',
            message = format('repository %s is served by a distribution',
                             pkgdb.quoted(p_repository)),
            hint = 'Switch or drop the distribution first.';
    end if;
    v_now := pkgdb.clock();

    delete from pkgdb.tag t
     using pkgdb.registration r
     where r.namespace = p_namespace and r.repository_id = v_repository.repository_id
       and t.namespace = p_namespace and t.registration_id = r.registration_id;
    -- The names go back to where others can claim them.
    v_keys := array(
        select r.lookalike_key
          from pkgdb.registration r
         where r.namespace = p_namespace and r.repository_id = v_repository.repository_id
           and r.scope_id = 0 and r.lookalike_key is not null);
    update pkgdb.registration r
       set scope_id = r.repository_id, lookalike_key = null, latest_version_id = null,
           latest_stable_version_id = null, version_count = 0, file_count = 0, byte_count = 0,
           updated_at = v_now
     where r.namespace = p_namespace and r.repository_id = v_repository.repository_id;
    update pkgdb.file f
       set status = 'pending_destruction', publication_id = null,
           removed_epoch = v_repository.epoch, removed_at = v_now
      from pkgdb.registration r
     where r.namespace = p_namespace and r.repository_id = v_repository.repository_id
       and f.namespace = p_namespace and f.registration_id = r.registration_id
       and f.status in ('processing', 'available');
    update pkgdb.package_version v
       set status = 'pending_destruction', removed_epoch = v_repository.epoch, removed_at = v_now,
           quarantine_reason = case when v.status = 'quarantined'
                                    then coalesce(v.quarantine_reason, '') end
      from pkgdb.registration r
     where r.namespace = p_namespace and r.repository_id = v_repository.repository_id
       and v.namespace = p_namespace and v.registration_id = r.registration_id
       and v.status in ('processing', 'available', 'quarantined');
    v_digests := pkgdb.supersede_update(v_repository, 'its repository was dropped');
    update pkgdb.publication p
       set status = 'aborted', reason = 'its repository was dropped', ended_at = v_now,
           expires_at = v_now + interval '7 days'
     where p.namespace = p_namespace and p.repository_id = v_repository.repository_id
       and p.status = 'open';
    update pkgdb.repository r
       set status = 'dropped', dropped_at = v_now
     where r.namespace = p_namespace and r.repository_id = v_repository.repository_id;
    if v_keys <> '{}' then
        perform pkgdb.claim_lookalikes(p_namespace, v_keys);
    end if;

    v_result := pkgdb.touch_repository(v_repository, 'dropped', p_actor);
    -- Last, as others may wait for these rows.
    perform pkgdb.mark_unneeded(p_namespace, v_digests);
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.drop_repository is
    'Drops a repository and everything in it; purge removes the rows later. With snapshots of it '
    'only if p_force: they keep what they contain. Its name, and the names that it claimed, are '
    'free at once. Takes the repository for itself, waiting at most 10 seconds. Outcome dropped. '
    'Errors: RG400 malformed argument, RG403 immutable, RG404 no such repository, RG405 isolation '
    'level, RG412 stale p_if_revision, RG422 lock held shared, RG423 has snapshots, or a '
    'distribution serves it (whatever p_force says), 55P03 lock timeout.';
grant execute on function pkgdb.drop_repository to pkgdb_operator;
