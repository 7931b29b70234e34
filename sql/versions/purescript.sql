-- PureScript package versions (the registry's specification, "Version"; its library's parser).
--
-- MAJOR.MINOR.PATCH and nothing else: three numbers of at most 31 bits without leading zeros. The
-- registry knows no prerelease and no build. They compare as numbers; identity is the text.
--
-- Key: that of SemVer.

create function pkgdb.purescript_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
begin
    if ltrim(pkgdb.semver_normalize(p_version, '2147483647'), '.0123456789') <> ''
        or strpos(p_version collate "C", '+') > 0
    then
        raise exception using
            errcode = 'RG400',
            message = format('version %s has a prerelease or a build', pkgdb.quoted(p_version)),
            hint = 'MAJOR.MINOR.PATCH alone.';
    end if;
    return p_version;
end;
$$;
comment on function pkgdb.purescript_normalize is
    'A PureScript package version as it is; RG400 where it is none.';

create function pkgdb.purescript_key(p_version text)
returns bytea
language sql
immutable parallel safe
return pkgdb.semver_key(pkgdb.purescript_normalize(p_version));
comment on function pkgdb.purescript_key is 'Order key of a PureScript package version.';

create function pkgdb.purescript_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return pkgdb.purescript_normalize(p_version) is null;
comment on function pkgdb.purescript_is_prerelease is
    'False for every PureScript package version: there are no prereleases.';
