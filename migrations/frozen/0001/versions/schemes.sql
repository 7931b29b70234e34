-- From the name of a scheme to its functions. Not inlined (language sql would be): the planner
-- evaluates every branch whose arguments it knows, and the wrong scheme's branch raises. It also
-- keeps the generated columns from being planned anew by each statement that writes a version.

create function pkgdb.unknown_scheme(p_scheme text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'RG400',
        message = format('no version scheme %s', pkgdb.quoted(p_scheme));
end;
$$;
comment on function pkgdb.unknown_scheme is 'Raises RG400.';

create function pkgdb.scheme_version_key(p_scheme text, p_version text)
returns bytea
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case p_scheme collate "C"
        when 'semver53' then pkgdb.semver_key(p_version collate "C", '9007199254740991')
        when 'semver64' then pkgdb.semver_key(p_version collate "C", '18446744073709551615')
        when 'pep440' then pkgdb.pep440_key(p_version collate "C")
        when 'debian' then pkgdb.debian_key(p_version collate "C")
        when 'natural' then pkgdb.natural_key(p_version collate "C")
        else pkgdb.unknown_scheme(p_scheme)::bytea
    end;
end;
$$;
comment on function pkgdb.scheme_version_key is
    'Order key of a version: bytes compare as the ecosystem''s own tool compares versions.';

create function pkgdb.scheme_normalize_version(p_scheme text, p_version text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case p_scheme collate "C"
        when 'semver53' then pkgdb.semver_normalize(p_version collate "C", '9007199254740991')
        when 'semver64' then pkgdb.semver_normalize(p_version collate "C", '18446744073709551615')
        when 'pep440' then pkgdb.pep440_normalize(p_version collate "C")
        when 'debian' then pkgdb.debian_normalize(p_version collate "C")
        when 'natural' then pkgdb.natural_normalize(p_version collate "C")
        else pkgdb.unknown_scheme(p_scheme)
    end;
end;
$$;
comment on function pkgdb.scheme_normalize_version is
    'Identity of a version: equal exactly where the ecosystem holds two spellings for one '
    'version.';

create function pkgdb.scheme_is_prerelease(p_scheme text, p_version text)
returns boolean
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case p_scheme collate "C"
        when 'semver53' then pkgdb.semver_is_prerelease(p_version collate "C", '9007199254740991')
        when 'semver64'
            then pkgdb.semver_is_prerelease(p_version collate "C", '18446744073709551615')
        when 'pep440' then pkgdb.pep440_is_prerelease(p_version collate "C")
        when 'debian' then pkgdb.debian_is_prerelease(p_version collate "C")
        when 'natural' then pkgdb.natural_is_prerelease(p_version collate "C")
        else pkgdb.unknown_scheme(p_scheme)::boolean
    end;
end;
$$;
comment on function pkgdb.scheme_is_prerelease is
    'True where a version is a prerelease, which latest_stable leaves out.';
