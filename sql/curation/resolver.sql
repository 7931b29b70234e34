-- Which packages of a set need what, and which of another set have it. It works on packages as
-- they are given, whether published or found upstream, so that there is one set of rules.
--
-- Rules: Debian policy 7 (relationships between packages). Other ecosystems use the same form.

create type pkgdb.node as (
    id        bigint,
    ecosystem text,
    name      text,
    variant   text,
    key       bytea
);

-- A bound has its key or, where none is stored, its version: the key is made when it is needed.
create type pkgdb.relation as (
    id            bigint,
    "position"    integer,
    alternative   integer,
    kind          text,
    name          text,
    architecture  text,
    scheme        text,
    lower_version text,
    lower_key     bytea,
    lower_strict  boolean,
    upper_version text,
    upper_key     bytea,
    upper_strict  boolean
);

-- A set of packages and what they say; ids are the callers'.
create type pkgdb.package_graph as (
    nodes     pkgdb.node[],
    relations pkgdb.relation[]
);

-- Whether a version lies in bounds. One that is not known lies in none, unless there are none.
create function pkgdb.is_within(
    p_key bytea, p_lower bytea, p_lower_strict boolean, p_upper bytea, p_upper_strict boolean
)
returns boolean
language sql
immutable parallel safe
return (p_lower is null and p_upper is null)
    or (p_key is not null
        and (p_lower is null or p_key > p_lower or (p_key = p_lower and not p_lower_strict))
        and (p_upper is null or p_key < p_upper or (p_key = p_upper and not p_upper_strict)));

-- The key of a bound, or null where there is none.
create function pkgdb.bound_key(p_scheme text, p_version text, p_key bytea)
returns bytea
language sql
immutable parallel safe
return case when p_key is not null then p_key
            when p_version is not null then pkgdb.scheme_version_key(p_scheme, p_version) end;

-- Whether a package of one variant serves an architecture. A qualifier asks for another one.
create function pkgdb.serves(p_variant text, p_architecture text, p_qualifier text)
returns boolean
language sql
immutable parallel safe
return p_variant <> 'source'
    and (p_qualifier = 'any'
         or p_variant in ('all', '', case when p_qualifier is null or p_qualifier = 'native'
                                          then p_architecture else p_qualifier end));

-- Published versions, and what they say of some kinds (and provide).
create function pkgdb.member_graph(
    p_members pkgdb.member[], p_kinds text[]
)
returns pkgdb.package_graph
language plpgsql
stable
as $$
begin
    return (
        array(
            select (v.version_id, g.ecosystem, g.normalized_name, v.variant, v.version_key
                   )::pkgdb.node
              from unnest(p_members) m
              join pkgdb.registration g
                on g.namespace = m.namespace and g.registration_id = m.registration_id
              join pkgdb.package_version v
                on v.namespace = m.namespace and v.registration_id = m.registration_id
               and v.version_id = m.version_id),
        array(
            select (d.version_id, d.position, d.alternative, d.kind, d.name, d.architecture,
                    d.scheme, d.lower_version, d.lower_key, d.lower_strict, d.upper_version,
                    d.upper_key, d.upper_strict)::pkgdb.relation
              from unnest(p_members) m
              join pkgdb.dependency d
                on d.namespace = m.namespace and d.registration_id = m.registration_id
               and d.version_id = m.version_id
             where d.kind = 'provides' or d.kind = any (p_kinds))
    )::pkgdb.package_graph;
end;
$$;

-- The architectures that packages of some variants are for.
create function pkgdb.architectures_of(p_variants text[])
returns text[]
language plpgsql
immutable parallel safe
as $$
begin
    return coalesce(
        (select array_agg(distinct v.variant)
           from unnest(p_variants) v (variant)
          where v.variant not in ('all', 'source')), array['']);
end;
$$;

-- The variants of members.
create function pkgdb.member_variants(p_members pkgdb.member[])
returns text[]
language plpgsql
stable
as $$
begin
    return array(
        select distinct v.variant::text
          from unnest(p_members) m
          join pkgdb.package_version v
            on v.namespace = m.namespace and v.registration_id = m.registration_id
           and v.version_id = m.version_id);
end;
$$;

