-- A publisher says that it has uploaded the bytes of a file to a backend.
create function pkgdb.record_copy(
    p_namespace pkgdb.string, p_publication_id bigint, p_fence bigint, p_backend pkgdb.string,
    p_sha256 pkgdb.string, p_generation bigint
)
returns pkgdb.copy_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_digest      bytea := pkgdb.read_digest(p_sha256);
    v_publication pkgdb.publication;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_given('publication', p_publication_id);
    perform pkgdb.check_given('fence', p_fence);
    perform pkgdb.check_given('generation', p_generation);
    -- Uploads of one publication are recorded side by side; whoever ends it or takes it over waits
    -- for them, and they see it.
    select * into v_publication
      from pkgdb.publication p
     where p.namespace = p_namespace and p.publication_id = p_publication_id
       for share;
    if not found or not v_digest = any (pkgdb.publication_digests(v_publication))
        and v_publication.status = 'open'
    then
        raise exception using
            errcode = 'RG404',
            message = format('no publication %s with bytes %s in namespace %s',
                             p_publication_id, pkgdb.quoted(p_sha256), pkgdb.quoted(p_namespace));
    end if;
    perform pkgdb.check_fence(v_publication, p_fence);
    return pkgdb.record_present(p_namespace, p_backend, p_sha256, p_generation);
end;
$$;
comment on function pkgdb.record_copy is
    'Records that the bytes p_sha256 (64 hexadecimal digits) of a publication are on a backend, '
    'under the key of p_generation; their digest was taken while they were sent. Outcome recorded '
    'or unchanged. Errors: RG400 malformed argument, RG404 no such publication, bytes or backend, '
    'RG405 isolation level, RG412 stale fence or generation, RG422 the publication has ended.';
grant execute on function pkgdb.record_copy to pkgdb_publisher;

-- Notes that a copy is on its backend, for whoever has brought it.
create function pkgdb.record_present(
    p_namespace text, p_backend text, p_sha256 text, p_generation bigint
)
returns pkgdb.copy_ref
language plpgsql
as $$
declare
    v_digest  bytea := pkgdb.read_digest(p_sha256);
    v_backend pkgdb.backend;
    v_copy    pkgdb.blob_copy;
    v_now     timestamptz;
begin
    perform pkgdb.check_given('generation', p_generation);
    v_backend := pkgdb.hold_backend(p_namespace, p_backend);
    v_copy := pkgdb.lock_copy(v_backend, v_digest, p_generation);
    if v_copy.generation is null or v_copy.state not in ('pending', 'present') then
        raise exception using
            errcode = 'RG412',
            message = format('generation %s of %s is not wanted on backend %s any longer',
                             p_generation, pkgdb.quoted(p_sha256), pkgdb.quoted(p_backend)),
            hint = 'Begin again, and upload what is missing then.';
    end if;
    if v_copy.state = 'present' then
        return (p_backend, p_sha256, p_generation, 'present', 'unchanged')::pkgdb.copy_ref;
    end if;

    v_now := pkgdb.clock();
    update pkgdb.blob_copy c
       set state = 'present', present_at = v_now, verified_at = v_now, next_attempt_at = null,
           last_error = null
     where c.namespace = p_namespace and c.sha256 = v_digest
       and c.backend_id = v_backend.backend_id and c.generation = p_generation;
    -- Bytes that were lost here and had waited for these.
    update pkgdb.blob_copy c
       set state = 'deleting', next_attempt_at = v_now
     where c.namespace = p_namespace and c.sha256 = v_digest
       and c.backend_id = v_backend.backend_id and c.state = 'lost';
    return (p_backend, p_sha256, p_generation, 'present', 'recorded')::pkgdb.copy_ref;
end;
$$;
