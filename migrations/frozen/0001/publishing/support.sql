-- What publish, publish_many, add_files and restore_version share.

-- A version as it is stored: without the white space around it that a scheme may take.
create function pkgdb.stored_version(p_version text)
returns text
language sql
immutable parallel safe
return btrim(p_version, E' \t\n\x0b\f\r\x1c\x1d\x1e\x1f');

-- Refuses what the repository's rules keep out. p_registration is null where nobody has the name.
create function pkgdb.check_publishable(
    p_repository pkgdb.repository, p_registration pkgdb.registration, p_normalized_name text
)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_repository.kind = 'mirror' then
        raise exception using
            errcode = 'RG403',
            message = format('repository %s is a mirror', pkgdb.quoted(p_repository.name)),
            hint = 'A mirror changes by following its upstream.';
    end if;
    if p_registration.repository_id <> p_repository.repository_id then
        raise exception using
            errcode = 'RG409',
            message = format('the name %s belongs to another repository of the namespace',
                             pkgdb.quoted(p_normalized_name));
    end if;
    if p_registration.status = 'reserved' then
        raise exception using
            errcode = 'RG403',
            message = format('the name %s is reserved', pkgdb.quoted(p_normalized_name));
    end if;
    if p_repository.protected_names <> '{}'
        and pkgdb.is_protected(p_repository.protected_names, p_normalized_name)
    then
        raise exception using
            errcode = 'RG403',
            message = format('the name %s is protected in repository %s',
                             pkgdb.quoted(p_normalized_name), pkgdb.quoted(p_repository.name));
    end if;
end;
$$;

-- Claims a free name. The name is locked, so that only a look-alike can be in the way; or, where a
-- bulk publish holds its repository instead, another repository that shares the scope.
create function pkgdb.claim_name(p_locked pkgdb.locked_name, p_name text, p_status text)
returns pkgdb.registration
language plpgsql
as $$
declare
    v_repository   pkgdb.repository := p_locked.repository;
    v_ecosystem    pkgdb.ecosystem := p_locked.ecosystem;
    v_now          timestamptz := pkgdb.clock();
    v_registration pkgdb.registration;
begin
    if v_ecosystem.new_names_lower and p_name <> lower(p_name collate "C") then
        raise exception using
            errcode = 'RG400',
            message = format('a new %s name must be in lower case, unlike %s',
                             v_ecosystem.ecosystem, pkgdb.quoted(p_name));
    end if;

    insert into pkgdb.registration
        (namespace, repository_id, scope_id, ecosystem, scheme, name, normalized_name,
         lookalike_key, status, created_at, updated_at)
    values
        (v_repository.namespace, v_repository.repository_id,
         pkgdb.claim_scope_id(v_repository, v_ecosystem), v_ecosystem.ecosystem,
         v_ecosystem.scheme, p_name, p_locked.normalized_name,
         case when v_repository.lookalike_guard
              then pkgdb.lookalike(p_locked.normalized_name) end,
         p_status, v_now, v_now)
    on conflict do nothing
    returning * into v_registration;
    if not found then
        raise exception using
            errcode = 'RG409',
            message = format('the name %s is taken, or looks like one that is',
                             pkgdb.quoted(p_name)),
            hint = 'A repository with the look-alike guard refuses names that differ only in '
                   'separators or in letters that look alike.';
    end if;
    return v_registration;
end;
$$;

-- Holds a blob that exists against the collector until the end of the transaction; one that the
-- collector has just deleted is made again. Blobs are held in order of digest, so that two
-- publishers cannot wait for each other.
create function pkgdb.hold_blob(p_namespace text, p_file pkgdb.file_spec)
returns void
language plpgsql
as $$
declare
    v_now  timestamptz := pkgdb.clock();
    v_size bigint;
