-- Two spellings are one package where their normal forms are equal.
create function pkgdb.normalize_name(p_ecosystem pkgdb.string, p_name pkgdb.string)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ecosystem pkgdb.ecosystem := pkgdb.find_ecosystem(p_ecosystem);
begin
    return pkgdb.rule_normalize_name(v_ecosystem.name_rule, p_name);
end;
$$;
comment on function pkgdb.normalize_name is
    'The normal form of a package name, which is its identity. Errors: RG400 no such ecosystem, '
    'malformed name.';
grant execute on function pkgdb.normalize_name to pkgdb_reader;
