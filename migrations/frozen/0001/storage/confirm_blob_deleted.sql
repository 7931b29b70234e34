-- The second of the collector's two steps: the object is gone.
create function pkgdb.confirm_blob_deleted(
    p_namespace pkgdb.string, p_backend pkgdb.string, p_sha256 pkgdb.string,
    p_generation bigint, p_attempt integer
)
returns pkgdb.copy_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_longest_upload constant interval := interval '1 day';
    v_digest                  bytea := pkgdb.read_digest(p_sha256);
    v_copy                    pkgdb.blob_copy;
    v_now                     timestamptz;
begin
    perform pkgdb.lock_keys(variadic '{}');
    -- Lock order: blob, its copies.
    perform from pkgdb.blob b
      where b.namespace = p_namespace and b.sha256 = v_digest
        for update;
    v_copy := pkgdb.lock_task(p_namespace, p_backend, v_digest, p_generation, p_attempt);
    if v_copy.generation is null then
        return (p_backend, p_sha256, p_generation, null, 'unchanged')::pkgdb.copy_ref;
    end if;
    if v_copy.state <> 'deleting' then
        raise exception using
            errcode = 'RG422',
            message = format('generation %s of %s on backend %s is %s, and not to be deleted',
                             p_generation, pkgdb.quoted(p_sha256), pkgdb.quoted(p_backend),
                             v_copy.state);
    end if;
    v_now := pkgdb.clock();

    if coalesce(v_copy.deleted_attempt, p_attempt) = p_attempt
        and coalesce(v_copy.present_at, v_now) > v_now - v_longest_upload
    then
        -- Whoever was told to upload it, before somebody recorded that it is there, may still be at
        -- it.
        update pkgdb.blob_copy c
           set deleted_attempt = p_attempt, next_attempt_at = v_now + v_longest_upload
         where c.namespace = p_namespace and c.sha256 = v_digest
           and c.backend_id = v_copy.backend_id and c.generation = p_generation
           and c.deleted_attempt is null;
        return (p_backend, p_sha256, p_generation, 'deleting', 'postponed')::pkgdb.copy_ref;
    end if;
    delete from pkgdb.blob_copy c
     where c.namespace = p_namespace and c.sha256 = v_digest
       and c.backend_id = v_copy.backend_id and c.generation = p_generation;
    delete from pkgdb.blob b
     where b.namespace = p_namespace and b.sha256 = v_digest
       and not exists (
            select from pkgdb.blob_copy c
             where c.namespace = p_namespace and c.sha256 = v_digest)
       and not exists (
            select from pkgdb.file f
             where f.namespace = p_namespace and f.sha256 = v_digest);
    return (p_backend, p_sha256, p_generation, null, 'deleted')::pkgdb.copy_ref;
end;
$$;
comment on function pkgdb.confirm_blob_deleted is
    'Records that the object which attempt p_attempt of collect_blobs handed out is deleted (or '
    'was not there). Outcome deleted; postponed where it was never recorded present, or was within '
    'a day: it is handed out once more a day later, when no upload of it can still be on its way; '
    'unchanged where it was confirmed before. Errors: RG400 malformed argument, RG405 isolation '
    'level, RG412 it was handed out again since, RG422 it is not to be deleted.';
grant execute on function pkgdb.confirm_blob_deleted to pkgdb_operator;

-- The copy that a worker was told to work on, locked; null where it is gone, RG412 where another
-- worker has been told since.
create function pkgdb.lock_task(
    p_namespace text, p_backend text, p_digest bytea, p_generation bigint, p_attempt integer
)
returns pkgdb.blob_copy
language plpgsql
as $$
declare
    v_copy pkgdb.blob_copy;
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_text('backend', p_backend, 255);
    perform pkgdb.check_given('generation', p_generation);
    perform pkgdb.check_given('attempt', p_attempt);
    if p_attempt < 1 then
        raise exception using errcode = 'RG400', message = 'attempt must be 1 or more';
    end if;
    select c.* into v_copy
      from pkgdb.backend b
      join pkgdb.blob_copy c
        on c.namespace = p_namespace and c.sha256 = p_digest and c.backend_id = b.backend_id
       and c.generation = p_generation
     where b.namespace = p_namespace and b.name = p_backend
       for update of c;
    if found and v_copy.attempts <> p_attempt then
        raise exception using
            errcode = 'RG412',
            message = format('attempt is %s, not %s', v_copy.attempts, p_attempt),
            hint = 'The lease had ended, and another worker has the work now.';
    end if;
    return v_copy;
end;
$$;
