-- Points a tag at a version, from wherever it pointed before.
create function pkgdb.set_tag(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_version pkgdb.string, p_variant pkgdb.string default '',
    p_tag pkgdb.string default null,
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
    v_now          timestamptz;
    v_result       pkgdb.version_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'set_tag',
        jsonb_build_array(p_repository, p_ecosystem, p_name, p_version, p_variant, p_tag,
                          p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('tag', p_tag, 255);
    v_locked := pkgdb.open_registration(
        p_namespace, p_repository, p_ecosystem, p_name, p_if_revision);
    v_registration := v_locked.registration;
    v_version := pkgdb.published_version(v_registration, p_version, p_variant);

    if exists (
        select from pkgdb.tag t
         where t.namespace = p_namespace and t.registration_id = v_registration.registration_id
           and t.tag = p_tag and t.version_id = v_version.version_id)
    then
        v_result := pkgdb.unchanged(v_registration, v_version);
    else
        if v_version.status <> 'available' then
            raise exception using
                errcode = 'RG422',
                message = format('version %s is %s', pkgdb.quoted(p_version), v_version.status),
                hint = 'Tags are set on available versions.';
        end if;
        v_now := pkgdb.clock();
        insert into pkgdb.tag (namespace, registration_id, tag, version_id, updated_at)
        values (p_namespace, v_registration.registration_id, p_tag, v_version.version_id, v_now)
        on conflict (namespace, registration_id, tag)
        do update set version_id = excluded.version_id, updated_at = excluded.updated_at;
        v_result := pkgdb.touch(v_registration, v_version, 'tagged', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.set_tag is
    'Points tag p_tag of a package at a version, from wherever it pointed before. Outcome tagged '
    'or unchanged. Errors: RG400 malformed argument, RG404 no such repository, package or '
    'version, RG405 isolation level, RG412 stale p_if_revision, RG422 not available.';
grant execute on function pkgdb.set_tag to pkgdb_publisher;
