-- What a distribution serves, component by component, with files.
create function pkgdb.distribution_content(
    p_namespace pkgdb.string, p_prefix pkgdb.string, p_distribution pkgdb.string
)
returns setof pkgdb.content_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_distribution pkgdb.distribution;
    v_component    pkgdb.distribution_component;
begin
    v_distribution := pkgdb.find_distribution(p_namespace, p_prefix, p_distribution);
    if v_distribution.distribution_id is null then
        perform pkgdb.no_distribution(p_namespace, p_prefix, p_distribution);
    end if;
    for v_component in
        select c.*
          from pkgdb.distribution_component c
         where c.namespace = p_namespace and c.distribution_id = v_distribution.distribution_id
         order by c.component
    loop
        return query
        select d.*
          from pkgdb.describe_members(
                   p_namespace,
                   pkgdb.without_quarantined(
                       pkgdb.source_members(v_component)),
                   true, v_component.component) d
         where d.ecosystem = v_distribution.ecosystem;
    end loop;
end;
$$;
comment on function pkgdb.distribution_content is
    'The versions that a distribution serves, with their files, in order of component, name, '
    'version and variant; not those of other ecosystems, nor what is quarantined now, or was when '
    'it was deleted. Errors: '
    'RG400 malformed argument, RG404 no such distribution.';
grant execute on function pkgdb.distribution_content to pkgdb_reader;
