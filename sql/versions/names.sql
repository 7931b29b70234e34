-- Names: which spellings are one package, and what is no name at all. Each rule follows what the
-- ecosystem's own registry takes.

create function pkgdb.malformed_name(p_name text, p_rule text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'RG400',
        message = format('name %s is malformed', pkgdb.quoted(p_name)),
        hint = p_rule;
end;
$$;
comment on function pkgdb.malformed_name is 'Raises RG400.';

-- PEP 503 and PEP 508.
create function pkgdb.pep503_name(p_name text)
returns text
language sql
immutable parallel safe
return case
    when octet_length(p_name) <= 255
        and p_name collate "C" ~ '^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$'
        then lower(regexp_replace(p_name collate "C", '[-_.]+', '-', 'g'))
    else pkgdb.malformed_name(
        p_name, 'ASCII letters, digits and . _ - between them, at most 255 characters.')
end;
comment on function pkgdb.pep503_name is
    'Lower case, each run of . _ - as one -. Raises RG400 for what is no name.';

-- validate-npm-package-name. Old names keep their capitals; that new ones have none is
-- ecosystem.new_names_lower. The marks ~ ' ! ( ) * of a few names from before the rule are refused.
create function pkgdb.npm_name(p_name text)
returns text
language sql
immutable parallel safe
return case
    when octet_length(p_name) <= 214
        and p_name collate "C"
            ~ '^(?:@[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9_-]|[A-Za-z0-9-])[A-Za-z0-9._-]*$'
        and lower(p_name collate "C") not in ('node_modules', 'favicon.ico')
        then p_name
    else pkgdb.malformed_name(
        p_name, '[@scope/]name of letters, digits and . _ -, not starting with . or _, at most 214 '
                'characters, not node_modules or favicon.ico.')
end;
comment on function pkgdb.npm_name is 'The name as it is. Raises RG400 for what is no name.';

-- crates.io: "a_b" and "A-B" are one crate.
create function pkgdb.cargo_name(p_name text)
returns text
language sql
immutable parallel safe
return case
    when octet_length(p_name) <= 64 and p_name collate "C" ~ '^[A-Za-z][A-Za-z0-9_-]*$'
        then lower(translate(p_name collate "C", '_', '-'))
    else pkgdb.malformed_name(
        p_name, 'A letter, then letters, digits and _ -, at most 64 characters.')
end;
comment on function pkgdb.cargo_name is 'Lower case, _ as -. Raises RG400 for what is no name.';

-- Debian Policy 5.6.1.
create function pkgdb.deb_name(p_name text)
returns text
language sql
immutable parallel safe
return case
    when octet_length(p_name) <= 255 and p_name collate "C" ~ '^[a-z0-9][a-z0-9.+-]+$' then p_name
    else pkgdb.malformed_name(
        p_name, 'Lower-case letters, digits and . + -, starting with a letter or digit, 2 to 255 '
                'characters.')
end;
comment on function pkgdb.deb_name is 'The name as it is. Raises RG400 for what is no name.';

-- No two names that look the same: ASCII alone.
create function pkgdb.generic_name(p_name text)
returns text
language sql
immutable parallel safe
return case
    when octet_length(p_name) <= 255 and p_name collate "C" ~ '^[!-~]+$' then p_name
    else pkgdb.malformed_name(p_name, 'Printable ASCII without spaces, 1 to 255 characters.')
end;
comment on function pkgdb.generic_name is 'The name as it is. Raises RG400 for what is no name.';

create function pkgdb.unknown_name_rule(p_rule text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'RG400',
        message = format('no name rule %s', pkgdb.quoted(p_rule));
end;
$$;
comment on function pkgdb.unknown_name_rule is 'Raises RG400.';

create function pkgdb.rule_normalize_name(p_rule text, p_name text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case p_rule collate "C"
        when 'pep503' then pkgdb.pep503_name(p_name collate "C")
        when 'npm' then pkgdb.npm_name(p_name collate "C")
        when 'cargo' then pkgdb.cargo_name(p_name collate "C")
        when 'deb' then pkgdb.deb_name(p_name collate "C")
        when 'generic' then pkgdb.generic_name(p_name collate "C")
        else pkgdb.unknown_name_rule(p_rule)
    end;
end;
$$;
comment on function pkgdb.rule_normalize_name is
    'Identity of a name under a rule: equal exactly where two spellings are one package.';
