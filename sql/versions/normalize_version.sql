-- Two spellings are one version where their normal forms are equal.
create function pkgdb.normalize_version(p_ecosystem pkgdb.string, p_version pkgdb.string)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ecosystem pkgdb.ecosystem := pkgdb.find_ecosystem(p_ecosystem);
begin
    return pkgdb.scheme_normalize_version(v_ecosystem.scheme, p_version);
end;
$$;
comment on function pkgdb.normalize_version is
    'The normal form of a version, which is its identity. Errors: RG400 no such ecosystem, '
    'malformed version.';
grant execute on function pkgdb.normalize_version to pkgdb_reader;
