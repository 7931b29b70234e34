-- What the functions of curation share: snapshots locked and looked into, packages and what they
-- need of one another.

create type pkgdb.snapshot_ref as (
    snapshot_id bigint,
    revision    bigint,
    members     bigint,
    outcome     text,
    changes     jsonb
);
comment on type pkgdb.snapshot_ref is
    'What a call did to a snapshot: members is null where it is a repository''s content; changes '
    'is an array of {action, ecosystem, name, version, variant} where the call followed '
    'dependencies or replaced versions.';

create type pkgdb.content_row as (
    component       text,
    ecosystem       text,
    name            text,
    version         text,
    variant         text,
    status          text,
    listed          boolean,
    yank_reason     text,
    deprecation     text,
    metadata        jsonb,
    files           jsonb,
    repository      text,
    registration_id bigint,
    version_id      bigint,
    published_at    timestamptz
);
comment on type pkgdb.content_row is
    'A version of a repository, snapshot or distribution: metadata and files as they were frozen, '
    'status, listing and deprecation as they are now. files is an array of {filename, sha256, '
    'size, media_type, attributes, role}, or null where it was not asked for.';

-- A version as of an epoch of its repository, which tells its files. With its namespace, so that
-- queries compare columns: of a namespace that has just been filled the planner's statistics say
-- that it has no rows, and a join by a constant would read it once for each member. For the same
-- reason the functions that work on many members plan anew each time.
create type pkgdb.member as (
    namespace       text,
    registration_id bigint,
    version_id      bigint,
    epoch           bigint
);

-- Snapshots, locked by id and in the order of their names as given. Shared as a source, exclusive
-- to drop or rename. The names are resolved again under the locks.
create function pkgdb.lock_snapshots(
    p_namespace text, p_snapshots text[], p_exclusive boolean default false
)
returns pkgdb.snapshot[]
language plpgsql
as $$
declare
    v_locked    bigint[] := array[]::bigint[];
    v_missing   text;
    v_snapshots pkgdb.snapshot[];
begin
    perform pkgdb.lock_keys(variadic '{}');
    loop
        v_snapshots := array(
            select s
              from unnest(p_snapshots) with ordinality n (name, place)
              join pkgdb.snapshot s on s.namespace = p_namespace and s.name = n.name
             order by n.place);
        if cardinality(v_snapshots) < cardinality(p_snapshots) then
            select n.name into v_missing
              from unnest(p_snapshots) with ordinality n (name, place)
             where not exists (
                select from pkgdb.snapshot s where s.namespace = p_namespace and s.name = n.name)
             order by n.place
             limit 1;
            perform pkgdb.check_text('namespace', p_namespace, 255);
            perform pkgdb.check_text('snapshot', v_missing, 255);
            raise exception using
                errcode = 'RG404',
                message = format('no snapshot %s in namespace %s',
                                 pkgdb.quoted(v_missing), pkgdb.quoted(p_namespace));
        end if;
        exit when v_locked = array(select s.snapshot_id from unnest(v_snapshots) s);

        v_locked := array(select s.snapshot_id from unnest(v_snapshots) s);
        perform pkgdb.lock_keys(variadic array(
            select pkgdb.snapshot_lock(p_namespace, s.snapshot_id, p_exclusive)
              from unnest(v_snapshots) s));
    end loop;
    return v_snapshots;
end;
$$;

-- Several repositories, locked at once; the names are resolved again under the locks.
create function pkgdb.lock_repositories(
    p_namespace text, p_repositories text[], p_exclusive boolean[]
)
returns pkgdb.repository[]
language plpgsql
as $$
declare
    v_locked       bigint[] := array[]::bigint[];
    v_missing      text;
    v_repositories pkgdb.repository[];
begin
    loop
        v_repositories := array(
            select r
              from unnest(p_repositories) with ordinality n (name, place)
              join pkgdb.repository r
                on r.namespace = p_namespace and r.name = n.name and r.status = 'live'
             order by n.place);
        if cardinality(v_repositories) < cardinality(p_repositories) then
            select n.name into v_missing
              from unnest(p_repositories) with ordinality n (name, place)
             where not exists (
                select from pkgdb.repository r
                 where r.namespace = p_namespace and r.name = n.name and r.status = 'live')
             order by n.place
             limit 1;
            perform pkgdb.no_repository(p_namespace, v_missing);
        end if;
        exit when v_locked = array(select r.repository_id from unnest(v_repositories) r);

        v_locked := array(select r.repository_id from unnest(v_repositories) r);
        perform pkgdb.lock_keys(variadic array(
            select pkgdb.repository_lock(p_namespace, l.repository_id, l.exclusive)
              from unnest(v_locked, p_exclusive) l (repository_id, exclusive)));
    end loop;
    return v_repositories;
