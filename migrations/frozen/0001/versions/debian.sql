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
        if (octet_length(v_epoch), v_epoch) > (10, '2147483647') then
            raise exception using
                errcode = 'RG400',
                message = format('version %s has an epoch above 2147483647',
                                 pkgdb.quoted(p_version));
        end if;
        return v_version;
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
as $$
declare
    v_version  text collate "C" := pkgdb.debian_normalize(p_version);
    v_revision text collate "C";
    v_part     text collate "C";
    v_run      text collate "C";
    v_key      text collate "C" := chr(4);
begin
    if strpos(v_version, ':') > 0 then
        v_key := pkgdb.number_key(split_part(v_version, ':', 1));
        v_version := substr(v_version, strpos(v_version, ':') + 1);
    end if;

    v_revision := split_part(v_version, '-', -1);
    if v_revision = v_version then
        v_revision := '0';
    else
        v_version := left(v_version, -1 - length(v_revision));
    end if;
    foreach v_part in array array[v_version, v_revision]
    loop
        -- Each run of other characters gets its number, and dots around that.
        v_part := translate(v_part, '~+-.:', E'\x01{|}~');
        if right(v_part, 1) not between '0' and '9' then
            v_part := v_part || '0';
        end if;
        foreach v_run in array
            string_to_array(regexp_replace(v_part, '[0-9]+', E'\x02.\\&.', 'g'), '.')
        loop
            v_key := v_key || case
                when v_run between '0' and ':' then pkgdb.number_key(v_run)
                else v_run
            end;
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