begin
    loop
        select b.size into v_size
          from pkgdb.blob b
         where b.namespace = p_namespace and b.sha256 = p_file.sha256
           for key share;
        exit when found;
        insert into pkgdb.blob (namespace, sha256, size, created_at)
        values (p_namespace, p_file.sha256, p_file.size, v_now)
        on conflict do nothing;
    end loop;
    if v_size <> p_file.size then
        raise exception using
            errcode = 'RG409',
            message = format('file %s has %s bytes, and the stored bytes of that digest are %s',
                             pkgdb.quoted(p_file.filename), p_file.size, v_size);
    end if;
end;
$$;

-- Gives files to a version: adopts the bytes, refuses names that are taken. Returns how many bytes
-- they have. The registration is locked; the files are in order of digest. Without a publication
-- the files are available at once, and so must their bytes be; with one the copies still to be
-- made are announced.
create function pkgdb.insert_files(
    p_locked pkgdb.locked_name, p_version pkgdb.package_version, p_files pkgdb.file_spec[],
    p_role text, p_publication_id bigint default null
)
returns bigint
language plpgsql
as $$
declare
    v_scope_id bigint := case (p_locked.ecosystem).filename_scope
                             when 'version' then p_version.version_id else 0 end;
    v_status   text := case when p_publication_id is null then 'available' else 'processing' end;
    v_epoch    bigint := case when p_publication_id is null then (p_locked.repository).epoch end;
    v_now      timestamptz := pkgdb.clock();
    v_file     pkgdb.file_spec;
    v_bytes    bigint := 0;
begin
    foreach v_file in array p_files
    loop
        -- Not a bare ON CONFLICT: that would wait for a purge that marks the blob.
        insert into pkgdb.blob (namespace, sha256, size, created_at)
        select p_version.namespace, v_file.sha256, v_file.size, v_now
         where not exists (
            select from pkgdb.blob b
             where b.namespace = p_version.namespace and b.sha256 = v_file.sha256)
        on conflict do nothing;
        if not found then
            perform pkgdb.hold_blob(p_version.namespace, v_file);
        end if;
        insert into pkgdb.file
            (namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
             media_type, attributes, status, publication_id, added_epoch, created_at)
        values
            (p_version.namespace, p_version.registration_id, p_version.version_id, v_file.filename,
             v_scope_id, p_role, v_file.sha256, v_file.media_type, v_file.attributes, v_status,
             p_publication_id, v_epoch, v_now)
        on conflict (namespace, registration_id, filename_scope_id, filename)
            where status in ('processing', 'available')
            do nothing;
        if not found then
            raise exception using
                errcode = 'RG409',
                message = format('file name %s is taken', pkgdb.quoted(v_file.filename));
        end if;
        v_bytes := v_bytes + v_file.size;
    end loop;
    -- Read now that the blobs are held: what is there stays there.
    if exists (
        select from pkgdb.repository_backend k
         where k.namespace = p_version.namespace
           and k.repository_id = (p_locked.repository).repository_id)
    then
        if p_publication_id is null then
            perform pkgdb.check_stored(
                p_locked.repository, array(select f.sha256 from unnest(p_files) f));
        else
            perform pkgdb.announce_copies(
                p_locked.repository, array(select f.sha256 from unnest(p_files) f));
        end if;
    end if;
    return v_bytes;
end;
$$;

-- Holds the reuse policy: may this identity, once deleted, come back with this content? With
-- same_content each file must be one that was deleted, and metadata, where stated, must be the
-- same.
create function pkgdb.check_reuse(
    p_repository pkgdb.repository, p_registration pkgdb.registration,
    p_normalized_version text, p_variant text, p_files pkgdb.file_spec[], p_metadata jsonb
)
returns void
language plpgsql
stable
as $$
declare
    v_same boolean := false;
