-- Makes what a publication brings visible, all at once. After this there is only forward.
create function pkgdb.commit_publication(
    p_namespace pkgdb.string, p_publication_id bigint, p_fence bigint,
    p_if_revision bigint default null, p_actor pkgdb.string default null
)
returns pkgdb.version_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_held         pkgdb.locked_publication;
    v_locked       pkgdb.locked_name;
    v_publication  pkgdb.publication;
    v_repository   pkgdb.repository;
    v_registration pkgdb.registration;
    v_version      pkgdb.package_version;
    v_new          boolean;
    v_now          timestamptz;
    v_files        bigint;
    v_bytes        bigint;
    v_result       pkgdb.version_ref;
begin
    perform pkgdb.begin_request(p_namespace, p_actor, null, 'commit_publication', null);
    perform pkgdb.check_given('fence', p_fence);
    v_held := pkgdb.lock_publication(p_namespace, p_publication_id);
    v_publication := v_held.publication;
    v_locked := v_held.locked;
    v_repository := v_locked.repository;
    v_registration := v_locked.registration;
    if v_publication.status = 'committed' then
        return (v_publication.registration_id, v_publication.version_id, v_publication.revision,
                'unchanged')::pkgdb.version_ref;
    end if;
    perform pkgdb.check_fence(v_publication, p_fence);
    perform pkgdb.check_revision(v_registration.revision, p_if_revision);
    -- The rules may have changed since it began.
    perform pkgdb.check_publishable(v_repository, v_registration, v_locked.normalized_name);
    perform pkgdb.check_validated(v_publication);
    perform pkgdb.check_stored(v_repository, pkgdb.publication_digests(v_publication));
    select * into strict v_version
      from pkgdb.package_version v
     where v.namespace = p_namespace and v.registration_id = v_publication.registration_id
       and v.version_id = v_publication.version_id;
    v_new := v_version.status = 'processing';
    if not v_new then
        perform pkgdb.check_extensible(v_locked, v_version, '{}');
    end if;

    v_now := pkgdb.clock();
    if v_new then
        update pkgdb.package_version v
           set status = 'available', metadata = v_publication.metadata,
               added_epoch = v_repository.epoch, published_at = v_now
         where v.namespace = p_namespace and v.registration_id = v_version.registration_id
           and v.version_id = v_version.version_id;
    end if;
    select count(*), coalesce(sum(b.size), 0) into v_files, v_bytes
      from pkgdb.file f
      join pkgdb.blob b on b.namespace = p_namespace and b.sha256 = f.sha256
     where f.namespace = p_namespace and f.publication_id = p_publication_id;
    update pkgdb.file f
       set status = 'available', publication_id = null, added_epoch = v_repository.epoch
     where f.namespace = p_namespace and f.publication_id = p_publication_id;
    v_result := pkgdb.touch(
        v_registration, v_version, case when v_new then 'created' else 'files_added' end,
        p_actor, p_versions => v_new::integer, p_files => v_files::integer, p_bytes => v_bytes);
    update pkgdb.publication p
       set status = 'committed', outcome = v_result.outcome, revision = v_result.revision,
           ended_at = v_now
     where p.namespace = p_namespace and p.publication_id = p_publication_id;
    return v_result;
end;
$$;
comment on function pkgdb.commit_publication is
    'Makes a publication''s version and files visible, moves latest and writes the event, in one '
    'transaction, once every required backend has every blob and every required validation has '
    'succeeded. The first to commit makes a new version available; later ones add their files. '
    'Outcome created or files_added; unchanged where it was committed before. Errors: RG400 '
    'malformed argument, RG403 a rule of the repository that came since, RG404 no such '
    'publication, RG405 isolation level, RG409 the name went to another repository, RG412 stale '
    'fence or p_if_revision, RG422 ended, not available, or still missing copies or validations.';
grant execute on function pkgdb.commit_publication to pkgdb_publisher;

-- Refuses what a required validator has not passed yet.
create function pkgdb.check_validated(p_publication pkgdb.publication)
returns void
language plpgsql
stable
as $$
declare
    v_missing text;
begin
    select string_agg(pkgdb.quoted(v.validator), ', ' order by v.validator) into v_missing
      from pkgdb.validation v
     where v.namespace = p_publication.namespace
       and v.publication_id = p_publication.publication_id and v.round = 1
       and v.requirement = 'required' and v.status <> 'succeeded';
    if v_missing is not null then
        raise exception using
            errcode = 'RG422',
            message = format('publication %s still waits for validation',
                             p_publication.publication_id),
            detail = v_missing;
    end if;
end;
$$;
