-- Changes policies of a repository. Publishers hold the repository shared, so none decides by the
-- old policy and commits under the new one.
create function pkgdb.alter_repository(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_policy jsonb,
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
    v_wanted     pkgdb.repository;
    v_keys       text[];
    v_result     pkgdb.repository_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'alter_repository',
        jsonb_build_array(p_repository, p_policy, p_if_revision));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
    perform pkgdb.check_revision(v_repository.revision, p_if_revision);
    v_wanted := pkgdb.apply_policy(v_repository, p_policy);

    if v_wanted is not distinct from v_repository then
        v_result := (v_repository.repository_id, v_repository.revision, 'unchanged');
    else
        if v_wanted.name_scope <> v_repository.name_scope and exists (
            select from pkgdb.registration r
             where r.namespace = p_namespace and r.repository_id = v_repository.repository_id)
        then
            raise exception using
                errcode = 'RG422',
                message = format('repository %s has claimed names already',
                                 pkgdb.quoted(p_repository)),
                hint = 'name_scope can be changed while a repository is empty.';
        end if;

        update pkgdb.repository r
           set reuse = v_wanted.reuse, lookalike_guard = v_wanted.lookalike_guard,
               immutable = v_wanted.immutable, protected_names = v_wanted.protected_names,
               keep_versions = v_wanted.keep_versions, name_scope = v_wanted.name_scope,
               validators = v_wanted.validators, upstream = v_wanted.upstream
         where r.namespace = p_namespace and r.repository_id = v_repository.repository_id;

        if v_wanted.lookalike_guard <> v_repository.lookalike_guard then
            v_keys := array(
                select distinct pkgdb.lookalike(r.normalized_name)
                  from pkgdb.registration r
                 where r.namespace = p_namespace and r.repository_id = v_repository.repository_id);
            update pkgdb.registration r
               set lookalike_key = null
             where r.namespace = p_namespace and r.repository_id = v_repository.repository_id
               and r.lookalike_key is not null;
            perform pkgdb.claim_lookalikes(p_namespace, v_keys);
        end if;
        if v_wanted.kind = 'mirror' then
            -- What an update has staged was found by other settings.
            perform pkgdb.forget_release(v_repository);
            perform pkgdb.mark_unneeded(
                p_namespace, pkgdb.supersede_update(v_repository, 'settings were changed'));
        end if;
        v_result := pkgdb.touch_repository(v_wanted, 'altered', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.alter_repository is
    'Changes the policies named in p_policy (keys as in create_repository) and leaves the others. '
    'Takes the repository for itself, waiting at most 10 seconds. Outcome altered or unchanged. '
    'Errors: RG400 malformed policy, RG404 no such repository, RG405 isolation level, RG412 stale '
    'p_if_revision, RG422 name_scope of a repository that has names or a lock held shared, 55P03 '
    'lock timeout.';
grant execute on function pkgdb.alter_repository to pkgdb_operator;
