-- Makes a store known. Nothing is kept on it until a repository says so.
create function pkgdb.add_backend(
    p_namespace pkgdb.string, p_backend pkgdb.string, p_url pkgdb.string,
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.backend_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_request  pkgdb.request;
    v_backend  pkgdb.backend;
    v_now      timestamptz;
    v_id       uuid := gen_random_uuid();
    v_identity text := pkgdb.server_identity();
    v_result   pkgdb.backend_ref;
begin
    perform pkgdb.lock_keys(variadic '{}');
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'add_backend', jsonb_build_array(p_backend, p_url));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_text('backend', p_backend, 255);
    perform pkgdb.check_text('url', p_url, 2048);
    v_now := pkgdb.clock();

    -- The unique index decides between two: the second waits here and then finds the first's. It
    -- waits for whoever else writes that row, too: what it finds is of now.
    insert into pkgdb.namespace (namespace, created_at)
    values (p_namespace, v_now)
    on conflict do nothing;
    loop
        insert into pkgdb.backend
            (namespace, name, url, installation_id, server_identity, created_at)
        values
            (p_namespace, p_backend, p_url, v_id, v_identity, v_now)
        on conflict do nothing
        returning * into v_backend;
        exit when found;

        select * into v_backend
          from pkgdb.backend b
         where b.namespace = p_namespace and b.name = p_backend;
        exit when found;
    end loop;

    if v_backend.status = 'retired' then
        raise exception using
            errcode = 'RG409',
            message = format('a backend %s was retired, and is not empty yet',
                             pkgdb.quoted(p_backend)),
            hint = 'Its name is free when the collector has emptied it and purge removed it.';
    end if;
    if v_backend.url <> p_url then
        raise exception using
            errcode = 'RG409',
            message = format('backend %s exists with another url', pkgdb.quoted(p_backend)),
            detail = format('Its url is %s.', pkgdb.quoted(v_backend.url));
    end if;
    v_result := (
        v_backend.backend_id, v_backend.installation_id,
        case v_backend.installation_id when v_id then 'created' else 'unchanged' end);
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.add_backend is
    'Makes a store of bytes known as p_backend. p_url tells clients where it is (file:///folder, '
    's3://bucket/prefix, ...; at most 2048 bytes, no secrets). The client writes installation_id '
    'into the store, where the collector looks for it before it deletes. Outcome created, or '
    'unchanged where it exists just so. Errors: RG400 malformed argument, RG405 isolation level, '
    'RG409 exists with another url, or was retired and is not empty yet.';
grant execute on function pkgdb.add_backend to pkgdb_operator;
