-- Makes this database the one that a store belongs to: after a restore, a fail-over, a move.
create function pkgdb.adopt_backend(
    p_namespace pkgdb.string, p_backend pkgdb.string, p_actor pkgdb.string default null
)
returns pkgdb.backend_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_backend  pkgdb.backend;
    v_id       uuid := gen_random_uuid();
    v_identity text := pkgdb.server_identity();
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.begin_request(p_namespace, p_actor, null, 'adopt_backend', null);
    perform pkgdb.check_text('backend', p_backend, 255);
    select * into v_backend
      from pkgdb.backend b
     where b.namespace = p_namespace and b.name = p_backend
       for no key update;
    if not found then
        perform pkgdb.no_backend(p_namespace, p_backend);
    end if;
    update pkgdb.backend b
       set installation_id = v_id, server_identity = v_identity
     where b.namespace = p_namespace and b.backend_id = v_backend.backend_id;
    return (v_backend.backend_id, v_id, 'adopted')::pkgdb.backend_ref;
end;
$$;
comment on function pkgdb.adopt_backend is
    'Gives a backend a new installation id, which the client then writes into the store in place '
    'of the old one: from there on this database deletes in it, and no other that was restored '
    'or cloned from the same. Outcome adopted. Errors: RG400 malformed argument, RG404 no such '
    'backend, RG405 isolation level.';
grant execute on function pkgdb.adopt_backend to pkgdb_operator;
