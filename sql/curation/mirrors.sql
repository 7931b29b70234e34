-- What the functions of mirrors share.

create type pkgdb.mirror_ref as (
    update_id   bigint,
    fence       bigint,
    state       text,
    outcome     text,
    lease_until timestamptz,
    staged      bigint,
    upstream    jsonb,
    report      jsonb
);
comment on type pkgdb.mirror_ref is
    'An update of a mirror as its caller sees it: fence is null where somebody else has it; staged '
    'counts the items so far; report says what a commit did: {added, removed, changed, unchanged, '
    'protected, filtered}.';

create type pkgdb.mirror_copy as (
    backend     text,
    url         text,
    object_key  text,
    sha256      text,
    size        bigint,
    generation  bigint,
    requirement text,
    path        text
);
comment on type pkgdb.mirror_copy is
    'A copy that an update still has to bring to a backend, and where upstream has the bytes.';

create function pkgdb.mirror_ref(
    p_update pkgdb.mirror_update, p_fence bigint, p_outcome text
)
returns pkgdb.mirror_ref
language sql
immutable parallel safe
as $$
    select (
        p_update.update_id, p_fence, p_update.status, p_outcome, p_update.lease_until,
        p_update.staged, p_update.upstream, p_update.report)::pkgdb.mirror_ref;
$$;

-- Ends an open update. Returns the digests of what it brought, to be marked as unneeded, last.
create function pkgdb.end_update(
    p_update pkgdb.mirror_update, p_status text, p_reason text, p_report jsonb default null
)
returns bytea[]
language plpgsql
as $$
declare
    v_now     timestamptz := pkgdb.clock();
    v_digests bytea[];
begin
    delete from pkgdb.mirror_item i
     where i.namespace = p_update.namespace and i.update_id = p_update.update_id;
    with gone as (
        delete from pkgdb.mirror_file f
         where f.namespace = p_update.namespace and f.update_id = p_update.update_id
        returning f.sha256)
    select array_agg(g.sha256) into v_digests from gone g;
    update pkgdb.mirror_update u
       set status = p_status, reason = p_reason, report = p_report, ended_at = v_now,
           expires_at = v_now + interval '7 days'
     where u.namespace = p_update.namespace and u.update_id = p_update.update_id;
    return coalesce(v_digests, array[]::bytea[]);
end;
$$;

-- Ends the open update of a repository that is held exclusively: its holder's fence is stale then.
create function pkgdb.supersede_update(p_repository pkgdb.repository, p_reason text)
returns bytea[]
language plpgsql
as $$
declare
    v_update pkgdb.mirror_update;
begin
    select * into v_update
      from pkgdb.mirror_update u
     where u.namespace = p_repository.namespace
       and u.repository_id = p_repository.repository_id and u.status = 'open'
       for update;
    if not found then
        return array[]::bytea[];
    end if;
    return pkgdb.end_update(v_update, 'superseded', p_reason);
end;
$$;

-- An update, locked, with its repository. Lock order: repository, then the row. One that has ended
-- needs no lock: it stays as it is.
create type pkgdb.locked_update as (
    mirror_update pkgdb.mirror_update,
    repository    pkgdb.repository
);

create function pkgdb.lock_update(
    p_namespace text, p_update_id bigint, p_exclusive boolean default false
)
returns pkgdb.locked_update
language plpgsql
as $$
declare
    v_locked pkgdb.locked_update;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_given('update', p_update_id);
    select u into v_locked.mirror_update
      from pkgdb.mirror_update u
     where u.namespace = p_namespace and u.update_id = p_update_id;
    if not found then
        perform pkgdb.check_text('namespace', p_namespace, 255);
        raise exception using
            errcode = 'RG404',
            message = format('no mirror update %s in namespace %s',
                             p_update_id, pkgdb.quoted(p_namespace));
    end if;
    if (v_locked.mirror_update).status <> 'open' then
        return v_locked;
    end if;

    perform pkgdb.lock_keys(
        pkgdb.repository_lock(
            p_namespace, (v_locked.mirror_update).repository_id, p_exclusive));
    select u into v_locked.mirror_update
      from pkgdb.mirror_update u
     where u.namespace = p_namespace and u.update_id = p_update_id
       for update;
    select r into v_locked.repository
      from pkgdb.repository r
     where r.namespace = p_namespace
       and r.repository_id = (v_locked.mirror_update).repository_id;
    return v_locked;
end;
$$;

-- Refuses who does not hold an update any longer.
create function pkgdb.check_update(p_update pkgdb.mirror_update, p_fence bigint)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    perform pkgdb.check_given('fence', p_fence);
    if p_update.status = 'superseded' or p_update.fence <> p_fence then
        raise exception using
            errcode = 'RG412',
            message = format('the fence of mirror update %s is not %s any longer',
                             p_update.update_id, p_fence),
            detail = coalesce(p_update.reason, 'Somebody else has taken it over.'),
            hint = 'Begin again.';
    end if;
    if p_update.status <> 'open' then
        raise exception using
            errcode = 'RG422',
            message = format('mirror update %s is %s', p_update.update_id, p_update.status),
            detail = coalesce(p_update.reason, 'No reason was given.'),
            hint = 'Begin again.';
    end if;
end;
$$;
