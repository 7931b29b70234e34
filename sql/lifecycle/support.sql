-- What the functions that delete share.

-- Remembers a deleted version (file name '') or file beyond the purge.
create function pkgdb.remember_deleted(
    p_version pkgdb.package_version, p_filename text, p_content_sha256 bytea
)
returns void
language plpgsql
as $$
declare
    v_now timestamptz := pkgdb.clock();
begin
    insert into pkgdb.tombstone
        (namespace, registration_id, normalized_version, version, variant, filename,
         content_sha256, quarantine_reason, deleted_at)
    values
        (p_version.namespace, p_version.registration_id, p_version.normalized_version,
         p_version.version, p_version.variant, p_filename, p_content_sha256,
         case when p_filename = '' and p_version.status = 'quarantined'
              then coalesce(p_version.quarantine_reason, '') end,
         v_now)
    on conflict (namespace, registration_id, normalized_version, variant, filename)
    do update set version = excluded.version, content_sha256 = excluded.content_sha256,
                  quarantine_reason = excluded.quarantine_reason,
                  deleted_at = excluded.deleted_at;
end;
$$;

-- The identity of a deleted version under a scheme. One that the scheme refuses cannot be published
-- again, and keeps the identity that it had.
create function pkgdb.remembered_identity(p_scheme text, p_tombstone pkgdb.tombstone)
returns text
language plpgsql
immutable
as $$
begin
    return pkgdb.scheme_normalize_version(p_scheme, p_tombstone.version);
exception when sqlstate 'RG400' then
    return p_tombstone.normalized_version;
end;
$$;

-- Whether a version (file name '') or file was deleted and has not been restored.
create function pkgdb.has_tombstone(
    p_registration pkgdb.registration, p_normalized_version text, p_variant text,
    p_filename text default ''
)
returns boolean
language plpgsql
stable
as $$
begin
    return exists (
        select from pkgdb.tombstone t
         where t.namespace = p_registration.namespace
           and t.registration_id = p_registration.registration_id
           and t.normalized_version = p_normalized_version and t.variant = p_variant
           and t.filename = p_filename);
end;
$$;

-- Turns a live version into a ghost, with its files; remembers what they were, and ends what is on
-- its way to it. The registration is locked. A version that was still being published leaves no
-- memory and no event: nobody has seen it.
create function pkgdb.bury_version(
    p_repository pkgdb.repository, p_registration pkgdb.registration,
    p_version pkgdb.package_version, p_event text, p_actor text
)
returns pkgdb.version_ref
language plpgsql
as $$
declare
    v_now   timestamptz := pkgdb.clock();
    v_file  record;
    v_files integer := 0;
    v_bytes bigint := 0;
begin
    perform pkgdb.end_publications(p_version, 'the version was deleted');
    if p_version.status = 'processing' then
        perform pkgdb.free_slot(
            p_version.namespace, p_version.registration_id, p_version.version_id);
        perform pkgdb.mark_unneeded(
            p_version.namespace,
            pkgdb.forget_unpublished(p_version.namespace, p_version.registration_id));
        return (p_version.registration_id, p_version.version_id, p_registration.revision, p_event
               )::pkgdb.version_ref;
    end if;

    delete from pkgdb.tag t
     where t.namespace = p_version.namespace and t.registration_id = p_version.registration_id
       and t.version_id = p_version.version_id;

    for v_file in
        select f.filename, f.sha256, b.size
          from pkgdb.file f
          join pkgdb.blob b on b.namespace = p_version.namespace and b.sha256 = f.sha256
         where f.namespace = p_version.namespace
           and f.registration_id = p_version.registration_id
           and f.version_id = p_version.version_id and f.status = 'available'
    loop
        perform pkgdb.remember_deleted(p_version, v_file.filename, v_file.sha256);
        v_files := v_files + 1;
        v_bytes := v_bytes + v_file.size;
    end loop;
    perform pkgdb.remember_deleted(
        p_version, '', pkgdb.metadata_digest(p_version.metadata));

    update pkgdb.file f
       set status = 'pending_destruction', removed_epoch = p_repository.epoch, removed_at = v_now
     where f.namespace = p_version.namespace and f.registration_id = p_version.registration_id
       and f.version_id = p_version.version_id and f.status = 'available';
    update pkgdb.package_version v
       set status = 'pending_destruction', removed_epoch = p_repository.epoch, removed_at = v_now,
           quarantine_reason = case when v.status = 'quarantined'
                                    then coalesce(v.quarantine_reason, '') end
     where v.namespace = p_version.namespace and v.registration_id = p_version.registration_id
       and v.version_id = p_version.version_id;

    if p_repository.kind = 'mirror' then
        perform pkgdb.forget_release(p_repository);
    end if;
    return pkgdb.touch(
        p_registration, p_version, p_event, p_actor,
        p_versions => -1, p_files => -v_files, p_bytes => -v_bytes);
end;
$$;

-- A mirror from which something was taken is not at the state of its upstream any longer: the next
-- update is to bring it back.
create function pkgdb.forget_release(p_repository pkgdb.repository)
returns void
language plpgsql
as $$
begin
    update pkgdb.mirror m
       set release = null
     where m.namespace = p_repository.namespace
       and m.repository_id = p_repository.repository_id and m.release is not null;
end;
$$;
