-- Removes a tag; the version that it pointed at stays.
create function pkgdb.drop_tag(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_tag pkgdb.string,
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
        p_namespace, p_actor, p_request_key, 'drop_tag',
        jsonb_build_array(p_repository, p_ecosystem, p_name, p_tag, p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('tag', p_tag, 255);
    v_locked := pkgdb.open_registration(
        p_namespace, p_repository, p_ecosystem, p_name, p_if_revision);
    v_registration := v_locked.registration;

    select v.* into v_version
      from pkgdb.tag t
      join pkgdb.package_version v
        on v.namespace = p_namespace and v.registration_id = t.registration_id
       and v.version_id = t.version_id
     where t.namespace = p_namespace and t.registration_id = v_registration.registration_id
       and t.tag = p_tag;
    if not found then
        v_result := pkgdb.unchanged(v_registration, v_version);
    else
        delete from pkgdb.tag t
         where t.namespace = p_namespace and t.registration_id = v_registration.registration_id
           and t.tag = p_tag;
        v_result := pkgdb.touch(v_registration, v_version, 'tag_dropped', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.drop_tag is
    'Removes tag p_tag of a package; a tag that is not there is a success. Outcome tag_dropped or '
    'unchanged (version_id null). Errors: RG400 malformed argument, RG404 no such repository or '
    'package, RG405 isolation level, RG412 stale p_if_revision.';
grant execute on function pkgdb.drop_tag to pkgdb_publisher;
