-- Publishes a version whose content is stored already (or that is metadata only), in one call.
create function pkgdb.publish(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_version pkgdb.string, p_variant pkgdb.string default '',
    p_files jsonb default '[]', p_metadata jsonb default '{}', p_dependencies jsonb default '[]',
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
    v_files        pkgdb.file_spec[];
    v_dependencies pkgdb.dependency_spec[] := array[]::pkgdb.dependency_spec[];
    v_result       pkgdb.version_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'publish',
        case when p_request_key is not null
             then jsonb_build_array(p_repository, p_ecosystem, p_name, p_version, p_variant,
                                    p_files, p_metadata, p_dependencies, p_if_revision) end);
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    v_files := pkgdb.read_files(p_files);
    if p_metadata is distinct from '{}' then
        perform pkgdb.check_metadata(p_metadata);
    end if;

    v_locked := pkgdb.lock_name(p_namespace, p_repository, p_ecosystem, p_name);
    if p_if_revision is not null then
        perform pkgdb.check_revision(
            coalesce((v_locked.registration).revision, 0), p_if_revision);
    end if;
    if p_dependencies is distinct from '[]' then
        v_dependencies := pkgdb.read_dependencies(
            p_dependencies, (v_locked.ecosystem).name_rule);
    end if;

    v_result := pkgdb.publish_version(
        v_locked, p_name, p_version, p_variant, v_files, p_metadata, v_dependencies, p_actor);
    if p_request_key is not null then
        perform pkgdb.end_request(v_request, to_jsonb(v_result));
    end if;
    return v_result;
end;
$$;
comment on function pkgdb.publish is
    'Publishes a version of a package: creates the registration and the version where they are '
    'absent, adds files that a version of a many-file ecosystem does not have yet, and is a '
    'success that changes nothing where all of it is there. p_files: array of {filename, sha256 '
    '(64 hex digits), size (bytes), media_type, attributes}; p_metadata: object of at most 1 MiB '
    '({}: none stated); p_dependencies: array of {kind, alternatives: [{name, constraints: '
    '[[operator, version]], architecture}]} ([]: none stated). p_if_revision 0 means that the '
    'name must be new. Outcome created, files_added or unchanged. Errors: RG400 malformed '
    'argument, RG403 mirror, reserved or protected name, immutable, RG404 no such repository, '
    'RG405 isolation level, RG409 exists with other content or the name is taken, RG410 deleted '
    'and reuse forbidden, RG412 stale p_if_revision, RG422 being published or not available.';
grant execute on function pkgdb.publish to pkgdb_publisher;
