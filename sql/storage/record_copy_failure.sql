-- A worker could not do what claim_copies or collect_blobs gave it: the work waits and comes again.
create function pkgdb.record_copy_failure(
    p_namespace pkgdb.string, p_backend pkgdb.string, p_sha256 pkgdb.string,
    p_generation bigint, p_attempt integer, p_error pkgdb.string
)
returns pkgdb.copy_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_digest bytea := pkgdb.read_digest(p_sha256);
    v_copy   pkgdb.blob_copy;
    v_now    timestamptz;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_message('error', p_error);
    v_copy := pkgdb.lock_task(p_namespace, p_backend, v_digest, p_generation, p_attempt);
    if v_copy.generation is null or v_copy.state not in ('pending', 'deleting') then
        return (p_backend, p_sha256, p_generation, v_copy.state, 'unchanged')::pkgdb.copy_ref;
    end if;
    v_now := pkgdb.clock();
    update pkgdb.blob_copy c
       set last_error = p_error, next_attempt_at = v_now + pkgdb.back_off(v_copy.attempts)
     where c.namespace = p_namespace and c.sha256 = v_digest
       and c.backend_id = v_copy.backend_id and c.generation = p_generation;
    return (p_backend, p_sha256, p_generation, v_copy.state, 'recorded')::pkgdb.copy_ref;
end;
$$;
comment on function pkgdb.record_copy_failure is
    'Records why attempt p_attempt at a copy or a deletion failed. The work is handed out again '
    'after ten seconds, doubled with each attempt up to a day; from the fifth on it is listed in '
    'dead_letters. Outcome recorded, or unchanged where the work is done meanwhile. Errors: RG400 '
    'malformed argument, RG405 isolation level, RG412 the work was handed out again since.';
grant execute on function pkgdb.record_copy_failure to pkgdb_operator;
