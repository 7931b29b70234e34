-- What the functions of the ledger share.

create type pkgdb.backend_ref as (
    backend_id      bigint,
    installation_id uuid,
    outcome         text
);
comment on type pkgdb.backend_ref is
    'What a call did to a backend, and the id that its store has to carry.';

create type pkgdb.copy_ref as (
    backend    text,
    sha256     text,
    generation bigint,
    state      text,
    outcome    text
);
comment on type pkgdb.copy_ref is
    'What a call did to a copy: its backend, digest (hexadecimal), generation and state now (null '
    'where it is gone), and the outcome.';

create type pkgdb.copy_task as (
    backend    text,
    url        text,
    object_key text,
    sha256     text,
    size       bigint,
    generation bigint,
    attempt    integer,
    source_url text,
    source_key text
);
comment on type pkgdb.copy_task is
    'Work on one object of a backend, to be answered with its attempt: make it from the source, '
    'or, where there is none, delete it.';

-- Whose object it is, what is in it, and which one of that: never joined from anything that a
-- stranger names, except a namespace that is plain.
create function pkgdb.object_key(p_namespace text, p_sha256 bytea, p_generation bigint)
returns text
language sql
immutable parallel safe
return case
        when p_namespace ~ '^[a-z0-9][a-z0-9_-]{0,62}$' then p_namespace
        else '_' || pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(
            pg_catalog.convert_to(p_namespace, 'UTF8')), 'hex'), 40) end
    || '/' || pg_catalog.left(pg_catalog.encode(p_sha256, 'hex'), 2)
    || '/' || pg_catalog.encode(p_sha256, 'hex') || '.' || p_generation::text;
-- The view of copies calls it in the reader's name.
grant execute on function pkgdb.object_key to pkgdb_reader;

create function pkgdb.read_digest(p_sha256 text)
returns bytea
language plpgsql
immutable parallel safe
as $$
begin
    if pkgdb.is_sha256(p_sha256) is not true then
        raise exception using
            errcode = 'RG400',
            message = format('sha256 %s is not 64 hexadecimal digits', pkgdb.quoted(p_sha256));
    end if;
    return decode(p_sha256, 'hex');
end;
$$;

-- How long a lease may be asked for.
create function pkgdb.check_lease(p_lease interval)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_lease is null or p_lease not between interval '1 millisecond' and interval '7 days' then
        raise exception using
            errcode = 'RG400', message = 'lease must be 1 millisecond to 7 days';
    end if;
end;
$$;

create function pkgdb.no_backend(p_namespace text, p_backend text)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_text('backend', p_backend, 255);
    raise exception using
        errcode = 'RG404',
        message = format('no backend %s in namespace %s',
                         pkgdb.quoted(p_backend), pkgdb.quoted(p_namespace));
end;
$$;

-- The live backend of a name, held against its retirement until the end of the transaction.
create function pkgdb.hold_backend(p_namespace text, p_backend text)
returns pkgdb.backend
language plpgsql
as $$
declare
    v_backend pkgdb.backend;
begin
    select * into v_backend
      from pkgdb.backend b
     where b.namespace = p_namespace and b.name = p_backend and b.status = 'live'
       for key share;
    if not found then
        perform pkgdb.no_backend(p_namespace, p_backend);
    end if;
    return v_backend;
end;
$$;

-- One copy, locked with all other generations of the blob on the backend: in order, as two calls
-- may each be about another and change both.
create function pkgdb.lock_copy(
    p_backend pkgdb.backend, p_digest bytea, p_generation bigint
)
returns pkgdb.blob_copy
language plpgsql
as $$
declare
    v_copy pkgdb.blob_copy;
begin
    perform from pkgdb.blob_copy c
      where c.namespace = p_backend.namespace and c.sha256 = p_digest
        and c.backend_id = p_backend.backend_id
      order by c.generation
        for update;
    select * into v_copy
      from pkgdb.blob_copy c
     where c.namespace = p_backend.namespace and c.sha256 = p_digest
       and c.backend_id = p_backend.backend_id and c.generation = p_generation;
    return v_copy;
end;
$$;

-- Announces copies of blobs on backends; where a live one is there already, that is it. The blobs
-- are held. In order, as two publishers may announce the same.
create function pkgdb.announce_copies(p_repository pkgdb.repository, p_digests bytea[])
returns void
language plpgsql
as $$
declare
    v_now timestamptz := pkgdb.clock();
begin
    -- As the foreign key would hold them, but in order.
    perform
       from pkgdb.repository_backend k
       join pkgdb.backend b
         on b.namespace = p_repository.namespace and b.backend_id = k.backend_id
      where k.namespace = p_repository.namespace
        and k.repository_id = p_repository.repository_id
      order by b.backend_id
        for key share of b;
    insert into pkgdb.blob_copy
        (namespace, sha256, backend_id, state, next_attempt_at, created_at)
    select distinct p_repository.namespace, d.sha256, k.backend_id, 'pending', v_now, v_now
      from unnest(p_digests) d (sha256)
      join pkgdb.repository_backend k
        on k.namespace = p_repository.namespace and k.repository_id = p_repository.repository_id
     order by d.sha256, k.backend_id
    on conflict (namespace, sha256, backend_id) where state in ('pending', 'present') do nothing;
end;
$$;

