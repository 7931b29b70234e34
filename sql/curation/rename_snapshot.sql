-- Renames a snapshot. What refers to it refers by id and follows.
create function pkgdb.rename_snapshot(
    p_namespace pkgdb.string, p_snapshot pkgdb.string, p_new_name pkgdb.string,
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
        p_namespace, p_actor, p_request_key, 'rename_snapshot',
        jsonb_build_array(p_snapshot, p_new_name));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('new name', p_new_name, 255);
    v_locked := pkgdb.lock_snapshots(p_namespace, array[p_snapshot]::text[], true);
    v_snapshot := v_locked[1];

    if p_new_name = p_snapshot then
        v_result := (v_snapshot.snapshot_id, v_snapshot.revision, v_snapshot.member_count,
                     'unchanged', null);
    else
        -- The name belongs to whoever the unique index lets in first.
        begin
            update pkgdb.snapshot s
               set name = p_new_name
             where s.namespace = p_namespace and s.snapshot_id = v_snapshot.snapshot_id;
        exception when unique_violation then
            raise exception using
                errcode = 'RG409',
                message = format('snapshot %s exists', pkgdb.quoted(p_new_name));
        end;
        v_snapshot.name := p_new_name;
        v_result := pkgdb.touch_snapshot(v_snapshot, 'renamed', p_actor);
    end if;
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.rename_snapshot is
    'Gives a snapshot the name p_new_name; its own name is a success that changes nothing. Outcome '
    'renamed or unchanged. Errors: RG400 malformed name, RG404 no such snapshot, RG405 isolation '
    'level, RG409 the name is taken.';
grant execute on function pkgdb.rename_snapshot to pkgdb_operator;
