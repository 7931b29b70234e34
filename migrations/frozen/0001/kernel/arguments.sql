-- Checks of arguments that several functions share. All raise RG400.

-- A short text from a stranger, fit for a message.
create function pkgdb.quoted(p_text text)
returns text
language sql
immutable parallel safe
return case
    when p_text is null then 'null'
    when pg_catalog.length(p_text) <= 80 then pg_catalog.quote_literal(p_text)
    -- Casts and || rather than concat(), which is STABLE and would keep this from being inlined.
    else pg_catalog.quote_literal(pg_catalog.left(p_text, 80))
         || '... (' || pg_catalog.length(p_text)::text || ' characters)'
end;

create function pkgdb.check_text(p_what text, p_text text, p_max integer)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_text is null or p_text = '' then
        raise exception using errcode = 'RG400', message = format('%s is missing', p_what);
    end if;
    if octet_length(p_text) > p_max then
        raise exception using
            errcode = 'RG400',
            message = format('%s %s is longer than %s bytes', p_what, pkgdb.quoted(p_text), p_max);
    end if;
    if p_text ~ E'[\\x01-\\x1f\\x7f]' or p_text <> btrim(p_text) then
        raise exception using
            errcode = 'RG400',
            message = format('%s %s has a control character, or a space at an end',
                             p_what, pkgdb.quoted(p_text));
    end if;
end;
$$;

create function pkgdb.check_given(p_what text, p_number bigint)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_number is null then
        raise exception using errcode = 'RG400', message = format('%s is missing', p_what);
    end if;
end;
$$;

-- Metadata is opaque, but an object of at most 1 MiB.
create function pkgdb.check_metadata(p_metadata jsonb)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_metadata is null or jsonb_typeof(p_metadata) <> 'object' then
        raise exception using errcode = 'RG400', message = 'metadata must be a JSON object';
    end if;
    if octet_length(p_metadata::text) > 1048576 then
        raise exception using errcode = 'RG400', message = 'metadata is larger than 1 MiB';
    end if;
end;
$$;

-- 64 hexadecimal digits, in either case. Not by the pattern [0-9a-fA-F]{64}: PostgreSQL counts in
-- states of an automaton, which each call builds anew, and that takes 25 times as long.
create function pkgdb.is_sha256(p_text text)
returns boolean
language sql
immutable parallel safe
return pg_catalog.octet_length(p_text) = 64 and p_text !~ '[^0-9a-fA-F]';

create type pkgdb.file_spec as (
    filename   text,
    sha256     bytea,
    size       bigint,
    media_type text,
    attributes jsonb
);

-- What is wrong with one element of p_files, or null.
create function pkgdb.file_problem(p_file jsonb)
returns text
language sql
immutable parallel safe
return case
    when pg_catalog.jsonb_typeof(p_file) <> 'object' then 'is not an object'
    when p_file - array['filename', 'sha256', 'size', 'media_type', 'attributes'] <> '{}'
        then 'has a key other than filename, sha256, size, media_type, attributes'
    when pg_catalog.jsonb_typeof(p_file -> 'filename') is distinct from 'string'
        or pg_catalog.octet_length(p_file ->> 'filename') not between 1 and 1024
        then 'needs a filename of 1 to 1024 bytes'
    when (p_file ->> 'filename') ~ '[\x01-\x1f\x7f\\]|(?:^|/)\.{0,2}(?:/|$)|^ | $'
        then 'has a filename that is not a plain relative path'
    when pg_catalog.jsonb_typeof(p_file -> 'sha256') is distinct from 'string'
        or not pkgdb.is_sha256(p_file ->> 'sha256')
        then 'needs a sha256 of 64 hexadecimal digits'
    when pg_catalog.jsonb_typeof(p_file -> 'size') is distinct from 'number'
        or pg_catalog.octet_length(p_file ->> 'size') > 18 or (p_file ->> 'size') ~ '[^0-9]'
        then 'needs a size in bytes'
    when pg_catalog.jsonb_typeof(p_file -> 'media_type') not in ('string', 'null')
        or pg_catalog.octet_length(p_file ->> 'media_type') > 255
        then 'has a media_type that is not a text of at most 255 bytes'
    when pg_catalog.jsonb_typeof(p_file -> 'attributes') not in ('object', 'null')
        or pg_catalog.octet_length(p_file ->> 'attributes') > 1048576
        then 'has attributes that are not an object of at most 1 MiB'
end;

-- Reads p_files, the one form in which files come in. In order of digest, as blobs are adopted.
create function pkgdb.read_files(p_files jsonb)
returns pkgdb.file_spec[]
language plpgsql
immutable parallel safe
as $$
declare
    v_file    jsonb;
    v_problem text;
    v_twice   text;
    v_files   pkgdb.file_spec[] := array[]::pkgdb.file_spec[];
begin
    if p_files is null or jsonb_typeof(p_files) <> 'array' then
        raise exception using errcode = 'RG400', message = 'files must be a JSON array';
    end if;

    for v_place in 0 .. jsonb_array_length(p_files) - 1
    loop
        v_file := p_files -> v_place;
        v_problem := pkgdb.file_problem(v_file);
        if v_problem is not null then
            raise exception using
                errcode = 'RG400',
                message = format('file %s %s', pkgdb.quoted(v_file ->> 'filename'), v_problem);
        end if;

        v_files := v_files || (
            v_file ->> 'filename', decode(v_file ->> 'sha256', 'hex'),
            (v_file ->> 'size')::bigint, v_file ->> 'media_type',
            case jsonb_typeof(v_file -> 'attributes')
                when 'object' then v_file -> 'attributes' else '{}' end
        )::pkgdb.file_spec;
    end loop;

    if cardinality(v_files) < 2 then
        return v_files;
    end if;
    select f.filename into v_twice
      from unnest(v_files) f
     group by f.filename
    having count(*) > 1
     order by f.filename
     limit 1;
    if found then
        raise exception using
            errcode = 'RG400',
            message = format('file %s is named twice', pkgdb.quoted(v_twice));
    end if;
    return array(select f from unnest(v_files) f order by f.sha256, f.filename collate "C");
end;
$$;

-- A message to people: any text without NUL, or null.
create function pkgdb.check_message(p_what text, p_message text)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if octet_length(p_message) > 65536 then
        raise exception using
            errcode = 'RG400',
            message = format('%s is longer than 65536 bytes', p_what);
    end if;
end;
$$;
