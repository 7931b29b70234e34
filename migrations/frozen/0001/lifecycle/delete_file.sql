-- Deletes one file of a version that lives on.
create function pkgdb.delete_file(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_version pkgdb.string, p_variant pkgdb.string default '',
    p_filename pkgdb.string default null,
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
    v_version      pkgdb.package_version;
    v_file         pkgdb.file;
    v_now          timestamptz;
    v_result       pkgdb.version_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'delete_file',
        jsonb_build_array(p_repository, p_ecosystem, p_name, p_version, p_variant, p_filename,
                          p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('file name', p_filename, 1024);
    v_locked := pkgdb.open_registration(
        p_namespace, p_repository, p_ecosystem, p_name, p_if_revision);
    v_registration := v_locked.registration;
    v_repository := v_locked.repository;
    perform pkgdb.check_removable(v_repository);
    v_version := pkgdb.published_version(v_registration, p_version, p_variant);
    select * into v_file
      from pkgdb.file f
     where f.namespace = p_namespace and f.registration_id = v_registration.registration_id
       and f.version_id = v_version.version_id and f.filename = p_filename
       and f.status = 'available';

    if v_file.file_id is not null then
        v_now := pkgdb.clock();
        update pkgdb.file f
           set status = 'pending_destruction', removed_epoch = v_repository.epoch,
               removed_at = v_now
         where f.namespace = p_namespace and f.registration_id = v_registration.registration_id
           and f.version_id = v_version.version_id and f.file_id = v_file.file_id;
        perform pkgdb.remember_deleted(
            v_version, v_file.filename, v_file.sha256);
        v_result := pkgdb.touch(
            v_registration, v_version, 'file_deleted', p_actor, p_files => -1,
            p_bytes => -(select b.size from pkgdb.blob b
                          where b.namespace = p_namespace and b.sha256 = v_file.sha256));
    elsif pkgdb.has_tombstone(
        v_registration, v_version.normalized_version, p_variant, p_filename) then
        v_result := pkgdb.unchanged(v_registration, v_version);
    else
        raise exception using
            errcode = 'RG404',
            message = format('version %s of %s has no file %s', pkgdb.quoted(p_version),
                             pkgdb.quoted(p_name), pkgdb.quoted(p_filename));
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.delete_file is
    'Deletes file p_filename of a version. Deleting it again is a success. Outcome file_deleted or '
    'unchanged. Errors: RG400 malformed argument, RG403 immutable, RG404 no such repository, '
    'package or version, or the file never existed, RG405 isolation level, RG412 stale '
    'p_if_revision, RG422 being published.';
grant execute on function pkgdb.delete_file to pkgdb_publisher;
