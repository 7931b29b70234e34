-- A mirror's updater says that it has uploaded the bytes of a file to a backend.
create function pkgdb.record_mirror_copy(
    p_namespace pkgdb.string, p_update_id bigint, p_fence bigint, p_backend pkgdb.string,
    p_sha256 pkgdb.string, p_generation bigint
)
returns pkgdb.copy_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_digest bytea := pkgdb.read_digest(p_sha256);
    v_update pkgdb.mirror_update;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_given('update', p_update_id);
    -- Uploads of one update are recorded side by side; whoever ends it or takes it over waits for
    -- them, and they see it.
    select * into v_update
      from pkgdb.mirror_update u
     where u.namespace = p_namespace and u.update_id = p_update_id
       for share;
    if not found or v_update.status = 'open' and not exists (
        select from pkgdb.mirror_file f
         where f.namespace = p_namespace and f.update_id = p_update_id and f.sha256 = v_digest)
    then
        raise exception using
            errcode = 'RG404',
            message = format('no mirror update %s with bytes %s in namespace %s',
                             p_update_id, pkgdb.quoted(p_sha256), pkgdb.quoted(p_namespace));
    end if;
    perform pkgdb.check_update(v_update, p_fence);
    return pkgdb.record_present(p_namespace, p_backend, p_sha256, p_generation);
end;
$$;
comment on function pkgdb.record_mirror_copy is
    'Records that the bytes p_sha256 (64 hexadecimal digits) of an update are on a backend, under '
    'the key of p_generation; their digest was taken while they were sent. Outcome recorded or '
    'unchanged. Errors: RG400 malformed argument, RG404 no such update, bytes or backend, RG405 '
    'isolation level, RG412 stale fence or generation, RG422 the update has ended.';
grant execute on function pkgdb.record_mirror_copy to pkgdb_operator;
