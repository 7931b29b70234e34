-- Drops a snapshot. What it alone pinned can be purged.
create function pkgdb.drop_snapshot(
    p_namespace pkgdb.string, p_snapshot pkgdb.string, p_force boolean default false,
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.snapshot_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_request  pkgdb.request;
    v_locked   pkgdb.snapshot[];
    v_snapshot pkgdb.snapshot;
    v_result   pkgdb.snapshot_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'drop_snapshot',
        jsonb_build_array(p_snapshot, p_force));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    if p_force is null then
        raise exception using errcode = 'RG400', message = 'force must be true or false';
    end if;
    v_locked := pkgdb.lock_snapshots(p_namespace, array[p_snapshot]::text[], true);
    v_snapshot := v_locked[1];
    if exists (
        select from pkgdb.distribution_component c
         where c.namespace = p_namespace and c.snapshot_id = v_snapshot.snapshot_id)
    then
        raise exception using
            errcode = 'RG423',
            message = format('snapshot %s is served by a distribution', pkgdb.quoted(p_snapshot)),
            hint = 'Switch or drop the distribution first.';
    end if;
    if not p_force and exists (
        select from pkgdb.snapshot_source s
         where s.namespace = p_namespace and s.source_id = v_snapshot.snapshot_id)
    then
        raise exception using
            errcode = 'RG423',
            message = format('other snapshots were made from snapshot %s',
                             pkgdb.quoted(p_snapshot)),
            hint = 'Drop them first, or force: they keep what they contain.';
    end if;

    v_result := pkgdb.touch_snapshot(v_snapshot, 'dropped', p_actor);
    delete from pkgdb.snapshot_source s
     where s.namespace = p_namespace
       and (s.snapshot_id = v_snapshot.snapshot_id or s.source_id = v_snapshot.snapshot_id);
    delete from pkgdb.snapshot_member m
     where m.namespace = p_namespace and m.snapshot_id = v_snapshot.snapshot_id;
    delete from pkgdb.snapshot s
     where s.namespace = p_namespace and s.snapshot_id = v_snapshot.snapshot_id;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.drop_snapshot is
    'Drops a snapshot; its name is free at once. Refused while a distribution serves it, whatever '
    'p_force says, and while it is a source of others, unless p_force: those keep what they '
    'contain. Outcome dropped. Errors: RG400 malformed argument, RG404 no such snapshot, RG405 '
    'isolation level, RG423 served, or a source of others.';
grant execute on function pkgdb.drop_snapshot to pkgdb_operator;
