-- Versions of Go modules (golang.org/x/mod/module, CanonicalVersion; golang.org/x/mod/semver).
--
-- "v" and SemVer, with numbers of any length. What a module proxy serves is canonical: v1 and v1.2
-- are only queries, and there is no build metadata but +incompatible (major version 2 or above
-- without a go.mod), which is part of the identity and not of the order: v2.0.0 and
-- v2.0.0+incompatible are two versions with one key. A pseudo-version, as
-- v0.0.0-20191109021931-daa7c04131f5, is a prerelease.
--
-- That the major version is the one at the end of the module's path cannot be seen here.
--
-- Key: that of SemVer.

create function pkgdb.golang_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
begin
    -- 255 characters have no room for a number of more than 250 digits.
    if octet_length(v_version) <= 255
        and left(v_version, 1) = 'v' and pkgdb.is_semver(substr(v_version, 2))
        and split_part(v_version, '+', 2) in ('', 'incompatible')
    then
        return v_version;
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s is not the canonical version of a Go module',
                         pkgdb.quoted(p_version)),
        hint = 'vMAJOR.MINOR.PATCH[-PRERELEASE][+incompatible], no leading zeros, at most 255 '
               'characters.';
end;
$$;
comment on function pkgdb.golang_normalize is
    'The version of a Go module as it is; RG400 where it is not canonical.';

create function pkgdb.golang_key(p_version text)
returns bytea
language sql
immutable parallel safe
return pkgdb.semver_key(
    substr(split_part(pkgdb.golang_normalize(p_version) collate "C", '+', 1), 2));
comment on function pkgdb.golang_key is 'Order key of the version of a Go module.';

create function pkgdb.golang_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return strpos(pkgdb.golang_normalize(p_version) collate "C", '-') > 0;
comment on function pkgdb.golang_is_prerelease is
    'True where the version of a Go module has a prerelease part, as all pseudo-versions have.';
