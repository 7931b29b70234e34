-- Alpine package versions (apk-package(5); version.c of apk-tools 3).
--
-- number(.number)*[letter](_suffix[number])*[~hash][-rnumber]. Parts compare from left to right.
-- Numbers compare as numbers, but those after the first as texts where one starts with 0: each
-- below any that does not, 1.01 < 1.011 < 1.1. Letters and hashes compare byte by byte, suffixes as
-- alpha < beta < pre < rc < end < cvs < svn < git < hg < p. Where the parts at a place are of
-- different kinds: a suffix up to rc < end < -r < ~hash < a suffix's number < any other suffix <
-- letter < number.
--
-- Identity is the text: 1 and 01, -r1 and -r01 are two versions with one key. Numbers are exact at
-- any length; apk-tools keep 64 bits of them, so that 18446744073709551616 is 0 to them.
-- A prerelease has one of the four suffixes that come before the release.
--
-- Key: the first number; then per part a letter, in the order above, and what it says:
--
--     A alpha  B beta  C pre  D rc  E (the end)  F -r number  G hash \x01  H number of a suffix
--     I cvs  J svn  K git  L hg  M p  N letter  O number starting with 0, as text \x01  P number

create function pkgdb.apk_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
begin
    if pkgdb.version_fits(v_version) and v_version ~
        ('^[0-9]+(?:[.][0-9]+)*[a-z]?(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*'
         '(?:~[0-9a-f]+)?(?:-r[0-9]+)?$')
    then
        return v_version;
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s is not an apk version', pkgdb.quoted(p_version)),
        hint = 'N(.N)*[LETTER](_SUFFIX[N])*[~HASH][-rN], a suffix being alpha, beta, pre, rc, cvs, '
               'svn, git, hg or p, at most 255 characters.';
end;
$$;
comment on function pkgdb.apk_normalize is 'An apk version as it is; RG400 where it is none.';

create function pkgdb.apk_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.apk_normalize(p_version);
    v_rest    text collate "C" := ltrim(v_version, '.0123456789');
    v_part    text collate "C";
    v_name    text collate "C";
    v_key     text collate "C";
begin
    foreach v_part in array
        string_to_array(left(v_version, length(v_version) - length(v_rest)), '.')
    loop
        v_key := case
            when v_key is null then pkgdb.number_key(v_part)
            when left(v_part, 1) = '0' then v_key || 'O' || v_part || chr(1)
            else v_key || 'P' || pkgdb.number_key(v_part)
        end;
    end loop;
    if v_rest = '' then
        return (v_key || 'E')::bytea;
    end if;

    if left(v_rest, 1) not in ('_', '~', '-') then
        v_key := v_key || 'N' || left(v_rest, 1);
        v_rest := substr(v_rest, 2);
    end if;
    -- Neither "~" nor "-" occurs in anything but the mark of a hash and of a revision.
    foreach v_part in array
        string_to_array(substr(split_part(split_part(v_rest, '-', 1), '~', 1), 2), '_')
    loop
        v_name := rtrim(v_part, '0123456789');
        v_key := v_key || case v_name
            when 'alpha' then 'A' when 'beta' then 'B' when 'pre' then 'C' when 'rc' then 'D'
            when 'cvs' then 'I' when 'svn' then 'J' when 'git' then 'K' when 'hg' then 'L'
            when 'p' then 'M'
        end;
        if v_name <> v_part then
            v_key := v_key || 'H' || pkgdb.number_key(substr(v_part, length(v_name) + 1));
        end if;
    end loop;
    if strpos(v_rest, '~') > 0 then
        v_key := v_key || 'G' || split_part(split_part(v_rest, '-', 1), '~', 2) || chr(1);
    end if;
    if strpos(v_rest, '-') > 0 then
        v_key := v_key || 'F' || pkgdb.number_key(split_part(v_rest, '-r', 2));
    end if;
    return (v_key || 'E')::bytea;
end;
$$;
comment on function pkgdb.apk_key is 'Order key of an apk version.';

create function pkgdb.apk_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return pkgdb.apk_normalize(p_version) collate "C" ~ '_(?:alpha|beta|pre|rc)';
comment on function pkgdb.apk_is_prerelease is
    'True where an apk version has a suffix that comes before its release.';
