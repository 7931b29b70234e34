-- The package query language: a text that says which versions are meant, as aptly's does.
--
--   query     = group { "|" group } ;                     or
--   group     = operand { "," operand } ;                 and, which binds tighter
--   operand   = { "!" } ( "(" query ")" | term ) ;        not, which binds tightest
--   term      = field [ condition ] | package [ condition ] [ "{" value "}" ] ;
--   condition = "(" [ operator ] value ")" ;              no operator is =
--   operator  = "<<" | "<=" | "<" | "=" | ">=" | ">" | ">>" | "%" | "~" ;
--   field     = word that begins with $, or with A to Z and has no "_" ;
--   package   = any other word ;
--   word      = quoted | a run without space and ( ) { } | , ! that begins with no operator ;
--   value     = quoted | the same, but "(" may be in it ;
--   quoted    = "'" ... "'" | '"' ... '"' ;               \ before a character takes it as it is
--
-- Space is free between all of these. At most 64 KiB, 100 parentheses deep, 1000 conditions; plain
-- names that are alternatives (a | b | c), or all excluded (!a, !b, !c), count as one.
--
--   curl                      packages of that name, and those that provide it
--   curl (>= 8)               with such a version; what is provided counts with its own version
--   curl {amd64}              for that variant; "all" is for every one but "source"
--   curl_8.5.0-2_amd64        one version and variant of one package
--   Priority                  the field is there, and not empty
--   Priority (optional)       the field is equal, character by character
--   Installed-Size (>= 2000)  in the order of Debian's versions: 900 is before 2000
--   Name (% lib*-dev)         like a file's name in a shell: *, ? (none for a /), [a-z], [^a-z]
--   Name (~ ^lib.*[0-9]$)     a regular expression that is found somewhere
--
-- Fields: Name; Version and $Version; Architecture and $Architecture (with =, "all" is for every
-- one); $PackageType (deb, udeb, source, or the ecosystem); $Source and $SourceVersion; $Ecosystem.
-- Every other one is of the metadata: $license or License. They are found in any case. One that is
-- missing is an empty text.
--
-- < and > mean <= and >=, as in old Debian files. A version is compared under the rules of each
-- package's ecosystem; where these refuse it, it compares with none. Where they want three numbers,
-- 2 and 2.1 are 2.0.0 and 2.1.0. A name is read as each ecosystem does: Django is django on PyPI.
--
-- The same query means to aptly 1.5.0 the same, but for these:
--   - Provides count with their versions, so that foo and foo (>= 1) find what provides foo (= 2).
--     aptly 1.5.0 knows no versions there; 1.6 has them.
--   - = on a field is equality, as aptly's manual says. Its program takes foo, foo0 and foo00 for
--     the same, as versions are. ($SourceVersion is compared as a version here too.)
--   - A version must be one: what is no Debian version compares with no Debian package, and what is
--     no version anywhere is an error. aptly puts (>> abc) somewhere in its order. Numbers of any
--     length are compared; to aptly all above 2^63 are the same.
--   - A malformed pattern is an error. To aptly it matches nothing.
--   - Regular expressions are PostgreSQL's, where aptly has RE2. Neither has back references, and
--     \b, \B and \z mean the same, but "." matches the end of a line too, repetition goes to 255,
--     (?i) stands in front only, and there is lookahead.
--   - A name ends at "(": curl(>= 8) needs no space. aptly takes "a(b" for a name.
--   - A field is found in any case. aptly makes Installed-Size of Installed-size in a package, and
--     finds that only.
--   - Description is the text of the field. In aptly it has a space before it and the end of a line
--     behind.
--   - A capitalised word alone is also the name of a package: no Debian package has one, but others
--     have. With a condition it is a field: say Name (ImageMagick), $Version (>= 7).
--   - name_version_arch may have more of "_"; what has no variant is name_version.

create type pkgdb.query_step as (
    kind         text,
    operands     integer,
    subject      text,
    operator     text,
    value        text,
    place        integer,
    architecture text
);
comment on type pkgdb.query_step is
    'A query in postfix order: a field or a package, or not, and, or over the steps before it. '
    'place is that of the value in the text.';

create type pkgdb.compiled_query as (
    condition  text,
    parameters text[],
    keys       bytea[]
);
comment on type pkgdb.compiled_query is
    'A condition in SQL on v, a row of package_version, and g, its registration, with parameters '
    'as $1 and keys as $2. It is never null, and has no text of the query in it. What is provided '
    'it reads from "pkgdb.dependency d".';

create function pkgdb.malformed_query(p_place integer, p_expected text, p_found text)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    raise exception using
        errcode = 'RG400',
        message = format('query is malformed at character %s: expected %s, found %s',
                         p_place, p_expected,
                         case when p_found is null then 'the end' else pkgdb.quoted(p_found) end);
