-- Publishes many versions in one transaction, under one lock on the whole repository.
--
-- What is plain (a new identity, nothing in its way) is written set by set; the rest goes through
-- publish_version, as if each item were a call of its own. The items of one package take effect in
-- their order; between packages there is none.
--
-- A namespace that has just been filled looks empty to the planner until its tables are analysed,
-- and so does a table to a plan that was kept from when it was empty; a join would then read it
-- once for each item. Hence the set-wise helpers plan anew each time, by the tables' real sizes;
-- they probe whole keys by laterals that `offset 0` keeps apart, and name the namespace by a
-- column, so that no statistics say that it has no rows.

create type pkgdb.bulk_ref as (
    item            integer,
    registration_id bigint,
    version_id      bigint,
    revision        bigint,
    outcome         text,
    sqlstate        text,
    message         text
);
comment on type pkgdb.bulk_ref is
    'What publish_many did with one item, counted from 1. Where the outcome is refused, sqlstate '
    'and message say why.';

create type pkgdb.bulk_item as (
    item               integer,
    ecosystem          text,
    name               text,
    version            text,
    variant            text,
    files              pkgdb.file_spec[],
    metadata           jsonb,
    dependencies       pkgdb.dependency_spec[],
    normalized_name    text,
    normalized_version text,
    message            text,     -- why it is malformed, or null
    plain              boolean,  -- whether it is written with its whole set
    registration       pkgdb.registration,
    version_id         bigint,
    revision           bigint
);

-- Reads one element of p_items. A malformed one comes back with the reason.
create function pkgdb.read_item(p_item integer, p_value jsonb, p_ecosystem pkgdb.ecosystem)
returns pkgdb.bulk_item
language plpgsql
stable
as $$
declare
    v_item pkgdb.bulk_item;
begin
    v_item.item := p_item;
    if jsonb_typeof(p_value) <> 'object'
        or p_value - array['ecosystem', 'name', 'version', 'variant', 'files', 'metadata',
                           'dependencies'] <> '{}'
    then
        v_item.message := 'is not an object of ecosystem, name, version, variant, files, '
                          'metadata, dependencies';
        return v_item;
    end if;

    v_item.ecosystem := p_value ->> 'ecosystem';
    v_item.name := p_value ->> 'name';
    v_item.version := p_value ->> 'version';
    v_item.variant := coalesce(p_value ->> 'variant', '');
    v_item.metadata := coalesce(p_value -> 'metadata', '{}');
    v_item.dependencies := '{}';
    if p_ecosystem.ecosystem is null then
        v_item.message := format('no ecosystem %s', pkgdb.quoted(v_item.ecosystem));
        return v_item;
    end if;
    begin
        if v_item.variant <> '' then
            perform pkgdb.check_text('variant', v_item.variant, 255);
        end if;
        if v_item.metadata <> '{}' then
            perform pkgdb.check_metadata(v_item.metadata);
        end if;
        v_item.files := pkgdb.read_files(coalesce(p_value -> 'files', '[]'));
        if p_value ? 'dependencies' then
            v_item.dependencies := pkgdb.read_dependencies(
                p_value -> 'dependencies', p_ecosystem.name_rule);
            perform pkgdb.check_bounds(v_item.dependencies, p_ecosystem.scheme);
        end if;
        v_item.normalized_name := pkgdb.rule_normalize_name(p_ecosystem.name_rule, v_item.name);
        v_item.normalized_version :=
            pkgdb.scheme_normalize_version(p_ecosystem.scheme, v_item.version);
    exception when sqlstate 'RG400' then
        -- A version may be one in the older scheme of its package: publish_version will tell.
        v_item.message := case when v_item.normalized_name is null then sqlerrm end;
    end;
    return v_item;
end;
$$;

