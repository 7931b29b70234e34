-- From the name of a scheme to its functions; the most used ones come first. Not inlined
-- (language sql would be): the planner evaluates every branch whose arguments it knows, and the
-- wrong scheme's branch raises. It also keeps the generated columns from being planned anew by each
-- statement that writes a version. A branch is a statement, not an arm of one CASE expression: a
-- transaction sets up each expression that it runs, and so only those on its way.
--
-- Their search_path holds for the functions of the schemes too: these are called from here (and
-- from security definers that have the same), and one of their own would cost a tenth of a key.

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
declare
    v_scheme  text collate "C" := p_scheme;
    v_version text collate "C" := p_version;
begin
    if v_scheme = 'semver53' then
        return pkgdb.semver_key(pkgdb.semver_normalize(v_version, '9007199254740991'));
    elsif v_scheme = 'pep440' then
        return pkgdb.pep440_key(v_version);
    elsif v_scheme = 'debian' then
        return pkgdb.debian_key(v_version);
    elsif v_scheme = 'semver64' then
        return pkgdb.semver_key(
            pkgdb.semver_normalize(v_version, '18446744073709551615'));
    elsif v_scheme = 'nuget' then
        return pkgdb.nuget_key(v_version);
    elsif v_scheme = 'maven' then
        return pkgdb.maven_key(v_version);
    elsif v_scheme = 'rubygems' then
        return pkgdb.rubygems_key(v_version);
    elsif v_scheme = 'rpm' then
        return pkgdb.rpm_key(v_version);
    elsif v_scheme = 'composer' then
        return pkgdb.composer_key(v_version);
    elsif v_scheme = 'golang' then
        return pkgdb.golang_key(v_version);
    elsif v_scheme = 'helm' then
        return pkgdb.helm_key(v_version);
    elsif v_scheme = 'conan' then
        return pkgdb.conan_key(v_version);
    elsif v_scheme = 'terraform' then
        return pkgdb.terraform_key(v_version);
    elsif v_scheme = 'hex' then
        return pkgdb.hex_key(v_version);
    elsif v_scheme = 'swift' then
        return pkgdb.swift_key(v_version);
    elsif v_scheme = 'pub' then
        return pkgdb.pub_key(v_version);
    elsif v_scheme = 'purescript' then
        return pkgdb.purescript_key(v_version);
    elsif v_scheme = 'conda' then
        return pkgdb.conda_key(v_version);
    elsif v_scheme = 'apk' then
        return pkgdb.apk_key(v_version);
    elsif v_scheme = 'natural' then
        return pkgdb.natural_key(v_version);
    end if;
    return pkgdb.unknown_scheme(p_scheme)::bytea;
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
declare
    v_scheme  text collate "C" := p_scheme;
    v_version text collate "C" := p_version;
begin
    if v_scheme = 'semver53' then
        return pkgdb.semver_normalize(v_version, '9007199254740991');
    elsif v_scheme = 'pep440' then
        return pkgdb.pep440_normalize(v_version);
    elsif v_scheme = 'debian' then
        return pkgdb.debian_normalize(v_version);
    elsif v_scheme = 'semver64' then
        return pkgdb.semver_normalize(v_version, '18446744073709551615');
    elsif v_scheme = 'nuget' then
        return pkgdb.nuget_normalize(v_version);
    elsif v_scheme = 'maven' then
        return pkgdb.maven_normalize(v_version);
    elsif v_scheme = 'rubygems' then
        return pkgdb.rubygems_normalize(v_version);
    elsif v_scheme = 'rpm' then
        return pkgdb.rpm_normalize(v_version);
    elsif v_scheme = 'composer' then
        return pkgdb.composer_normalize(v_version);
    elsif v_scheme = 'golang' then
        return pkgdb.golang_normalize(v_version);
    elsif v_scheme = 'helm' then
        return pkgdb.helm_normalize(v_version);
    elsif v_scheme = 'conan' then
        return pkgdb.conan_normalize(v_version);
    elsif v_scheme = 'terraform' then
        return pkgdb.terraform_normalize(v_version);
    elsif v_scheme = 'hex' then
        return pkgdb.hex_normalize(v_version);
    elsif v_scheme = 'swift' then
        return pkgdb.swift_normalize(v_version);
    elsif v_scheme = 'pub' then
        return pkgdb.pub_normalize(v_version);
    elsif v_scheme = 'purescript' then
        return pkgdb.purescript_normalize(v_version);
    elsif v_scheme = 'conda' then
        return pkgdb.conda_normalize(v_version);
    elsif v_scheme = 'apk' then
        return pkgdb.apk_normalize(v_version);
    elsif v_scheme = 'natural' then
        return pkgdb.natural_normalize(v_version);
    end if;
    return pkgdb.unknown_scheme(p_scheme);
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
declare
    v_scheme  text collate "C" := p_scheme;
    v_version text collate "C" := p_version;
begin
    if v_scheme = 'semver53' then
        return pkgdb.semver_is_prerelease(v_version, '9007199254740991');
    elsif v_scheme = 'pep440' then
        return pkgdb.pep440_is_prerelease(v_version);
    elsif v_scheme = 'debian' then
        return pkgdb.debian_is_prerelease(v_version);
    elsif v_scheme = 'semver64' then
        return pkgdb.semver_is_prerelease(v_version, '18446744073709551615');
    elsif v_scheme = 'nuget' then
        return pkgdb.nuget_is_prerelease(v_version);
    elsif v_scheme = 'maven' then
        return pkgdb.maven_is_prerelease(v_version);
    elsif v_scheme = 'rubygems' then
        return pkgdb.rubygems_is_prerelease(v_version);
    elsif v_scheme = 'rpm' then
        return pkgdb.rpm_is_prerelease(v_version);
    elsif v_scheme = 'composer' then
        return pkgdb.composer_is_prerelease(v_version);
    elsif v_scheme = 'golang' then
        return pkgdb.golang_is_prerelease(v_version);
    elsif v_scheme = 'helm' then
        return pkgdb.helm_is_prerelease(v_version);
    elsif v_scheme = 'conan' then
        return pkgdb.conan_is_prerelease(v_version);
    elsif v_scheme = 'terraform' then
        return pkgdb.terraform_is_prerelease(v_version);
    elsif v_scheme = 'hex' then
        return pkgdb.hex_is_prerelease(v_version);
    elsif v_scheme = 'swift' then
        return pkgdb.swift_is_prerelease(v_version);
    elsif v_scheme = 'pub' then
        return pkgdb.pub_is_prerelease(v_version);
    elsif v_scheme = 'purescript' then
        return pkgdb.purescript_is_prerelease(v_version);
    elsif v_scheme = 'conda' then
        return pkgdb.conda_is_prerelease(v_version);
    elsif v_scheme = 'apk' then
        return pkgdb.apk_is_prerelease(v_version);
    elsif v_scheme = 'natural' then
        return pkgdb.natural_is_prerelease(v_version);
    end if;
    return pkgdb.unknown_scheme(p_scheme)::boolean;
end;
$$;
comment on function pkgdb.scheme_is_prerelease is
    'True where a version is a prerelease, which latest_stable leaves out.';
