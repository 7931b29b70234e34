-- Swift package versions (SE-0292 and its registry specification: SemVer 2.0.0, strictly; the
-- Version type of SwiftPM).
--
-- As SemVer, with identity and order without the build: SwiftPM holds 1.0.0+a and 1.0.0+b for
-- equal. Its numbers are 63-bit integers: a release beyond that is refused, an identifier of a
-- prerelease beyond that is a text. SwiftPM reads -1 and -0 (in 1.0.0--1) as numbers too; they are
-- texts in SemVer, and here.
--
-- Key: major, minor, patch, then \x02 for a release, or \x01 and the identifiers.

-- Also of pub versions, as Dart's integers are the same.
create function pkgdb.identifiers63_key(p_identifiers text)
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
                and (octet_length(v_identifier), v_identifier) <= (19, '9223372036854775807')
                then pkgdb.number_key(v_identifier)
            else chr(127) || v_identifier || chr(1)
        end;
    end loop;
    return v_key;
end;
$$;
comment on function pkgdb.identifiers63_key is
    'SemVer identifiers as part of an order key: each a number of at most 63 bits, or \x7f text '
    '\x01.';

create function pkgdb.swift_normalize(p_version text)
returns text
language sql
immutable parallel safe
return pkgdb.semver_normalize(p_version, '9223372036854775807');
comment on function pkgdb.swift_normalize is
    'A Swift package version without its build metadata; RG400 where it is none.';

create function pkgdb.swift_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.swift_normalize(p_version);
    v_core    text collate "C" := split_part(v_version, '-', 1);
begin
    return (pkgdb.number_key(split_part(v_core, '.', 1))
        || pkgdb.number_key(split_part(v_core, '.', 2))
        || pkgdb.number_key(split_part(v_core, '.', 3))
        || case
            when v_core = v_version then chr(2)
            else chr(1) || pkgdb.identifiers63_key(substr(v_version, length(v_core) + 2))
        end)::bytea;
end;
$$;
comment on function pkgdb.swift_key is 'Order key of a Swift package version.';

create function pkgdb.swift_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return strpos(pkgdb.swift_normalize(p_version) collate "C", '-') > 0;
comment on function pkgdb.swift_is_prerelease is
    'True where a Swift package version has a prerelease part.';