-- Finds the registrations that have the items' names, and which items are plain: well-formed, a new
-- identity, first of it in the batch, allowed by every rule, no file name or size in conflict, the
-- package ordered by its ecosystem's present scheme; and no item of the same package before it that
-- is not. The repository is locked.
create function pkgdb.classify_items(
    p_repository pkgdb.repository, p_items pkgdb.bulk_item[]
)
returns pkgdb.bulk_item[]
language plpgsql
stable
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
    v_namespace text := p_repository.namespace;
    v_backends  pkgdb.repository_backend[];
    v_suspect   integer[];
begin
    v_backends := array(
        select k
          from pkgdb.repository_backend k
         where k.namespace = v_namespace and k.repository_id = p_repository.repository_id);
    -- Files that meet another file of the batch, or a blob of another size, or whose bytes are not
    -- on all backends of the repository: one by one it is told whether they have to be.
    select coalesce(array_agg(s.item), '{}') into v_suspect
      from (select i.item,
                   count(*) over (
                       partition by i.ecosystem, i.normalized_name, f.filename,
                                    case e.filename_scope when 'version' then i.item end) > 1
                   or min(f.size) over (partition by f.sha256)
                      <> max(f.size) over (partition by f.sha256)
                   or exists (
                        select from pkgdb.blob b
                         where b.namespace = v_namespace and b.sha256 = f.sha256
                           and b.size <> f.size
                        offset 0)
                   or v_backends <> '{}' and exists (
                        select from unnest(v_backends) k
                         where not exists (
                                select from pkgdb.blob_copy c
                                 where c.namespace = k.namespace and c.sha256 = f.sha256
                                   and c.backend_id = k.backend_id and c.state = 'present'
                                offset 0)
                        offset 0) as suspect
              from unnest(p_items) i
              join pkgdb.ecosystem e on e.ecosystem = i.ecosystem
              cross join lateral unnest(i.files) f
             where i.message is null) s
     where s.suspect;

    return array(
        select (c.item, c.ecosystem, c.name, c.version, c.variant, c.files, c.metadata,
                c.dependencies,
                c.normalized_name, c.normalized_version, c.message,
                bool_and(
                    c.message is null
                    and c.normalized_version is not null
                    and c.occurrence = 1
                    and c.item <> all (v_suspect)
                    and p_repository.validators = '{}'
                    and (e.file_rule = 'many' or cardinality(c.files) <= 1)
                    and (p_repository.protected_names = '{}'
                         or not pkgdb.is_protected(
                             p_repository.protected_names, c.normalized_name))
                    and case when r.registration_id is null
                             then not p_repository.lookalike_guard
                                  and not (e.new_names_lower
                                           and c.name <> lower(c.name collate "C"))
                             else r.repository_id = p_repository.repository_id
                                  and r.status = 'active' and r.scheme = e.scheme end
                    and not exists (
                        select from pkgdb.package_version v
                         where v.namespace = r.namespace and v.registration_id = r.registration_id
                           and v.normalized_version = c.normalized_version
                           and v.variant = c.variant
                           and v.status in ('processing', 'available', 'quarantined')
                        offset 0)
                    and (e.filename_scope = 'version' or not exists (
                        select from unnest(c.files) n
                         where exists (
                            select from pkgdb.file f
                             where f.namespace = r.namespace
                               and f.registration_id = r.registration_id
                               and f.filename_scope_id = 0 and f.filename = n.filename
                               and f.status in ('processing', 'available')
                            offset 0)
                        offset 0))
                    and (p_repository.reuse = 'always' or not exists (
                        select from pkgdb.tombstone t
                         where t.namespace = r.namespace and t.registration_id = r.registration_id
                           and t.normalized_version = c.normalized_version
                           and t.variant = c.variant and t.filename = ''
                        offset 0))
                ) over (partition by c.ecosystem, c.normalized_name order by c.item),
                r, null, null)::pkgdb.bulk_item
          from (select i.*,
                       row_number() over (
                           partition by i.ecosystem, i.normalized_name, i.normalized_version,
                                        i.variant
                           order by i.item) as occurrence
                  from unnest(p_items) i) c
          left join pkgdb.ecosystem e on e.ecosystem = c.ecosystem
          cross join lateral (
               select v_namespace as namespace,
                      pkgdb.claim_scope_id(p_repository, e) as scope_id
               offset 0) k
          left join lateral (
               select n.*
                 from pkgdb.registration n
                where n.namespace = k.namespace and n.scope_id = k.scope_id
                  and n.ecosystem = c.ecosystem and n.normalized_name = c.normalized_name
               offset 0) r on true
         order by c.item);
