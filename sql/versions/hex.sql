-- Versions of Hex packages (Elixir's Version; hexpm, Hexpm.Version.validate).
--
-- Strict SemVer. The registry refuses build metadata, numbers of more than 14 digits, those of a
-- prerelease included, and a prerelease of more than 64 characters. Identity is the text.
--
-- Key: that of SemVer.

create function pkgdb.hex_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.semver_normalize(p_version, '99999999999999');
    v_problem text;
begin
    v_problem := case
        when strpos(p_version collate "C", '+') > 0 then 'has build metadata, which Hex refuses'
        when octet_length(v_version) <= 20 then null  -- no room for what follows
        when v_version ~ '^[^-]*-.{65}' then 'has a prerelease of more than 64 characters'
        when v_version ~ '^[^-]*-(?:[^.]*[.])*[0-9]{15,}(?:[.]|$)'
            then 'has a number above 99999999999999'
    end;
    if v_problem is not null then
        raise exception using
            errcode = 'RG400',
            message = format('version %s %s', pkgdb.quoted(p_version), v_problem);
    end if;
    return v_version;
end;
$$;
comment on function pkgdb.hex_normalize is
    'A Hex version as it is; RG400 where it is none or the registry would refuse it.';

create function pkgdb.hex_key(p_version text)
returns bytea
language sql
immutable parallel safe
return pkgdb.semver_key(pkgdb.hex_normalize(p_version));
comment on function pkgdb.hex_key is 'Order key of a Hex version.';

create function pkgdb.hex_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return strpos(pkgdb.hex_normalize(p_version) collate "C", '-') > 0;
comment on function pkgdb.hex_is_prerelease is 'True where a Hex version has a prerelease part.';
