-- Locking what a mutation works on, and writing down what it did.

create type pkgdb.version_ref as (
    registration_id bigint,
    version_id      bigint,
    revision        bigint,
    outcome         text
);
comment on type pkgdb.version_ref is
    'What a mutation did: the registration, the version (null where it is about a name), the '
    'registration''s revision now, and the outcome.';

create type pkgdb.repository_ref as (
    repository_id bigint,
    revision      bigint,
    outcome       text
);
comment on type pkgdb.repository_ref is
    'What a mutation did to a repository, and the repository''s revision now.';

create function pkgdb.no_repository(p_namespace text, p_repository text)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_repository is null then
        perform pkgdb.check_text('repository', p_repository, 255);
    end if;
    raise exception using
        errcode = 'RG404',
        message = format('no repository %s in namespace %s',
                         pkgdb.quoted(p_repository), pkgdb.quoted(p_namespace));
end;
$$;

-- Locks a repository by id and returns it as it is under the lock. The name is resolved again then:
-- it may have been given to another repository while we waited.
create function pkgdb.lock_repository(
    p_namespace text, p_repository text, p_exclusive boolean default false
)
returns pkgdb.repository
language plpgsql
as $$
declare
    v_repository_id bigint;
    v_repository    pkgdb.repository;
begin
    loop
        select r.repository_id into v_repository_id
          from pkgdb.repository r
         where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
        if not found then
            perform pkgdb.no_repository(p_namespace, p_repository);
        end if;

        perform pkgdb.lock_keys(
            pkgdb.repository_lock(p_namespace, v_repository_id, p_exclusive));

        select * into v_repository
          from pkgdb.repository r
         where r.namespace = p_namespace and r.repository_id = v_repository_id
           and r.name = p_repository and r.status = 'live';
        exit when found;
    end loop;
    return v_repository;
end;
$$;

create function pkgdb.find_ecosystem(p_ecosystem text)
returns pkgdb.ecosystem
language plpgsql
stable
as $$
declare
    v_ecosystem pkgdb.ecosystem;
begin
    select * into v_ecosystem from pkgdb.ecosystem e where e.ecosystem = p_ecosystem;
    if not found then
        raise exception using
            errcode = 'RG400',
            message = format('no ecosystem %s', pkgdb.quoted(p_ecosystem)),
            hint = 'Ecosystems are named as in package URLs, in lower case.';
    end if;
    return v_ecosystem;
end;
$$;

-- Where a repository claims its names of an ecosystem: 0 is the namespace.
-- The body is a string, as of every function that takes a table's row, alone or in another type:
-- from PostgreSQL 15.20 on a parsed one keeps columns with a default from being added to the table.
create function pkgdb.claim_scope_id(p_repository pkgdb.repository, p_ecosystem pkgdb.ecosystem)
returns bigint
language sql
immutable parallel safe
as $$
    select case
        when p_repository.kind = 'mirror' then p_repository.repository_id
        when p_repository.name_scope = 'namespace' then 0
        when p_repository.name_scope = 'repository' then p_repository.repository_id
        when p_ecosystem.claim_scope = 'namespace' then 0
        else p_repository.repository_id
    end;
$$;

-- The registration that has a normalised name in the scope where the repository claims it, or null.
-- It may be another repository's.
create function pkgdb.find_registration(
    p_repository pkgdb.repository, p_ecosystem pkgdb.ecosystem, p_normalized_name text
)
returns pkgdb.registration
language plpgsql
stable
as $$
declare
    v_scope_id     bigint := pkgdb.claim_scope_id(p_repository, p_ecosystem);
    v_registration pkgdb.registration;
begin
    select * into v_registration
      from pkgdb.registration r
     where r.namespace = p_repository.namespace and r.scope_id = v_scope_id
       and r.ecosystem = p_ecosystem.ecosystem and r.normalized_name = p_normalized_name;
    return v_registration;
end;
$$;

-- A name, locked, and all that is known of it under the lock.
create type pkgdb.locked_name as (
    repository      pkgdb.repository,
    ecosystem       pkgdb.ecosystem,
    normalized_name text,
    registration    pkgdb.registration  -- null where nobody has the name
);

