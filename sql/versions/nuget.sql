-- NuGet versions (NuGet.Versioning's NuGetVersion, which the gallery reads them with).
--
-- A[.B[.C[.D]]], then -labels of a prerelease, then +metadata. The numbers have 31 bits and may
-- start with zeros; white space around the version means nothing, and what .NET takes within it is
-- refused. Identity is the normal form in lower case: zeros stripped, three numbers, a fourth if it
-- is above 0, no metadata; so 1.0 = 01.0.0.0 and 1.0.0-RC = 1.0.0-rc+x. The normal form with its
-- metadata has at most 64 characters.
--
-- Every spelling of a version that the gallery may hold is taken. It refuses some spellings in a
-- package: those without a dot, and 1.0.0-1, though it takes that version as 1.0.0-1+x.
--
-- Order: four numbers, then a prerelease is below its release; its labels compare from left to
-- right, end < integer < text. An integer is what fits 32 bits, sign included: -5 is one, and
-- 2147483648 is a text. Texts compare byte by byte in lower case. Keys may be equal where identity
-- is not: 1.0.0-a.0, 1.0.0-a.-0 and 1.0.0-a.-00 are three versions.
--
-- Key: four numbers, then \x02 for a release, or \x01 and for each label a number, or \x03 and the
-- ten digits of a number below 0, each from 9, or \x7f text \x01.

create function pkgdb.nuget_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version  text collate "C" := p_version;
    v_core     text collate "C";
    v_number   text collate "C";
    v_normal   text collate "C";
    v_metadata text collate "C";
    v_parts    integer := 0;
    v_wrong    text := 'is not a NuGet version';
begin
    -- Most versions are normal, and done here.
    if octet_length(v_version) <= 64 and v_version ~
        ('^(?:0|[1-9][0-9]{0,8})[.](?:0|[1-9][0-9]{0,8})[.](?:0|[1-9][0-9]{0,8})'
         '(?:-[a-z][0-9a-z-]*)?$')
    then
        return v_version;
    end if;

    -- The white space that .NET strips, as far as it is ASCII.
    v_version := btrim(v_version, E' \t\n\x0b\f\r');
    if pkgdb.version_fits(p_version) and v_version ~
        ('^[0-9]+(?:[.][0-9]+){0,3}'
         '(?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
         '(?:[.](?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?'
         '(?:[+][0-9A-Za-z-]+(?:[.][0-9A-Za-z-]+)*)?$')
    then
        v_wrong := null;
        v_metadata := substr(v_version, length(split_part(v_version, '+', 1)) + 1);
        v_version := split_part(v_version, '+', 1);
        v_core := split_part(v_version, '-', 1);
        foreach v_number in array string_to_array(v_core, '.')
        loop
            v_parts := v_parts + 1;
            v_number := ltrim(v_number, '0');
            if (octet_length(v_number), v_number) > (10, '2147483647') then
                v_wrong := 'has a number above 2147483647';
            end if;
            if v_parts < 4 or v_number <> '' then
                v_normal := concat(v_normal || '.', coalesce(nullif(v_number, ''), '0'));
            end if;
        end loop;
        v_normal := v_normal || repeat('.0', 3 - v_parts)
            || lower(substr(v_version, length(v_core) + 1));
        if octet_length(v_normal || v_metadata) > 64 then
            v_wrong := coalesce(v_wrong, 'has more than 64 characters');
        end if;
        if v_wrong is null then
            return v_normal;
        end if;
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s %s', pkgdb.quoted(p_version), v_wrong),
        hint = 'A.B[.C[.D]][-LABELS][+METADATA], numbers up to 2147483647, at most 64 characters.';
end;
$$;
comment on function pkgdb.nuget_normalize is
    'A NuGet version in normal form and lower case, without its metadata; RG400 where it is none.';

create function pkgdb.nuget_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.nuget_normalize(p_version);
    v_core    text collate "C" := split_part(v_version, '-', 1);
    v_label   text collate "C";
    v_number  text collate "C";
    v_key     text collate "C";
begin
    v_key := pkgdb.number_key(split_part(v_core, '.', 1))
        || pkgdb.number_key(split_part(v_core, '.', 2))
        || pkgdb.number_key(split_part(v_core, '.', 3))
        || pkgdb.number_key(split_part(v_core, '.', 4));
    if v_core = v_version then
        return (v_key || chr(2))::bytea;
    end if;

    v_key := v_key || chr(1);
    foreach v_label in array string_to_array(substr(v_version, length(v_core) + 2), '.')
    loop
        v_number := ltrim(v_label, '-0');
        v_key := v_key || case
            when ltrim(v_label, '0123456789') = ''
                and (octet_length(v_number), v_number) <= (10, '2147483647')
                then pkgdb.number_key(v_number)
            when v_label !~ '^-[0-9]+$'
                or (octet_length(v_number), v_number) > (10, '2147483648')
                then chr(127) || v_label || chr(1)
            when v_number = '' then pkgdb.number_key('')
            else chr(3) || translate(lpad(v_number, 10, '0'), '0123456789', '9876543210')
        end;
    end loop;
    return v_key::bytea;
end;
$$;
comment on function pkgdb.nuget_key is 'Order key of a NuGet version.';

create function pkgdb.nuget_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return strpos(pkgdb.nuget_normalize(p_version) collate "C", '-') > 0;
comment on function pkgdb.nuget_is_prerelease is
    'True where a NuGet version has a prerelease part.';

-- Clients that know SemVer 1 alone are not shown these. Metadata is no part of the normal form.
create function pkgdb.nuget_is_semver2(p_version text, p_normalized_version text)
returns boolean
language sql
immutable parallel safe
return p_normalized_version collate "C" like '%-%.%' or strpos(p_version collate "C", '+') > 0;
comment on function pkgdb.nuget_is_semver2 is
    'True where a NuGet version, as published and in normal form, needs a SemVer 2 client: it has '
    'metadata or several labels.';
