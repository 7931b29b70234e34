-- Brings a deleted version back as it was, as a new row: what was removed never enters a snapshot
-- again.
create function pkgdb.restore_version(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_version pkgdb.string, p_variant pkgdb.string default '',
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
    v_repository   pkgdb.repository;
    v_registration pkgdb.registration;
    v_live         pkgdb.package_version;
    v_ghost        pkgdb.package_version;
    v_version      pkgdb.package_version;
    v_normalized   text;
    v_role         text;
    v_files        pkgdb.file_spec[];
    v_count        integer := 0;
    v_bytes        bigint := 0;
    v_now          timestamptz;
    v_result       pkgdb.version_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'restore_version',
        jsonb_build_array(p_repository, p_ecosystem, p_name, p_version, p_variant,
                          p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    v_locked := pkgdb.open_registration(
        p_namespace, p_repository, p_ecosystem, p_name, p_if_revision);
    v_registration := v_locked.registration;
    v_repository := v_locked.repository;
    perform pkgdb.check_publishable(
        v_repository, v_registration, v_locked.normalized_name);
    v_normalized := pkgdb.scheme_normalize_version(v_registration.scheme, p_version);
    v_live := pkgdb.find_version(v_registration, v_normalized, p_variant);

    if v_live.version_id is not null then
        -- Without a tombstone it was never deleted, or was restored: nothing is left to do.
        if v_live.status <> 'available'
            or pkgdb.has_tombstone(v_registration, v_normalized, p_variant)
        then
            raise exception using
                errcode = 'RG409',
                message = format('version %s of %s is in the way', pkgdb.quoted(p_version),
                                 pkgdb.quoted(p_name)),
                detail = format('It is %s.', v_live.status);
        end if;
        v_result := pkgdb.unchanged(v_registration, v_live);
    else
        -- The row lock keeps the purge away from the ghost, or waits until the purge has taken it.
        select * into v_ghost
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
           and v.normalized_version = v_normalized and v.variant = p_variant
           and v.status = 'pending_destruction' and v.added_epoch is not null
         order by v.version_id desc
         limit 1
           for update;
        if not found then
            raise exception using
                errcode = 'RG404',
                message = format('no deleted version %s of %s is left to restore',
                                 pkgdb.quoted(p_version), pkgdb.quoted(p_name));
        end if;

        v_now := pkgdb.clock();
        insert into pkgdb.package_version
            (namespace, registration_id, scheme, version, variant, status, listed, yank_reason,
             deprecation, metadata, added_epoch, created_at, published_at)
        values
            (p_namespace, v_ghost.registration_id, v_ghost.scheme, v_ghost.version,
             v_ghost.variant, 'available', v_ghost.listed, v_ghost.yank_reason,
             v_ghost.deprecation, v_ghost.metadata, v_repository.epoch, v_now, v_now)
        returning * into v_version;
        perform pkgdb.insert_dependencies(
            v_version,
            pkgdb.version_dependencies(
                p_namespace, v_ghost.registration_id, v_ghost.version_id));
        -- Its files: those that went with it, not those that had been deleted before.
        for v_role, v_files in
            select f.role,
                   array_agg((f.filename, f.sha256, b.size, f.media_type, f.attributes
                             )::pkgdb.file_spec order by f.sha256)
              from pkgdb.file f
              join pkgdb.blob b on b.namespace = p_namespace and b.sha256 = f.sha256
             where f.namespace = p_namespace and f.registration_id = v_ghost.registration_id
               and f.version_id = v_ghost.version_id and f.removed_at = v_ghost.removed_at
               and f.status = 'pending_destruction'
             group by f.role
             order by f.role
        loop
            v_bytes := v_bytes + pkgdb.insert_files(v_locked, v_version, v_files, v_role);
            v_count := v_count + cardinality(v_files);
        end loop;
        delete from pkgdb.tombstone t
         where t.namespace = p_namespace and t.registration_id = v_ghost.registration_id
           and t.normalized_version = v_normalized and t.variant = p_variant
           and (t.filename = '' or exists (
                select from pkgdb.file f
                 where f.namespace = p_namespace and f.registration_id = v_ghost.registration_id
                   and f.version_id = v_version.version_id and f.filename = t.filename));
        v_result := pkgdb.touch(
            v_registration, v_version, 'restored', p_actor,
            p_versions => 1, p_files => v_count, p_bytes => v_bytes);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.restore_version is
    'Brings back a version that was deleted and not yet purged, with the files, listing and '
    'deprecation that it had; a quarantine does not come back, tags do not either. Restoring is '
    'no reuse: it is allowed under every reuse policy. Outcome restored, or unchanged where it is '
    'there already. Errors: RG400 malformed argument, RG403 mirror or protected name, RG404 no '
    'such repository or package, or nothing left to restore, RG405 isolation level, RG409 another '
    'version or file took the place, RG412 stale p_if_revision, RG422 bytes are missing on a '
    'required backend.';
grant execute on function pkgdb.restore_version to pkgdb_publisher;
