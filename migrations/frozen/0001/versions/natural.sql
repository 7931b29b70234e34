-- Natural order, for what has no rules of its own: any printable ASCII without spaces.
--
-- A "v" before a digit is no part of the order: v1.2 and 1.2 are equals. What is SemVer then has
-- its SemVer key; anything else is a row of segments, each a run of digits (a number) or of letters
-- (a text, byte by byte); all other characters only separate. At each place
--
--     prerelease of a SemVer version < end < text < number
--
-- so that one order holds for both kinds: 1.0 < 1.0.0-rc.1 < 1.0.0 < 1.0.0a < 1.0.0.1 < 1.1 < 1.10,
-- and words (main, nightly) are below numbers, so that they do not become latest.
--
-- Identity is the text. Keys may be equal (1.0.0+a and 1.0.0+b, 1-0 and 1.0); latest then breaks
-- the tie by version_id. A prerelease is SemVer, after such a "v", with a prerelease part.
--
-- Key: per segment a number, or \x03 text \x01; \x02 at the end. SemVer keys use the same marks.

-- The text that counts for the order.
create function pkgdb.natural_core(p_version text)
returns text
language sql
immutable parallel safe
return case
    when p_version collate "C" ~ '^[vV][0-9]' then substr(p_version, 2)
    else p_version
end;
comment on function pkgdb.natural_core is 'A version without the "v" that may precede a digit.';

create function pkgdb.natural_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
begin
    if pkgdb.version_fits(v_version) and v_version ~ '^[!-~]+$' then
        return v_version;
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('%s is not a version', pkgdb.quoted(p_version)),
        hint = 'Printable ASCII without spaces, 1 to 255 characters.';
end;
$$;
comment on function pkgdb.natural_normalize is
    'A version as it is; RG400 where it is not 1 to 255 printable ASCII characters.';

create function pkgdb.natural_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.natural_core(pkgdb.natural_normalize(p_version));
    v_segment text collate "C";
    v_key     text collate "C" := '';
begin
    if pkgdb.is_semver(v_version) then
        return pkgdb.semver_key(split_part(v_version, '+', 1));
    end if;
    -- A dot between digits and letters, and for every other mark, so that dots part the segments.
    v_version := regexp_replace(
        v_version, '(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])', '.', 'g');
    foreach v_segment in array string_to_array(
        translate(v_version, E'!"#$%&''()*+,-/:;<=>?@[\\]^_`{|}~', repeat('.', 31)), '.')
    loop
        v_key := v_key || case
            when v_segment = '' then ''
            when v_segment < ':' then pkgdb.number_key(v_segment)
            else chr(3) || v_segment || chr(1)
        end;
    end loop;
    return (v_key || chr(2))::bytea;
end;
$$;
comment on function pkgdb.natural_key is 'Order key of a version in natural order.';

create function pkgdb.natural_is_prerelease(p_version text)
returns boolean
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.natural_core(pkgdb.natural_normalize(p_version));
begin
    return pkgdb.is_semver(v_version) and strpos(split_part(v_version, '+', 1), '-') > 0;
end;
$$;
comment on function pkgdb.natural_is_prerelease is
    'True where a version is SemVer, a leading "v" aside, and has a prerelease part.';