-- The relations of some packages that no package at hand satisfies, by any of its alternatives.
create function pkgdb.unmet_relations(
    p_graph pkgdb.package_graph, p_wanting bigint[], p_having bigint[], p_architectures text[],
    p_kinds text[]
)
returns table (id bigint, architecture text, "position" integer)
language plpgsql
immutable parallel safe
as $$
begin
    return query
    with node as materialized (
        select n.* from unnest(p_graph.nodes) n
    ), provider as materialized (
        select n.ecosystem, n.name, n.variant, n.key, null::text as scheme,
               null::text as version
          from node n
          join unnest(p_having) h (id) on h.id = n.id
         union all
        select n.ecosystem, r.name, n.variant,
               case when r.lower_key = r.upper_key then r.lower_key end, r.scheme,
               case when r.lower_version = r.upper_version then r.lower_version end
          from unnest(p_graph.relations) r
          join node n on n.id = r.id
          join unnest(p_having) h (id) on h.id = r.id
         where r.kind = 'provides'
    ), wanted as materialized (
        select r.id, r.position, n.ecosystem, r.name, r.architecture, a.architecture as target,
               pkgdb.bound_key(r.scheme, r.lower_version, r.lower_key) as lower, r.lower_strict,
               pkgdb.bound_key(r.scheme, r.upper_version, r.upper_key) as upper, r.upper_strict
          from unnest(p_graph.relations) r
          join unnest(p_wanting) w (id) on w.id = r.id
          join node n on n.id = r.id
          join unnest(p_architectures) a (architecture)
            on n.variant in (a.architecture, 'all', '')
         where r.kind = any (p_kinds) and r.kind <> 'provides'
    )
    select w.id, w.target, w.position
      from wanted w
    except
    select w.id, w.target, w.position
      from wanted w
      join provider p
        on p.ecosystem = w.ecosystem and p.name = w.name
       and pkgdb.serves(p.variant, w.target, w.architecture)
       and pkgdb.is_within(
            pkgdb.bound_key(p.scheme, p.version, p.key), w.lower, w.lower_strict, w.upper,
            w.upper_strict)
     order by 1, 2, 3;
end;
$$;

-- Packages together with those of a source that they need, and these need, and so on: what a base
-- has is not looked for. Of the alternatives of a relation the first that the source has; of the
-- packages that have it one for the architecture, then the one of that name before those that
-- provide it, then the newest.
create function pkgdb.follow_dependencies(
    p_graph pkgdb.package_graph, p_chosen bigint[], p_base bigint[], p_source bigint[],
    p_architectures text[], p_kinds text[]
)
returns bigint[]
language plpgsql
immutable parallel safe
as $$
declare
    v_chosen bigint[] := p_chosen;
    v_new    bigint[] := p_chosen;
begin
    loop
        with unmet as materialized (
            select u.*
              from pkgdb.unmet_relations(
                       p_graph, v_new, p_base || v_chosen, p_architectures, p_kinds) u
        ), wanted as materialized (
            select u.architecture as target, n.ecosystem, r.id, r.position, r.alternative, r.name,
                   r.architecture,
                   pkgdb.bound_key(r.scheme, r.lower_version, r.lower_key) as lower,
                   r.lower_strict,
                   pkgdb.bound_key(r.scheme, r.upper_version, r.upper_key) as upper,
                   r.upper_strict
              from unmet u
              join unnest(p_graph.relations) r on r.id = u.id and r.position = u.position
              join unnest(p_graph.nodes) n on n.id = r.id
        ), provider as (
            select n.id, n.ecosystem, n.name, n.variant, n.key, null::text as scheme,
                   null::text as version, n.key as own_key, true as real
              from unnest(p_graph.nodes) n
             union all
            select n.id, n.ecosystem, r.name, n.variant,
                   case when r.lower_key = r.upper_key then r.lower_key end, r.scheme,
                   case when r.lower_version = r.upper_version then r.lower_version end, n.key,
                   false
              from unnest(p_graph.relations) r
              join unnest(p_graph.nodes) n on n.id = r.id
             where r.kind = 'provides'
        ), pick as (
            select distinct on (w.id, w.target, w.position) p.id as picked
              from wanted w
              join provider p
                on p.ecosystem = w.ecosystem and p.name = w.name
               and pkgdb.serves(p.variant, w.target, w.architecture)
               and pkgdb.is_within(
                    pkgdb.bound_key(p.scheme, p.version, p.key), w.lower, w.lower_strict,
                    w.upper, w.upper_strict)
              join unnest(p_source) s (id) on s.id = p.id
             order by w.id, w.target, w.position, w.alternative,
                      p.variant in (w.target, 'all', '') desc, p.real desc, p.own_key desc,
                      p.name, p.id)
        select coalesce(array_agg(distinct k.picked), '{}') into v_new from pick k;
        exit when v_new = '{}';
        v_chosen := v_chosen || v_new;
    end loop;
    return v_chosen;
end;
$$;