end;
$$;

-- Claims the new names of plain items. One that someone else claims at this moment, in a scope that
-- repositories share, is theirs: its items are plain no more.
create function pkgdb.claim_names(p_repository pkgdb.repository, p_items pkgdb.bulk_item[])
returns pkgdb.bulk_item[]
language plpgsql
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
    v_now timestamptz := pkgdb.clock();
begin
    if not exists (
        select from unnest(p_items) i
         where i.plain and (i.registration).registration_id is null)
    then
        return p_items;
    end if;

    insert into pkgdb.registration
        (namespace, repository_id, scope_id, ecosystem, scheme, name, normalized_name, status,
         created_at, updated_at)
    select distinct on (i.ecosystem, i.normalized_name)
           p_repository.namespace, p_repository.repository_id,
           pkgdb.claim_scope_id(p_repository, e), i.ecosystem, e.scheme, i.name,
           i.normalized_name, 'active', v_now, v_now
      from unnest(p_items) i
      join pkgdb.ecosystem e on e.ecosystem = i.ecosystem
     where i.plain and (i.registration).registration_id is null
     order by i.ecosystem, i.normalized_name, i.item
    on conflict do nothing;

    return array(
        select (i.item, i.ecosystem, i.name, i.version, i.variant, i.files, i.metadata,
                i.dependencies,
                i.normalized_name, i.normalized_version, i.message,
                i.plain and r.repository_id = p_repository.repository_id, r, null, null
               )::pkgdb.bulk_item
          from unnest(p_items) i
          left join pkgdb.ecosystem e on e.ecosystem = i.ecosystem
          cross join lateral (
               select p_repository.namespace as namespace,
                      pkgdb.claim_scope_id(p_repository, e) as scope_id
               offset 0) k
          left join lateral (
               select n.*
                 from pkgdb.registration n
                where n.namespace = k.namespace and n.scope_id = k.scope_id
                  and n.ecosystem = i.ecosystem and n.normalized_name = i.normalized_name
               offset 0) r on true
         order by i.item);
end;
$$;

-- Writes the plain items, set by set; returns them with their new versions.
create function pkgdb.insert_plain_items(
    p_repository pkgdb.repository, p_items pkgdb.bulk_item[], p_actor text
)
returns pkgdb.bulk_item[]
language plpgsql
set plan_cache_mode = force_generic_plan  -- foreign keys are checked by plans, too
set enable_seqscan = off
as $$
declare
    v_namespace text := p_repository.namespace;
    v_now       timestamptz := pkgdb.clock();
    v_files     pkgdb.file_spec[];
    v_file      pkgdb.file_spec;
    v_made      bytea[];
    v_items     pkgdb.bulk_item[];