begin
    if p_repository.reuse = 'always' or not exists (
        select from pkgdb.tombstone t
         where t.namespace = p_registration.namespace
           and t.registration_id = p_registration.registration_id
           and t.normalized_version = p_normalized_version and t.variant = p_variant
           and t.filename = '')
    then
        return;
    end if;

    if p_repository.reuse = 'same_content' then
        select count(f) = cardinality(p_files)
               and bool_and(case
                    when t.filename <> '' then p_files <> '{}'
                    when p_files <> '{}' and p_metadata = '{}' then true
                    else t.content_sha256 = pkgdb.metadata_digest(p_metadata) end)
          into v_same
          from pkgdb.tombstone t
          left join unnest(p_files) f on f.filename = t.filename and f.sha256 = t.content_sha256
         where t.namespace = p_registration.namespace
           and t.registration_id = p_registration.registration_id
           and t.normalized_version = p_normalized_version and t.variant = p_variant;
    end if;
    if not v_same then
        raise exception using
            errcode = 'RG410',
            message = format('version %s of %s was deleted, and the reuse policy is %s',
                             pkgdb.quoted(p_normalized_version),
                             pkgdb.quoted(p_registration.name), p_repository.reuse),
            hint = 'Publish another version, or restore the deleted one.';
    end if;
end;
$$;

-- Holds the reuse policy for a file name of a version that lives on.
create function pkgdb.check_file_reuse(
    p_repository pkgdb.repository, p_version pkgdb.package_version, p_files pkgdb.file_spec[]
)
returns void
language plpgsql
stable
as $$
declare
    v_deleted text;
begin
    if p_repository.reuse = 'always' then
        return;
    end if;
    select t.filename into v_deleted
      from pkgdb.tombstone t
      join unnest(p_files) f on f.filename = t.filename
     where t.namespace = p_version.namespace and t.registration_id = p_version.registration_id
       and t.normalized_version = p_version.normalized_version and t.variant = p_version.variant
       and (p_repository.reuse = 'never' or t.content_sha256 <> f.sha256)
     order by t.filename
     limit 1;
    if found then
        raise exception using
            errcode = 'RG410',
            message = format('file %s was deleted, and this repository''s reuse policy is %s',
                             pkgdb.quoted(v_deleted), p_repository.reuse);
    end if;
end;
$$;

create function pkgdb.metadata_digest(p_metadata jsonb)
returns bytea
language sql
immutable parallel safe
return pg_catalog.sha256(pg_catalog.convert_to(p_metadata::text, 'UTF8'));

-- The files of p_files that a version does not have yet, and that are not on their way to it. Same
-- name and digest: there already. Same name, other digest: RG409.
create function pkgdb.missing_files(
    p_version pkgdb.package_version, p_files pkgdb.file_spec[]
)
returns pkgdb.file_spec[]
language plpgsql
stable
as $$
declare
    v_other text;
begin
    if p_files = '{}' then
        return p_files;
    end if;
    select f.filename into v_other
      from pkgdb.file f
      join unnest(p_files) n on n.filename = f.filename
     where f.namespace = p_version.namespace and f.registration_id = p_version.registration_id
       and f.version_id = p_version.version_id and f.status in ('processing', 'available')
       and f.sha256 <> n.sha256
     order by f.filename
     limit 1;
    if found then
        raise exception using
            errcode = 'RG409',
            message = format('file %s exists with other content', pkgdb.quoted(v_other));
    end if;
    return array(
        select n
          from unnest(p_files) n
         where not exists (
            select from pkgdb.file f
             where f.namespace = p_version.namespace
               and f.registration_id = p_version.registration_id
               and f.version_id = p_version.version_id and f.status in ('processing', 'available')
               and f.filename = n.filename)
         order by n.sha256);
end;
$$;

-- Refuses to take for published what is only on its way, in a publication that may yet fail.
create function pkgdb.check_none_on_its_way(
    p_version pkgdb.package_version, p_files pkgdb.file_spec[]
)
returns void
language plpgsql
stable
as $$
declare
    v_filename text;
