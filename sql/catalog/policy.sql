-- Repository policies come in as one JSON object.

-- Puts the given keys of a policy into a repository row; what is not named stays as it is.
create function pkgdb.apply_policy(p_repository pkgdb.repository, p_policy jsonb)
returns pkgdb.repository
language plpgsql
immutable
as $$
declare
    v_repository pkgdb.repository := p_repository;
    v_key        text;
    v_value      jsonb;
    v_valid      boolean;
begin
    if p_policy is null or jsonb_typeof(p_policy) <> 'object' then
        raise exception using errcode = 'RG400', message = 'policy must be a JSON object';
    end if;

    for v_key, v_value in select p.key, p.value from jsonb_each(p_policy) p
    loop
        v_valid := case v_key
            when 'reuse' then v_value in ('"never"', '"same_content"', '"always"')
            when 'lookalike_guard' then jsonb_typeof(v_value) = 'boolean'
            when 'immutable' then jsonb_typeof(v_value) = 'boolean'
            when 'protected_names' then case when jsonb_typeof(v_value) = 'array' then not exists (
                select from jsonb_array_elements(v_value) n (pattern)
                 where jsonb_typeof(n.pattern) <> 'string'
                    or octet_length(n.pattern #>> '{}') not between 1 and 255)
                else false end
            when 'keep_versions' then v_value = 'null'
                or (jsonb_typeof(v_value) = 'number' and v_value #>> '{}' ~ '^[1-9][0-9]{0,8}$')
            when 'name_scope' then v_value in ('"ecosystem"', '"repository"', '"namespace"')
            when 'validators' then case when jsonb_typeof(v_value) = 'object' then not exists (
                select from jsonb_each(v_value) n
                 where n.value not in ('"required"', '"advisory"')
                    or octet_length(n.key) not between 1 and 255
                    or n.key ~ '[[:cntrl:]]' or n.key <> btrim(n.key))
                else false end
            when 'upstream' then pkgdb.upstream_problem(v_value) is null
        end;
        if v_valid is null then
            raise exception using
                errcode = 'RG400',
                message = format('no policy %s', pkgdb.quoted(v_key)),
                hint = 'Policies: reuse, lookalike_guard, immutable, protected_names, '
                       'keep_versions, name_scope, validators, upstream.';
        end if;
        if not v_valid then
            raise exception using
                errcode = 'RG400',
                message = format('policy %s cannot be %s', v_key, pkgdb.quoted(v_value::text)),
                detail = case when v_key = 'upstream' then pkgdb.upstream_problem(v_value)
                              else 'It is of another type, or none of what it may be.' end,
                hint = 'reuse: never, same_content or always; name_scope: ecosystem, repository or '
                       'namespace; keep_versions: a positive number or null; protected_names: an '
                       'array of patterns with * and ?; lookalike_guard, immutable: true or false; '
                       'validators: an object of required or advisory by validator; upstream: '
                       'an object of url, distribution, components, architectures, filter, '
                       'filter_with_deps, keyring, download.';
        end if;
    end loop;

    if p_policy ? 'reuse' then v_repository.reuse := p_policy ->> 'reuse'; end if;
    if p_policy ? 'lookalike_guard' then
        v_repository.lookalike_guard := (p_policy -> 'lookalike_guard')::boolean;
    end if;
    if p_policy ? 'immutable' then
        v_repository.immutable := (p_policy -> 'immutable')::boolean;
    end if;
    if p_policy ? 'protected_names' then
        v_repository.protected_names := array(
            select distinct n.pattern
              from jsonb_array_elements_text(p_policy -> 'protected_names') n (pattern)
             order by n.pattern);
    end if;
    if p_policy ? 'keep_versions' then
        v_repository.keep_versions := (p_policy ->> 'keep_versions')::integer;
    end if;
    if p_policy ? 'name_scope' then v_repository.name_scope := p_policy ->> 'name_scope'; end if;
    if p_policy ? 'validators' then v_repository.validators := p_policy -> 'validators'; end if;
    if p_policy ? 'upstream' then v_repository.upstream := p_policy -> 'upstream'; end if;
    if v_repository.kind <> 'mirror' and v_repository.upstream <> '{}' then
        raise exception using
            errcode = 'RG400',
            message = 'only a mirror has an upstream';
    end if;
    if v_repository.kind = 'mirror'
        and (v_repository.immutable or v_repository.lookalike_guard)
    then
        raise exception using
            errcode = 'RG400',
            message = 'a mirror follows its upstream: it cannot be immutable, nor guard against '
                      'look-alikes';
    end if;

    if v_repository.immutable and v_repository.keep_versions is not null then
        raise exception using
            errcode = 'RG400',
            message = 'an immutable repository keeps all versions: keep_versions must be null';
    end if;
    return v_repository;
end;
$$;

-- What is wrong with the description of a mirror's upstream, or null.
create function pkgdb.upstream_problem(p_upstream jsonb)
returns text
language plpgsql
immutable
as $$
declare
    v_key   text;
    v_value jsonb;
    v_valid boolean;
begin
    if jsonb_typeof(p_upstream) <> 'object' or octet_length(p_upstream::text) > 65536 then
        return 'It is not an object of at most 64 KiB.';
    end if;
    for v_key, v_value in select u.key, u.value from jsonb_each(p_upstream) u
    loop
        v_valid := case
            when v_key in ('url', 'distribution') then
                jsonb_typeof(v_value) = 'string' and v_value <> '""'
                and v_value #>> '{}' !~ '[[:cntrl:]]'
                and v_value #>> '{}' !~ '://[^/]*@'  -- readers see it: no passwords
            when v_key in ('components', 'architectures') then case
                when jsonb_typeof(v_value) = 'array' then not exists (
                    select from jsonb_array_elements(v_value) e (name)
                     where jsonb_typeof(e.name) <> 'string'
                        or (e.name #>> '{}') !~ '^[A-Za-z0-9][A-Za-z0-9._/+-]*$')
                else false end
            when v_key = 'filter' then jsonb_typeof(v_value) = 'string'
            when v_key = 'keyring' then jsonb_typeof(v_value) in ('string', 'null')
            when v_key in ('filter_with_deps', 'download') then jsonb_typeof(v_value) = 'boolean'
        end;
        if v_valid is null then
            return format('There is no %s.', pkgdb.quoted(v_key));
        elsif not v_valid then
            return format('Its %s cannot be %s.', v_key, pkgdb.quoted(v_value::text));
        end if;
    end loop;
    if p_upstream ? 'filter' then
        begin
            perform pkgdb.parse_query(p_upstream ->> 'filter');
        exception when sqlstate 'RG400' then
            return format('Its filter is malformed: %s.', sqlerrm);
        end;
    end if;
    return null;
end;
$$;

-- A repository's policies as one JSON object, every key present.
create function pkgdb.policy_of(p_repository pkgdb.repository)
returns jsonb
language sql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'reuse', p_repository.reuse,
        'lookalike_guard', p_repository.lookalike_guard,
        'immutable', p_repository.immutable,
        'protected_names', to_jsonb(p_repository.protected_names),
        'keep_versions', p_repository.keep_versions,
        'name_scope', p_repository.name_scope,
        'validators', p_repository.validators,
        'upstream', p_repository.upstream);
$$;
-- The view of repositories calls it in the reader's name.
grant execute on function pkgdb.policy_of to pkgdb_reader;

-- Whether a name falls under one of the patterns: * is any text, ? any one character. Case is
-- ignored, and - _ . stand for one another, so that no spelling of a name slips through.
create function pkgdb.is_protected(p_patterns text[], p_normalized_name text)
returns boolean
language sql
immutable parallel safe
return exists (
    select
      from pg_catalog.unnest(p_patterns) p (pattern)
     where pg_catalog.translate(pg_catalog.lower(p_normalized_name collate "C"), '_.', '--')
           like pg_catalog.translate(
               pg_catalog.regexp_replace(
                   pg_catalog.translate(pg_catalog.lower(p.pattern collate "C"), '_.', '--'),
                   '([\\%])', '\\\1', 'g'),
               '*?', '%_') collate "C");

-- A name as a hurried reader sees it (PyPI's ultranormalised form): case and separators gone, and
-- the letters that look like digits taken for them.
create function pkgdb.lookalike(p_normalized_name text)
returns text
language sql
immutable parallel safe
return pg_catalog.translate(
    pg_catalog.lower(p_normalized_name collate "C"), 'ilo-_.', '110');

-- Gives look-alike keys that nobody holds to the oldest name, of a repository with the guard, that
-- has them. Look-alikes from before the guard stay: one of them holds the key against newcomers.
create function pkgdb.claim_lookalikes(p_namespace text, p_keys text[])
returns void
language plpgsql
as $$
declare
    v_registration_id bigint;
begin
    for v_registration_id in
        select distinct on (g.scope_id, g.ecosystem, pkgdb.lookalike(g.normalized_name))
               g.registration_id
          from pkgdb.registration g
          join pkgdb.repository r
            on r.namespace = p_namespace and r.repository_id = g.repository_id
           and r.status = 'live' and r.lookalike_guard
         where g.namespace = p_namespace and pkgdb.lookalike(g.normalized_name) = any (p_keys)
           and not exists (
                select from pkgdb.registration holder
                 where holder.namespace = p_namespace and holder.scope_id = g.scope_id
                   and holder.ecosystem = g.ecosystem
                   and holder.lookalike_key = pkgdb.lookalike(g.normalized_name))
         order by g.scope_id, g.ecosystem, pkgdb.lookalike(g.normalized_name), g.registration_id
    loop
        begin
            update pkgdb.registration g
               set lookalike_key = pkgdb.lookalike(g.normalized_name)
             where g.namespace = p_namespace and g.registration_id = v_registration_id;
        exception when unique_violation then
            null;  -- another repository that shares the scope was first: somebody holds it
        end;
    end loop;
end;
$$;
