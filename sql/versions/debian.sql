-- Debian versions (Debian Policy 5.6.12, deb-version(7); lib/dpkg/version.c).
--
-- [epoch:]upstream[-revision]: the epoch ends at the first ":", the revision starts at the last
-- "-". An epoch is a number of at most 31 bits, upstream starts with a digit, a revision is not
-- empty. Epochs compare as numbers, then upstream, then revision: runs of other characters and runs
-- of digits in turn. Runs of digits are numbers, none being 0; the others compare byte by byte with
-- "~" < end < letters < "+" < "-" < "." < ":". A missing revision equals "0".
--
-- Identity is the text: 1.0, 1.0-0 and 0:1.0 are three versions with one key. No version is a
-- prerelease: apt installs the highest, and "~" is in backports as much as in release candidates.
--
-- Key: epoch; then per part, and pair of runs, the characters (~ as \x01, the symbols moved above
-- the letters), \x02 and the number; \x02 after the last pair.

create function pkgdb.debian_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_version text collate "C" := p_version;
    v_epoch   text collate "C";
begin
    if pkgdb.version_fits(v_version) and v_version ~
        ('^(?:[0-9](?:[A-Za-z0-9.+~-]*[A-Za-z0-9.+~])?'
         '|[0-9]+:[0-9](?:[A-Za-z0-9.+~:]*|[A-Za-z0-9.+~:-]*-[A-Za-z0-9.+~]+))$')
    then
        if strpos(v_version, ':') = 0 then
            return v_version;
        end if;
        v_epoch := ltrim(split_part(v_version, ':', 1), '0');
        if (octet_length(v_epoch), v_epoch) <= (10, '2147483647') then
            return v_version;
        end if;
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s is not a Debian version', pkgdb.quoted(p_version)),
        hint = '[EPOCH:]UPSTREAM[-REVISION] of letters, digits and . + ~ - :, upstream starting '
               'with a digit, at most 255 characters.';
end;
$$;
comment on function pkgdb.debian_normalize is 'A Debian version as it is; RG400 where it is none.';

create function pkgdb.debian_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rest text collate "C" := pkgdb.debian_normalize(p_version);
    v_part text collate "C";
    v_run  text collate "C";
    v_tail text collate "C";
    v_key  text collate "C" := chr(4);
begin
    if strpos(v_rest, ':') > 0 then
        v_key := pkgdb.number_key(split_part(v_rest, ':', 1));
        v_rest := substr(v_rest, strpos(v_rest, ':') + 1);
    end if;

    v_part := split_part(v_rest, '-', -1);
    if v_part = v_rest then
        v_rest := v_rest || '-0';
        v_part := '0';
    end if;
    foreach v_part in array array[left(v_rest, -1 - length(v_part)), v_part]
    loop
        loop
            -- One pair: what is not a digit, then digits.
            v_run := substring(v_part from '^[^0-9]*');
            v_part := substr(v_part, length(v_run) + 1);
            v_tail := ltrim(v_part, '0123456789');
            v_key := v_key || translate(v_run, '~+-.:', E'\x01{|}~') || chr(2)
                || pkgdb.number_key(left(v_part, length(v_part) - length(v_tail)));
            v_part := v_tail;
            exit when v_part = '';
        end loop;
        v_key := v_key || chr(2);
    end loop;
    return v_key::bytea;
end;
$$;
comment on function pkgdb.debian_key is 'Order key of a Debian version.';

create function pkgdb.debian_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return pkgdb.debian_normalize(p_version) is null;
comment on function pkgdb.debian_is_prerelease is
    'False for every Debian version: the notion is not theirs.';
