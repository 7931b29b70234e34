-- Versions of Helm charts (Metadata.Validate, that is NewVersion of Masterminds/semver v3).
--
-- SemVer in a loose spelling: a leading "v", missing minor and patch numbers, and leading zeros of
-- these three are taken; they have at most 64 bits. Identity and order leave the spelling and build
-- metadata out, as an index does (IndexFile.Has): v1.2, 01.2.0 and 1.2.0+build are one version. A
-- version has at most 255 characters, also where it is spelt out.
--
-- The order is SemVer's, but numbers above 64 bits in a prerelease are texts.
--
-- Key: as SemVer's.

create function pkgdb.helm_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
    v_core    text collate "C";
    v_rest    text collate "C";
begin
    if octet_length(v_version) <= 255 then
        if left(v_version, 1) = 'v' then
            v_version := substr(v_version, 2);
        end if;
        v_core := split_part(split_part(v_version, '+', 1), '-', 1);
        v_rest := substr(v_version, length(v_core) + 1);
        v_core := v_core || repeat('.0', 2 - length(v_core) + length(replace(v_core, '.', '')));
        if v_core ~ '(?:^|[.])0[0-9]' then
            v_core := regexp_replace(v_core, '(^|[.])0+(?=[0-9])', E'\\1', 'g');
        end if;
        v_version := v_core || v_rest;

        -- 255 characters have no room for a number of more than 250 digits.
        if octet_length(v_version) <= 255 and pkgdb.is_semver(v_version) then
            if octet_length(v_core) >= 24 then
                -- It has room for a number of more than 64 bits.
                return pkgdb.semver_normalize(v_version, '18446744073709551615');
            end if;
            return split_part(v_version, '+', 1);
        end if;
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s is not SemVer', pkgdb.quoted(p_version)),
        hint = '[v]MAJOR[.MINOR[.PATCH]][-PRERELEASE][+BUILD], at most 255 characters.';
end;
$$;
comment on function pkgdb.helm_normalize is
    'A Helm version in strict SemVer without build metadata; RG400 where it is none.';

create function pkgdb.helm_key(p_version text)
returns bytea
language sql
immutable parallel safe
return pkgdb.bounded_semver_key(pkgdb.helm_normalize(p_version), '18446744073709551615');
comment on function pkgdb.helm_key is 'Order key of a Helm version.';

create function pkgdb.helm_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return strpos(pkgdb.helm_normalize(p_version) collate "C", '-') > 0;
comment on function pkgdb.helm_is_prerelease is 'True where a Helm version has a prerelease part.';
