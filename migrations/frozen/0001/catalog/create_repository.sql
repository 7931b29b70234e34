-- Creates a repository, and its namespace when absent.
create function pkgdb.create_repository(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_kind pkgdb.string default 'hosted',
    p_policy jsonb default '{}', p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns pkgdb.repository_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_request    pkgdb.request;
    v_wanted     pkgdb.repository;
    v_repository pkgdb.repository;
    v_now        timestamptz;
    v_result     pkgdb.repository_ref;
begin
    perform pkgdb.lock_keys(variadic '{}');
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'create_repository',
        jsonb_build_array(p_repository, p_kind, p_policy));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_text('repository', p_repository, 255);
    if p_kind is null or p_kind not in ('hosted', 'mirror') then
        raise exception using
            errcode = 'RG400',
            message = format('repository kind cannot be %s', pkgdb.quoted(p_kind)),
            hint = 'Kinds: hosted, mirror.';
    end if;
    v_wanted.kind := p_kind;
    v_wanted.reuse := 'never';
    v_wanted.lookalike_guard := false;
    v_wanted.immutable := false;
    v_wanted.protected_names := '{}';
    v_wanted.name_scope := 'ecosystem';
    v_wanted.validators := '{}';
    v_wanted.upstream := '{}';
    v_wanted := pkgdb.apply_policy(v_wanted, p_policy);
    v_now := pkgdb.clock();

    -- The unique index decides between two creators: the second waits here and then finds the
    -- first's. It waits for whoever else writes that row, too: what it finds is of now, and a lock
    -- on it would only be in the way of those that take the repository's own.
    insert into pkgdb.namespace (namespace, created_at)
    values (p_namespace, v_now)
    on conflict do nothing;
    loop
        insert into pkgdb.repository
            (namespace, name, kind, reuse, lookalike_guard, immutable, protected_names,
             keep_versions, name_scope, validators, upstream, revision, created_at)
        values
            (p_namespace, p_repository, p_kind, v_wanted.reuse, v_wanted.lookalike_guard,
             v_wanted.immutable, v_wanted.protected_names, v_wanted.keep_versions,
             v_wanted.name_scope, v_wanted.validators, v_wanted.upstream, 0, v_now)
        on conflict do nothing
        returning * into v_repository;
        exit when found;

        select * into v_repository
          from pkgdb.repository r
         where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
        exit when found;
    end loop;

    if v_repository.revision = 0 then
        v_result := pkgdb.touch_repository(v_repository, 'created', p_actor);
    elsif v_repository.kind <> p_kind
        or pkgdb.policy_of(v_repository) <> pkgdb.policy_of(v_wanted)
    then
        raise exception using
            errcode = 'RG409',
            message = format('repository %s exists with other settings',
                             pkgdb.quoted(p_repository)),
            detail = format('It is %s: %s', v_repository.kind, pkgdb.policy_of(v_repository)),
            hint = 'Change settings with alter_repository.';
    else
        v_result := (v_repository.repository_id, v_repository.revision, 'unchanged');
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.create_repository is
    'Creates repository p_repository of p_kind (hosted, mirror) with p_policy, a JSON object of '
    'any of: reuse (never, same_content, always), lookalike_guard (boolean), immutable (boolean), '
    'protected_names (array of patterns), keep_versions (number or null), name_scope (ecosystem, '
    'repository, namespace), validators (object of required or advisory by validator), '
    'upstream (of a mirror: object of any of url, distribution, components, architectures, filter, '
    'filter_with_deps, keyring, download). Outcome '
    'created, or unchanged where it exists just so. Errors: RG400 malformed argument, RG405 '
    'isolation level, RG409 exists with other settings.';
grant execute on function pkgdb.create_repository to pkgdb_operator;
