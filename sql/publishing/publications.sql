-- What the functions of publications share.

create type pkgdb.publication_ref as (
    publication_id  bigint,
    fence           bigint,
    state           text,
    outcome         text,
    lease_until     timestamptz,
    registration_id bigint,
    version_id      bigint,
    copies          jsonb,
    validations     jsonb
);
comment on type pkgdb.publication_ref is
    'A publication as its caller sees it: fence is null where somebody else has it; copies is an '
    'array of {backend, url, object_key, sha256, size, generation, requirement} still to be '
    'uploaded, validations one of {validator, requirement, status}.';

create type pkgdb.validation_ref as (
    publication_id bigint,
    validator      text,
    round          integer,
    status         text,
    attempts       integer,
    outcome        text
);
comment on type pkgdb.validation_ref is
    'What is known of a validation now, and what the call did.';

-- A publication, locked with its package, and what is known under the lock. `locked` is null where
-- the package is gone.
create type pkgdb.locked_publication as (
    publication pkgdb.publication,
    locked      pkgdb.locked_name
);

-- What every change of a publication begins with. Lock order: repository (shared), registration. An
-- ended publication stays ended, so that one whose package is gone needs no lock.
create function pkgdb.lock_publication(p_namespace text, p_publication_id bigint)
returns pkgdb.locked_publication
language plpgsql
as $$
declare
    v_publication  pkgdb.publication;
    v_registration pkgdb.registration;
    v_locked       pkgdb.locked_name;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_given('publication', p_publication_id);
    loop
        select g.* into v_registration
          from pkgdb.publication p
          join pkgdb.registration g
            on g.namespace = p_namespace and g.registration_id = p.registration_id
         where p.namespace = p_namespace and p.publication_id = p_publication_id;
        exit when not found;

        perform pkgdb.lock_keys(
            pkgdb.repository_lock(p_namespace, v_registration.repository_id),
            pkgdb.registration_lock(
                p_namespace, v_registration.scope_id, v_registration.ecosystem,
                v_registration.normalized_name));

        select r, e, g.normalized_name, g into v_locked
          from pkgdb.registration g
          join pkgdb.repository r on r.namespace = p_namespace and r.repository_id = g.repository_id
          join pkgdb.ecosystem e on e.ecosystem = g.ecosystem
         where g.namespace = p_namespace and g.registration_id = v_registration.registration_id
           and g.scope_id = v_registration.scope_id
           and g.normalized_name = v_registration.normalized_name;
        exit when found;
    end loop;

    -- Under the lock, or after the package was seen to be gone, and the publication ended with it.
    select * into v_publication
      from pkgdb.publication p
     where p.namespace = p_namespace and p.publication_id = p_publication_id;
    if not found then
        perform pkgdb.check_text('namespace', p_namespace, 255);
        raise exception using
            errcode = 'RG404',
            message = format('no publication %s in namespace %s',
                             p_publication_id, pkgdb.quoted(p_namespace));
    end if;
    return (v_publication, v_locked)::pkgdb.locked_publication;
end;
$$;

-- Refuses who does not hold a publication any longer.
create function pkgdb.check_fence(p_publication pkgdb.publication, p_fence bigint)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_publication.status <> 'open' then
        raise exception using
            errcode = 'RG422',
            message = format('publication %s is %s',
                             p_publication.publication_id, p_publication.status),
            detail = coalesce(p_publication.reason, 'No reason was given.'),
            hint = 'Begin again.';
    end if;
    if p_publication.fence <> p_fence then
        raise exception using
            errcode = 'RG412',
            message = format('the fence of publication %s is %s, not %s',
                             p_publication.publication_id, p_publication.fence, p_fence),
            hint = 'Somebody else has taken it over.';
    end if;
end;
$$;

-- The digests of the files that a publication brings.
create function pkgdb.publication_digests(p_publication pkgdb.publication)
returns bytea[]
language plpgsql
stable
as $$
begin
    return array(
        select f.sha256
          from pkgdb.file f
         where f.namespace = p_publication.namespace
           and f.publication_id = p_publication.publication_id
         order by f.sha256);
end;
$$;

-- An open publication for whoever has its fence (null: not the caller).
create function pkgdb.publication_ref(
    p_repository pkgdb.repository, p_publication pkgdb.publication, p_fence bigint, p_outcome text
)
returns pkgdb.publication_ref
language plpgsql
stable
as $$
declare
    v_copies      jsonb;
    v_validations jsonb;
