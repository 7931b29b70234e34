-- What versions say of other packages: read as publish and its kin are told, kept, compared.

-- Refuses what is malformed, saying which relation it is.
create function pkgdb.malformed_dependency(p_position integer, p_problem text)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    raise exception using
        errcode = 'RG400',
        message = format('dependency %s is malformed: %s', p_position, p_problem);
end;
$$;

-- Reads one alternative of a relation. (By expressions alone: an archive has half a million.)
create function pkgdb.read_alternative(p_spec pkgdb.dependency_spec, p_alternative jsonb)
returns pkgdb.dependency_spec
language plpgsql
immutable parallel safe
as $$
declare
    v_spec        pkgdb.dependency_spec := p_spec;
    v_constraints jsonb := coalesce(p_alternative -> 'constraints', '[]');
    v_operator    text;
    v_version     text;
begin
    if jsonb_typeof(p_alternative) is distinct from 'object'
        or p_alternative - array['name', 'constraints', 'architecture'] <> '{}'
    then
        perform pkgdb.malformed_dependency(
            v_spec.position, 'an alternative is not an object of name, constraints, architecture');
    end if;
    v_spec.name := p_alternative ->> 'name';
    if jsonb_typeof(p_alternative -> 'name') is distinct from 'string'
        or octet_length(v_spec.name) not between 1 and 255
        or v_spec.name ~ '[[:cntrl:][:space:]]'
    then
        perform pkgdb.malformed_dependency(
            v_spec.position, 'an alternative needs a name of 1 to 255 bytes without spaces');
    end if;
    v_spec.architecture := p_alternative ->> 'architecture';
    if jsonb_typeof(p_alternative -> 'architecture') not in ('string', 'null')
        or v_spec.architecture !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'
    then
        perform pkgdb.malformed_dependency(v_spec.position, 'an architecture is not a word');
    end if;
    if jsonb_typeof(v_constraints) <> 'array' then
        perform pkgdb.malformed_dependency(v_spec.position, 'constraints are not an array');
    end if;

    v_spec.lower_strict := false;
    v_spec.upper_strict := false;
    for v_place in 0 .. jsonb_array_length(v_constraints) - 1
    loop
        v_operator := v_constraints -> v_place ->> 0;
        v_version := v_constraints -> v_place ->> 1;
        if jsonb_typeof(v_constraints -> v_place) <> 'array'
            or jsonb_array_length(v_constraints -> v_place) <> 2
            or coalesce(v_operator not in ('<<', '<', '<=', '=', '>=', '>', '>>'), true)
            or jsonb_typeof(v_constraints -> v_place -> 1) <> 'string' or v_version = ''
        then
            perform pkgdb.malformed_dependency(
                v_spec.position,
                'a constraint is not a pair of an operator (<< < <= = >= > >>) and a version');
        end if;
        if v_operator in ('>=', '>', '>>', '=') then
            if v_spec.lower_version is not null then
                perform pkgdb.malformed_dependency(v_spec.position, 'it has two lower bounds');
            end if;
            v_spec.lower_version := v_version;
            v_spec.lower_strict := v_operator in ('>', '>>');
        end if;
        if v_operator in ('<=', '<', '<<', '=') then
            if v_spec.upper_version is not null then
                perform pkgdb.malformed_dependency(v_spec.position, 'it has two upper bounds');
            end if;
            v_spec.upper_version := v_version;
            v_spec.upper_strict := v_operator in ('<', '<<');
        end if;
    end loop;
    return v_spec;
end;
$$;

-- Reads p_dependencies, the one form in which relations come in. Names are normalised as the
-- ecosystem does; one that could be no package's (what is provided may be called anything) stays.
create function pkgdb.read_dependencies(p_dependencies jsonb, p_name_rule text)
returns pkgdb.dependency_spec[]
language plpgsql
immutable
as $$
declare
    v_relation     jsonb;
    v_alternatives jsonb;
    v_spec         pkgdb.dependency_spec;
    v_specs        pkgdb.dependency_spec[] := array[]::pkgdb.dependency_spec[];
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
        v_alternatives := v_relation -> 'alternatives';
        if jsonb_typeof(v_relation) <> 'object'
            or v_relation - array['kind', 'alternatives'] <> '{}'
        then
            perform pkgdb.malformed_dependency(
                v_place + 1, 'it is not an object of kind, alternatives');
        end if;
        if jsonb_typeof(v_relation -> 'kind') is distinct from 'string'
            or (v_relation ->> 'kind') !~ '^[a-z][a-z-]{0,62}$'
        then
            perform pkgdb.malformed_dependency(
                v_place + 1, 'it needs a kind of small letters, such as depends');
        end if;
        if jsonb_typeof(v_alternatives) is distinct from 'array' or v_alternatives = '[]' then
            perform pkgdb.malformed_dependency(v_place + 1, 'it needs alternatives');
        end if;
        for v_number in 0 .. jsonb_array_length(v_alternatives) - 1
        loop
            v_spec := null;
            v_spec.position := v_place + 1;
            v_spec.alternative := v_number + 1;
            v_spec.kind := v_relation ->> 'kind';
            v_spec := pkgdb.read_alternative(v_spec, v_alternatives -> v_number);
            if p_name_rule <> 'deb' then  -- whose names stay as they are
                begin
                    v_spec.name := pkgdb.rule_normalize_name(p_name_rule, v_spec.name);
                exception when sqlstate 'RG400' then
                    null;
                end;
            end if;
            v_specs := v_specs || v_spec;
        end loop;
    end loop;
    return v_specs;
end;
$$;

-- Refuses bounds that are no versions.
create function pkgdb.check_bounds(p_dependencies pkgdb.dependency_spec[], p_scheme text)
returns void
language plpgsql
immutable parallel safe
as $$
declare
    v_dependency pkgdb.dependency_spec;
begin
    foreach v_dependency in array p_dependencies
    loop
        if v_dependency.lower_version is not null then
            perform pkgdb.scheme_version_key(p_scheme, v_dependency.lower_version);
        end if;
        if v_dependency.upper_version is distinct from v_dependency.lower_version
            and v_dependency.upper_version is not null
        then
            perform pkgdb.scheme_version_key(p_scheme, v_dependency.upper_version);
        end if;
    end loop;
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

-- One alternative as people write it: name:architecture (>= 1, << 2). Stable, as concat_ws is:
-- so a query can take its body in.
create function pkgdb.alternative_text(
    p_name text, p_architecture text, p_lower_version text, p_lower_strict boolean,
    p_upper_version text, p_upper_strict boolean
)
returns text
language sql
stable parallel safe
return p_name || coalesce(':' || p_architecture, '') || case
    when p_lower_version = p_upper_version and not (p_lower_strict or p_upper_strict)
        then ' (= ' || p_lower_version || ')'
    when p_lower_version is null and p_upper_version is null then ''
    else ' (' || pg_catalog.concat_ws(
            ', ',
            case when p_lower_strict then '>> ' else '>= ' end || p_lower_version,
            case when p_upper_strict then '<< ' else '<= ' end || p_upper_version) || ')'
end;
-- The view of dependencies calls it in the reader's name.
grant execute on function pkgdb.alternative_text to pkgdb_reader;
