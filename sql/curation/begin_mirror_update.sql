-- Takes the lease on a mirror, to bring it to the state of its upstream; or hands over what an
-- earlier holder left.
create function pkgdb.begin_mirror_update(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_release pkgdb.string default null,
    p_lease interval default '15 minutes', p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns pkgdb.mirror_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_repository pkgdb.repository;
    v_update     pkgdb.mirror_update;
    v_now        timestamptz;
    v_mine       boolean;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_actor is not null then
        perform pkgdb.check_text('actor', p_actor, 255);
    end if;
    if p_request_key is not null then
        perform pkgdb.check_text('request key', p_request_key, 255);
    end if;
    if p_release is not null then
        perform pkgdb.check_text('release', p_release, 255);
    end if;
    perform pkgdb.check_lease(p_lease);
    v_repository := pkgdb.lock_repository(p_namespace, p_repository);
    if v_repository.kind <> 'mirror' then
        raise exception using
            errcode = 'RG422',
            message = format('repository %s is not a mirror', pkgdb.quoted(p_repository));
    end if;

    -- The unique index lets one update be open; whoever comes second waits for its row.
    v_now := pkgdb.clock();
    loop
        select * into v_update
          from pkgdb.mirror_update u
         where u.namespace = p_namespace and u.repository_id = v_repository.repository_id
           and u.status = 'open'
           for update;
        exit when found;

        if p_release is not null and exists (
            select from pkgdb.mirror m
             where m.namespace = p_namespace and m.repository_id = v_repository.repository_id
               and m.release = p_release)
        then
            return (null, null, 'committed', 'unchanged', null, null, v_repository.upstream,
                    null)::pkgdb.mirror_ref;
        end if;
        insert into pkgdb.mirror_update
            (namespace, repository_id, upstream, release, actor, login, request_key, lease_until,
             created_at)
        values
            (p_namespace, v_repository.repository_id, v_repository.upstream, p_release,
             coalesce(p_actor, session_user), session_user, p_request_key, v_now + p_lease, v_now)
        on conflict do nothing
        returning * into v_update;
        if found then
            return pkgdb.mirror_ref(v_update, v_update.fence, 'begun');
        end if;
    end loop;

    v_now := pkgdb.clock();
    v_mine := v_update.actor = coalesce(p_actor, session_user)
        and v_update.request_key = p_request_key;
    if v_mine is not true and v_update.lease_until >= v_now then
        return pkgdb.mirror_ref(v_update, null, 'in_progress');
    end if;
    if v_update.release is null or v_update.release is distinct from p_release then
        -- What is staged is of another state of upstream. Its bytes may still be wanted.
        delete from pkgdb.mirror_item i
         where i.namespace = p_namespace and i.update_id = v_update.update_id;
        v_update.staged := 0;
        v_update.filtered := false;
    end if;
    update pkgdb.mirror_update u
       set fence = u.fence + 1, lease_until = v_now + p_lease, release = p_release,
           staged = v_update.staged, filtered = v_update.filtered,
           actor = coalesce(p_actor, session_user),
           login = session_user, request_key = p_request_key
     where u.namespace = p_namespace and u.update_id = v_update.update_id
    returning * into strict v_update;
    return pkgdb.mirror_ref(v_update, v_update.fence, 'resumed');
end;
$$;
comment on function pkgdb.begin_mirror_update is
    'Takes the lease on a mirror for an update. p_release: what upstream calls its present state, '
    'such as the digest of its Release file. Stage what it has with stage_mirror_items, bring '
    'missing_mirror_copies, then commit_mirror_update. Outcome begun; resumed (the same actor with '
    'the same p_request_key, or anyone after the lease: with a new fence, and what was staged of '
    'the same release stays); in_progress (somebody else is at it: fence null); unchanged (the '
    'mirror is at that release: update_id null). Errors: RG400 malformed argument, RG404 no such '
    'repository, RG405 isolation level, RG422 not a mirror.';
grant execute on function pkgdb.begin_mirror_update to pkgdb_operator;
