-- RPM versions (rpm-version(7); rpmvercmp in RPM's library).
--
-- [epoch:]version[-release]: an epoch is a number of at most 32 bits, the others are letters,
-- digits and . _ + ~ ^ without "..", as rpmbuild takes them; it warns of % { }, a macro that was
-- not expanded, where we refuse. Epochs compare as numbers, then version, then release, none being
-- below any. A version is a row of numbers and texts, parted by what they are and by . _ +, which
-- else mean nothing; "~" and "^" are parts too. At each place
--
--     ~ < end < ^ < text < number
--
-- so that 1.0~rc1 < 1.0 < 1.0^git1 < 1.0a < 1.0.1, and 1.0, 1_0 and 1.00 have one key.
--
-- Identity is the text, of its epoch the number, which no epoch makes 0: what a repository lists of
-- a package. No version is a prerelease: dnf installs the highest.
--
-- Key: epoch; then version and release: a number, \x01 for "~", or \x03 text \x01, empty for "^";
-- \x02 at the end of each.

create function pkgdb.rpm_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
    v_epoch   text collate "C";
begin
    if pkgdb.version_fits(v_version) and strpos(v_version, '..') = 0 and v_version ~
        '^(?:[0-9]+:)?[A-Za-z0-9._+~^]+(?:-[A-Za-z0-9._+~^]+)?$'
    then
        if strpos(v_version, ':') = 0 then
            return v_version;
        end if;
        v_version := ltrim(v_version, '0');
        v_epoch := split_part(v_version, ':', 1);
        if (octet_length(v_epoch), v_epoch) > (10, '4294967295') then
            raise exception using
                errcode = 'RG400',
                message = format('version %s has an epoch above 4294967295',
                                 pkgdb.quoted(p_version));
        end if;
        return ltrim(v_version, ':');
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s is not an RPM version', pkgdb.quoted(p_version)),
        hint = '[EPOCH:]VERSION[-RELEASE] of letters, digits and . _ + ~ ^, no two dots in a row, '
               'at most 255 characters.';
end;
$$;
comment on function pkgdb.rpm_normalize is
    'An RPM version without an epoch of 0, or leading zeros of one; RG400 where it is none.';

create function pkgdb.rpm_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.rpm_normalize(p_version);
    v_part    text collate "C";
    v_key     text collate "C" := '';
begin
    -- All parts get dots around them.
    if strpos(v_version, ':') = 0 then
        v_version := '0.' || v_version;
    end if;
    v_version := translate(v_version, ':_+', '...');
    if ltrim(v_version, '.0123456789') <> '' then
        v_version := regexp_replace(v_version, '[A-Za-z]+|[~^-]', E'.\x03\\&\x01.', 'g');
        v_version := replace(v_version, E'\x03~', '');
        v_version := replace(v_version, E'\x03-\x01', E'\x02');
        v_version := replace(v_version, '^', '');
    end if;
    foreach v_part in array string_to_array(v_version, '.')
    loop
        v_key := v_key || case
            when v_part between '0' and ':' then pkgdb.number_key(v_part)
            else v_part
        end;
    end loop;
    return (v_key || chr(2))::bytea;
end;
$$;
comment on function pkgdb.rpm_key is 'Order key of an RPM version.';

create function pkgdb.rpm_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return pkgdb.rpm_normalize(p_version) is null;
comment on function pkgdb.rpm_is_prerelease is
    'False for every RPM version: the notion is not theirs.';
