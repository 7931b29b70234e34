-- Says what was found where a copy should be. Bytes that are lost are made again from another
-- backend; what is wrong is deleted once that has been done, and never before.
create function pkgdb.verify_copy(
    p_namespace pkgdb.string, p_backend pkgdb.string, p_sha256 pkgdb.string,
    p_generation bigint, p_found_sha256 pkgdb.string
)
returns pkgdb.copy_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_digest  bytea := pkgdb.read_digest(p_sha256);
    v_found   bytea;
    v_backend pkgdb.backend;
    v_copy    pkgdb.blob_copy;
    v_now     timestamptz;
    v_state   text;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_given('generation', p_generation);
    if p_found_sha256 is not null then
        v_found := pkgdb.read_digest(p_found_sha256);
    end if;
    -- Lock order: backend, blob, its copies; so does whoever announces or collects.
    v_backend := pkgdb.hold_backend(p_namespace, p_backend);
    perform from pkgdb.blob b
      where b.namespace = p_namespace and b.sha256 = v_digest
        for key share;
    v_copy := pkgdb.lock_copy(v_backend, v_digest, p_generation);
    if v_copy.generation is null then
        raise exception using
            errcode = 'RG404',
            message = format('backend %s has no generation %s of %s',
                             pkgdb.quoted(p_backend), p_generation, pkgdb.quoted(p_sha256));
    end if;
    v_now := pkgdb.clock();
    v_state := v_copy.state;

    if v_state = 'deleting' or (v_found is null and v_state <> 'present') then
        return (p_backend, p_sha256, p_generation, v_state, 'unchanged')::pkgdb.copy_ref;
    end if;

    if v_found = v_digest then
        -- The object that is right is the live one; another generation is not needed.
        update pkgdb.blob_copy c
           set state = 'deleting', next_attempt_at = v_now
         where c.namespace = p_namespace and c.sha256 = v_digest
           and c.backend_id = v_backend.backend_id and c.generation <> p_generation
           and c.state <> 'deleting'
           and (v_state <> 'lost' or c.state = 'pending');
        if v_state = 'lost' and exists (
            select from pkgdb.blob_copy c
             where c.namespace = p_namespace and c.sha256 = v_digest
               and c.backend_id = v_backend.backend_id and c.state = 'present')
        then
            return (p_backend, p_sha256, p_generation, v_state, 'unchanged')::pkgdb.copy_ref;
        end if;
        update pkgdb.blob_copy c
           set state = 'present', present_at = coalesce(c.present_at, v_now), verified_at = v_now,
               next_attempt_at = null, last_error = null
         where c.namespace = p_namespace and c.sha256 = v_digest
           and c.backend_id = v_backend.backend_id and c.generation = p_generation;
        return (p_backend, p_sha256, p_generation, 'present',
                case v_state when 'present' then 'unchanged' else 'present' end)::pkgdb.copy_ref;
    end if;

    if v_state = 'lost' then
        return (p_backend, p_sha256, p_generation, v_state, 'unchanged')::pkgdb.copy_ref;
    end if;
    -- Under this key there will never be the right bytes.
    update pkgdb.blob_copy c
       set state = case v_state when 'present' then 'lost' else 'deleting' end,
           next_attempt_at = v_now,
           last_error = coalesce('found ' || encode(v_found, 'hex'), 'found nothing')
     where c.namespace = p_namespace and c.sha256 = v_digest
       and c.backend_id = v_backend.backend_id and c.generation = p_generation;
    insert into pkgdb.blob_copy
        (namespace, sha256, backend_id, state, next_attempt_at, created_at)
    values (p_namespace, v_digest, v_backend.backend_id, 'pending', v_now, v_now);
    return (p_backend, p_sha256, p_generation,
            case v_state when 'present' then 'lost' else 'deleting' end, 'lost')::pkgdb.copy_ref;
end;
$$;
comment on function pkgdb.verify_copy is
    'Records p_found_sha256, the digest (64 hexadecimal digits; null: no object) that was found '
    'where generation p_generation of a blob should be on a backend. The right one: the copy is '
    'present (outcome present, or unchanged where it was). Another or none: outcome lost, and a '
    'new generation waits to be made by claim_copies. Of a copy that is being deleted, or was '
    'never there, nothing changes. Errors: RG400 malformed argument, RG404 no such backend or '
    'copy, RG405 isolation level.';
grant execute on function pkgdb.verify_copy to pkgdb_operator;
