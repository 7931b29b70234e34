-- One version of a package: the latest, the latest stable, the tagged one or an exact one.
create function pkgdb.resolve(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_want pkgdb.string, p_variant pkgdb.string default null
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
    v_registration := pkgdb.look_up_registration(
        p_namespace, p_repository, p_ecosystem, p_name);

    if p_want in ('latest', 'latest_stable') and p_variant is null then
        select * into v_version
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
           and v.version_id = case p_want
                when 'latest' then v_registration.latest_version_id
                else v_registration.latest_stable_version_id end;
    elsif p_want in ('latest', 'latest_stable') then
        select * into v_version
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
           and v.status = 'available' and v.listed and v.variant = p_variant
           and (p_want = 'latest' or not v.prerelease)
         order by v.version_key desc, v.version_id desc
         limit 1;
    elsif p_want like 'tag:%' then
        select v.* into v_version
          from pkgdb.tag t
          join pkgdb.package_version v
            on v.namespace = p_namespace and v.registration_id = t.registration_id
           and v.version_id = t.version_id
         where t.namespace = p_namespace and t.registration_id = v_registration.registration_id
           and t.tag = substr(p_want, 5) and v.status = 'available'
           and (p_variant is null or v.variant = p_variant);
    else
        v_normalized := pkgdb.scheme_normalize_version(v_registration.scheme, p_want);
        select * into v_version
          from pkgdb.package_version v
         where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
           and v.normalized_version = v_normalized
           and v.status in ('processing', 'available', 'quarantined')
           and v.status = 'available'
           and (p_variant is null or v.variant = p_variant)
         order by v.variant
         limit 1;
    end if;

    if v_version.version_id is null then
        raise exception using
            errcode = 'RG404',
            message = format('no version %s of %s', pkgdb.quoted(p_want), pkgdb.quoted(p_name)),
            detail = case when p_variant <> '' then format('Variant %s.', pkgdb.quoted(p_variant))
                          else '' end;
    end if;
    return pkgdb.version_info(p_repository, v_registration, v_version);
end;
$$;
comment on function pkgdb.resolve is
    'Finds one available version: p_want is latest, latest_stable (no prerelease), tag:<name> or '
    'an exact version in any spelling. Latest considers listed versions only. p_variant null: any '
    'variant (for an exact version the first in order). Errors: RG400 malformed argument, RG404 '
    'no such repository, package or version.';
grant execute on function pkgdb.resolve to pkgdb_reader;
