-- Renames a repository. What refers to it refers by id and follows.
create function pkgdb.rename_repository(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_new_name pkgdb.string,
    p_if_revision bigint default null, p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns pkgdb.repository_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_request    pkgdb.request;
    v_repository pkgdb.repository;
    v_result     pkgdb.repository_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'rename_repository',
        jsonb_build_array(p_repository, p_new_name, p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('new name', p_new_name, 255);
    v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
    perform pkgdb.check_revision(v_repository.revision, p_if_revision);

    if p_new_name = p_repository then
        v_result := (v_repository.repository_id, v_repository.revision, 'unchanged');
    else
        -- The name belongs to whoever the unique index lets in first.
        begin
            update pkgdb.repository r
               set name = p_new_name
             where r.namespace = p_namespace and r.repository_id = v_repository.repository_id;
        exception when unique_violation then
            raise exception using
                errcode = 'RG409',
                message = format('repository %s exists', pkgdb.quoted(p_new_name));
        end;
        v_repository.name := p_new_name;
        v_result := pkgdb.touch_repository(v_repository, 'renamed', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.rename_repository is
    'Gives a repository the name p_new_name; its own name is a success that changes nothing. Takes '
    'the repository for itself, waiting at most 10 seconds. Outcome renamed or unchanged. Errors: '
    'RG400 malformed name, RG404 no such repository, RG405 isolation level, RG409 the name is '
    'taken, RG412 stale p_if_revision, RG422 lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.rename_repository to pkgdb_operator;
