-- What the order keys of all schemes are made of. A key is built as ASCII text and stored as bytea,
-- so that it compares byte by byte, in no collation. Its alphabet, in ascending order:
--
--   \x01 \x02 \x03          marks below any number; each scheme says what they mean
--   \x04 .. \x5b  digits    a number: \x04 + how many digits, then the digits (0 has none)
--   ~  nnn  digits          a number of 88 digits or more: ~, how many in three digits, the digits
--   \x7f                    a mark above any number
--
-- Nothing is cut off or wraps. A backslash never occurs: the cast to bytea takes the text as it is.
--
-- number_key and version_fits are inlined where they are used, and read at creation: no search_path
-- changes them. They are short, as each transaction sets up anew every expression that it runs, and
-- that takes longer than to evaluate it.

-- A number with leading zeros or of 88 digits or more: rare, and so out of line.
create function pkgdb.rare_number_key(p_digits text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_digits text collate "C" := ltrim(p_digits, '0');
    v_length integer := octet_length(v_digits);
begin
    return case
        when v_length < 88 then chr(4 + v_length)
        else '~' || lpad(v_length::text, 3, '0')
    end || v_digits;
end;
$$;
comment on function pkgdb.rare_number_key is 'A number in any spelling as part of an order key.';

-- p_digits is empty (zero) or ASCII digits.
create function pkgdb.number_key(p_digits text)
returns text
language sql
immutable parallel safe
return case
    when p_digits = '0' then chr(4)
    when octet_length(p_digits) < 88 and not starts_with(p_digits, '0')
        then chr(4 + octet_length(p_digits)) || p_digits
    else pkgdb.rare_number_key(p_digits)
end;
comment on function pkgdb.number_key is 'A number as part of an order key.';

-- What every scheme refuses: more than 255 bytes, or a number of more than 250 digits, which is
-- looked for only where it has room.
create function pkgdb.version_fits(p_version text)
returns boolean
language sql
immutable parallel safe
return octet_length(p_version) <= 250
    or (octet_length(p_version) <= 255 and p_version collate "C" !~ '[1-9][0-9]{250}');
comment on function pkgdb.version_fits is
    'True where a version has at most 255 characters and no number of more than 250 digits.';