-- What every change of a package begins with. Lock order: repository (shared), registration
-- (exclusive, by name: nobody need have it yet). What came before the locks is read again under
-- them: the repository may have been renamed, or have changed where it claims its names.
create function pkgdb.lock_name(
    p_namespace text, p_repository text, p_ecosystem text, p_name text
)
returns pkgdb.locked_name
language plpgsql
as $$
declare
    v_repository_id bigint;
    v_scope_id      bigint;
    v_name          text;
    v_locked        pkgdb.locked_name;
begin
    loop
        select r.repository_id, pkgdb.claim_scope_id(r, e),
               pkgdb.rule_normalize_name(e.name_rule, p_name)
          into v_repository_id, v_scope_id, v_name
          from pkgdb.repository r
          join pkgdb.ecosystem e on e.ecosystem = p_ecosystem
         where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
        if not found then
            perform pkgdb.find_ecosystem(p_ecosystem);
            perform pkgdb.no_repository(p_namespace, p_repository);
        end if;

        perform pkgdb.lock_keys(
            pkgdb.repository_lock(p_namespace, v_repository_id),
            pkgdb.registration_lock(p_namespace, v_scope_id, p_ecosystem, v_name));

        select r, e, v_name, g into v_locked
          from pkgdb.repository r
          join pkgdb.ecosystem e on e.ecosystem = p_ecosystem
          left join pkgdb.registration g
            on g.namespace = p_namespace and g.scope_id = v_scope_id
           and g.ecosystem = p_ecosystem and g.normalized_name = v_name
         where r.namespace = p_namespace and r.repository_id = v_repository_id
           and r.name = p_repository and r.status = 'live'
           and pkgdb.claim_scope_id(r, e) = v_scope_id;
        exit when found;
    end loop;
    return v_locked;
end;
$$;

-- Refuses a caller who decided on an older state.
create function pkgdb.check_revision(p_now bigint, p_if_revision bigint)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_if_revision <> p_now then
        raise exception using
            errcode = 'RG412',
            message = format('revision is %s, not %s', p_now, p_if_revision),
            hint = 'Read again and decide again.';
    end if;
end;
$$;

-- What every change of a package that exists begins with: the name locked, or RG404.
create function pkgdb.open_registration(
    p_namespace text, p_repository text, p_ecosystem text, p_name text,
    p_if_revision bigint default null
)
returns pkgdb.locked_name
language plpgsql
as $$
declare
    v_locked       pkgdb.locked_name;
    v_registration pkgdb.registration;
begin
    v_locked := pkgdb.lock_name(p_namespace, p_repository, p_ecosystem, p_name);
    v_registration := v_locked.registration;
    if v_registration.repository_id is distinct from (v_locked.repository).repository_id
        or v_registration.status = 'reserved'
    then
        raise exception using
            errcode = 'RG404',
            message = format('no %s package %s in repository %s',
                             p_ecosystem, pkgdb.quoted(p_name), pkgdb.quoted(p_repository));
    end if;
    perform pkgdb.check_revision(v_registration.revision, p_if_revision);
    return v_locked;
end;
$$;

-- The live row of a normalised version, or null. Ghosts are never seen here.
create function pkgdb.find_version(
    p_registration pkgdb.registration, p_normalized_version text, p_variant text
)
returns pkgdb.package_version
language plpgsql
stable
as $$
declare
    v_version pkgdb.package_version;
begin
    if p_variant is distinct from '' then
        perform pkgdb.check_text('variant', p_variant, 255);
    end if;
    select * into v_version
      from pkgdb.package_version v
     where v.namespace = p_registration.namespace
       and v.registration_id = p_registration.registration_id
       and v.normalized_version = p_normalized_version and v.variant = p_variant
       and v.status in ('processing', 'available', 'quarantined');
    return v_version;
end;
$$;

-- The published row of a version, or RG404; RG422 while it is being published.
create function pkgdb.published_version(
    p_registration pkgdb.registration, p_version text, p_variant text
)
returns pkgdb.package_version
language plpgsql
stable
as $$
declare
    v_version pkgdb.package_version;