end;
$$;

-- The snapshot of a name, to look into, or RG404. It cannot change, and no lock is needed.
create function pkgdb.find_snapshot(p_namespace text, p_snapshot text)
returns pkgdb.snapshot
language plpgsql
stable
as $$
declare
    v_snapshot pkgdb.snapshot;
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_text('snapshot', p_snapshot, 255);
    select * into v_snapshot
      from pkgdb.snapshot s
     where s.namespace = p_namespace and s.name = p_snapshot;
    if not found then
        raise exception using
            errcode = 'RG404',
            message = format('no snapshot %s in namespace %s',
                             pkgdb.quoted(p_snapshot), pkgdb.quoted(p_namespace));
    end if;
    return v_snapshot;
end;
$$;

-- A new snapshot: a repository's content at an epoch, or one whose members are listed. The unique
-- index decides between two of one name.
create function pkgdb.insert_snapshot(
    p_namespace text, p_snapshot text, p_description text, p_members pkgdb.member[],
    p_repository_id bigint default null, p_epoch bigint default null
)
returns pkgdb.snapshot
language plpgsql
set plan_cache_mode = force_generic_plan  -- foreign keys are checked by plans, too
as $$
declare
    v_now      timestamptz := pkgdb.clock();
    v_snapshot pkgdb.snapshot;
begin
    begin
        insert into pkgdb.snapshot
            (namespace, name, repository_id, epoch, member_count, description, created_at)
        values
            (p_namespace, p_snapshot, p_repository_id, p_epoch, cardinality(p_members),
             p_description, v_now)
        returning * into v_snapshot;
    exception
        when unique_violation then
            raise exception using
                errcode = 'RG409',
                message = format('snapshot %s exists', pkgdb.quoted(p_snapshot));
        when foreign_key_violation then
            raise exception using
                errcode = 'RG404',
                message = format('no namespace %s', pkgdb.quoted(p_namespace));
    end;
    insert into pkgdb.snapshot_member
        (namespace, snapshot_id, registration_id, version_id, epoch)
    select p_namespace, v_snapshot.snapshot_id, m.registration_id, m.version_id, m.epoch
      from unnest(p_members) m
     order by m.registration_id, m.version_id;
    return v_snapshot;
end;
$$;

-- Writes down what a snapshot was made from.
create function pkgdb.insert_sources(p_snapshot pkgdb.snapshot, p_sources pkgdb.snapshot[])
returns void
language plpgsql
as $$
begin
    insert into pkgdb.snapshot_source (namespace, snapshot_id, source_id)
    select distinct p_snapshot.namespace, p_snapshot.snapshot_id, s.snapshot_id
      from unnest(p_sources) s;
end;
$$;

-- Every change of a snapshot ends here: its revision and its event.
create function pkgdb.touch_snapshot(
    p_snapshot pkgdb.snapshot, p_event text, p_actor text, p_changes jsonb default null
)
returns pkgdb.snapshot_ref
language plpgsql
as $$
declare
    v_now      timestamptz := pkgdb.clock();
    v_revision bigint;
begin
    update pkgdb.snapshot s
       set revision = s.revision + 1
     where s.namespace = p_snapshot.namespace and s.snapshot_id = p_snapshot.snapshot_id
    returning s.revision into strict v_revision;

    insert into pkgdb.outbox
        (namespace, event, snapshot_id, revision, name, actor, login, occurred_at)
    values
        (p_snapshot.namespace, 'snapshot_' || p_event, p_snapshot.snapshot_id, v_revision,
         p_snapshot.name, p_actor, session_user, v_now);

    return (p_snapshot.snapshot_id, v_revision, p_snapshot.member_count, p_event, p_changes
           )::pkgdb.snapshot_ref;
end;
$$;