begin
    -- Blobs in order of digest; those that were there, or were when we looked, are held.
    v_files := array(
        select distinct on (f.sha256, f.size) f
          from unnest(p_items) i
          cross join lateral unnest(i.files) f
         where i.plain
         order by f.sha256, f.size);
    with made as (
        insert into pkgdb.blob (namespace, sha256, size, created_at)
        select v_namespace, f.sha256, f.size, v_now
          from unnest(v_files) f
         where not exists (
                select from pkgdb.blob b
                 where b.namespace = v_namespace and b.sha256 = f.sha256
                offset 0)
         order by f.sha256
        on conflict do nothing
        returning sha256)
    select array_agg(m.sha256) into v_made from made m;
    for v_file in
        select f.*
          from unnest(v_files) f
         where f.sha256 not in (select m.sha256 from unnest(v_made) m (sha256))
         order by f.sha256
    loop
        perform pkgdb.hold_blob(v_namespace, v_file);
    end loop;
    perform pkgdb.check_stored(p_repository, array(select f.sha256 from unnest(v_files) f));

    -- The ids come first, so that all rows of an item are written from it.
    v_items := array(
        select (i.item, i.ecosystem, i.name, pkgdb.stored_version(i.version), i.variant, i.files,
                i.metadata, i.dependencies,
                i.normalized_name, i.normalized_version, i.message, i.plain, i.registration,
                nextval('pkgdb.package_version_version_id_seq'),
                (i.registration).revision + row_number() over (
                    partition by (i.registration).registration_id order by i.item)
               )::pkgdb.bulk_item
          from unnest(p_items) i
         where i.plain
         order by i.item);

    insert into pkgdb.package_version
        (namespace, registration_id, version_id, scheme, version, variant, status, metadata,
         added_epoch, created_at, published_at)
    overriding system value
    select v_namespace, (i.registration).registration_id, i.version_id, (i.registration).scheme,
           i.version, i.variant, 'available', i.metadata, p_repository.epoch, v_now, v_now
      from unnest(v_items) i;

    insert into pkgdb.dependency
        (namespace, registration_id, version_id, position, alternative, kind, scheme, name,
         architecture, lower_version, lower_strict, upper_version, upper_strict)
    select v_namespace, (i.registration).registration_id, i.version_id, d.position, d.alternative,
           d.kind, (i.registration).scheme, d.name, d.architecture, d.lower_version,
           d.lower_strict, d.upper_version, d.upper_strict
      from unnest(v_items) i
      cross join lateral unnest(i.dependencies) d;

    insert into pkgdb.file
        (namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
         media_type, attributes, status, added_epoch, created_at)
    select v_namespace, (i.registration).registration_id, i.version_id, f.filename,
           case e.filename_scope when 'version' then i.version_id else 0 end, 'main', f.sha256,
           f.media_type, f.attributes, 'available', p_repository.epoch, v_now
      from unnest(v_items) i
      join pkgdb.ecosystem e on e.ecosystem = i.ecosystem
      cross join lateral unnest(i.files) f;

    insert into pkgdb.outbox
        (namespace, event, repository_id, registration_id, version_id, revision,
         ecosystem, name, version, variant, actor, login, occurred_at)
    select v_namespace, 'created', p_repository.repository_id, (i.registration).registration_id,
           i.version_id, i.revision, i.ecosystem, (i.registration).name, i.version, i.variant,
           p_actor, session_user, v_now
      from unnest(v_items) i
     order by i.item;

    update pkgdb.registration r
       set latest_version_id = (
               select v.version_id
                 from pkgdb.package_version v
                where v.namespace = r.namespace and v.registration_id = r.registration_id
                  and v.status = 'available' and v.listed
                order by v.version_key desc, v.version_id desc
                limit 1),
           latest_stable_version_id = (
               select v.version_id
                 from pkgdb.package_version v
                where v.namespace = r.namespace and v.registration_id = r.registration_id
                  and v.status = 'available' and v.listed and not v.prerelease
                order by v.version_key desc, v.version_id desc
                limit 1),
           version_count = r.version_count + g.versions,
           file_count = r.file_count + g.files,
           byte_count = r.byte_count + g.bytes,
           revision = r.revision + g.versions,
           updated_at = v_now
      from (select (i.registration).namespace, (i.registration).registration_id,
                   count(*) as versions,
                   sum(cardinality(i.files)) as files,
                   sum((select coalesce(sum(f.size), 0) from unnest(i.files) f)) as bytes
              from unnest(v_items) i
             group by (i.registration).namespace, (i.registration).registration_id) g
     where r.namespace = g.namespace and r.registration_id = g.registration_id;

    return v_items;
end;
$$;