begin
    v_version := pkgdb.find_version(
        p_registration, pkgdb.scheme_normalize_version(p_registration.scheme, p_version),
        p_variant);
    if v_version.version_id is null then
        raise exception using
            errcode = 'RG404',
            message = format('no version %s of %s', pkgdb.quoted(p_version),
                             pkgdb.quoted(p_registration.name))
                || case when p_variant <> '' then format(' for %s', pkgdb.quoted(p_variant))
                        else '' end;
    end if;
    if v_version.status = 'processing' then
        raise exception using
            errcode = 'RG422',
            message = format('version %s of %s is being published',
                             pkgdb.quoted(p_version), pkgdb.quoted(p_registration.name)),
            hint = 'Commit or abort its publication first.';
    end if;
    return v_version;
end;
$$;

-- Refuses to take anything away from a repository that keeps what it has.
create function pkgdb.check_removable(p_repository pkgdb.repository)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_repository.immutable then
        raise exception using
            errcode = 'RG403',
            message = format('repository %s is immutable', pkgdb.quoted(p_repository.name)),
            hint = 'Yank or quarantine instead, or lift the policy with alter_repository.';
    end if;
end;
$$;

-- Moves the latest pointers to the maximum of what is available and listed: one probe of a partial
-- index each, at any number of versions. Adds to the counters, counts the revision, writes the
-- event. Every change of one registration ends here; publish_many does the same for many.
create function pkgdb.touch(
    p_registration pkgdb.registration, p_version pkgdb.package_version, p_event text, p_actor text,
    p_versions integer default 0, p_files integer default 0, p_bytes bigint default 0
)
returns pkgdb.version_ref
language plpgsql
as $$
declare
    v_now      timestamptz := pkgdb.clock();
    v_revision bigint;
begin
    update pkgdb.registration r
       set latest_version_id = (
               select v.version_id
                 from pkgdb.package_version v
                where v.namespace = p_registration.namespace
                  and v.registration_id = p_registration.registration_id
                  and v.status = 'available' and v.listed
                order by v.version_key desc, v.version_id desc
                limit 1),
           latest_stable_version_id = (
               select v.version_id
                 from pkgdb.package_version v
                where v.namespace = p_registration.namespace
                  and v.registration_id = p_registration.registration_id
                  and v.status = 'available' and v.listed and not v.prerelease
                order by v.version_key desc, v.version_id desc
                limit 1),
           version_count = r.version_count + p_versions,
           file_count = r.file_count + p_files,
           byte_count = r.byte_count + p_bytes,
           revision = r.revision + 1,
           updated_at = v_now
     where r.namespace = p_registration.namespace
       and r.registration_id = p_registration.registration_id
    returning r.revision into strict v_revision;

    insert into pkgdb.outbox
        (namespace, event, repository_id, registration_id, version_id, revision,
         ecosystem, name, version, variant, actor, login, occurred_at)
    values
        (p_registration.namespace, p_event, p_registration.repository_id,
         p_registration.registration_id, p_version.version_id, v_revision,
         p_registration.ecosystem, p_registration.name, p_version.version, p_version.variant,
         p_actor, session_user, v_now);

    return (p_registration.registration_id, p_version.version_id, v_revision, p_event
           )::pkgdb.version_ref;
end;
$$;

-- The answer of a call that found everything already as asked.
create function pkgdb.unchanged(
    p_registration pkgdb.registration, p_version pkgdb.package_version
)
returns pkgdb.version_ref
language sql
immutable parallel safe
as $$
    select (
        p_registration.registration_id, p_version.version_id, p_registration.revision, 'unchanged'
    )::pkgdb.version_ref;
$$;

-- The same end for a change of a repository: its revision and its event.
create function pkgdb.touch_repository(
    p_repository pkgdb.repository, p_event text, p_actor text
)
returns pkgdb.repository_ref
language plpgsql
as $$
declare
    v_now      timestamptz := pkgdb.clock();
    v_revision bigint;
begin
    update pkgdb.repository r
       set revision = r.revision + 1
     where r.namespace = p_repository.namespace and r.repository_id = p_repository.repository_id
    returning r.revision into strict v_revision;

    insert into pkgdb.outbox
        (namespace, event, repository_id, revision, name, actor, login, occurred_at)
    values
        (p_repository.namespace, 'repository_' || p_event, p_repository.repository_id, v_revision,
         p_repository.name, p_actor, session_user, v_now);

    return (p_repository.repository_id, v_revision, p_event)::pkgdb.repository_ref;
end;
$$;
