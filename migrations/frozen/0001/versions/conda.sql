-- Conda versions, as conda's VersionOrder reads them (conda/models/version.py).
--
-- [epoch!]version[+local]: an epoch is a number; version and local are components of letters and
-- digits between "." or "_", in any case. A "_" may also end the version, and then belongs to its
-- last component. VersionOrder takes "-" for "_" and lets "*" through, but neither can be published
-- (conda-build, CEP 26): a file is called name-version-build, and "*" is of patterns. CEP 26 also
-- asks for small letters and at most 64 characters, which older channels do not keep.
--
-- Identity is the text in small letters: 1.0 and 1.0.0 are two versions with one key, in two files.
--
-- Order: epoch, then version, then local, by component, and in a component by runs of digits and of
-- letters, starting with digits, none being 0. At each place
--
--     dev < _ < other letters, byte by byte < numbers < post
--
-- and the end of a component, and of a row of them, is as if zeros went on:
-- 1.0_ < 1.0a < 1.0 = 1 < 1.0.1.
--
-- A prerelease has one of PEP 440's words before the local part, "a", "b" and "c" only where digits
-- follow: other letters are of releases (openssl 1.1.1a, tzdata 2024a). Conda has no such notion.
--
-- Key: the epoch, then version and local as rows. Since the end equals zeros, a zero is written
-- only before what is not one, and differently before what is below it and above it:
--
--     in a component   \x01 text \x01, \x02 a zero before text, \x03 the end, \x04 a zero before
--                      what is above, other numbers, \x7f post
--     in a row         components below zero (they start with \x01 or \x02), \x03\x01 one of zeros
--                      before such, \x03\x02 the end, \x03\x03 one of zeros before one above, those

create function pkgdb.conda_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
begin
    if pkgdb.version_fits(v_version) and v_version ~
        ('^(?:[0-9]+!)?(?:[0-9A-Za-z]+[._])*(?:[0-9A-Za-z]+_?|_)'
         '(?:[+][0-9A-Za-z]+(?:[._][0-9A-Za-z]+)*)?$')
    then
        return lower(v_version);
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s %s', pkgdb.quoted(p_version), case
            when strpos(v_version, '-') > 0 then 'has a "-", which ends a version in a file name'
            when v_version ~ '[^0-9A-Za-z.+!_]' then 'has characters that conda does not know'
            else 'is not a conda version'
        end),
        hint = '[EPOCH!]VERSION[+LOCAL] of letters and digits between single "." or "_", at most '
               '255 characters.';
end;
$$;
comment on function pkgdb.conda_normalize is
    'A conda version in small letters; RG400 where it is none.';

-- One row of components. A "_" that ends a version is a "^" here, which sorts where "_" does.
create function pkgdb.conda_row_key(p_row text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_component text collate "C";
    v_numbers   text[];
    v_texts     text[];
    v_number    text collate "C";
    v_text      text collate "C";
    v_runs      text collate "C";
    v_zeros     integer;  -- runs that are 0, up to here, in this component
    v_empty     integer := 0;  -- components of nothing else, up to here
    v_key       text collate "C" := '';
begin
    foreach v_component in array string_to_array(translate(p_row, '_', '.'), '.')
    loop
        v_number := ltrim(v_component, '0');
        if v_number = '' then
            v_empty := v_empty + 1;
            continue;
        elsif ltrim(v_number, '0123456789') = '' then
            v_runs := pkgdb.number_key(v_number);
        else
            v_runs := '';
            v_zeros := 0;
            v_numbers := array_remove(string_to_array(
                translate(v_component, 'abcdefghijklmnopqrstuvwxyz^', repeat(' ', 27)), ' '), '');
            v_texts := array_remove(string_to_array(
                translate(v_component, '0123456789', repeat(' ', 10)), ' '), '');
            if left(v_component, 1) > '9' then
                v_numbers := array_prepend('', v_numbers);
            end if;
            for i in 1 .. cardinality(v_numbers)
            loop
                v_number := ltrim(v_numbers[i], '0');
                if v_number = '' then
                    v_zeros := v_zeros + 1;
                else
                    v_runs := v_runs || repeat(chr(4), v_zeros) || pkgdb.number_key(v_number);
                    v_zeros := 0;
                end if;
                v_text := v_texts[i];
                if v_text is not null then
                    v_runs := v_runs || case v_text
                        when 'post' then repeat(chr(4), v_zeros) || chr(127)
                        when 'dev' then repeat(chr(2), v_zeros) || E'\x01D\x01'
                        else repeat(chr(2), v_zeros) || chr(1) || v_text || chr(1)
                    end;
                    v_zeros := 0;
                end if;
            end loop;
        end if;

        v_key := v_key
            || repeat(case when v_runs < chr(3) then E'\x03\x01' else E'\x03\x03' end, v_empty)
            || v_runs || chr(3);
        v_empty := 0;
    end loop;
    return v_key || E'\x03\x02';
end;
$$;
comment on function pkgdb.conda_row_key is
    'Order key of what stands between the epoch, the "+" and the end of a conda version.';

create function pkgdb.conda_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.conda_normalize(p_version);
    v_local   text collate "C" := split_part(v_version, '+', 2);
    v_epoch   text collate "C" := '';
begin
    v_version := split_part(v_version, '+', 1);
    if strpos(v_version, '!') > 0 then
        v_epoch := split_part(v_version, '!', 1);
        v_version := split_part(v_version, '!', 2);
    end if;
    if right(v_version, 1) = '_' then
        v_version := left(v_version, -1) || '^';
    end if;
    return (pkgdb.number_key(v_epoch) || pkgdb.conda_row_key(v_version)
        || case when v_local = '' then E'\x03\x02' else pkgdb.conda_row_key(v_local) end)::bytea;
end;
$$;
comment on function pkgdb.conda_key is 'Order key of a conda version.';

create function pkgdb.conda_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return split_part(pkgdb.conda_normalize(p_version) collate "C", '+', 1)
    ~ '(?:^|[^a-z])(?:(?:dev|alpha|beta|rc|pre|preview)(?![a-z])|[abc][0-9])';
comment on function pkgdb.conda_is_prerelease is
    'True where a conda version has a word of PEP 440''s prereleases before its local part.';
