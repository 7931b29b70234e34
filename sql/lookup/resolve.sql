-- One version of a package: the latest, the latest stable, the tagged one or an exact one.
create function pkgdb.resolve(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_want pkgdb.string, p_variants pkgdb.string[] default null
)
returns pkgdb.version_info
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_registration pkgdb.registration;
    v_version      pkgdb.package_version;
    v_normalized   text;
begin
    if p_want is null or p_want = '' then
        perform pkgdb.check_text('wanted version', p_want, 255);
    end if;
    if (case when array_ndims(p_variants) > 1 then true
             else array_position(p_variants, null) is not null end)
    then
        raise exception using
            errcode = 'RG400',
            message = format('variants %s are not a list of texts', pkgdb.quoted(p_variants::text));
    end if;
    v_registration := pkgdb.look_up_registration(
        p_namespace, p_repository, p_ecosystem, p_name);

    if p_want in ('latest', 'latest_stable') and p_variants is null then
        select * into v_version
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
           and v.version_id = case p_want
                when 'latest' then v_registration.latest_version_id
                else v_registration.latest_stable_version_id end;
    elsif p_want in ('latest', 'latest_stable')
        or p_ecosystem = 'nuget' and p_want in ('latest_semver1', 'latest_stable_semver1')
    then
        -- From the highest version down, until one that the client can use; of equal ones the
        -- variant that it prefers.
        select * into v_version
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
           and v.status = 'available' and v.listed
           and (p_variants is null or v.variant = any (p_variants))
           and (p_want in ('latest', 'latest_semver1') or not v.prerelease)
           and (p_want in ('latest', 'latest_stable')
                or not pkgdb.nuget_is_semver2(v.version, v.normalized_version))
         order by v.version_key desc, array_position(p_variants, v.variant), v.version_id desc
         limit 1;
    elsif p_want like 'tag:%' then
        select v.* into v_version
          from pkgdb.tag t
          join pkgdb.package_version v
            on v.namespace = p_namespace and v.registration_id = t.registration_id
           and v.version_id = t.version_id
         where t.namespace = p_namespace and t.registration_id = v_registration.registration_id
           and t.tag = substr(p_want, 5) and v.status = 'available'
           and (p_variants is null or v.variant = any (p_variants));
    else
        v_normalized := pkgdb.scheme_normalize_version(v_registration.scheme, p_want);
        select * into v_version
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
           and v.normalized_version = v_normalized
           and v.status = 'available'
           and (p_variants is null or v.variant = any (p_variants))
         order by array_position(p_variants, v.variant), v.variant
         limit 1;
    end if;

    if v_version.version_id is null then
        raise exception using
            errcode = 'RG404',
            message = format('no version %s of %s', pkgdb.quoted(p_want), pkgdb.quoted(p_name))
                || case when array_to_string(p_variants, '') <> ''
                        then format(' for %s', pkgdb.quoted(array_to_string(p_variants, ', ')))
                        else '' end;
    end if;
    return pkgdb.version_info(p_repository, v_registration, v_version);
end;
$$;
comment on function pkgdb.resolve is
    'Finds one available version. p_want is latest, latest_stable (no prerelease), for nuget '
    'latest_semver1 and latest_stable_semver1 (what a client that knows SemVer 1 alone may see), '
    'tag:<name>, or an exact version in any spelling. Latest considers listed versions only. '
    'p_variants: the architectures or platforms that the client can use, best first; the highest '
    'version wins, then the better variant. Null: any variant (for an exact version the first in '
    'order). Errors: RG400 malformed argument, RG404 no such repository, package or version.';
grant execute on function pkgdb.resolve to pkgdb_reader;