-- The copies of blobs that a repository's backends do not have yet.
create function pkgdb.missing_copies(p_repository pkgdb.repository, p_digests bytea[])
returns table (
    backend text, url text, sha256 bytea, size bigint, generation bigint, requirement text
)
language plpgsql
stable
set plan_cache_mode = force_generic_plan  -- by keys, though it was planned when blobs were few
set enable_seqscan = off
set jit = off
as $$
begin
    return query
    select b.name::text, b.url, o.sha256, o.size, c.generation, k.requirement
      from pkgdb.repository_backend k
      join pkgdb.backend b
        on b.namespace = p_repository.namespace and b.backend_id = k.backend_id
      cross join (select distinct u.sha256 from unnest(p_digests) u (sha256)) d
      join pkgdb.blob o on o.namespace = p_repository.namespace and o.sha256 = d.sha256
      left join pkgdb.blob_copy c
        on c.namespace = p_repository.namespace and c.sha256 = d.sha256
       and c.backend_id = k.backend_id and c.state in ('pending', 'present')
     where k.namespace = p_repository.namespace and k.repository_id = p_repository.repository_id
       and c.state is distinct from 'present'
     order by b.name, d.sha256;
end;
$$;

-- Refuses bytes that are not on each backend that the repository requires, or, where all of its
-- backends are optional, on none of them.
create function pkgdb.check_stored(p_repository pkgdb.repository, p_digests bytea[])
returns void
language plpgsql
stable
as $$
declare
    v_missing text;
begin
    select string_agg(format('%s on %s', encode(m.sha256, 'hex'), pkgdb.quoted(m.backend)), ', ')
      into v_missing
      from (select c.sha256, c.backend
              from pkgdb.missing_copies(p_repository, p_digests) c
             where c.requirement in ('filling', 'required')
                or not exists (
                    select
                      from pkgdb.repository_backend k
                      join pkgdb.blob_copy o
                        on o.namespace = p_repository.namespace and o.sha256 = c.sha256
                       and o.backend_id = k.backend_id and o.state = 'present'
                     where k.namespace = p_repository.namespace
                       and k.repository_id = p_repository.repository_id)
             limit 10) m;
    if v_missing is not null then
        raise exception using
            errcode = 'RG422',
            message = format('bytes are missing on a backend that repository %s needs',
                             pkgdb.quoted(p_repository.name)),
            detail = v_missing,
            hint = 'Upload them through begin_publication and record_copy.';
    end if;
end;
$$;

-- Whether every blob of a repository, also of what can be restored or a snapshot contains, is
-- present on a backend.
create function pkgdb.is_filled(p_namespace text, p_repository_id bigint, p_backend_id bigint)
returns boolean
language plpgsql
stable
as $$
begin
    return not exists (
        select
          from pkgdb.registration r
          join pkgdb.file f
            on f.namespace = p_namespace and f.registration_id = r.registration_id
           and f.status in ('available', 'pending_destruction')
         where r.namespace = p_namespace and r.repository_id = p_repository_id
           and not exists (
                select from pkgdb.blob_copy c
                 where c.namespace = p_namespace and c.sha256 = f.sha256
                   and c.backend_id = p_backend_id and c.state = 'present'));
end;
$$;

-- Whether a repository that uses a backend has a blob, in what is published or can be restored.
create function pkgdb.is_wanted(p_namespace text, p_digest bytea, p_backend_id bigint)
returns boolean
language plpgsql
stable
as $$
begin
    return exists (
        select
          from pkgdb.file f
          join pkgdb.registration r
            on r.namespace = p_namespace and r.registration_id = f.registration_id
          join pkgdb.repository_backend k
            on k.namespace = p_namespace and k.repository_id = r.repository_id
           and k.backend_id = p_backend_id
         where f.namespace = p_namespace and f.sha256 = p_digest
           and f.status in ('available', 'pending_destruction'));
end;
$$;

-- Whether a file needs a blob, and no live backend has it but, perhaps, in this generation.
create function pkgdb.is_last_copy(p_namespace text, p_digest bytea, p_generation bigint)
returns boolean
language plpgsql
stable
as $$
begin
    return exists (
            select from pkgdb.file f
             where f.namespace = p_namespace and f.sha256 = p_digest)
        and not exists (
            select
              from pkgdb.blob_copy c
              join pkgdb.backend b on b.namespace = p_namespace and b.backend_id = c.backend_id
             where c.namespace = p_namespace and c.sha256 = p_digest and c.state = 'present'
               and c.generation <> p_generation and b.status = 'live');
end;
$$;

-- Blobs that may have lost their last file: the collector will look. In order, as two purges may
-- mark the same.
create function pkgdb.mark_unneeded(p_namespace text, p_digests bytea[])
returns void
language plpgsql
as $$
declare
    v_now timestamptz := pkgdb.clock();
begin
    perform
       from pkgdb.blob b
      where b.namespace = p_namespace and b.sha256 = any (p_digests)
      order by b.sha256
        for no key update;
    update pkgdb.blob b
       set unneeded_since = v_now
     where b.namespace = p_namespace and b.sha256 = any (p_digests)
       and b.unneeded_since is null;
end;
$$;

-- How long work waits after it failed: ten seconds, doubling, at most a day.
create function pkgdb.back_off(p_attempts integer)
returns interval
language sql
immutable parallel safe
return least(
    interval '10 seconds' * pg_catalog.power(2, least(p_attempts - 1, 20)), interval '1 day');
