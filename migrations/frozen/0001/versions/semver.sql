-- Semantic Versioning 2.0.0 (semver.org, items 2, 9, 10 and 11).
--
-- major.minor.patch, then -identifiers of a prerelease, then +build. Identity and order leave the
-- build out. Three numbers compare as numbers; a prerelease is below its release; its identifiers
-- compare from left to right, end < number < text, texts byte by byte.
--
-- Strict: a leading "v" or "=", and spaces, are spellings that clients clean before they publish.
-- Registries bound major, minor and patch: npm's at 2^53 - 1, Cargo's at 2^64 - 1. p_limit is that
-- bound in decimal, null for none. Numbers in a prerelease are exact at any length, as the
-- specification and the `semver` crate have it; node-semver compares those above 2^53 as floats.
--
-- Key: major, minor, patch, then \x02 for a release, or \x01 and for each identifier a number, or
-- \x7f text \x01.
--
-- These run in the search_path of the functions in schemes.sql, which alone call them, or of other
-- schemes: a path of their own would cost each call more than a microsecond.

create function pkgdb.is_semver(p_version text)
returns boolean
language sql
immutable parallel safe
return p_version collate "C" ~
    ('^(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)'
     '(?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
     '(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?'
     '(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$');
comment on function pkgdb.is_semver is 'True where a text follows the grammar of SemVer 2.0.0.';

create function pkgdb.semver_normalize(p_version text, p_limit text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
    v_core    text collate "C";
    v_number  text collate "C";
begin
    if pkgdb.version_fits(v_version) and pkgdb.is_semver(v_version) then
        v_core := split_part(split_part(v_version, '+', 1), '-', 1);
        -- The other two numbers and the dots take four characters: a short core is within it.
        if octet_length(v_core) - 4 >= octet_length(p_limit) then
            foreach v_number in array string_to_array(v_core, '.')
            loop
                if (octet_length(v_number), v_number) > (octet_length(p_limit), p_limit) then
                    raise exception using
                        errcode = 'RG400',
                        message = format('version %s has a number above %s',
                                         pkgdb.quoted(p_version), p_limit);
                end if;
            end loop;
        end if;
        return split_part(v_version, '+', 1);
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s is not SemVer', pkgdb.quoted(p_version)),
        hint = 'MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD], no leading zeros, at most 255 characters.';
end;
$$;
comment on function pkgdb.semver_normalize is
    'A SemVer version without its build metadata; RG400 where it is none or exceeds p_limit.';

-- Of a normal form: each scheme that is SemVer gives its own.
create function pkgdb.semver_key(p_normalized_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_dash integer := strpos(p_normalized_version, '-');
    v_part text collate "C";
    v_key  text collate "C" := '';
begin
    -- The parts of 1.2.3-rc.1 are 1, 2, 3, none, rc, 1.
    foreach v_part in array string_to_array(
        case when v_dash = 0 then p_normalized_version
             else overlay(p_normalized_version placing '..' from v_dash for 1) end, '.')
    loop
        v_key := v_key || case
            when v_part = '' then chr(1)
            when ltrim(v_part, '0123456789') = '' then pkgdb.number_key(v_part)
            else chr(127) || v_part || chr(1)
        end;
    end loop;
    return (case when v_dash = 0 then v_key || chr(2) else v_key end)::bytea;
end;
$$;
comment on function pkgdb.semver_key is 'Order key of a SemVer version in normal form.';

-- The same where numbers above p_limit in a prerelease are texts, as in clients that read them into
-- integers. Apart, because each npm and cargo version would pay for the limit that it has not.
create function pkgdb.bounded_identifiers_key(p_identifiers text, p_limit text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_identifier text collate "C";
    v_key        text collate "C" := '';
begin
    foreach v_identifier in array string_to_array(p_identifiers, '.')
    loop
        v_key := v_key || case
            when ltrim(v_identifier, '0123456789') = ''
                and (octet_length(v_identifier), v_identifier) <= (octet_length(p_limit), p_limit)
                then pkgdb.number_key(v_identifier)
            else chr(127) || v_identifier || chr(1)
        end;
    end loop;
    return v_key;
end;
$$;
comment on function pkgdb.bounded_identifiers_key is
    'SemVer identifiers as part of an order key: each a number of at most p_limit, or a text.';

create function pkgdb.bounded_semver_key(p_normalized_version text, p_limit text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_core text collate "C" := split_part(p_normalized_version, '-', 1);
begin
    return (pkgdb.number_key(split_part(v_core, '.', 1))
        || pkgdb.number_key(split_part(v_core, '.', 2))
        || pkgdb.number_key(split_part(v_core, '.', 3))
        || case
            when v_core = p_normalized_version then chr(2)
            else chr(1) || pkgdb.bounded_identifiers_key(
                substr(p_normalized_version, length(v_core) + 2), p_limit)
        end)::bytea;
end;
$$;
comment on function pkgdb.bounded_semver_key is
    'Order key of a SemVer version in normal form, numbers of its prerelease above p_limit being '
    'texts.';

create function pkgdb.semver_is_prerelease(p_version text, p_limit text)
returns boolean
language sql
immutable parallel safe
return strpos(pkgdb.semver_normalize(p_version, p_limit) collate "C", '-') > 0;
comment on function pkgdb.semver_is_prerelease is
    'True where a SemVer version has a prerelease part.';