-- What a snapshot contains.
create function pkgdb.snapshot_members(p_snapshot pkgdb.snapshot)
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    if p_snapshot.repository_id is null then
        return array(
            select (m.namespace, m.registration_id, m.version_id, m.epoch)::pkgdb.member
              from pkgdb.snapshot_member m
             where m.namespace = p_snapshot.namespace and m.snapshot_id = p_snapshot.snapshot_id);
    end if;
    return array(
        select (v.namespace, v.registration_id, v.version_id, p_snapshot.epoch)::pkgdb.member
          from pkgdb.registration g
          cross join lateral (
               select o.*
                 from pkgdb.package_version o
                where o.namespace = g.namespace and o.registration_id = g.registration_id
                  and o.added_epoch <= p_snapshot.epoch
                  and (o.removed_epoch is null or o.removed_epoch > p_snapshot.epoch)
               offset 0) v
         where g.namespace = p_snapshot.namespace
           and g.repository_id = p_snapshot.repository_id);
end;
$$;

-- The same, with what sets of packages are compared by.
create type pkgdb.member_row as (
    member             pkgdb.member,
    ecosystem          text,
    normalized_name    text,
    variant            text,
    normalized_version text,
    version            text,
    version_key        bytea,
    version_id         bigint
);

create function pkgdb.snapshot_rows(p_snapshot pkgdb.snapshot)
returns setof pkgdb.member_row
language plpgsql
stable
as $$
begin
    if p_snapshot.repository_id is null then
        return query
        select (m.namespace, m.registration_id, m.version_id, m.epoch)::pkgdb.member,
               g.ecosystem::text, g.normalized_name::text, v.variant::text,
               v.normalized_version::text, v.version::text, v.version_key, v.version_id
          from pkgdb.snapshot_member m
          cross join lateral (
               select o.*
                 from pkgdb.registration o
                where o.namespace = m.namespace and o.registration_id = m.registration_id
               offset 0) g
          cross join lateral (
               select o.*
                 from pkgdb.package_version o
                where o.namespace = m.namespace and o.registration_id = m.registration_id
                  and o.version_id = m.version_id
               offset 0) v
         where m.namespace = p_snapshot.namespace and m.snapshot_id = p_snapshot.snapshot_id;
        return;
    end if;
    return query
    select (v.namespace, v.registration_id, v.version_id, p_snapshot.epoch)::pkgdb.member,
           g.ecosystem::text, g.normalized_name::text, v.variant::text,
           v.normalized_version::text, v.version::text, v.version_key, v.version_id
      from pkgdb.registration g
      cross join lateral (
           select o.*
             from pkgdb.package_version o
            where o.namespace = g.namespace and o.registration_id = g.registration_id
              and o.added_epoch <= p_snapshot.epoch
              and (o.removed_epoch is null or o.removed_epoch > p_snapshot.epoch)
           offset 0) v
     where g.namespace = p_snapshot.namespace and g.repository_id = p_snapshot.repository_id;
end;
$$;

-- What a repository contains now.
create function pkgdb.repository_members(p_repository pkgdb.repository)
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    return array(
        select (v.namespace, v.registration_id, v.version_id, p_repository.epoch)::pkgdb.member
          from pkgdb.registration g
          cross join lateral (
               select o.*
                 from pkgdb.package_version o
                where o.namespace = g.namespace and o.registration_id = g.registration_id
                  and o.status in ('available', 'quarantined')
               offset 0) v
         where g.namespace = p_repository.namespace
           and g.repository_id = p_repository.repository_id);
end;
$$;

-- The members that one of the queries matches.
create function pkgdb.match_members(
    p_namespace text, p_members pkgdb.member[], p_queries text[]
)
returns pkgdb.member[]
language plpgsql
stable
as $$
declare
    v_query   text;
    v_matcher pkgdb.compiled_query;
    v_found   pkgdb.member[];
    v_members pkgdb.member[] := array[]::pkgdb.member[];
