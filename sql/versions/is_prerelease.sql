-- What latest_stable leaves out.
create function pkgdb.is_prerelease(p_ecosystem pkgdb.string, p_version pkgdb.string)
returns boolean
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ecosystem pkgdb.ecosystem := pkgdb.find_ecosystem(p_ecosystem);
begin
    return pkgdb.scheme_is_prerelease(v_ecosystem.scheme, p_version);
end;
$$;
comment on function pkgdb.is_prerelease is
    'True where the ecosystem holds a version for a prerelease. Errors: RG400 no such ecosystem, '
    'malformed version.';
grant execute on function pkgdb.is_prerelease to pkgdb_reader;
