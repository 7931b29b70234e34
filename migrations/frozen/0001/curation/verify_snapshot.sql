-- Which packages of a snapshot need what neither it nor further snapshots have.

create type pkgdb.missing_dependency as (
    architecture text,
    ecosystem    text,
    name         text,
    version      text,
    variant      text,
    kind         text,
    relation     text
);
comment on type pkgdb.missing_dependency is
    'A version and a relation of it, as people write it, of which no alternative is satisfied for '
    'an architecture.';

create function pkgdb.verify_snapshot(
    p_namespace pkgdb.string, p_snapshot pkgdb.string, p_sources text[] default '{}',
    p_architectures text[] default null, p_kinds text[] default '{depends,pre-depends}'
)
returns setof pkgdb.missing_dependency
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_source  text;
    v_members pkgdb.member[] := pkgdb.snapshot_members(
        pkgdb.find_snapshot(p_namespace, p_snapshot));
    v_having  pkgdb.member[] := v_members;
    v_graph   pkgdb.package_graph;
begin
    perform pkgdb.check_following(p_kinds, p_architectures);
    foreach v_source in array coalesce(p_sources, '{}')
    loop
        v_having := v_having || pkgdb.snapshot_members(
            pkgdb.find_snapshot(p_namespace, v_source));
    end loop;
    v_graph := pkgdb.member_graph(
        array(select distinct on (m.version_id) m from unnest(v_having) m order by m.version_id),
        p_kinds);

    return query
    select u.architecture, g.ecosystem::text, g.name::text, v.version::text, v.variant::text,
           d.kind, d.relation
      from pkgdb.unmet_relations(
               v_graph,
               array(select m.version_id from unnest(v_members) m),
               array(select m.version_id from unnest(v_having) m),
               coalesce(
                   p_architectures,
                   pkgdb.architectures_of(pkgdb.member_variants(v_members))),
               p_kinds) u
      join unnest(v_members) m on m.version_id = u.id
      join pkgdb.registration g
        on g.namespace = m.namespace and g.registration_id = m.registration_id
      join pkgdb.package_version v
        on v.namespace = m.namespace and v.registration_id = m.registration_id
       and v.version_id = m.version_id
      cross join lateral (
           select min(a.kind) as kind,
                  string_agg(
                      pkgdb.alternative_text(a.name, a.architecture, a.lower_version,
                                             a.lower_strict, a.upper_version, a.upper_strict),
                      ' | ' order by a.alternative) as relation
             from pkgdb.dependency a
            where a.namespace = m.namespace and a.registration_id = m.registration_id
              and a.version_id = m.version_id and a.position = u.position) d
     order by 1, 2, g.normalized_name, v.version_key, v.variant, u.position;
end;
$$;
comment on function pkgdb.verify_snapshot is
    'The relations of p_kinds of a snapshot''s packages that nothing in the snapshot, or in '
    'p_sources (further snapshots), satisfies, for each of p_architectures (null: those of the '
    'snapshot). Errors: RG400 malformed argument, RG404 no such snapshot.';
grant execute on function pkgdb.verify_snapshot to pkgdb_reader;