create function pkgdb.publish_many(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_items jsonb,
    p_strict boolean default true, p_request_key pkgdb.string default null,
    p_actor pkgdb.string default null
)
returns setof pkgdb.bulk_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
    v_request    pkgdb.request;
    v_repository pkgdb.repository;
    v_items      pkgdb.bulk_item[];
    v_item       pkgdb.bulk_item;
    v_ecosystem  pkgdb.ecosystem;
    v_locked     pkgdb.locked_name;
    v_ref        pkgdb.version_ref;
    v_state      text;
    v_message    text;
    v_results    pkgdb.bulk_ref[] := array[]::pkgdb.bulk_ref[];
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'publish_many',
        jsonb_build_array(p_repository, p_items, p_strict));
    if v_request.answer is not null then
        return query select * from jsonb_populate_recordset(null::pkgdb.bulk_ref, v_request.answer);
        return;
    end if;
    if p_items is null or jsonb_typeof(p_items) <> 'array' then
        raise exception using errcode = 'RG400', message = 'items must be a JSON array';
    end if;
    if p_strict is null then
        raise exception using errcode = 'RG400', message = 'strict must be true or false';
    end if;
    v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
    perform pkgdb.check_publishable(v_repository, null, null);

    v_items := array(
        select pkgdb.read_item(i.item::integer, i.value, e)
          from jsonb_array_elements(p_items) with ordinality i (value, item)
          left join pkgdb.ecosystem e on e.ecosystem = i.value ->> 'ecosystem'
         order by i.item);
    v_items := pkgdb.classify_items(v_repository, v_items);
    v_items := pkgdb.claim_names(v_repository, v_items);
    v_results := array(
        select (i.item, (i.registration).registration_id, i.version_id, i.revision, 'created',
                null, null)::pkgdb.bulk_ref
          from unnest(pkgdb.insert_plain_items(v_repository, v_items, p_actor)) i);

    -- The rest, one by one.
    for v_item in
        select i.* from unnest(v_items) i where i.plain is not true order by i.item
    loop
        begin
            if v_item.message is not null then
                raise exception using errcode = 'RG400', message = v_item.message;
            end if;
            v_ecosystem := pkgdb.find_ecosystem(v_item.ecosystem);
            v_locked := (
                v_repository, v_ecosystem, v_item.normalized_name,
                pkgdb.find_registration(v_repository, v_ecosystem, v_item.normalized_name)
            )::pkgdb.locked_name;
            v_ref := pkgdb.publish_version(
                v_locked, v_item.name, v_item.version, v_item.variant, v_item.files,
                v_item.metadata, v_item.dependencies, p_actor);
            v_results := v_results || (
                v_item.item, v_ref.registration_id, v_ref.version_id, v_ref.revision,
                v_ref.outcome, null, null)::pkgdb.bulk_ref;
        exception when sqlstate 'RG400' or sqlstate 'RG403' or sqlstate 'RG409'
                       or sqlstate 'RG410' or sqlstate 'RG422' then
            get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
            if p_strict then
                raise exception using
                    errcode = v_state,
                    message = format('item %s: %s', v_item.item, v_message);
            end if;
            v_results := v_results || (
                v_item.item, null, null, null, 'refused', v_state, v_message)::pkgdb.bulk_ref;
        end;
    end loop;

    if v_request.request_key is not null then
        perform pkgdb.end_request(
            v_request, (select coalesce(jsonb_agg(d order by d.item), '[]')
                          from unnest(v_results) d));
    end if;
    return query select d.* from unnest(v_results) d order by d.item;
end;
$$;
comment on function pkgdb.publish_many is
    'Publishes an array of {ecosystem, name, version, variant, files, metadata, dependencies} as '
    'publish does, in one transaction and under one lock. Returns a row per item: created, '
    'files_added, unchanged, or, unless p_strict, refused with SQLSTATE and message while the '
    'others are published. With p_strict the first refused item raises its error and nothing '
    'changes. Takes the repository for itself, waiting at most 10 seconds. Errors: RG400 malformed '
    'argument, '
    'RG403 mirror, RG404 no such repository, RG405 isolation level, RG422 lock held shared, 55P03 '
    'lock timeout; of an item: those of publish.';
grant execute on function pkgdb.publish_many to pkgdb_publisher;
