-- An order is corrected by a scheme of another name: its functions, its row in version_scheme, the
-- ecosystem's row pointing to it. New packages use it from then on; this moves an older one, with
-- all its versions, what is remembered of deleted ones, and its latest pointers. Packages move one
-- by one, a transaction each, beside everything else; those that have not yet go on as they were.
create function pkgdb.upgrade_scheme(
    p_namespace pkgdb.string, p_registration_id bigint, p_actor pkgdb.string default null
)
returns pkgdb.version_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_registration pkgdb.registration;
    v_scheme       text;
    v_twins        text;
begin
    perform pkgdb.begin_request(p_namespace, p_actor, null, 'upgrade_scheme', null);

    -- An id keeps its name, and so what the lock stands for.
    select * into v_registration
      from pkgdb.registration r
     where r.namespace = p_namespace and r.registration_id = p_registration_id;
    perform pkgdb.lock_keys(
        pkgdb.repository_lock(p_namespace, v_registration.repository_id),
        pkgdb.registration_lock(
            p_namespace, v_registration.scope_id, v_registration.ecosystem,
            v_registration.normalized_name));
    select * into v_registration
      from pkgdb.registration r
     where r.namespace = p_namespace and r.registration_id = p_registration_id;
    if not found then
        raise exception using
            errcode = 'RG404',
            message = format('no registration with id %s in namespace %s',
                             coalesce(p_registration_id::text, 'null'),
                             pkgdb.quoted(p_namespace));
    end if;
    select e.scheme into strict v_scheme
      from pkgdb.ecosystem e
     where e.ecosystem = v_registration.ecosystem;
    if v_registration.scheme = v_scheme then
        return pkgdb.unchanged(v_registration, null);
    end if;

    select string_agg(pkgdb.quoted(v.version), ' and ' order by v.version_id) into v_twins
      from pkgdb.package_version v
     where v.namespace = p_namespace and v.registration_id = p_registration_id
       and v.status in ('processing', 'available', 'quarantined')
     group by pkgdb.scheme_normalize_version(v_scheme, v.version), v.variant
    having count(*) > 1
     limit 1;
    if found then
        raise exception using
            errcode = 'RG409',
            message = format('versions %s of %s are one version in scheme %s', v_twins,
                             pkgdb.quoted(v_registration.name), v_scheme),
            hint = 'Delete all but one of them, then call again.';
    end if;

    -- One statement: a version's scheme is its registration's whenever it is looked at. A version
    -- may take the identity that another one gives up, in whatever order their rows are written:
    -- until all have theirs, those that change it are told apart by their variant.
    with registration as (
        update pkgdb.registration r
           set scheme = v_scheme
         where r.namespace = p_namespace and r.registration_id = p_registration_id
    )
    update pkgdb.package_version v
       set scheme = v_scheme,
           variant = case
               when v.normalized_version = pkgdb.scheme_normalize_version(v_scheme, v.version)
                   then v.variant
               else v.variant || chr(1) || v.version_id end
     where v.namespace = p_namespace and v.registration_id = p_registration_id;
    update pkgdb.package_version v
       set variant = split_part(v.variant, chr(1), 1)
     where v.namespace = p_namespace and v.registration_id = p_registration_id
       and strpos(v.variant, chr(1)) > 0;
    update pkgdb.dependency d
       set scheme = v_scheme
     where d.namespace = p_namespace and d.registration_id = p_registration_id;

    -- Where two deleted versions have become one, the later one is remembered.
    with renamed as (
        delete from pkgdb.tombstone t
         where t.namespace = p_namespace and t.registration_id = p_registration_id
           and t.normalized_version <> pkgdb.remembered_identity(v_scheme, t)
        returning t.*, pkgdb.remembered_identity(v_scheme, t) as identity
    )
    insert into pkgdb.tombstone as t
        (namespace, registration_id, normalized_version, version, variant, filename,
         content_sha256, quarantine_reason, deleted_at)
    select distinct on (r.identity, r.variant, r.filename)
           r.namespace, r.registration_id, r.identity, r.version, r.variant, r.filename,
           r.content_sha256, r.quarantine_reason, r.deleted_at
      from renamed r
     order by r.identity, r.variant, r.filename, r.deleted_at desc
    on conflict (namespace, registration_id, normalized_version, variant, filename)
    do update set version = excluded.version, content_sha256 = excluded.content_sha256,
                  quarantine_reason = excluded.quarantine_reason,
                  deleted_at = excluded.deleted_at
            where t.deleted_at < excluded.deleted_at;

    return pkgdb.touch(v_registration, null, 'scheme_upgraded', p_actor);
end;
$$;
comment on function pkgdb.upgrade_scheme is
    'Orders the versions of a package by its ecosystem''s present scheme; the view '
    'outdated_registrations lists the packages that are still to be moved. Outcomes: '
    'scheme_upgraded, unchanged. Errors: RG400 malformed argument, or a version that the scheme '
    'refuses, RG404 no such registration, RG405 isolation level, RG409 two live versions are one '
    'in the new scheme.';
grant execute on function pkgdb.upgrade_scheme to pkgdb_operator;