end;
$$;

-- A word or a value as it is meant.
create function pkgdb.unquoted(p_token text)
returns text
language sql
immutable parallel safe
return case
    when pg_catalog.left(p_token, 1) in ('''', '"')
        then pg_catalog.regexp_replace(
            pg_catalog.substr(p_token, 2, pg_catalog.length(p_token) - 2), '\\(.)', '\1', 'g')
    else p_token
end;

-- The pieces of a query and where they begin, without the space between them. Each character is in
-- one. Space is what Unicode calls so, lest one that came with a copied text be part of a name.
create function pkgdb.query_tokens(p_query text)
returns table (token text, place integer)
language plpgsql
immutable parallel safe
as $$
declare
    v_space constant text :=
        E'\\s\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
begin
    return query
    select t.token, t.place
      from (
        select m.part[1] as token,
               (1 + sum(length(m.part[1])) over (order by m.number) - length(m.part[1]))::integer
               as place
          from regexp_matches(
                   p_query collate "C",
                   '[' || v_space || ']+'
                   -- What is quoted may lack its end: it is the last then.
                   || E'|''(?:[^''\\\\]|\\\\.)*(?:''|\\\\?$)|"(?:[^"\\\\]|\\\\.)*(?:"|\\\\?$)'
                   || '|<[<=]?|>[>=]?|[=%~(){}|,!]'
                   || '|[^<>=%~(){}|,!''"' || v_space || '][^(){}|,!' || v_space || ']*',
                   'g') with ordinality m (part, number)
           ) t
     where t.token collate "C" !~ ('^[' || v_space || ']')
     order by t.place;
end;
$$;

-- Reads a query from left to right, once. What is open is in arrays with a place for each level of
-- parentheses, and not on the server's stack.
create function pkgdb.read_query(p_query text)
returns pkgdb.query_step[]
language plpgsql
immutable parallel safe
as $$
declare
    v_tokens    text[];
    v_places    integer[];
    v_at        integer := 1;
    v_token     text;
    v_parts     text[];
    v_end       integer;
    v_step      pkgdb.query_step;
    v_steps     pkgdb.query_step[] := array[]::pkgdb.query_step[];
    v_complete  boolean := false;  -- whether an operand was read, or one is to come
    v_negated   boolean := false;
    v_level     integer := 1;
    v_negations boolean[] := array[false];
    v_operands  integer[] := array[0];
    v_groups    integer[] := array[0];
begin
    if p_query is null then
        raise exception using errcode = 'RG400', message = 'query is missing';
    end if;
    if octet_length(p_query) > 65536 then
        raise exception using
            errcode = 'RG400', message = 'query is longer than 65536 bytes';
    end if;
    select array_agg(t.token), array_agg(t.place) into v_tokens, v_places
      from pkgdb.query_tokens(p_query) t;
    v_token := v_tokens[cardinality(v_tokens)];
    if v_token ~ E'^[''"]'
        and v_token !~ E'^(?:''(?:[^''\\\\]|\\\\.)*''|"(?:[^"\\\\]|\\\\.)*")$'
    then
        perform pkgdb.malformed_query(
            v_places[cardinality(v_places)], 'a quote at the end of the text', v_token);
    end if;
    v_places := array_append(v_places, length(p_query) + 1);

    loop
        v_token := v_tokens[v_at];  -- null at the end
        if v_complete then
            if v_token is null and v_level > 1 or v_token not in (',', '|', ')')
                or v_token = ')' and v_level = 1
            then
                perform pkgdb.malformed_query(
                    v_places[v_at],
                    concat_ws(
                        ' ',
                        'one of',
                        case when num_nonnulls(v_step.operator, v_step.architecture) = 0
                                  and v_step.kind is not null then '(' end,
                        case when v_step.architecture is null and v_step.kind = 'package'
                             then '{' end,
                        ', |',
                        case when v_level > 1 then ')' else 'or the end' end),
                    v_token);
            end if;
            v_at := v_at + 1;
            v_complete := false;
            continue when v_token = ',';

            -- A group ends, and with it perhaps the query or a part of it in parentheses.
            if v_operands[v_level] > 1 then
                v_steps := array_append(
                    v_steps,
                    ('and', v_operands[v_level], null, null, null, null, null)::pkgdb.query_step);
            end if;
            v_groups[v_level] := v_groups[v_level] + 1;
            v_operands[v_level] := 0;
            continue when v_token = '|';
            if v_groups[v_level] > 1 then
                v_steps := array_append(
                    v_steps,
                    ('or', v_groups[v_level], null, null, null, null, null)::pkgdb.query_step);
            end if;
            exit when v_token is null;
            v_negated := v_negations[v_level];
            v_level := v_level - 1;
            v_step := null;
        elsif v_token in ('!', '(') then
            v_at := v_at + 1;
            if v_token = '!' then
                v_negated := not v_negated;
                continue;
            end if;
            if v_level > 100 then
                perform pkgdb.malformed_query(
                    v_places[v_at - 1], 'at most 100 levels of parentheses', v_token);
            end if;
            v_level := v_level + 1;
            v_negations[v_level] := v_negated;
            v_operands[v_level] := 0;
            v_groups[v_level] := 0;
            v_negated := false;
            continue;
        else
            if coalesce(v_token ~ '^[<>=%~){}|,]', true) then
                perform pkgdb.malformed_query(
                    v_places[v_at], 'a package, a field, ! or (', v_token);
            end if;
            v_step := null;
            v_step.subject := pkgdb.unquoted(v_token);
            v_step.kind := case
                when v_step.subject collate "C" ~ '^(?:[$]|[A-Z][^_]*$)' then 'field'
                else 'package'
            end;
            v_at := v_at + 1;

            if v_tokens[v_at] = '(' then
                v_at := v_at + 1;
                v_step.operator := '=';
                if v_tokens[v_at] ~ '^[<>=%~]' then
                    v_step.operator := case v_tokens[v_at]
                        when '<' then '<=' when '>' then '>=' else v_tokens[v_at] end;
                    v_at := v_at + 1;
                end if;
                v_token := v_tokens[v_at];
                v_step.place := v_places[v_at];
                if coalesce(v_token ~ '^[<>=%~(){}|,!]', true) then
                    perform pkgdb.malformed_query(v_places[v_at], 'a value', v_token);
                end if;
                v_step.value := pkgdb.unquoted(v_token);
                v_at := v_at + 1;
                if v_token !~ E'^[''"]' then
                    -- What follows without space is of the value, up to what ends it.
                    v_parts := array[v_token];
                    v_end := v_step.place + length(v_token);
                    while v_places[v_at] = v_end and v_tokens[v_at] !~ E'^[){}|,!''"]'
                    loop
                        v_parts := array_append(v_parts, v_tokens[v_at]);
                        v_end := v_end + length(v_tokens[v_at]);
                        v_at := v_at + 1;
                    end loop;
                    v_step.value := array_to_string(v_parts, '');
                end if;
                if v_tokens[v_at] is distinct from ')' then
                    perform pkgdb.malformed_query(v_places[v_at], ')', v_tokens[v_at]);
                end if;
                v_at := v_at + 1;
            end if;

            if v_tokens[v_at] = '{' and v_step.kind = 'package' then
                v_at := v_at + 1;
                v_token := v_tokens[v_at];
                if coalesce(v_token ~ '^[<>=%~(){}|,!]', true) then
                    perform pkgdb.malformed_query(v_places[v_at], 'an architecture', v_token);
                end if;
                v_step.architecture := pkgdb.unquoted(v_token);
                v_at := v_at + 1;
                if v_tokens[v_at] is distinct from '}' then
                    perform pkgdb.malformed_query(v_places[v_at], '}', v_tokens[v_at]);
                end if;
                v_at := v_at + 1;
            end if;
            v_steps := array_append(v_steps, v_step);
        end if;

        if v_negated then
            v_steps := array_append(
                v_steps, ('not', 1, null, null, null, null, null)::pkgdb.query_step);
            v_negated := false;
        end if;
        v_operands[v_level] := v_operands[v_level] + 1;
        v_complete := true;
    end loop;
    return v_steps;
end;
$$;

-- A query as a tree: {"field" or "package": ..., "operator", "value", "at", "architecture"},
-- {"not": ...}, {"and": [...]}, {"or": [...]}.
create function pkgdb.parse_query(p_query text)
returns jsonb
language plpgsql
immutable parallel safe
as $$
declare
    v_step     pkgdb.query_step;
    v_tree     jsonb;
    v_trees    jsonb[] := array[]::jsonb[];
    v_top      integer := 0;
    v_operands jsonb[];
begin
    foreach v_step in array pkgdb.read_query(p_query)
    loop
        if v_step.kind in ('field', 'package') then
            v_tree := jsonb_strip_nulls(jsonb_build_object(
                v_step.kind, v_step.subject, 'operator', v_step.operator, 'value', v_step.value,
                'at', v_step.place, 'architecture', v_step.architecture));
        elsif v_step.kind = 'not' then
            v_tree := jsonb_build_object('not', v_trees[v_top]);
        else
            v_operands := array[]::jsonb[];
            for v_place in v_top - v_step.operands + 1 .. v_top
            loop
                v_operands := array_append(v_operands, v_trees[v_place]);
            end loop;
            v_tree := jsonb_build_object(v_step.kind, v_operands);
        end if;
        v_top := v_top - coalesce(v_step.operands, 0) + 1;
        v_trees[v_top] := v_tree;
    end loop;
    return v_tree;
end;
$$;

-- A text as a key that orders as Debian's versions do: EPOCH:UPSTREAM-REVISION, each by turns what
-- is no number (~ before the end, before letters, before the rest) and a number. debian_key is for
-- versions alone. This takes any text, and makes a text, which is compared byte by byte.
create function pkgdb.field_key(p_text text)
returns pkgdb.string
language plpgsql
immutable parallel safe
as $$
declare
    v_text     text collate "C" := p_text;
    v_epoch    text collate "C" := '';
    v_revision text collate "C" := '';
    v_part     text collate "C";
    v_run      text collate "C";
    v_key      text collate "C" := '';
begin
    if strpos(v_text, '-') > 0 then
        v_revision := split_part(v_text, '-', -1);
        v_text := left(v_text, -1 - length(v_revision));
    end if;
    if strpos(v_text, ':') > 0 then
        v_epoch := split_part(v_text, ':', 1);
        v_text := substr(v_text, length(v_epoch) + 2);
    end if;
    foreach v_part in array array[v_epoch, v_text, v_revision]
    loop
        -- A part that is a number, as most are, is what the loop would make of it.
        if ltrim(v_part, '0123456789') <> '' then
            -- The marks below are no characters of the text.
            v_part := translate(v_part, E'~\x01\x02\x03', E'\x01   ');
            v_part := regexp_replace(v_part, E'[^A-Za-z0-9\x01]', E'{\\&', 'g');
            foreach v_run in array
                string_to_array(
                    regexp_replace(v_part, '[0-9]+', E'\x02\x03\\&\x03', 'g'), E'\x03')
            loop
                if v_run between '0' and ':' then
                    v_run := ltrim(v_run, '0');
                    v_run := lpad(length(v_run)::text, 7, '0') || v_run;
                end if;
                v_key := v_key || v_run;
            end loop;
            -- The end of a part is a number too, if it has none: that is 0.
            v_key := v_key || case when right(v_part, 1) between '0' and '9' then E'\x02'
                                   else E'\x020000000\x02' end;
        else
            v_part := ltrim(v_part, '0');
            v_key := v_key || E'\x02' || lpad(length(v_part)::text, 7, '0') || v_part || E'\x02';
        end if;
    end loop;
    return v_key;
end;
$$;

-- A character by its number: so it cannot mean something to a regular expression.
create function pkgdb.pattern_character(p_character text)
returns text
language sql
immutable parallel safe
return '\U' || pg_catalog.lpad(pg_catalog.to_hex(pg_catalog.ascii(p_character)), 8, '0');

-- A shell's pattern as a regular expression, null where it is malformed. As Go's filepath.Match has
-- it: * and ? stop at /, a class is [abc-z] or [^abc-z], and \ takes a character as it is.
create function pkgdb.glob_pattern(p_glob text)
returns text
language plpgsql
immutable parallel safe
as $$
begin
    return (
        select case
                when bool_or(t.token in ('[', chr(92), '[^]')) then null
                else '^' || coalesce(
                        string_agg(
                            case
                                when t.token = '*' then '[^/]*'
                                when t.token = '?' then '[^/]'
                                when t.token like '[%'
                                    then substring(t.token, E'^\\[\\^?') || c.items || ']'
                                else pkgdb.pattern_character(right(t.token, 1))
                            end,
                            '' order by t.number), '') || '$'
               end
          from (
            select m.part[1] as token, m.number
              from regexp_matches(
                       p_glob collate "C",
                       E'\\\\.|\\[\\^?(?:(?:\\\\.|[^]\\\\-])(?:-(?:\\\\.|[^]\\\\-]))?)+\\]|.',
                       'g') with ordinality m (part, number)
               ) t
          cross join lateral (
            select string_agg(
                       case when i.part[1] = '-' then '-'
                            else pkgdb.pattern_character(right(i.part[1], 1)) end,
                       '' order by i.number) as items
              from regexp_matches(
                       regexp_replace(t.token, E'^\\[\\^?|\\]$', '', 'g'),
                       E'\\\\.|.', 'g') with ordinality i (part, number)
             where t.token like '[%'
               ) c);
end;
$$;

-- A regular expression of RE2 as PostgreSQL's, null where it has a back reference: a search for one
-- can take for ever.
create function pkgdb.regular_expression(p_expression text)
returns text
language sql
immutable parallel safe
return (
    select case
            -- Once the pairs that are no reference are gone, a backslash before a digit is one.
            when pg_catalog.regexp_replace(p_expression, '\\[^1-9]', '', 'g') ~ '\\[1-9]' then null
            else (
                select coalesce(
                           pg_catalog.string_agg(
                               case m.part[1] when '\b' then '\y' when '\B' then '\Y'
                                              when '\z' then '\Z' else m.part[1] end,
                               '' order by m.number), '')
                  from pg_catalog.regexp_matches(p_expression, '\\.|[^\\]+|\\$', 'g')
                       with ordinality m (part, number))
           end);

-- The regular expression of a condition with % or ~.
create function pkgdb.query_pattern(p_operator text, p_value text, p_place integer)
returns text
language plpgsql
immutable
as $$
declare
    v_expected text;
    v_pattern  text;
begin
    if p_operator = '%' then
        v_expected := 'a pattern of *, ?, [a-z], [^a-z] and characters';
        v_pattern := pkgdb.glob_pattern(p_value);
    else
        v_expected := 'a regular expression without back references';
        v_pattern := pkgdb.regular_expression(p_value);
    end if;
    if v_pattern is null or '' collate "C" ~ v_pattern is null then
        perform pkgdb.malformed_query(p_place, v_expected, p_value);
    end if;
    return v_pattern;
exception
    when invalid_regular_expression then
        perform pkgdb.malformed_query(
            p_place, format('%s (%s)', v_expected, sqlerrm), p_value);
        return null;
end;
$$;

-- The key of a text that may be no version to a scheme. One or two numbers are three to a scheme
-- that refuses them otherwise.
create function pkgdb.version_key_if_valid(p_scheme text, p_version text)
returns bytea
language plpgsql
immutable
as $$
begin
    return pkgdb.scheme_version_key(p_scheme, p_version);
exception
    when sqlstate 'RG400' then
        if p_version collate "C" ~ '^v?[0-9]+([.][0-9]+)?$' then
            return pkgdb.version_key_if_valid(
                p_scheme,
                p_version || case when strpos(p_version, '.') > 0 then '.0' else '.0.0' end);
        end if;
        return null;
end;
$$;

-- What a rule makes of a text that may be no name under it.
create function pkgdb.name_if_valid(p_rule text, p_name text)
returns text
language plpgsql
immutable
as $$
begin
    return pkgdb.rule_normalize_name(p_rule, p_name);
exception
    when sqlstate 'RG400' then
        return null;
end;
$$;

-- The functions below make parts of a condition. The parameters of a part come after p_texts and
-- p_keys others; {scheme}, {key} and {name} in it stand for columns.

create type pkgdb.query_part as (
    condition  text,
    provided   text,
    parameters text[],
    keys       bytea[]
);
comment on type pkgdb.query_part is
    'A condition on v and g, that also holds where something that v provides, a row d of '
    'dependency, is as provided says.';

-- Versions that compare so with a value, each under its own scheme.
create function pkgdb.compile_version(p_step pkgdb.query_step, p_texts integer, p_keys integer)
returns pkgdb.query_part
language plpgsql
stable
as $$
declare
    v_texts      text[] := array[]::text[];
    v_keys       bytea[] := array[]::bytea[];
    v_conditions text[] := array[]::text[];
    v_schemes    text[];
    v_key        bytea;
begin
    -- Many schemes make the same key of a version.
    for v_key, v_schemes in
        select k.key, array_agg(s.scheme::text order by s.scheme)
          from pkgdb.version_scheme s
          cross join lateral pkgdb.version_key_if_valid(s.scheme, p_step.value) k (key)
         where k.key is not null
         group by k.key
         order by k.key
    loop
        v_conditions := v_conditions || format(
            '{scheme} = any (($1)[%s:%s]) and {key} %s ($2)[%s]',
            p_texts + cardinality(v_texts) + 1,
            p_texts + cardinality(v_texts || v_schemes),
            case p_step.operator when '<<' then '<' when '>>' then '>' else p_step.operator end,
            p_keys + cardinality(v_keys) + 1);
        v_texts := v_texts || v_schemes;
        v_keys := v_keys || v_key;
    end loop;
    if v_keys = '{}' then
        perform pkgdb.malformed_query(p_step.place, 'a version', p_step.value);
    end if;
    return ('(' || array_to_string(v_conditions, ' or ') || ')', null, v_texts, v_keys
           )::pkgdb.query_part;
end;
$$;

-- Packages of one of these names, each read as the ecosystem does.
create function pkgdb.compile_name(p_names text[], p_texts integer)
returns pkgdb.query_part
language plpgsql
stable
as $$
declare
    v_texts      text[] := p_names;
    v_conditions text[];
    v_names      text[];
    v_ecosystems text[];
begin
    v_conditions := array[
        format('{name} = any (($1)[%s:%s])', p_texts + 1, p_texts + cardinality(p_names))];
    for v_names, v_ecosystems in
        select array_agg(o.name order by o.name), o.ecosystems
          from (
            select n.name, array_agg(distinct e.ecosystem::text) as ecosystems
              from unnest(p_names) w (name)
              cross join pkgdb.ecosystem e
              cross join lateral pkgdb.name_if_valid(e.name_rule, w.name) n (name)
             -- To ask every rule takes longer than all the rest. Names in lower case are to most
             -- what they are, and plain ones to all.
             where w.name collate "C" !~ '^[a-z0-9]+(?:[-+][a-z0-9]+)*$'
               and (w.name collate "C" ~ '[A-Z]' or e.name_rule in ('pep503', 'cargo'))
               and n.name <> w.name
             group by n.name
               ) o
         group by o.ecosystems
         order by o.ecosystems
    loop
        v_conditions := v_conditions || format(
            'g.ecosystem = any (($1)[%s:%s]) and {name} = any (($1)[%s:%s])',
            p_texts + cardinality(v_texts) + 1,
            p_texts + cardinality(v_texts || v_ecosystems),
            p_texts + cardinality(v_texts || v_ecosystems) + 1,
            p_texts + cardinality(v_texts || v_ecosystems || v_names));
        v_texts := v_texts || v_ecosystems || v_names;
    end loop;
    return ('(' || array_to_string(v_conditions, ' or ') || ')', null, v_texts, null
           )::pkgdb.query_part;
end;
$$;

-- Versions for an architecture.
create function pkgdb.compile_architecture(p_architecture text, p_texts integer)
returns pkgdb.query_part
language plpgsql
immutable parallel safe
as $$
begin
    return (
        format('(v.variant = ($1)[%1$s] or v.variant = ''all'' and ($1)[%1$s] <> ''source'')',
               p_texts + 1),
        null, array[p_architecture], null)::pkgdb.query_part;
end;
$$;

-- Names without a condition: of packages, of what they provide, of one version of them, and
-- capitalised ones of fields.
create function pkgdb.compile_names(p_names text[], p_texts integer)
returns pkgdb.query_part
language plpgsql
stable
as $$
declare
    v_part   pkgdb.query_part := pkgdb.compile_name(p_names, p_texts);
    v_fields text[];
begin
    v_part.provided := replace(v_part.condition, '{name}', 'd.name');
    v_part.condition := replace(v_part.condition, '{name}', 'g.normalized_name');
    if strpos(array_to_string(p_names, ''), '_') > 0 then
        v_part.condition := v_part.condition || format(
            ' or concat_ws(''_'', g.name, v.version, nullif(v.variant, '''')) = any (($1)[%s:%s])',
            p_texts + 1, p_texts + cardinality(p_names));
    end if;
    v_fields := array(
        select lower(n.name collate "C") from unnest(p_names) n (name)
         where n.name collate "C" ~ '^[A-Z][^_]*$');
    if v_fields <> '{}' then
        v_part.condition := v_part.condition || format(
            ' or exists (
                    select from jsonb_each_text(v.metadata) e
                     where e.value <> '''' and lower(e.key collate "C") = any (($1)[%s:%s]))',
            p_texts + cardinality(v_part.parameters) + 1,
            p_texts + cardinality(v_part.parameters || v_fields));
        v_part.parameters := v_part.parameters || v_fields;
    end if;
    return v_part;
end;
$$;

-- A package with a condition.
create function pkgdb.compile_package(p_step pkgdb.query_step, p_texts integer, p_keys integer)
returns pkgdb.query_part
language plpgsql
stable
as $$
declare
    v_part         pkgdb.query_part;
    v_version      pkgdb.query_part;
    v_architecture pkgdb.query_part;
begin
    if p_step.operator is null then
        v_part := pkgdb.compile_names(array[p_step.subject], p_texts);
    elsif p_step.operator in ('%', '~') then
        -- No dependency asks for a pattern: what a package provides is not looked at.
        v_part := pkgdb.compile_name(array[p_step.subject], p_texts);
        v_part.condition := format(
            '%s and v.version ~ ($1)[%s]',
            replace(v_part.condition, '{name}', 'g.normalized_name'),
            p_texts + cardinality(v_part.parameters) + 1);
        v_part.parameters := v_part.parameters
            || pkgdb.query_pattern(p_step.operator, p_step.value, p_step.place);
    else
        v_part := pkgdb.compile_name(array[p_step.subject], p_texts);
        v_version := pkgdb.compile_version(
            p_step, p_texts + cardinality(v_part.parameters), p_keys);
        v_part := (
            replace(v_part.condition, '{name}', 'g.normalized_name') || ' and '
            || replace(replace(v_version.condition, '{scheme}', 'v.scheme'),
                       '{key}', 'v.version_key'),
            replace(v_part.condition, '{name}', 'd.name') || ' and d.lower_key = d.upper_key and '
            || replace(replace(v_version.condition, '{scheme}', 'd.scheme'),
                       '{key}', 'd.lower_key'),
            v_part.parameters || v_version.parameters, v_version.keys)::pkgdb.query_part;
    end if;
    if p_step.architecture <> '' then
        v_architecture := pkgdb.compile_architecture(
            p_step.architecture, p_texts + cardinality(v_part.parameters));
        v_part.condition := '(' || v_part.condition || ') and ' || v_architecture.condition;
        v_part.provided := '(' || v_part.provided || ') and ' || v_architecture.condition;
        v_part.parameters := v_part.parameters || v_architecture.parameters;
    end if;
    return v_part;
end;
$$;

-- A field, with a condition or without.
create function pkgdb.compile_field(p_step pkgdb.query_step, p_texts integer, p_keys integer)
returns pkgdb.query_part
language plpgsql
stable
as $$
declare
    v_field text := lower(p_step.subject collate "C");
    v_part  pkgdb.query_part;
    v_text  text;
    v_texts text[] := array[]::text[];
begin
    if v_field in ('version', '$version') and p_step.operator not in ('%', '~') then
        v_part := pkgdb.compile_version(p_step, p_texts, p_keys);
        v_part.condition := replace(
            replace(v_part.condition, '{scheme}', 'v.scheme'), '{key}', 'v.version_key');
        return v_part;
    elsif v_field in ('name', '$name') and p_step.operator = '=' then
        v_part := pkgdb.compile_name(array[p_step.value], p_texts);
        v_part.condition := replace(v_part.condition, '{name}', 'g.normalized_name');
        return v_part;
    elsif v_field in ('name', '$name') and p_step.operator in ('%', '~') then
        return (
            format('g.name ~ ($1)[%1$s] or g.normalized_name ~ ($1)[%1$s]', p_texts + 1),
            null, array[pkgdb.query_pattern(p_step.operator, p_step.value, p_step.place)], null
        )::pkgdb.query_part;
    elsif v_field = '$architecture' and p_step.operator = '=' then
        return pkgdb.compile_architecture(p_step.value, p_texts);
    end if;

    v_text := case
        when v_field in ('name', '$name') then 'g.name'
        when v_field in ('version', '$version') then 'v.version'
        when v_field = '$architecture' then 'v.variant'
        -- That of a source package says what it can be built for.
        when v_field = 'architecture' then 'coalesce(v.metadata ->> ''Architecture'', v.variant)'
        when v_field = '$ecosystem' then 'g.ecosystem'
        when v_field = '$packagetype' then
            'case when g.ecosystem <> ''deb'' then g.ecosystem
                  when v.variant = ''source'' then v.variant
                  when v.metadata ->> ''Package-Type'' = ''udeb'' then ''udeb''
                  else ''deb'' end'
        when v_field = '$source' then
            'case when v.variant = ''source'' then ''''
                  else coalesce(
                        nullif(btrim(split_part(v.metadata ->> ''Source'', ''('', 1)), ''''),
                        g.name) end'
        when v_field = '$sourceversion' then
            'case when v.variant = ''source'' then ''''
                  else coalesce(
                        btrim(substring(v.metadata ->> ''Source'' from ''[(](.*)[)]'')),
                        v.version) end'
    end;
    if v_text is null then
        v_texts := array[
            regexp_replace(p_step.subject, '^[$]', ''), regexp_replace(v_field, '^[$]', '')];
        v_text := format(
            'coalesce(
                 v.metadata ->> ($1)[%s],
                 (select e.value from jsonb_each_text(v.metadata) e
                   where lower(e.key collate "C") = ($1)[%s]
                   order by e.key collate "C"
                   limit 1),
                 '''')', p_texts + 1, p_texts + 2);
    end if;

    if p_step.operator is null then
        return (v_text || ' <> ''''', null, v_texts, null)::pkgdb.query_part;
    elsif p_step.operator in ('%', '~') then
        v_texts := v_texts || pkgdb.query_pattern(p_step.operator, p_step.value, p_step.place);
        v_text := format('%s collate "C" ~ ($1)[%s]', v_text, p_texts + cardinality(v_texts));
    elsif p_step.operator = '=' and v_field <> '$sourceversion' then
        v_texts := v_texts || p_step.value;
        v_text := format('%s = ($1)[%s]', v_text, p_texts + cardinality(v_texts));
    else
        v_texts := v_texts || pkgdb.field_key(p_step.value)::text;
        v_text := format(
            'pkgdb.field_key(%s) %s ($1)[%s]', v_text,
            case p_step.operator when '<<' then '<' when '>>' then '>' else p_step.operator end,
            p_texts + cardinality(v_texts));
    end if;
    return (v_text, null, v_texts, null)::pkgdb.query_part;
end;
$$;

-- Parts of which one must hold, or none: what a version provides is looked at once.
create function pkgdb.joined_parts(p_conditions text[], p_provided text[], p_negated boolean)
returns text
language plpgsql
stable
as $$
begin
    return case when p_negated then '(not (' else '((' end
        || array_to_string(p_conditions, ' or ')
        || coalesce(
            ' or exists (
                    select from pkgdb.dependency d
                     where d.namespace = v.namespace and d.registration_id = v.registration_id
                       and d.version_id = v.version_id and d.kind = ''provides''
                       and (' || nullif(array_to_string(p_provided, ' or '), '') || '))', '')
        || '))';
end;
$$;

create function pkgdb.compile_query(p_query text)
returns pkgdb.compiled_query
language plpgsql
stable
as $$
declare
    v_step              pkgdb.query_step;
    v_part              pkgdb.query_part;
    v_parts             integer := 0;
    v_texts             text[] := array[]::text[];
    v_keys              bytea[] := array[]::bytea[];
    v_top               integer := 0;
    v_names             text[] := array[]::text[];
    v_conditions        text[] := array[]::text[];
    v_provided          text[] := array[]::text[];
    v_negated           boolean[] := array[]::boolean[];
    v_operands          text[];
    v_joined_names      text[];
    v_joined_conditions text[];
    v_joined_provided   text[];
begin
    -- A part waits until it is known of what it is an operand: those of an "or" are joined, and
    -- those that an "and" excludes; names without a condition become one part there. The last step
    -- is for a part by itself.
    foreach v_step in array
        pkgdb.read_query(p_query) || ('or', 1, null, null, null, null, null)::pkgdb.query_step
    loop
        if v_step.kind = 'not' then
            v_negated[v_top] := not v_negated[v_top];
        elsif v_step.kind in ('package', 'field') then
            v_top := v_top + 1;
            v_negated[v_top] := false;
            if num_nonnulls(v_step.operator, v_step.architecture) = 0
                and v_step.subject !~ '^([$]|Name$|Version$|Architecture$)'
            then
                v_names[v_top] := v_step.subject;
            else
                if v_step.kind = 'package' then
                    v_part := pkgdb.compile_package(
                        v_step, cardinality(v_texts), cardinality(v_keys));
                else
                    v_part := pkgdb.compile_field(
                        v_step, cardinality(v_texts), cardinality(v_keys));
                end if;
                v_parts := v_parts + 1;
                v_texts := v_texts || v_part.parameters;
                v_keys := v_keys || v_part.keys;
                v_names[v_top] := null;
                v_conditions[v_top] := v_part.condition;
                v_provided[v_top] := v_part.provided;
            end if;
        else
            v_operands := array[]::text[];
            v_joined_names := array[]::text[];
            v_joined_conditions := array[]::text[];
            v_joined_provided := array[]::text[];
            for v_place in v_top - v_step.operands + 1 .. v_top
            loop
                if v_names[v_place] is not null and v_negated[v_place] = (v_step.kind = 'and') then
                    v_joined_names := array_append(v_joined_names, v_names[v_place]);
                    continue;
                elsif v_names[v_place] is not null then
                    v_part := pkgdb.compile_names(v_names[v_place:v_place], cardinality(v_texts));
                    v_parts := v_parts + 1;
                    v_texts := v_texts || v_part.parameters;
                    v_conditions[v_place] := v_part.condition;
                    v_provided[v_place] := v_part.provided;
                end if;
                if v_negated[v_place] = (v_step.kind = 'and') then
                    v_joined_conditions := array_append(v_joined_conditions, v_conditions[v_place]);
                    v_joined_provided := array_append(v_joined_provided, v_provided[v_place]);
                else
                    v_operands := array_append(
                        v_operands,
                        pkgdb.joined_parts(
                            array[v_conditions[v_place]], array[v_provided[v_place]],
                            v_negated[v_place]));
                end if;
            end loop;
            if v_joined_names <> '{}' then
                v_part := pkgdb.compile_names(v_joined_names, cardinality(v_texts));
                v_parts := v_parts + 1;
                v_texts := v_texts || v_part.parameters;
                v_joined_conditions := array_append(v_joined_conditions, v_part.condition);
                v_joined_provided := array_append(v_joined_provided, v_part.provided);
            end if;
            if v_joined_conditions <> '{}' then
                v_operands := array_append(
                    v_operands,
                    pkgdb.joined_parts(
                        v_joined_conditions, v_joined_provided, v_step.kind = 'and'));
            end if;
            v_top := v_top - v_step.operands + 1;
            v_negated[v_top] := false;
            v_names[v_top] := null;
            v_conditions[v_top] :=
                '(' || array_to_string(v_operands, ' ' || v_step.kind || ' ') || ')';
            v_provided[v_top] := null;
        end if;

        if v_parts > 1000 then
            raise exception using
                errcode = 'RG400',
                message = 'query has more than 1000 conditions',
                hint = 'a | b | c is one condition, and so is !a, !b, !c.';
        end if;
    end loop;
    return (v_conditions[1], v_texts, v_keys)::pkgdb.compiled_query;
end;
$$;
