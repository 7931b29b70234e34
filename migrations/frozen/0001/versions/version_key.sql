-- Sort a list of versions as the ecosystem does: order by pkgdb.version_key(...).
create function pkgdb.version_key(p_ecosystem pkgdb.string, p_version pkgdb.string)
returns bytea
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ecosystem pkgdb.ecosystem := pkgdb.find_ecosystem(p_ecosystem);
begin
    return pkgdb.scheme_version_key(v_ecosystem.scheme, p_version);
end;
$$;
comment on function pkgdb.version_key is
    'Order key of a version: bytes compare as the ecosystem''s own tool compares versions. '
    'Errors: RG400 no such ecosystem, malformed version.';
grant execute on function pkgdb.version_key to pkgdb_reader;
