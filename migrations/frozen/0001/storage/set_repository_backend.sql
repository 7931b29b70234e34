-- Says whether a repository keeps its files on a backend. Publishers hold the repository shared, so
-- none commits by the old rule under the new one.
create function pkgdb.set_repository_backend(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_backend pkgdb.string,
    p_requirement pkgdb.string default 'required', p_if_revision bigint default null,
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.repository_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_nestloop = off  -- a whole repository may be compared, whatever the statistics say
set jit = off
as $$
declare
    v_request    pkgdb.request;
    v_repository pkgdb.repository;
    v_backend    pkgdb.backend;
    v_now        text;
    v_wanted     text := p_requirement;
    v_result     pkgdb.repository_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'set_repository_backend',
        jsonb_build_array(p_repository, p_backend, p_requirement, p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    if p_requirement is null or p_requirement not in ('required', 'optional', 'none') then
        raise exception using
            errcode = 'RG400',
            message = format('requirement cannot be %s', pkgdb.quoted(p_requirement)),
            hint = 'Requirements: required, optional, none.';
    end if;
    v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
    perform pkgdb.check_revision(v_repository.revision, p_if_revision);
    v_backend := pkgdb.hold_backend(p_namespace, p_backend);
    select k.requirement into v_now
      from pkgdb.repository_backend k
     where k.namespace = p_namespace and k.repository_id = v_repository.repository_id
       and k.backend_id = v_backend.backend_id;

    if v_wanted = 'required' and v_now is distinct from 'required' and not pkgdb.is_filled(
        p_namespace, v_repository.repository_id, v_backend.backend_id)
    then
        v_wanted := 'filling';
    end if;
    if v_wanted = coalesce(v_now, 'none') then
        v_result := (v_repository.repository_id, v_repository.revision, 'unchanged');
    else
        if v_wanted = 'none' then
            delete from pkgdb.repository_backend k
             where k.namespace = p_namespace and k.repository_id = v_repository.repository_id
               and k.backend_id = v_backend.backend_id;
        else
            insert into pkgdb.repository_backend
                (namespace, repository_id, backend_id, requirement)
            values (p_namespace, v_repository.repository_id, v_backend.backend_id, v_wanted)
            on conflict (namespace, repository_id, backend_id)
            do update set requirement = excluded.requirement, announced_to = 0;
        end if;
        v_result := pkgdb.touch_repository(v_repository, 'altered', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.set_repository_backend is
    'Sets p_requirement, what a repository demands of a backend: required (nothing is committed '
    'that is not there), optional (uploads go there when they can) or none. A backend that does '
    'not yet hold every blob of the repository is filling until it does: see claim_copies and '
    'promote_backends. Takes the repository for itself, waiting at most 10 seconds. Outcome '
    'altered or unchanged. Errors: RG400 malformed argument, RG404 no such repository or backend, '
    'RG405 isolation level, RG412 stale p_if_revision, RG422 lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.set_repository_backend to pkgdb_operator;
