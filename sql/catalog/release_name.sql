-- Frees a reserved name for anyone.
create function pkgdb.release_name(
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
        p_namespace, p_actor, p_request_key, 'release_name',
        jsonb_build_array(p_repository, p_ecosystem, p_name));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    v_locked := pkgdb.lock_name(p_namespace, p_repository, p_ecosystem, p_name);
    v_registration := v_locked.registration;

    if v_registration.repository_id is distinct from (v_locked.repository).repository_id
        or v_registration.status <> 'reserved'
    then
        v_result := (null, null, null, 'unchanged');
    else
        -- A reserved name never had versions: nothing refers to its row.
        v_result := pkgdb.touch(v_registration, null, 'released', p_actor);
        delete from pkgdb.registration r
         where r.namespace = p_namespace and r.registration_id = v_registration.registration_id;
        if v_registration.lookalike_key is not null then
            perform pkgdb.claim_lookalikes(p_namespace, array[v_registration.lookalike_key::text]);
        end if;
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.release_name is
    'Frees a reserved name for anyone. Outcome released, or unchanged where this repository does '
    'not reserve it. Errors: RG400 malformed argument, RG404 no such repository, RG405 isolation '
    'level.';
grant execute on function pkgdb.release_name to pkgdb_operator;
