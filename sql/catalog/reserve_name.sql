-- Keeps a name from being published. A reserved name is a claim like any other, in the same index.
create function pkgdb.reserve_name(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_request_key pkgdb.string default null, p_actor pkgdb.string default null
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
    v_result       pkgdb.version_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'reserve_name',
        jsonb_build_array(p_repository, p_ecosystem, p_name));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    v_locked := pkgdb.lock_name(p_namespace, p_repository, p_ecosystem, p_name);
    v_registration := v_locked.registration;

    if v_registration.registration_id is null then
        v_registration := pkgdb.claim_name(v_locked, p_name, 'reserved');
        v_result := pkgdb.touch(v_registration, null, 'reserved', p_actor);
    elsif v_registration.status = 'reserved'
        and v_registration.repository_id = (v_locked.repository).repository_id
    then
        v_result := pkgdb.unchanged(v_registration, null);
    else
        raise exception using
            errcode = 'RG409',
            message = format('the name %s is taken', pkgdb.quoted(p_name));
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.reserve_name is
    'Reserves a free name: publishing under it, or under a spelling that normalises to it, is '
    'RG403. Outcome reserved or unchanged. Errors: RG400 malformed argument, RG404 no such '
    'repository, RG405 isolation level, RG409 the name is taken.';
grant execute on function pkgdb.reserve_name to pkgdb_operator;
