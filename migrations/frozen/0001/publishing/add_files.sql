-- Attaches side files to a version that exists: symbols, signatures, attestations.
create function pkgdb.add_files(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_version pkgdb.string, p_variant pkgdb.string default '',
    p_files jsonb default '[]',
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
    v_files        pkgdb.file_spec[];
    v_missing      pkgdb.file_spec[];
    v_result       pkgdb.version_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'add_files',
        jsonb_build_array(p_repository, p_ecosystem, p_name, p_version, p_variant, p_files,
                          p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    v_files := pkgdb.read_files(p_files);
    if v_files = '{}' then
        raise exception using errcode = 'RG400', message = 'no file is given';
    end if;

    v_locked := pkgdb.open_registration(
        p_namespace, p_repository, p_ecosystem, p_name, p_if_revision);
    v_registration := v_locked.registration;
    perform pkgdb.check_publishable(
        v_locked.repository, v_registration, v_locked.normalized_name);
    v_version := pkgdb.published_version(v_registration, p_version, p_variant);

    v_missing := pkgdb.missing_files(v_version, v_files);
    perform pkgdb.check_none_on_its_way(v_version, v_files);
    if v_missing = '{}' then
        v_result := pkgdb.unchanged(v_registration, v_version);
    else
        v_result := pkgdb.extend_version(v_locked, v_version, v_missing, 'side', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.add_files is
    'Attaches side files (symbols, signatures, attestations) to a version that exists, also where '
    'its ecosystem allows one main file only. p_files as in publish. Outcome files_added or '
    'unchanged. Errors: RG400 malformed argument, RG403 mirror, protected name or immutable, '
    'RG404 no such repository, package or version, RG405 isolation level, RG409 a file exists '
    'with other content, RG410 deleted and reuse forbidden, RG412 stale p_if_revision, RG422 not '
    'available.';
grant execute on function pkgdb.add_files to pkgdb_publisher;