begin
    if coalesce(cardinality(p_queries), 0) = 0 then
        raise exception using
            errcode = 'RG400', message = 'queries are missing', hint = 'Say Name for everything.';
    end if;
    foreach v_query in array p_queries
    loop
        v_matcher := pkgdb.compile_query(v_query);
        execute format(
            'select array_agg((m.namespace, m.registration_id, m.version_id, m.epoch)::pkgdb.member)
               from unnest($3) m
               join pkgdb.registration g
                 on g.namespace = m.namespace and g.registration_id = m.registration_id
               join pkgdb.package_version v
                 on v.namespace = m.namespace and v.registration_id = m.registration_id
                and v.version_id = m.version_id
              where %s', v_matcher.condition)
           into v_found
          using v_matcher.parameters, v_matcher.keys, p_members, p_namespace;
        v_members := v_members || v_found;
    end loop;
    if cardinality(p_queries) = 1 then
        return v_members;
    end if;
    return array(select distinct m from unnest(v_members) m);
end;
$$;

-- A digest over all that was frozen of each member: what it is, its metadata, its files.
create function pkgdb.member_digests(p_members pkgdb.member[])
returns table (version_id bigint, digest bytea)
language plpgsql
stable
as $$
begin
    return query
    select v.version_id,
           sha256(convert_to(
               jsonb_build_array(g.ecosystem, g.name, v.version, v.variant, v.metadata)::text
               || f.listing, 'UTF8'))
      from unnest(p_members) m
      join pkgdb.registration g
        on g.namespace = m.namespace and g.registration_id = m.registration_id
      join pkgdb.package_version v
        on v.namespace = m.namespace and v.registration_id = m.registration_id
       and v.version_id = m.version_id
      cross join lateral (
           select coalesce(string_agg(
                      jsonb_build_array(o.filename, encode(o.sha256, 'hex'), o.media_type,
                                        o.attributes, o.role)::text,
                      ',' order by o.filename, o.file_id), '') as listing
             from pkgdb.file o
            where o.namespace = m.namespace and o.registration_id = m.registration_id
              and o.version_id = m.version_id and o.added_epoch <= m.epoch
              and (o.removed_epoch is null or o.removed_epoch > m.epoch)) f;
end;
$$;

create function pkgdb.member_digest(p_member pkgdb.member)
returns bytea
language plpgsql
stable
as $$
begin
    return (select d.digest from pkgdb.member_digests(array[p_member]) d);
end;
$$;

-- Members as readers see them, in order of name, version and variant.
create function pkgdb.describe_members(
    p_namespace text, p_members pkgdb.member[], p_files boolean, p_component text default null
)
returns setof pkgdb.content_row
language plpgsql
stable
as $$
begin
    return query
    select p_component, g.ecosystem::text, g.name::text, v.version::text, v.variant::text,
           v.status, v.listed, v.yank_reason, v.deprecation, v.metadata,
           case when p_files then coalesce((
               select jsonb_agg(
                          jsonb_build_object(
                              'filename', f.filename, 'sha256', encode(f.sha256, 'hex'),
                              'size', b.size, 'media_type', f.media_type,
                              'attributes', f.attributes, 'role', f.role)
                          order by f.filename, f.file_id)
                 from pkgdb.file f
                 join pkgdb.blob b on b.namespace = p_namespace and b.sha256 = f.sha256
                where f.namespace = v.namespace and f.registration_id = v.registration_id
                  and f.version_id = v.version_id and f.added_epoch <= m.epoch
                  and (f.removed_epoch is null or f.removed_epoch > m.epoch)), '[]') end,
           r.name::text, v.registration_id, v.version_id, v.published_at
      from unnest(p_members) m
      join pkgdb.registration g
        on g.namespace = m.namespace and g.registration_id = m.registration_id
      join pkgdb.repository r
        on r.namespace = p_namespace and r.repository_id = g.repository_id
      join pkgdb.package_version v
        on v.namespace = m.namespace and v.registration_id = m.registration_id
       and v.version_id = m.version_id
     order by g.ecosystem, g.normalized_name, v.version_key, v.version, v.variant, v.version_id;
end;
$$;

-- What members are, as an element of `changes`.
create function pkgdb.member_changes(
    p_action text, p_members pkgdb.member[]
)
returns jsonb
language plpgsql
stable
as $$
begin
    return coalesce((
        select jsonb_agg(jsonb_build_object(
                   'action', p_action, 'ecosystem', g.ecosystem, 'name', g.name,
                   'version', v.version, 'variant', v.variant)
                   order by g.ecosystem, g.normalized_name, v.version_key, v.version, v.variant)
          from unnest(p_members) m
          join pkgdb.registration g
            on g.namespace = m.namespace and g.registration_id = m.registration_id
          join pkgdb.package_version v
            on v.namespace = m.namespace and v.registration_id = m.registration_id
           and v.version_id = m.version_id), '[]');
end;
$$;
