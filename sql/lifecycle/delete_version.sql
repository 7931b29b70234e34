-- Deletes a version: it is a ghost from here on, and its slot is free as the reuse policy says.
create function pkgdb.delete_version(
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
    v_normalized   text;
    v_version      pkgdb.package_version;
    v_result       pkgdb.version_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'delete_version',
        jsonb_build_array(p_repository, p_ecosystem, p_name, p_version, p_variant,
                          p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    v_locked := pkgdb.open_registration(
        p_namespace, p_repository, p_ecosystem, p_name, p_if_revision);
    v_registration := v_locked.registration;
    v_repository := v_locked.repository;
    perform pkgdb.check_removable(v_repository);
    v_normalized := pkgdb.scheme_normalize_version(v_registration.scheme, p_version);
    v_version := pkgdb.find_version(v_registration, v_normalized, p_variant);

    if v_version.version_id is not null then
        v_result := pkgdb.bury_version(v_repository, v_registration, v_version, 'deleted', p_actor);
    elsif pkgdb.has_tombstone(v_registration, v_normalized, p_variant) then
        v_result := pkgdb.unchanged(v_registration, v_version);
    else
        raise exception using
            errcode = 'RG404',
            message = format('no version %s of %s', pkgdb.quoted(p_version), pkgdb.quoted(p_name));
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.delete_version is
    'Deletes a version with its files and the tags on it. Its bytes stay until nothing needs '
    'them. Deleting it again is a success. Outcome deleted or unchanged (version_id null). '
    'Errors: RG400 malformed argument, RG403 immutable, RG404 no such repository or package, or '
    'the version never existed, RG405 isolation level, RG412 stale p_if_revision.';
grant execute on function pkgdb.delete_version to pkgdb_publisher;