begin
    select f.filename into v_filename
      from pkgdb.file f
      join unnest(p_files) n on n.filename = f.filename
     where f.namespace = p_version.namespace and f.registration_id = p_version.registration_id
       and f.version_id = p_version.version_id and f.status = 'processing'
     order by f.filename
     limit 1;
    if found then
        raise exception using
            errcode = 'RG422',
            message = format('file %s is being published', pkgdb.quoted(v_filename)),
            hint = 'Commit or abort its publication first, or wait for its lease to end.';
    end if;
end;
$$;

-- Refuses more main files than the ecosystem has in a version.
create function pkgdb.check_file_count(
    p_ecosystem pkgdb.ecosystem, p_files pkgdb.file_spec[], p_role text
)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_ecosystem.file_rule = 'one' and p_role = 'main' and cardinality(p_files) > 1 then
        raise exception using
            errcode = 'RG400',
            message = format('a version of a %s package has one file, not %s',
                             p_ecosystem.ecosystem, cardinality(p_files)),
            hint = 'Attach symbols, signatures and the like as side files.';
    end if;
end;
$$;

-- Refuses another main file where the ecosystem has one and the version has it.
create function pkgdb.check_one_file(
    p_ecosystem pkgdb.ecosystem, p_version pkgdb.package_version, p_missing pkgdb.file_spec[]
)
returns void
language plpgsql
stable
as $$
begin
    if p_ecosystem.file_rule = 'one' and exists (
        select from pkgdb.file f
         where f.namespace = p_version.namespace
           and f.registration_id = p_version.registration_id
           and f.version_id = p_version.version_id and f.role = 'main'
           and f.status in ('processing', 'available'))
    then
        raise exception using
            errcode = 'RG409',
            message = format('version %s exists with other content',
                             pkgdb.quoted(p_version.version)),
            detail = format('It does not have the file %s.', pkgdb.quoted(p_missing[1].filename));
    end if;
end;
$$;

-- Refuses files for a version whose state or repository keeps it as it is.
create function pkgdb.check_extensible(
    p_locked pkgdb.locked_name, p_version pkgdb.package_version, p_files pkgdb.file_spec[]
)
returns void
language plpgsql
stable
as $$
begin
    if (p_locked.repository).immutable then
        raise exception using
            errcode = 'RG403',
            message = format('repository %s is immutable: version %s keeps the files it has',
                             pkgdb.quoted((p_locked.repository).name),
                             pkgdb.quoted(p_version.version));
    end if;
    if p_version.status <> 'available' then
        raise exception using
            errcode = 'RG422',
            message = format('version %s is %s', pkgdb.quoted(p_version.version), p_version.status),
            hint = 'Files are added to available versions.';
    end if;
    perform pkgdb.check_file_reuse(p_locked.repository, p_version, p_files);
end;
$$;

-- Refuses to publish in one call what validators have to see first.
create function pkgdb.check_unvalidated(p_repository pkgdb.repository)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if exists (select from jsonb_each_text(p_repository.validators) v where v.value = 'required')
    then
        raise exception using
            errcode = 'RG422',
            message = format('repository %s requires validation',
                             pkgdb.quoted(p_repository.name)),
            hint = 'Publish through begin_publication, record_validation, commit_publication.';
    end if;
end;
$$;

-- Adds files to a published version, where its state and its repository allow it.
create function pkgdb.extend_version(
    p_locked pkgdb.locked_name, p_version pkgdb.package_version, p_files pkgdb.file_spec[],
    p_role text, p_actor text
)
returns pkgdb.version_ref
language plpgsql
as $$
declare
    v_bytes bigint;
begin
    perform pkgdb.check_extensible(p_locked, p_version, p_files);
    perform pkgdb.check_unvalidated(p_locked.repository);
    v_bytes := pkgdb.insert_files(p_locked, p_version, p_files, p_role);
    return pkgdb.touch(
        p_locked.registration, p_version, 'files_added', p_actor,
        p_files => cardinality(p_files), p_bytes => v_bytes);
end;
$$;

