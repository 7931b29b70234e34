-- Dart and Flutter package versions (pub_semver 2.2.1, and what its registry takes).
--
-- SemVer 2.0.0, and then the build is part of order and identity: 1.0.0 < 1.0.0+1 < 1.0.0+2, its
-- identifiers comparing as those of a prerelease do. Numbers are 63-bit integers: a release beyond
-- that is refused, an identifier beyond that is a text. pub_semver up to 2.2.0 also read -1 and 0xA
-- in an identifier as numbers.
--
-- The registry refuses what is longer than 64 characters or not in canonical form: no leading
-- zeros, not even in a build. (It takes them where more than 63 bits follow; we do not.)
--
-- Key: that of SemVer; for a build \x03 and its identifiers.

create function pkgdb.pub_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
    v_plain   text collate "C" := pkgdb.semver_normalize(p_version, '9223372036854775807');
begin
    if octet_length(v_version) > 64 then
        raise exception using
            errcode = 'RG400',
            message = format('version %s is longer than 64 characters', pkgdb.quoted(p_version));
    end if;
    if v_plain <> v_version
        and substr(v_version, length(v_plain) + 2) ~ '(?:^|[.])0[0-9]+(?:[.]|$)'
    then
        raise exception using
            errcode = 'RG400',
            message = format('version %s has a leading zero', pkgdb.quoted(p_version)),
            hint = 'Numbers in a build have no leading zeros either.';
    end if;
    return v_version;
end;
$$;
comment on function pkgdb.pub_normalize is 'A pub version as it is; RG400 where it is none.';

create function pkgdb.pub_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.pub_normalize(p_version);
    v_build   text collate "C" := split_part(v_version, '+', 2);
begin
    return pkgdb.bounded_semver_key(split_part(v_version, '+', 1), '9223372036854775807')
        || case
            when v_build = '' then ''
            else chr(3) || pkgdb.bounded_identifiers_key(v_build, '9223372036854775807')
        end::bytea;
end;
$$;
comment on function pkgdb.pub_key is 'Order key of a pub version.';

create function pkgdb.pub_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return strpos(split_part(pkgdb.pub_normalize(p_version) collate "C", '+', 1), '-') > 0;
comment on function pkgdb.pub_is_prerelease is 'True where a pub version has a prerelease part.';
