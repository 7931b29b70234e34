-- Gives an update up: what it staged is forgotten, the mirror stays as it is.
create function pkgdb.abort_mirror_update(
    p_namespace pkgdb.string, p_update_id bigint, p_fence bigint, p_reason text default null
)
returns pkgdb.mirror_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_locked  pkgdb.locked_update;
    v_update  pkgdb.mirror_update;
    v_digests bytea[];
begin
    perform pkgdb.check_message('reason', p_reason);
    v_locked := pkgdb.lock_update(p_namespace, p_update_id);
    v_update := v_locked.mirror_update;
    if v_update.status = 'aborted' and v_update.fence = p_fence then
        return pkgdb.mirror_ref(v_update, null, 'unchanged');
    end if;
    perform pkgdb.check_update(v_update, p_fence);
    v_digests := pkgdb.end_update(v_update, 'aborted', p_reason);
    v_update.status := 'aborted';
    -- Last, as others may wait for these rows.
    perform pkgdb.mark_unneeded(p_namespace, v_digests);
    return pkgdb.mirror_ref(v_update, null, 'aborted');
end;
$$;
comment on function pkgdb.abort_mirror_update is
    'Ends an update without changing the mirror. Outcome aborted or unchanged. Errors: RG400 '
    'malformed argument, RG404 no such update, RG405 isolation level, RG412 stale fence, RG422 '
    'committed already.';
grant execute on function pkgdb.abort_mirror_update to pkgdb_operator;
