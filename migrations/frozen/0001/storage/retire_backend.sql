-- Takes a store out of use. What is on it becomes work for the collector, or is forgotten.
create function pkgdb.retire_backend(
    p_namespace pkgdb.string, p_backend pkgdb.string, p_abandon boolean default false,
    p_actor pkgdb.string default null
)
returns pkgdb.backend_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_backend pkgdb.backend;
    v_user    text;
    v_now     timestamptz;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.begin_request(p_namespace, p_actor, null, 'retire_backend', null);
    perform pkgdb.check_text('backend', p_backend, 255);
    if p_abandon is null then
        raise exception using errcode = 'RG400', message = 'abandon must be true or false';
    end if;
    -- Whoever is giving it to a repository, or announces copies on it, holds the row; and two
    -- backends that rely on each other are not retired at once.
    perform from pkgdb.backend b
      where b.namespace = p_namespace
      order by b.backend_id
        for update;
    select * into v_backend
      from pkgdb.backend b
     where b.namespace = p_namespace and b.name = p_backend;
    if not found then
        perform pkgdb.no_backend(p_namespace, p_backend);
    end if;

    select r.name into v_user
      from pkgdb.repository_backend k
      join pkgdb.repository r on r.namespace = p_namespace and r.repository_id = k.repository_id
     where k.namespace = p_namespace and k.backend_id = v_backend.backend_id
     order by r.name
     limit 1;
    if found then
        raise exception using
            errcode = 'RG423',
            message = format('repository %s uses backend %s',
                             pkgdb.quoted(v_user), pkgdb.quoted(p_backend)),
            hint = 'Take it from the repository with set_repository_backend; a dropped one has to '
                   'be purged.';
    end if;

    if not p_abandon and exists (
        select
          from pkgdb.blob_copy c
         where c.namespace = p_namespace and c.backend_id = v_backend.backend_id
           and c.state = 'present'
           and pkgdb.is_last_copy(p_namespace, c.sha256, c.generation))
    then
        raise exception using
            errcode = 'RG423',
            message = format('backend %s has the only copy of bytes that versions need',
                             pkgdb.quoted(p_backend)),
            hint = 'Wait until another backend of the repositories is required, and no longer '
                   'filling; or abandon it.';
    end if;

    v_now := pkgdb.clock();
    -- Lock order: backends, blobs, copies. What is being deleted, now or by the time that the
    -- copies are held, may be the last that is known of its blob.
    if p_abandon then
        perform pkgdb.mark_unneeded(
            p_namespace,
            array(select c.sha256
                    from pkgdb.blob_copy c
                   where c.namespace = p_namespace and c.backend_id = v_backend.backend_id
                     and not exists (
                        select from pkgdb.file f
                         where f.namespace = p_namespace and f.sha256 = c.sha256)));
    end if;
    perform from pkgdb.blob_copy c
      where c.namespace = p_namespace and c.backend_id = v_backend.backend_id
      order by c.sha256, c.generation
        for update;
    if p_abandon then
        delete from pkgdb.blob_copy c
         where c.namespace = p_namespace and c.backend_id = v_backend.backend_id;
    else
        update pkgdb.blob_copy c
           set state = 'deleting', next_attempt_at = v_now
         where c.namespace = p_namespace and c.backend_id = v_backend.backend_id
           and c.state <> 'deleting';
    end if;
    if v_backend.status = 'retired' then
        return (v_backend.backend_id, v_backend.installation_id, 'unchanged')::pkgdb.backend_ref;
    end if;
    update pkgdb.backend b
       set status = 'retired', retired_at = v_now
     where b.namespace = p_namespace and b.backend_id = v_backend.backend_id;
    return (v_backend.backend_id, v_backend.installation_id, 'retired')::pkgdb.backend_ref;
end;
$$;
comment on function pkgdb.retire_backend is
    'Takes a backend that no repository uses out of use. The collector deletes the objects on it, '
    'and then purge the row, which frees its name; with p_abandon its copies are forgotten and the '
    'store is left as it is. Outcome retired or unchanged. Errors: RG400 malformed '
    'argument, RG404 no such backend, RG405 isolation level, RG423 a repository uses it, or bytes '
    'that versions need are nowhere else.';
grant execute on function pkgdb.retire_backend to pkgdb_operator;
