-- Composer versions, as composer/semver reads them since 3.4 (VersionParser, Comparator).
--
-- [v]N[.N[.N[.N]]][{alpha|beta|RC|patch}[N...]][dev][+build]: words in any case, "a", "b", "p" and
-- "pl" for short, and "." "-" "_" or none before them. The first number has at most five digits;
-- longer ones are dates, 20240131.1.0 or 2024-01-31, of as many numbers as are given. 1.x-dev and
-- dev-anything are branches; "master", "trunk" and "default" are short for dev-master and so on.
-- What a requirement adds is in no published version: a flag (@beta), an alias, alternatives.
--
-- Identity is the normalised text, as on Packagist, where case is none: four numbers with the zeros
-- that were written, so 1.0 = 1.0.0.0 <> 01.0, and 9999999 for "x". In two places that text is not
-- its own normal form, and spelled anew: 2024-01-31 (2024.01.31 would be 2024.01.31.0) and -STABLE,
-- which vanishes only in small letters.
--
-- Order is PHP's version_compare on that text, number by number and word by word:
--
--     stable < dev < alpha < beta < RC < end < number < patch
--
-- but exact, where PHP takes all numbers above 2^63 - 2 for equals. Branches with a name are below
-- every number, as Comparator has it; among themselves, where it has no order, byte by byte.
--
-- Key: numbers; \x01 and a digit for each word below the end, \x7f for patch; \x02 at the end. Of a
-- branch with a name: \x01 and the name.

create function pkgdb.composer_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := btrim(p_version, E' \t\n\r\x0b');
    v_number  text collate "C";
    v_word    text collate "C";
    v_rest    text collate "C";
    v_normal  text collate "C";
    v_dev     text collate "C" := '';
begin
    if not coalesce(pkgdb.version_fits(p_version), false)
        or v_version ~* E'[^!-~]|[,|\\\\]|@(?:stable|rc|beta|alpha|dev)$'
    then
        null;
    elsif v_version ~* '^dev-.' then
        v_normal := 'dev-' || lower(substr(v_version, 5));
    elsif v_version in ('master', 'trunk', 'default') then
        v_normal := 'dev-' || v_version;
    else
        if strpos(v_version, '+') < length(v_version) then
            v_version := split_part(v_version, '+', 1);
        end if;
        v_rest := lower(v_version);
        if v_rest ~
            ('^v?(?:[0-9]{1,5}(?:[.][0-9]+){0,3}'
             '|[0-9]{4}(?:[.:-]?[0-9]{2}){1,6}(?:[.:-]?[0-9]{1,3}){0,2})'
             '(?:[._-]?(?:(?:stable|beta|b|rc|alpha|a|patch|pl|p)(?:[.-]?[0-9]+)*)?'
             '(?:[.-]?dev)?)$')
        then
            -- The separators before a word, or with none after them, mean nothing.
            v_rest := ltrim(v_rest, 'v0123456789.:-');
            v_number := btrim(left(v_version, length(v_version) - length(v_rest)), 'vV.:-');
            if v_number ~ '^[0-9]{1,5}(?:[.][0-9]+){0,3}$' then
                v_number := v_number
                    || repeat('.0', 3 - length(v_number) + length(replace(v_number, '.', '')));
            elsif v_number ~ '^[0-9]{4}[.:-][0-9]+(?:[.:-][0-9]+)?$' then
                v_number := translate(v_number, '.:', '--');
            else
                v_number := translate(v_number, ':-', '..');
            end if;

            v_rest := ltrim(v_rest, '_.-');
            if right(v_rest, 3) = 'dev' then
                v_dev := '-dev';
                v_rest := rtrim(left(v_rest, -3), '.-');
            end if;
            v_word := rtrim(v_rest, '0123456789.-');
            v_rest := ltrim(substr(v_rest, length(v_word) + 1), '.-');
            v_normal := case
                when strpos(v_version, 'stable') > 0 then v_number
                else v_number || case v_word
                        when '' then ''
                        when 'stable' then '-STABLE'
                        when 'a' then '-alpha'
                        when 'b' then '-beta'
                        when 'rc' then '-RC'
                        when 'p' then '-patch'
                        when 'pl' then '-patch'
                        else '-' || v_word
                    end || v_rest || v_dev
            end;
        elsif v_rest ~ '^v?[0-9]+(?:[.](?:[0-9]+|[x*])){0,3}[.-]?dev$' then
            v_number := rtrim(ltrim(left(v_rest, -3), 'v'), '.-');
            v_normal := replace(translate(v_number, '*', 'x'), 'x', '9999999')
                || repeat('.9999999', 3 - length(v_number) + length(replace(v_number, '.', '')))
                || '-dev';
        end if;
    end if;

    if octet_length(v_normal) <= 255 then
        return v_normal;
    end if;
    v_rest := substring(btrim(p_version, E' \t\n\r\x0b') from '[ ,|]|@[A-Za-z]+$');
    raise exception using
        errcode = 'RG400',
        message = format('version %s %s', pkgdb.quoted(p_version), case
            when v_normal is not null then 'is longer than 255 characters when normalized'
            when v_rest is not null then format('has a "%s", which is of requirements', v_rest)
            else 'is not a Composer version'
        end),
        hint = '[v]N[.N[.N[.N]]][-{alpha|beta|RC|patch}[N]][-dev][+build], a date, N.x-dev or '
               'dev-BRANCH, at most 255 characters.';
end;
$$;
comment on function pkgdb.composer_normalize is
    'A Composer version as composer/semver normalizes it, branches in lower case; RG400 where it '
    'is none.';

create function pkgdb.composer_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.composer_normalize(p_version);
    v_part    text collate "C";
    v_word    text collate "C";
    v_key     text collate "C" := '';
begin
    if left(v_version, 4) = 'dev-' then
        return (chr(1) || substr(v_version, 5))::bytea;
    end if;

    foreach v_part in array string_to_array(translate(v_version, '-', '.'), '.')
    loop
        v_word := rtrim(v_part, '0123456789');
        v_key := v_key || case v_word
            when '' then ''
            when 'STABLE' then E'\x010'
            when 'dev' then E'\x011'
            when 'alpha' then E'\x012'
            when 'beta' then E'\x013'
            when 'RC' then E'\x014'
            else chr(127)
        end;
        if v_word <> v_part then
            v_key := v_key || pkgdb.number_key(substr(v_part, length(v_word) + 1));
        end if;
    end loop;
    return (v_key || chr(2))::bytea;
end;
$$;
comment on function pkgdb.composer_key is 'Order key of a Composer version.';

create function pkgdb.composer_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return pkgdb.composer_normalize(p_version) collate "C" ~ '^dev-|-(?:alpha|beta|RC|dev)';
comment on function pkgdb.composer_is_prerelease is
    'True where a Composer version''s stability is not "stable": alpha, beta, RC or dev.';
