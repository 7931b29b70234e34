-- Blocks a version: invisible and never latest, but its slot is kept.
create function pkgdb.quarantine(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_version pkgdb.string, p_variant pkgdb.string default '',
    p_reason pkgdb.string default null,
    p_if_revision bigint default null, p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns pkgdb.version_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_request      pkgdb.request;
    v_locked       pkgdb.locked_name;
    v_registration pkgdb.registration;
    v_version      pkgdb.package_version;
    v_result       pkgdb.version_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'quarantine',
        jsonb_build_array(p_repository, p_ecosystem, p_name, p_version, p_variant, p_reason,
                          p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_message('reason', p_reason);
    v_locked := pkgdb.open_registration(
        p_namespace, p_repository, p_ecosystem, p_name, p_if_revision);
    v_registration := v_locked.registration;
    v_version := pkgdb.published_version(v_registration, p_version, p_variant);

    if v_version.status = 'quarantined'
        and v_version.quarantine_reason is not distinct from p_reason then
        v_result := pkgdb.unchanged(v_registration, v_version);
    else
        update pkgdb.package_version v
           set status = 'quarantined', quarantine_reason = p_reason
         where v.namespace = p_namespace and v.registration_id = v_version.registration_id
           and v.version_id = v_version.version_id;
        perform pkgdb.mark_ghosts(v_version, coalesce(p_reason, ''));
        v_result := pkgdb.touch(v_registration, v_version, 'quarantined', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.quarantine is
    'Blocks a version: no lookup sees it until release_quarantine, nobody can publish in its '
    'place, and no distribution serves it, nor what was deleted of it before and snapshots still '
    'contain. p_reason replaces an earlier reason. Outcome quarantined or unchanged. Errors: RG400 '
    'malformed argument, RG404 no such repository, package or version, RG405 isolation level, '
    'RG412 stale p_if_revision, RG422 being published.';
grant execute on function pkgdb.quarantine to pkgdb_publisher;

-- Marks what was deleted of a version's identity as blocked, or (null) no longer: snapshots may
-- contain it.
create function pkgdb.mark_ghosts(p_version pkgdb.package_version, p_reason text)
returns void
language plpgsql
as $$
begin
    update pkgdb.package_version v
       set quarantine_reason = p_reason
     where v.namespace = p_version.namespace and v.registration_id = p_version.registration_id
       and v.normalized_version = p_version.normalized_version and v.variant = p_version.variant
       and v.status = 'pending_destruction' and v.quarantine_reason is distinct from p_reason;
end;
$$;
