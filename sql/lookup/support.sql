-- What a reader gets to see of a version, and where lookups begin. Nothing here locks: all is
-- STABLE and sees one snapshot.

create type pkgdb.version_info as (
    registration_id    bigint,
    version_id         bigint,
    revision           bigint,
    repository         text,
    ecosystem          text,
    name               text,
    version            text,
    normalized_version text,
    variant            text,
    prerelease         boolean,
    status             text,
    listed             boolean,
    yank_reason        text,
    deprecation        text,
    metadata           jsonb,
    files              jsonb,
    published_at       timestamptz
);
comment on type pkgdb.version_info is
    'A version as readers see it. revision is its registration''s; files is an array of '
    '{filename, sha256, size, media_type, attributes, role}, sorted by file name.';

create function pkgdb.version_info(
    p_repository text, p_registration pkgdb.registration, p_version pkgdb.package_version
)
returns pkgdb.version_info
language plpgsql
stable
as $$
declare
    v_files jsonb;
begin
    select coalesce(jsonb_agg(
               jsonb_build_object(
                   'filename', f.filename, 'sha256', encode(f.sha256, 'hex'), 'size', b.size,
                   'media_type', f.media_type, 'attributes', f.attributes, 'role', f.role)
               order by f.filename), '[]')
      into v_files
      from pkgdb.file f
      join pkgdb.blob b on b.namespace = f.namespace and b.sha256 = f.sha256
     where f.namespace = p_version.namespace and f.registration_id = p_version.registration_id
       and f.version_id = p_version.version_id and f.status = 'available';

    return (
        p_version.registration_id, p_version.version_id, p_registration.revision, p_repository,
        p_registration.ecosystem, p_registration.name, p_version.version,
        p_version.normalized_version, p_version.variant, p_version.prerelease, p_version.status,
        p_version.listed, p_version.yank_reason, p_version.deprecation, p_version.metadata,
        v_files, p_version.published_at
    )::pkgdb.version_info;
end;
$$;

-- The registration of a name, without any lock, or RG404.
create function pkgdb.look_up_registration(
    p_namespace text, p_repository text, p_ecosystem text, p_name text
)
returns pkgdb.registration
language plpgsql
stable
as $$
declare
    v_ecosystem    pkgdb.ecosystem := pkgdb.find_ecosystem(p_ecosystem);
    v_repository   pkgdb.repository;
    v_registration pkgdb.registration;
begin
    select * into v_repository
      from pkgdb.repository r
     where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
    if not found then
        raise exception using
            errcode = 'RG404',
            message = format('no repository %s in namespace %s',
                             pkgdb.quoted(p_repository), pkgdb.quoted(p_namespace));
    end if;
    v_registration := pkgdb.find_registration(
        v_repository, v_ecosystem, pkgdb.rule_normalize_name(v_ecosystem.name_rule, p_name));
    if v_registration.repository_id is distinct from v_repository.repository_id
        or v_registration.status = 'reserved' or v_registration.revision = 0
    then
        raise exception using
            errcode = 'RG404',
            message = format('no %s package %s in repository %s',
                             p_ecosystem, pkgdb.quoted(p_name), pkgdb.quoted(p_repository));
    end if;
    return v_registration;
end;
$$;
