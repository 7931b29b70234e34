-- Reserves a version and the names of its files, for as long as the lease lasts; or hands over what
-- an earlier call with the same content left unfinished.
create function pkgdb.begin_publication(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_version pkgdb.string, p_variant pkgdb.string default '',
    p_files jsonb default '[]', p_metadata jsonb default '{}', p_dependencies jsonb default '[]',
    p_role pkgdb.string default 'main', p_lease interval default '15 minutes',
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.publication_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_locked       pkgdb.locked_name;
    v_repository   pkgdb.repository;
    v_ecosystem    pkgdb.ecosystem;
    v_registration pkgdb.registration;
    v_files        pkgdb.file_spec[];
    v_dependencies pkgdb.dependency_spec[];
    v_normalized   text;
    v_content      bytea;
    v_version      pkgdb.package_version;
    v_publication  pkgdb.publication;
    v_missing      pkgdb.file_spec[];
    v_now          timestamptz;
begin
    perform pkgdb.begin_request(p_namespace, p_actor, p_request_key, 'begin_publication', null);
    v_files := pkgdb.read_files(p_files);
    perform pkgdb.check_metadata(p_metadata);
    perform pkgdb.check_lease(p_lease);
    if p_role is null or p_role not in ('main', 'side') then
        raise exception using
            errcode = 'RG400',
            message = format('role cannot be %s', pkgdb.quoted(p_role)),
            hint = 'Roles: main, side.';
    end if;

    v_locked := pkgdb.lock_name(p_namespace, p_repository, p_ecosystem, p_name);
    v_repository := v_locked.repository;
    v_ecosystem := v_locked.ecosystem;
    v_registration := v_locked.registration;
    v_dependencies := pkgdb.read_dependencies(p_dependencies, v_ecosystem.name_rule);
    v_normalized := pkgdb.scheme_normalize_version(
        coalesce(v_registration.scheme, v_ecosystem.scheme), p_version);
    v_content := pkgdb.publication_content(
        v_locked, v_normalized, p_variant, p_role, v_files, p_metadata, v_dependencies);

    -- The same request again.
    select * into v_publication
      from pkgdb.publication p
     where p.namespace = p_namespace and p.actor = coalesce(p_actor, session_user)
       and p.request_key = p_request_key and p.status in ('open', 'committed');
    if found then
        if v_publication.content <> v_content then
            raise exception using
                errcode = 'RG409',
                message = format('request key %s was used for other content',
                                 pkgdb.quoted(p_request_key)),
                hint = 'Use a new key for each publication, and the same key only to go on.';
        end if;
        if v_publication.status = 'committed' then
            return pkgdb.publication_ref(v_repository, v_publication, null, 'unchanged');
        end if;
        return pkgdb.resume_publication(
            v_repository, v_publication, p_lease, p_request_key, p_actor);
    end if;

    perform pkgdb.check_publishable(v_repository, v_registration, v_locked.normalized_name);
    if v_registration.registration_id is null then
        v_registration := pkgdb.claim_name(v_locked, p_name, 'active');
        v_locked.registration := v_registration;
    end if;
    v_version := pkgdb.find_version(v_registration, v_normalized, p_variant);

    if v_version.version_id is not null then
        -- Somebody else with the same content.
        v_now := pkgdb.clock();
        select * into v_publication
          from pkgdb.publication p
         where p.namespace = p_namespace and p.registration_id = v_registration.registration_id
           and p.version_id = v_version.version_id and p.content = v_content
           and p.status = 'open';
        if found and v_publication.lease_until >= v_now then
            return pkgdb.publication_ref(v_repository, v_publication, null, 'in_progress');
        elsif found then
            return pkgdb.resume_publication(
                v_repository, v_publication, p_lease, p_request_key, p_actor);
        end if;

        -- Others whose lease has ended are not in the way.
        perform pkgdb.reap_publications(v_version);
        v_version := pkgdb.find_version(v_registration, v_normalized, p_variant);
    end if;

    v_missing := v_files;
    if v_version.version_id is not null then
        v_missing := pkgdb.check_extension(
            v_locked, v_version, v_files, p_metadata, v_dependencies, p_role);
        -- What is neither missing nor published is on its way in somebody else's publication.
        select p.* into v_publication
          from unnest(v_files) n
          join pkgdb.file f
            on f.namespace = p_namespace and f.registration_id = v_version.registration_id
           and f.version_id = v_version.version_id and f.filename = n.filename
           and f.status = 'processing'
          join pkgdb.publication p
            on p.namespace = p_namespace and p.publication_id = f.publication_id
         order by p.publication_id
         limit 1;
        if found then
            return pkgdb.publication_ref(v_repository, v_publication, null, 'in_progress');
        end if;
        if v_missing = '{}' and v_version.status <> 'processing' then
            return (null, null, 'committed', 'unchanged', null, v_version.registration_id,
                    v_version.version_id, '[]', '[]')::pkgdb.publication_ref;
        end if;
    else
        if p_role = 'side' then
            raise exception using
                errcode = 'RG404',
                message = format('no version %s of %s', pkgdb.quoted(p_version),
                                 pkgdb.quoted(p_name));
        end if;
        perform pkgdb.check_file_count(v_ecosystem, v_files, p_role);
        perform pkgdb.check_reuse(
            v_repository, v_registration, v_normalized, p_variant, v_files, p_metadata);
        v_now := pkgdb.clock();
        insert into pkgdb.package_version
            (namespace, registration_id, scheme, version, variant, status, created_at)
        values
            (p_namespace, v_registration.registration_id, v_registration.scheme,
             pkgdb.stored_version(p_version), p_variant, 'processing', v_now)
        returning * into v_version;
        perform pkgdb.insert_dependencies(v_version, v_dependencies);
    end if;

    v_now := pkgdb.clock();
    insert into pkgdb.publication
        (namespace, repository_id, registration_id, version_id, ecosystem, name, version, variant,
         role, metadata, content, actor, login, request_key, lease_until, created_at)
    values
        (p_namespace, v_repository.repository_id, v_version.registration_id, v_version.version_id,
         v_ecosystem.ecosystem, v_registration.name, v_version.version, v_version.variant,
         p_role, p_metadata, v_content, coalesce(p_actor, session_user), session_user,
         p_request_key, v_now + p_lease, v_now)
    returning * into v_publication;
    insert into pkgdb.validation (namespace, publication_id, validator, round, requirement,
                                  updated_at)
    select p_namespace, v_publication.publication_id, v.key, 1, v.value, v_now
      from jsonb_each_text(v_repository.validators) v;
    perform pkgdb.insert_files(
        v_locked, v_version, v_missing, p_role, v_publication.publication_id);
    return pkgdb.publication_ref(v_repository, v_publication, v_publication.fence, 'begun');
end;
$$;
comment on function pkgdb.begin_publication is
    'Reserves a version, invisible until it is committed, and the names of its files (p_files, '
    'p_metadata and p_dependencies as in publish; p_role side: files attached to a published '
    'version). Several open publications fill one new version as long as their file names '
    'differ. Upload copies, report each with record_copy, then commit_publication; renew the '
    'lease on long ways. Outcome begun; resumed (the same actor with the same p_request_key, or '
    'anyone with the same content after the lease: with a new fence); in_progress (somebody else '
    'is at it: fence null); unchanged (all of it is published). Errors: RG400 malformed '
    'argument, RG403 mirror, reserved or protected name, immutable, RG404 no such repository, or '
    'no version to attach to, RG405 isolation level, RG409 exists or is being published with '
    'other content, the name is taken, or p_request_key was used for other content, RG410 '
    'deleted and reuse forbidden, RG422 not available.';
grant execute on function pkgdb.begin_publication to pkgdb_publisher;

-- All that a publication publishes, as one digest.
create function pkgdb.publication_content(
    p_locked pkgdb.locked_name, p_normalized_version text, p_variant text, p_role text,
    p_files pkgdb.file_spec[], p_metadata jsonb, p_dependencies pkgdb.dependency_spec[]
)
returns bytea
language plpgsql
immutable parallel safe
as $$
begin
    return sha256(convert_to(jsonb_build_array(
        (p_locked.repository).repository_id, (p_locked.ecosystem).ecosystem,
        p_locked.normalized_name, p_normalized_version, p_variant, p_role,
        to_jsonb(p_files), p_metadata, to_jsonb(p_dependencies))::text, 'UTF8'));
end;
$$;

-- Hands an open publication to a caller: from here on nobody else's fence is good. What its
-- backends lack is announced again: one may have been added, or a copy lost.
create function pkgdb.resume_publication(
    p_repository pkgdb.repository, p_publication pkgdb.publication, p_lease interval,
    p_request_key text, p_actor text
)
returns pkgdb.publication_ref
language plpgsql
as $$
declare
    v_now         timestamptz := pkgdb.clock();
    v_publication pkgdb.publication;
begin
    update pkgdb.publication p
       set fence = p.fence + 1, lease_until = v_now + p_lease,
           actor = coalesce(p_actor, session_user), login = session_user,
           request_key = p_request_key
     where p.namespace = p_publication.namespace
       and p.publication_id = p_publication.publication_id
    returning * into strict v_publication;
    perform pkgdb.announce_copies(p_repository, pkgdb.publication_digests(v_publication));
    return pkgdb.publication_ref(p_repository, v_publication, v_publication.fence, 'resumed');
end;
$$;

-- Ends the publications of a version whose lease has ended, as the reaper would; the slot is free
-- where none is left.
create function pkgdb.reap_publications(p_version pkgdb.package_version)
returns void
language plpgsql
as $$
declare
    v_now         timestamptz := pkgdb.clock();
    v_publication pkgdb.publication;
begin
    for v_publication in
        select p.*
          from pkgdb.publication p
         where p.namespace = p_version.namespace
           and p.registration_id = p_version.registration_id
           and p.version_id = p_version.version_id and p.status = 'open'
           and p.lease_until < v_now
    loop
        perform pkgdb.end_publication(v_publication, 'expired', 'its lease ended');
    end loop;
    perform pkgdb.free_slot(
        p_version.namespace, p_version.registration_id, p_version.version_id);
end;
$$;

-- What files a version, published or being published, can still be given: those it does not have.
create function pkgdb.check_extension(
    p_locked pkgdb.locked_name, p_version pkgdb.package_version, p_files pkgdb.file_spec[],
    p_metadata jsonb, p_dependencies pkgdb.dependency_spec[], p_role text
)
returns pkgdb.file_spec[]
language plpgsql
stable
as $$
declare
    v_missing pkgdb.file_spec[];
begin
    perform pkgdb.check_file_count(p_locked.ecosystem, p_files, p_role);
    -- Those that fill a new version state the same, so that it does not matter which one commits.
    if (p_version.status <> 'processing' and p_metadata <> '{}'
            and p_metadata <> p_version.metadata)
        or (p_version.status = 'processing' and exists (
            select from pkgdb.publication p
             where p.namespace = p_version.namespace
               and p.registration_id = p_version.registration_id
               and p.version_id = p_version.version_id and p.status = 'open'
               and p.metadata <> p_metadata))
    then
        raise exception using
            errcode = 'RG409',
            message = format('version %s exists, or is being published, with other metadata',
                             pkgdb.quoted(p_version.version));
    end if;
    if p_version.status = 'processing' and p_dependencies is distinct from
        pkgdb.version_dependencies(
            p_version.namespace, p_version.registration_id, p_version.version_id)
    then
        raise exception using
            errcode = 'RG409',
            message = format('version %s is being published with other dependencies',
                             pkgdb.quoted(p_version.version));
    end if;
    perform pkgdb.check_dependencies(p_version, p_dependencies);
    v_missing := pkgdb.missing_files(p_version, p_files);
    if p_version.status <> 'processing' and v_missing = '{}' then
        return v_missing;
    end if;
    if p_version.status = 'quarantined'
        or (p_role = 'side' and p_version.status <> 'available')
    then
        raise exception using
            errcode = 'RG422',
            message = format('version %s is %s', pkgdb.quoted(p_version.version),
                             p_version.status),
            hint = 'Files are added to available versions.';
    end if;
    if p_version.status = 'available' then
        perform pkgdb.check_extensible(p_locked, p_version, v_missing);
    else
        perform pkgdb.check_reuse(
            p_locked.repository, p_locked.registration, p_version.normalized_version,
            p_version.variant, p_files, p_metadata);
    end if;
    if p_role = 'main' and v_missing <> '{}' then
        perform pkgdb.check_one_file(p_locked.ecosystem, p_version, v_missing);
    end if;
    return v_missing;
end;
$$;
