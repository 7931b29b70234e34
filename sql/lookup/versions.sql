-- The versions of a package, newest first in its own order.
create function pkgdb.versions(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_limit integer default null, p_after_version_id bigint default null
)
returns setof pkgdb.version_info
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_registration pkgdb.registration;
    v_version      pkgdb.package_version;
    v_after_key    bytea := decode('ff', 'hex');  -- above every key: they are ASCII
begin
    if p_limit < 0 then
        raise exception using errcode = 'RG400', message = 'limit must not be negative';
    end if;
    v_registration := pkgdb.look_up_registration(
        p_namespace, p_repository, p_ecosystem, p_name);
    if p_after_version_id is not null then
        -- A page may end at a version that has been deleted since: a ghost still has its place.
        select v.version_key into v_after_key
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
           and v.version_id = p_after_version_id;
        if not found then
            raise exception using
                errcode = 'RG404',
                message = format('no version with id %s to continue after', p_after_version_id);
        end if;
    end if;

    -- One index has what is listed, another what is not; of each no more is read than the page has.
    for v_version in
        (select v.*
           from pkgdb.package_version v
          where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
            and v.status = 'available' and v.listed
            and (v.version_key, v.version_id) < (v_after_key, coalesce(p_after_version_id, 0))
          order by v.version_key desc, v.version_id desc
          limit p_limit)
        union all
        (select v.*
           from pkgdb.package_version v
          where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
            and v.status = 'available' and not v.listed
            and (v.version_key, v.version_id) < (v_after_key, coalesce(p_after_version_id, 0))
          order by v.version_key desc, v.version_id desc
          limit p_limit)
        order by version_key desc, version_id desc
        limit p_limit
    loop
        return next pkgdb.version_info(p_repository, v_registration, v_version);
    end loop;
end;
$$;
comment on function pkgdb.versions is
    'The available versions of a package, listed or not, in descending version order; at most '
    'p_limit, continuing after the version with id p_after_version_id. Errors: RG400 malformed '
    'argument, RG404 no such repository, package or version to continue after.';
grant execute on function pkgdb.versions to pkgdb_reader;
