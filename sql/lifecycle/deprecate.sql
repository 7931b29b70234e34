-- Sets or withdraws the message that a version is deprecated. It stays visible and can be latest.
create function pkgdb.deprecate(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_version pkgdb.string, p_variant pkgdb.string default '',
    p_message pkgdb.string default null,
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
        p_namespace, p_actor, p_request_key, 'deprecate',
        jsonb_build_array(p_repository, p_ecosystem, p_name, p_version, p_variant, p_message,
                          p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_message('message', p_message);
    v_locked := pkgdb.open_registration(
        p_namespace, p_repository, p_ecosystem, p_name, p_if_revision);
    v_registration := v_locked.registration;
    v_version := pkgdb.published_version(v_registration, p_version, p_variant);

    if v_version.deprecation is not distinct from p_message then
        v_result := pkgdb.unchanged(v_registration, v_version);
    else
        update pkgdb.package_version v
           set deprecation = p_message
         where v.namespace = p_namespace and v.registration_id = v_version.registration_id
           and v.version_id = v_version.version_id;
        v_result := pkgdb.touch(
            v_registration, v_version,
            case when p_message is null then 'undeprecated' else 'deprecated' end, p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.deprecate is
    'Makes p_message the deprecation message of a version; null withdraws it. Outcome deprecated, '
    'undeprecated or unchanged. Errors: RG400 malformed argument, RG404 no such repository, '
    'package or version, RG405 isolation level, RG412 stale p_if_revision, RG422 being published.';
grant execute on function pkgdb.deprecate to pkgdb_publisher;
