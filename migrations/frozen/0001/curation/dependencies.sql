-- What versions say of other packages: read as publish and its kin are told, kept, compared.

create type pkgdb.dependency_spec as (
    "position"    integer,
    alternative   integer,
    kind          text,
    name          text,
    architecture  text,
    lower_version text,
    lower_strict  boolean,
    upper_version text,
    upper_strict  boolean
);

-- What is wrong with one alternative of a relation, or null.
create function pkgdb.alternative_problem(p_alternative jsonb)
returns text
language sql
immutable parallel safe
return case
    when pg_catalog.jsonb_typeof(p_alternative) is distinct from 'object'
        or p_alternative - array['name', 'constraints', 'architecture'] <> '{}'
        then 'an alternative is not an object of name, constraints, architecture'
    when pg_catalog.jsonb_typeof(p_alternative -> 'name') is distinct from 'string'
        or pg_catalog.octet_length(p_alternative ->> 'name') not between 1 and 255
        or (p_alternative ->> 'name') ~ '[[:cntrl:][:space:]]'
        then 'an alternative needs a name of 1 to 255 bytes without spaces'
    when p_alternative ? 'architecture'
        and (pg_catalog.jsonb_typeof(p_alternative -> 'architecture') not in ('string', 'null')
             or (p_alternative ->> 'architecture') !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$')
        then 'an architecture is not a word'
    when p_alternative ? 'constraints' and (
            pg_catalog.jsonb_typeof(p_alternative -> 'constraints') <> 'array'
            or exists (
                select
                  from pg_catalog.jsonb_array_elements(p_alternative -> 'constraints') c (pair)
                 where case when pg_catalog.jsonb_typeof(c.pair) = 'array'
                            then pg_catalog.jsonb_array_length(c.pair) <> 2
                                 or (c.pair ->> 0) not in ('<<', '<', '<=', '=', '>=', '>', '>>')
                                 or pg_catalog.jsonb_typeof(c.pair -> 1) <> 'string'
                                 or (c.pair ->> 1) = ''
                            else true end))
        then 'constraints are not pairs of an operator (<< < <= = >= > >>) and a version'
    when (select pg_catalog.count(*) filter (where c.pair ->> 0 in ('>=', '>', '>>', '=')) > 1
                 or pg_catalog.count(*) filter (where c.pair ->> 0 in ('<=', '<', '<<', '=')) > 1
            from pg_catalog.jsonb_array_elements(p_alternative -> 'constraints') c (pair))
        then 'constraints have more than one bound at an end'
end;

-- Reads p_dependencies, the one form in which relations come in. Names are normalised as the
-- ecosystem does; one that could be no package's (what is provided may be called anything) stays.
create function pkgdb.read_dependencies(p_dependencies jsonb, p_name_rule text)
returns pkgdb.dependency_spec[]
language plpgsql
immutable
as $$
declare
    v_relation    jsonb;
    v_alternative jsonb;
    v_problem     text;
    v_name        text;
    v_specs       pkgdb.dependency_spec[] := array[]::pkgdb.dependency_spec[];
begin
    if p_dependencies is null or jsonb_typeof(p_dependencies) <> 'array' then
        raise exception using errcode = 'RG400', message = 'dependencies must be a JSON array';
    end if;
    if octet_length(p_dependencies::text) > 1048576 then
        raise exception using errcode = 'RG400', message = 'dependencies are larger than 1 MiB';
    end if;

    for v_place in 0 .. jsonb_array_length(p_dependencies) - 1
    loop
        v_relation := p_dependencies -> v_place;
        v_problem := case
            when jsonb_typeof(v_relation) <> 'object'
                or v_relation - array['kind', 'alternatives'] <> '{}'
                then 'it is not an object of kind, alternatives'
            when jsonb_typeof(v_relation -> 'kind') is distinct from 'string'
                or (v_relation ->> 'kind') !~ '^[a-z][a-z-]{0,62}$'
                then 'it needs a kind of small letters, such as depends'
            when jsonb_typeof(v_relation -> 'alternatives') is distinct from 'array'
                or v_relation -> 'alternatives' = '[]'
                then 'it needs alternatives' end;
        if v_problem is null then
            for v_number in 0 .. jsonb_array_length(v_relation -> 'alternatives') - 1
            loop
                v_alternative := v_relation -> 'alternatives' -> v_number;
                v_problem := pkgdb.alternative_problem(v_alternative);
                exit when v_problem is not null;
                begin
                    v_name := pkgdb.rule_normalize_name(p_name_rule, v_alternative ->> 'name');
                exception when sqlstate 'RG400' then
                    v_name := v_alternative ->> 'name';
                end;
                v_specs := v_specs || (
                    select (v_place + 1, v_number + 1, v_relation ->> 'kind', v_name,
                            v_alternative ->> 'architecture',
                            max(c.pair ->> 1) filter (where c.pair ->> 0 in ('>=', '>', '>>', '=')),
                            coalesce(bool_or(c.pair ->> 0 in ('>', '>>')), false),
                            max(c.pair ->> 1) filter (where c.pair ->> 0 in ('<=', '<', '<<', '=')),
                            coalesce(bool_or(c.pair ->> 0 in ('<', '<<')), false)
                           )::pkgdb.dependency_spec
                      from jsonb_array_elements(
                               coalesce(v_alternative -> 'constraints', '[]')) c (pair));
            end loop;
        end if;
        if v_problem is not null then
            raise exception using
                errcode = 'RG400',
                message = format('dependency %s is malformed: %s', v_place + 1, v_problem);
        end if;
    end loop;
    return v_specs;
end;
$$;

-- Writes down what new versions say: one array of relations for each. Versions that say nothing may
-- be among them.
create function pkgdb.insert_dependencies(
    p_version pkgdb.package_version, p_dependencies pkgdb.dependency_spec[]
)
returns void
language plpgsql
as $$
begin
    insert into pkgdb.dependency
        (namespace, registration_id, version_id, position, alternative, kind, scheme, name,
         architecture, lower_version, lower_strict, upper_version, upper_strict)
    select p_version.namespace, p_version.registration_id, p_version.version_id, d.position,
           d.alternative, d.kind, p_version.scheme, d.name, d.architecture, d.lower_version,
           d.lower_strict, d.upper_version, d.upper_strict
      from unnest(p_dependencies) d;
end;
$$;

-- What a version says, as it was read.
create function pkgdb.version_dependencies(
    p_namespace text, p_registration_id bigint, p_version_id bigint
)
returns pkgdb.dependency_spec[]
language plpgsql
stable
as $$
begin
    return array(
        select (d.position, d.alternative, d.kind, d.name, d.architecture, d.lower_version,
                d.lower_strict, d.upper_version, d.upper_strict)::pkgdb.dependency_spec
          from pkgdb.dependency d
         where d.namespace = p_namespace and d.registration_id = p_registration_id
           and d.version_id = p_version_id
         order by d.position, d.alternative);
end;
$$;

-- Refuses what says otherwise of a version that exists. {}: nothing is stated.
create function pkgdb.check_dependencies(
    p_version pkgdb.package_version, p_dependencies pkgdb.dependency_spec[]
)
returns void
language plpgsql
stable
as $$
begin
    if p_dependencies <> '{}'
        and p_dependencies is distinct from pkgdb.version_dependencies(
            p_version.namespace, p_version.registration_id, p_version.version_id)
    then
        raise exception using
            errcode = 'RG409',
            message = format('version %s exists with other dependencies',
                             pkgdb.quoted(p_version.version));
    end if;
end;
$$;

-- One alternative as people write it: name:architecture (>= 1, << 2).
create function pkgdb.alternative_text(p_dependency pkgdb.dependency)
returns text
language sql
immutable parallel safe
return p_dependency.name::text || coalesce(':' || p_dependency.architecture, '') || case
    when p_dependency.lower_version = p_dependency.upper_version
        and not (p_dependency.lower_strict or p_dependency.upper_strict)
        then ' (= ' || p_dependency.lower_version || ')'
    when p_dependency.lower_version is null and p_dependency.upper_version is null then ''
    else ' (' || pg_catalog.concat_ws(
            ', ',
            case when p_dependency.lower_strict then '>> ' else '>= ' end
            || p_dependency.lower_version,
            case when p_dependency.upper_strict then '<< ' else '<= ' end
            || p_dependency.upper_version) || ')'
end;
-- The view of dependencies calls it in the reader's name.
grant execute on function pkgdb.alternative_text to pkgdb_reader;
