-- Conan 2 versions (the client's Version class; RecipeReference says what a version may be).
--
-- Items between dots; from the first "-" a prerelease, from the last "+" a build, each a row of
-- items itself. Zeros that end a row do not count: 1.0 = 1.0.0. Rows compare item by item, end
-- first; a prerelease is below its release; then no build is below any build.
--
-- An item is a number where Python's int() takes it, so 1_0 is 10, and after the first "-" even +1
-- and -1 are numbers; any other item is a text. Numbers compare as numbers and texts byte by byte.
-- Conan compares a number with a text as two texts: 9 < 10 < 1a < 9, which is no order. Here a text
-- that starts with digits has its place by their number, just above it: 9 < 10 < 10a < 11. That is
-- Conan's order wherever both have equally many digits, as in 1.1.1 < 1.1.1k < 1.1.2.
--
-- Identity is the text, as references are. Lower case, 2 to 101 characters: 1 is no version.
--
-- Key: items of the release, \x01; \x03, or \x02, items of the prerelease, \x01; then items of the
-- build, \x01. Items: nothing is \x02; a text starting with a sign \x03 text \x01; a number as
-- such, below zero \x03 - 999 less its length, its digits' complements \x01; a text starting with
-- digits their number, \x7f\x7f rest \x03 (\x02 and 999 less their number for leading zeros); any
-- other text \x7f text \x01.

create function pkgdb.conan_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
begin
    if octet_length(v_version) between 2 and 101 and v_version ~ '^[a-z0-9_][a-z0-9_+.-]+$' then
        return v_version;
    end if;
    raise exception using
        errcode = 'RG400',
        message = format(
            case
                when octet_length(v_version) < 2 then 'version %s is shorter than 2 characters'
                when octet_length(v_version) > 101 then 'version %s is longer than 101 characters'
                when v_version ~ '[A-Z]' then 'version %s is not in lower case'
                else 'version %s is not a Conan version'
            end, pkgdb.quoted(p_version)),
        hint = 'Lower-case letters, digits and _ + . -, starting with a letter, a digit or _, 2 to '
               '101 characters.';
end;
$$;
comment on function pkgdb.conan_normalize is 'A Conan version as it is; RG400 where it is none.';

create function pkgdb.conan_items(p_items text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_item   text collate "C";
    v_digits text collate "C";
    v_rest   text collate "C";
    v_key    text collate "C" := '';
begin
    if p_items = '' then
        return chr(2) || chr(1);
    end if;
    foreach v_item in array string_to_array(p_items, '.')
    loop
        v_rest := ltrim(v_item, '0123456789');
        if v_rest = '' then
            v_key := v_key || case when v_item = '' then chr(2) else pkgdb.number_key(v_item) end;
        elsif v_item ~ '^[+-]?[0-9]+(?:_[0-9]+)*$' then
            v_digits := ltrim(translate(v_item, '+-_', ''), '0');
            v_key := v_key || case
                when v_digits = '' or left(v_item, 1) <> '-' then pkgdb.number_key(v_digits)
                else chr(3) || '-' || (999 - length(v_digits))
                    || translate(v_digits, '0123456789', '9876543210') || chr(1)
            end;
        elsif v_rest <> v_item then
            v_digits := left(v_item, length(v_item) - length(v_rest));
            v_key := v_key || pkgdb.number_key(v_digits) || chr(127) || chr(127) || v_rest || case
                when left(v_digits, 1) <> '0' then chr(3)
                else chr(2) || (999 - length(v_digits) + length(ltrim(v_digits, '0')))
            end;
        else
            v_key := v_key || chr(case when left(v_item, 1) in ('+', '-') then 3 else 127 end)
                || v_item || chr(1);
        end if;
    end loop;
    -- A zero is \x04 and nothing else ends with it.
    return rtrim(v_key, chr(4)) || chr(1);
end;
$$;
comment on function pkgdb.conan_items is 'A row of items as part of an order key.';

create function pkgdb.conan_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.conan_normalize(p_version);
    v_build   text collate "C";
    v_dash    integer;
    v_key     text collate "C";
begin
    if strpos(v_version, '+') > 0 then
        v_build := split_part(v_version, '+', -1);
        v_version := left(v_version, -1 - length(v_build));
    end if;
    v_dash := strpos(v_version, '-');
    if v_dash = 0 then
        v_key := pkgdb.conan_items(v_version) || chr(3);
    else
        v_key := pkgdb.conan_items(left(v_version, v_dash - 1)) || chr(2)
            || pkgdb.conan_items(substr(v_version, v_dash + 1));
    end if;
    if v_build is not null then
        v_key := v_key || pkgdb.conan_items(v_build);
    end if;
    return v_key::bytea;
end;
$$;
comment on function pkgdb.conan_key is 'Order key of a Conan version.';

create function pkgdb.conan_is_prerelease(p_version text)
returns boolean
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.conan_normalize(p_version);
begin
    -- What follows the last "+" is the build.
    return strpos(v_version, '-') > 0
        and (strpos(v_version, '+') = 0
             or strpos(left(v_version, -1 - length(split_part(v_version, '+', -1))), '-') > 0);
end;
$$;
comment on function pkgdb.conan_is_prerelease is
    'True where a Conan version has a prerelease part, which ranges leave out.';