-- Publishes a version under a name that is locked. What seldom applies is called under a condition
-- that says whether it can: a call costs ten times what a condition does.
create function pkgdb.publish_version(
    p_locked pkgdb.locked_name, p_name text, p_version text, p_variant text,
    p_files pkgdb.file_spec[], p_metadata jsonb, p_dependencies pkgdb.dependency_spec[],
    p_actor text
)
returns pkgdb.version_ref
language plpgsql
as $$
declare
    v_repository   pkgdb.repository := p_locked.repository;
    v_ecosystem    pkgdb.ecosystem := p_locked.ecosystem;
    v_registration pkgdb.registration := p_locked.registration;
    v_normalized   text;
    v_version      pkgdb.package_version;
    v_missing      pkgdb.file_spec[];
    v_now          timestamptz;
    v_bytes        bigint := 0;
begin
    if cardinality(p_files) > 1 then
        perform pkgdb.check_file_count(v_ecosystem, p_files, 'main');
    end if;
    if v_repository.kind = 'mirror' or v_repository.protected_names <> '{}'
        or v_registration.repository_id <> v_repository.repository_id
        or v_registration.status = 'reserved'
    then
        perform pkgdb.check_publishable(v_repository, v_registration, p_locked.normalized_name);
    end if;
    if v_registration.registration_id is null then
        v_registration := pkgdb.claim_name(p_locked, p_name, 'active');
    end if;

    v_normalized := pkgdb.scheme_normalize_version(v_registration.scheme, p_version);
    v_version := pkgdb.find_version(v_registration, v_normalized, p_variant);
    if v_version.version_id is null then
        if v_repository.validators <> '{}' then
            perform pkgdb.check_unvalidated(v_repository);
        end if;
        if v_repository.reuse <> 'always' and exists (
            select from pkgdb.tombstone t
             where t.namespace = v_registration.namespace
               and t.registration_id = v_registration.registration_id
               and t.normalized_version = v_normalized and t.variant = p_variant
               and t.filename = '')
        then
            perform pkgdb.check_reuse(
                v_repository, v_registration, v_normalized, p_variant, p_files, p_metadata);
        end if;
        v_now := pkgdb.clock();
        insert into pkgdb.package_version
            (namespace, registration_id, scheme, version, variant, status, metadata, added_epoch,
             created_at, published_at)
        values
            (v_registration.namespace, v_registration.registration_id, v_registration.scheme,
             pkgdb.stored_version(p_version), p_variant, 'available', p_metadata,
             v_repository.epoch, v_now, v_now)
        returning * into v_version;
        if p_dependencies <> '{}' then
            perform pkgdb.insert_dependencies(v_version, p_dependencies);
        end if;
        if p_files <> '{}' then
            v_bytes := pkgdb.insert_files(p_locked, v_version, p_files, 'main');
        end if;
        return pkgdb.touch(
            v_registration, v_version, 'created', p_actor,
            p_versions => 1, p_files => cardinality(p_files), p_bytes => v_bytes);
    end if;

    if v_version.status = 'processing' then
        raise exception using
            errcode = 'RG422',
            message = format('version %s of %s is being published', pkgdb.quoted(p_version),
                             pkgdb.quoted(p_name)),
            hint = 'Commit or abort its publication first, or wait for its lease to end.';
    end if;
    if p_metadata <> '{}' and p_metadata <> v_version.metadata then
        raise exception using
            errcode = 'RG409',
            message = format('version %s of %s exists with other metadata',
                             pkgdb.quoted(p_version), pkgdb.quoted(p_name));
    end if;
    perform pkgdb.check_dependencies(v_version, p_dependencies);
    v_missing := pkgdb.missing_files(v_version, p_files);
    perform pkgdb.check_none_on_its_way(v_version, p_files);
    if v_missing = '{}' then
        return pkgdb.unchanged(v_registration, v_version);
    end if;
    perform pkgdb.check_one_file(v_ecosystem, v_version, v_missing);
    return pkgdb.extend_version(p_locked, v_version, v_missing, 'main', p_actor);
end;
$$;