begin
    select jsonb_agg(jsonb_build_object(
               'backend', m.backend, 'url', m.url,
               'object_key', pkgdb.object_key(p_publication.namespace, m.sha256, m.generation),
               'sha256', encode(m.sha256, 'hex'), 'size', m.size, 'generation', m.generation,
               'requirement', m.requirement))
      into v_copies
      from pkgdb.missing_copies(
               p_repository, pkgdb.publication_digests(p_publication)) m
     where p_publication.status = 'open' and m.generation is not null;
    select jsonb_agg(jsonb_build_object(
               'validator', v.validator, 'requirement', v.requirement, 'status', v.status)
               order by v.validator)
      into v_validations
      from pkgdb.validation v
     where v.namespace = p_publication.namespace
       and v.publication_id = p_publication.publication_id and v.round = 1;
    return (
        p_publication.publication_id, p_fence, p_publication.status, p_outcome,
        p_publication.lease_until, p_publication.registration_id, p_publication.version_id,
        coalesce(v_copies, '[]'), coalesce(v_validations, '[]')
    )::pkgdb.publication_ref;
end;
$$;

-- Ends a publication without a commit: its files are ghosts, their names free. The registration is
-- locked, or its whole repository.
create function pkgdb.end_publication(
    p_publication pkgdb.publication, p_status text, p_reason text
)
returns void
language plpgsql
as $$
declare
    v_now timestamptz := pkgdb.clock();
begin
    update pkgdb.file f
       set status = 'failed', publication_id = null, removed_at = v_now
     where f.namespace = p_publication.namespace
       and f.publication_id = p_publication.publication_id;
    update pkgdb.publication p
       set status = p_status, reason = p_reason, ended_at = v_now,
           expires_at = v_now + interval '7 days'
     where p.namespace = p_publication.namespace
       and p.publication_id = p_publication.publication_id;
end;
$$;

-- Frees the slot of a version that nobody publishes any longer.
create function pkgdb.free_slot(
    p_namespace text, p_registration_id bigint, p_version_id bigint
)
returns void
language plpgsql
as $$
declare
    v_now timestamptz := pkgdb.clock();
begin
    update pkgdb.package_version v
       set status = 'failed', removed_at = v_now
     where v.namespace = p_namespace and v.registration_id = p_registration_id
       and v.version_id = p_version_id and v.status = 'processing'
       and not exists (
            select from pkgdb.publication p
             where p.namespace = p_namespace and p.registration_id = p_registration_id
               and p.version_id = p_version_id and p.status = 'open');
end;
$$;

-- Gives back a name under which nothing was ever published and nobody publishes any longer: what is
-- left of the attempts goes with it. Returns the digests to mark as unneeded, all at once and last.
create function pkgdb.forget_unpublished(p_namespace text, p_registration_id bigint)
returns bytea[]
language plpgsql
as $$
declare
    v_digests   bytea[];
    v_lookalike text;
begin
    -- Lock order, as in purge: versions, files.
    perform
       from pkgdb.package_version v
      where v.namespace = p_namespace and v.registration_id = p_registration_id
        and v.status = 'failed'
      order by v.version_id
        for update;
    if exists (
        select from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = p_registration_id
           and v.status <> 'failed')
        or not exists (
        select from pkgdb.registration r
         where r.namespace = p_namespace and r.registration_id = p_registration_id
           and r.revision = 0)
    then
        return array[]::bytea[];
    end if;
    with gone as (
        delete from pkgdb.file f
         where f.namespace = p_namespace and f.registration_id = p_registration_id
        returning f.sha256)
    select array_agg(g.sha256) into v_digests from gone g;
    delete from pkgdb.dependency d
     where d.namespace = p_namespace and d.registration_id = p_registration_id;
    delete from pkgdb.package_version v
     where v.namespace = p_namespace and v.registration_id = p_registration_id;
    delete from pkgdb.registration r
     where r.namespace = p_namespace and r.registration_id = p_registration_id
    returning r.lookalike_key into v_lookalike;
    if v_lookalike is not null then
        perform pkgdb.claim_lookalikes(p_namespace, array[v_lookalike]);
    end if;
    return coalesce(v_digests, array[]::bytea[]);
end;
$$;

-- Ends the open publications of a version that is being deleted.
create function pkgdb.end_publications(p_version pkgdb.package_version, p_reason text)
returns void
language plpgsql
as $$
declare
    v_publication pkgdb.publication;
begin
    for v_publication in
        select p.*
          from pkgdb.publication p
         where p.namespace = p_version.namespace
           and p.registration_id = p_version.registration_id
           and p.version_id = p_version.version_id and p.status = 'open'
    loop
        perform pkgdb.end_publication(v_publication, 'aborted', p_reason);
    end loop;
end;
$$;
