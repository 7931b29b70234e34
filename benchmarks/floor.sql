-- The floor: the rows of one publish, written from the same arguments and with the same privileges
-- (the tables are private), with no check and no lock. It believes that the package exists, that
-- the version and its one file are new, and that the version is the latest.
create function public.floor_publish(
    p_namespace text, p_repository text, p_ecosystem text, p_name text, p_version text,
    p_variant text default '', p_files jsonb default '[]', p_metadata jsonb default '{}'
)
returns pkgdb.version_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now          timestamptz := clock_timestamp();
    v_file         jsonb := p_files -> 0;
    v_sha256       bytea := decode(v_file ->> 'sha256', 'hex');
    v_size         bigint := (v_file ->> 'size')::bigint;
    v_repository   pkgdb.repository;
    v_registration pkgdb.registration;
    v_version_id   bigint;
    v_revision     bigint;
begin
    select * into v_repository
      from pkgdb.repository r
     where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
    select * into v_registration
      from pkgdb.registration r
     where r.namespace = p_namespace and r.scope_id = 0 and r.ecosystem = p_ecosystem
       and r.normalized_name = p_name;

    insert into pkgdb.package_version
        (namespace, registration_id, scheme, version, variant, status, metadata, added_epoch,
         created_at, published_at)
    values
        (p_namespace, v_registration.registration_id, v_registration.scheme, p_version, p_variant,
         'available', p_metadata, v_repository.epoch, v_now, v_now)
    returning version_id into v_version_id;
    insert into pkgdb.blob (namespace, sha256, size, created_at)
    values (p_namespace, v_sha256, v_size, v_now);
    insert into pkgdb.file
        (namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
         media_type, attributes, status, added_epoch, created_at)
    values
        (p_namespace, v_registration.registration_id, v_version_id, v_file ->> 'filename',
         v_version_id, 'main', v_sha256, v_file ->> 'media_type',
         coalesce(v_file -> 'attributes', '{}'), 'available', v_repository.epoch, v_now);
    update pkgdb.registration
       set latest_version_id = v_version_id, latest_stable_version_id = v_version_id,
           version_count = version_count + 1, file_count = file_count + 1,
           byte_count = byte_count + v_size, revision = revision + 1, updated_at = v_now
     where namespace = p_namespace and registration_id = v_registration.registration_id
    returning revision into v_revision;
    insert into pkgdb.outbox
        (namespace, event, repository_id, registration_id, version_id, revision, ecosystem, name,
         version, variant, login, occurred_at)
    values
        (p_namespace, 'created', v_repository.repository_id, v_registration.registration_id,
         v_version_id, v_revision, p_ecosystem, p_name, p_version, p_variant, session_user, v_now);
    return (v_registration.registration_id, v_version_id, v_revision, 'created')::pkgdb.version_ref;
end;
$$;
alter function public.floor_publish owner to pkgdb_owner;
