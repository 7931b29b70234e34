-- Versions of Hex packages (Elixir's Version; hexpm, Hexpm.Version.validate).
--
-- Strict SemVer. The registry refuses build metadata, numbers of more than 14 digits, those of a
-- prerelease included, and a prerelease of more than 64 characters. Identity is the text.
--
-- Key: that of SemVer.

-- What the registry has against a version that is SemVer; the core's numbers are looked at there.
create function pkgdb.hex_problem(p_version text)
returns text
language sql
immutable parallel safe
return case
    when strpos(p_version collate "C", '+') > 0 then 'has build metadata, which Hex refuses'
    when octet_length(p_version) <= 20 then null  -- no room for what follows
    when p_version collate "C" ~ '^[^-]*-.{65}'
        then 'has a prerelease of more than 64 characters'
    when p_version collate "C" ~ '^[^-]*-(?:[^.]*\.)*[0-9]{15,}(?:\.|$)'
        then 'has a number above 99999999999999'
end;
comment on function pkgdb.hex_problem is
    'Why the registry refuses a SemVer version, or null; it does not look at the core.';

create function pkgdb.hex_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.semver_normalize(p_version, '99999999999999');
    v_problem text collate "C" := pkgdb.hex_problem(p_version);
begin
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
language plpgsql
immutable parallel safe
as $$
begin
    if pkgdb.hex_problem(p_version) is not null then
        perform pkgdb.hex_normalize(p_version);  -- raises
    end if;
    return pkgdb.semver_key(p_version, '99999999999999');
end;
$$;
comment on function pkgdb.hex_key is 'Order key of a Hex version.';

create function pkgdb.hex_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return strpos(pkgdb.hex_normalize(p_version) collate "C", '-') > 0;
comment on function pkgdb.hex_is_prerelease is 'True where a Hex version has a prerelease part.';
