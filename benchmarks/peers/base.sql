-- What every contender starts from; PEER stands for its schema. The tables that one publish writes,
-- with the same columns, keys, checks, references and storage settings as pkgdb's, so that the
-- rows cost the same; filled with what pkgdb has in the namespace `bench`. And functions that
-- write the rows of one publish, so that a contender adds nothing but its own way of keeping
-- latest.
--
-- Generous to all of them: package_version.version_key is there, so that they order in the
-- database where the real ones fetch every version and compare in the client.
create schema PEER authorization pkgdb_owner;
set role pkgdb_owner;

do $$
declare
    v_tables  constant text[] := array[
        'repository', 'registration', 'package_version', 'blob', 'file', 'outbox'];
    v_ours    constant text := 'pkgdb\.(' || array_to_string(v_tables, '|') || ')\(';
    v_table   text;
    v_columns text;
    v_options text;
    v_found   record;
begin
    foreach v_table in array v_tables
    loop
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
                   filter (where a.attgenerated = ''),
               (select string_agg(o, ', ') from unnest(c.reloptions) o)
          into v_columns, v_options
          from pg_class c
          join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.oid = ('pkgdb.' || v_table)::regclass
         group by c.oid;
        execute format(
            'create table PEER.%1$I (like pkgdb.%1$I including all excluding indexes) %2$s',
            v_table, 'with (' || v_options || ')');
        execute format(
            'insert into PEER.%1$I (%2$s) overriding system value'
            ' select %2$s from pkgdb.%1$I where namespace = ''bench''', v_table, v_columns);
        for v_found in
            select attname
              from pg_attribute
             where attrelid = ('PEER.' || v_table)::regclass and attidentity <> ''
        loop
            execute format(
                'select setval(pg_get_serial_sequence(%L, %L), max(%2$I) + 1) from pkgdb.%3$I',
                'PEER.' || v_table, v_found.attname, v_table);
        end loop;
    end loop;
    for v_found in
        select format('alter table PEER.%I add constraint %I %s', c.relname, k.conname,
                   regexp_replace(pg_get_constraintdef(k.oid), v_ours, 'PEER.\1('))
                   as statement
          from pg_constraint k
          join pg_class c on c.oid = k.conrelid
         where k.contype in ('p', 'u', 'f') and c.relnamespace = 'pkgdb'::regnamespace
           and c.relname = any (v_tables)
         order by k.contype = 'f', k.conname
    loop
        execute v_found.statement;
    end loop;
    for v_found in
        select replace(i.indexdef, ' ON pkgdb.', ' ON PEER.') as statement
          from pg_indexes i
         where i.schemaname = 'pkgdb' and i.tablename = any (v_tables)
           and not exists (
               select from pg_constraint k
                where k.conindid = format('pkgdb.%I', i.indexname)::regclass)
         order by i.indexname
    loop
        execute v_found.statement;
    end loop;
end;
$$;

-- Creates PEER.publish for contenders that need one call: the rows of one publish, written from the
-- same arguments as pkgdb.publish takes and with the same privileges (the tables are private), all
-- in one function. It believes that the package exists and that the version and its one file are
-- new. A contender adds statements before and after the version's rows are written, a lock to the
-- read of the package's row, and the expressions that the latest pointers get with the counters:
-- if not told otherwise, the highest that there is.
create function PEER.create_publish(
    p_before text default '', p_lock text default '', p_after text default '',
    p_latest text default
        '(select h.version_id
             from PEER.package_version h
            where h.namespace = p_namespace
              and h.registration_id = v_registration.registration_id
              and h.status = ''available'' and h.listed
            order by h.version_key desc, h.version_id desc
            limit 1)',
    p_latest_stable text default
        '(select h.version_id
             from PEER.package_version h
            where h.namespace = p_namespace
              and h.registration_id = v_registration.registration_id
              and h.status = ''available'' and h.listed and not h.prerelease
            order by h.version_key desc, h.version_id desc
            limit 1)'
)
returns void
language plpgsql
as $create$
begin
    execute format($publish$
create function PEER.publish(
    p_namespace text, p_repository text, p_ecosystem text, p_name text, p_version text,
    p_variant text default '', p_files jsonb default '[]', p_metadata jsonb default '{}'
)
returns pkgdb.version_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now          timestamptz := clock_timestamp();
    v_file         jsonb := p_files -> 0;
    v_sha256       bytea := decode(v_file ->> 'sha256', 'hex');
    v_size         bigint := (v_file ->> 'size')::bigint;
    v_repository   PEER.repository;
    v_registration PEER.registration;
    v_version_id   bigint;
    v_revision     bigint;
begin
    %1$s
    select * into v_repository
      from PEER.repository r
     where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
    select * into v_registration
      from PEER.registration r
     where r.namespace = p_namespace and r.scope_id = 0 and r.ecosystem = p_ecosystem
       and r.normalized_name = p_name
       %2$s;

    insert into PEER.package_version
        (namespace, registration_id, scheme, version, variant, status, metadata, added_epoch,
         created_at, published_at)
    values
        (p_namespace, v_registration.registration_id, v_registration.scheme, p_version, p_variant,
         'available', p_metadata, v_repository.epoch, v_now, v_now)
    returning version_id into v_version_id;
    insert into PEER.blob (namespace, sha256, size, created_at)
    values (p_namespace, v_sha256, v_size, v_now);
    insert into PEER.file
        (namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
         media_type, attributes, status, added_epoch, created_at)
    values
        (p_namespace, v_registration.registration_id, v_version_id, v_file ->> 'filename',
         v_version_id, 'main', v_sha256, v_file ->> 'media_type',
         coalesce(v_file -> 'attributes', '{}'), 'available', v_repository.epoch, v_now);
    %3$s
    update PEER.registration
       set latest_version_id = %4$s,
           latest_stable_version_id = %5$s,
           version_count = version_count + 1, file_count = file_count + 1,
           byte_count = byte_count + v_size, revision = revision + 1, updated_at = v_now
     where namespace = p_namespace and registration_id = v_registration.registration_id
    returning revision into v_revision;
    insert into PEER.outbox
        (namespace, event, repository_id, registration_id, version_id, revision, ecosystem, name,
         version, variant, login, occurred_at)
    values
        (p_namespace, 'created', v_repository.repository_id, v_registration.registration_id,
         v_version_id, v_revision, p_ecosystem, p_name, p_version, p_variant, session_user, v_now);
    return (v_registration.registration_id, v_version_id, v_revision, 'created')::pkgdb.version_ref;
end;
$$
$publish$, p_before, p_lock, p_after, p_latest, p_latest_stable);
end;
$create$;

-- The same rows for those whose client makes several statements. First those of the version with
-- its one file: touches no row that another publish writes.
create function PEER.write_version(
    p_namespace text, p_repository text, p_ecosystem text, p_name text, p_version text,
    p_variant text, p_files jsonb, p_metadata jsonb,
    out repository_id bigint, out registration_id bigint, out version_id bigint, out size bigint
)
language plpgsql
as $$
declare
    v_now    timestamptz := clock_timestamp();
    v_file   jsonb := p_files -> 0;
    v_sha256 bytea := decode(v_file ->> 'sha256', 'hex');
    v_epoch  bigint;
    v_scheme text;
begin
    size := (v_file ->> 'size')::bigint;
    select r.repository_id, r.epoch into repository_id, v_epoch
      from PEER.repository r
     where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
    select r.registration_id, r.scheme into registration_id, v_scheme
      from PEER.registration r
     where r.namespace = p_namespace and r.scope_id = 0 and r.ecosystem = p_ecosystem
       and r.normalized_name = p_name;
    insert into PEER.package_version as v
        (namespace, registration_id, scheme, version, variant, status, metadata, added_epoch,
         created_at, published_at)
    values
        (p_namespace, registration_id, v_scheme, p_version, p_variant, 'available', p_metadata,
         v_epoch, v_now, v_now)
    returning v.version_id into version_id;
    insert into PEER.blob (namespace, sha256, size, created_at)
    values (p_namespace, v_sha256, size, v_now);
    insert into PEER.file
        (namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
         media_type, attributes, status, added_epoch, created_at)
    values
        (p_namespace, registration_id, version_id, v_file ->> 'filename', version_id, 'main',
         v_sha256, v_file ->> 'media_type', coalesce(v_file -> 'attributes', '{}'), 'available',
         v_epoch, v_now);
end;
$$;

-- The counters of the package. Locks its row: who has no lock of his own calls it last, or it would
-- lend him one.
create function PEER.count_version(
    p_namespace text, p_registration_id bigint, p_size bigint
)
returns bigint
language plpgsql
as $$
declare
    v_revision bigint;
begin
    update PEER.registration
       set version_count = version_count + 1, file_count = file_count + 1,
           byte_count = byte_count + p_size, revision = revision + 1,
           updated_at = clock_timestamp()
     where namespace = p_namespace and registration_id = p_registration_id
    returning revision into v_revision;
    return v_revision;
end;
$$;

-- The event of the publish.
create function PEER.announce(
    p_namespace text, p_repository_id bigint, p_registration_id bigint, p_version_id bigint,
    p_revision bigint, p_ecosystem text, p_name text, p_version text, p_variant text
)
returns pkgdb.version_ref
language plpgsql
as $$
begin
    insert into PEER.outbox
        (namespace, event, repository_id, registration_id, version_id, revision, ecosystem, name,
         version, variant, login, occurred_at)
    values
        (p_namespace, 'created', p_repository_id, p_registration_id, p_version_id, p_revision,
         p_ecosystem, p_name, p_version, p_variant, session_user, clock_timestamp());
    return (p_registration_id, p_version_id, p_revision, 'created')::pkgdb.version_ref;
end;
$$;

-- What is latest, and latest stable, by the versions that the statement sees.
create function PEER.highest(
    p_namespace text, p_registration_id bigint, out latest bigint, out latest_stable bigint
)
language plpgsql
stable
as $$
begin
    latest := (
        select v.version_id
          from PEER.package_version v
         where v.namespace = p_namespace and v.registration_id = p_registration_id
           and v.status = 'available' and v.listed
         order by v.version_key desc, v.version_id desc
         limit 1);
    latest_stable := (
        select v.version_id
          from PEER.package_version v
         where v.namespace = p_namespace and v.registration_id = p_registration_id
           and v.status = 'available' and v.listed and not v.prerelease
         order by v.version_key desc, v.version_id desc
         limit 1);
end;
$$;

-- What a contender calls latest: the package's pointer, for who does not say otherwise.
create view PEER.latest as
    select registration_id, latest_version_id as version_id
      from PEER.registration
     where latest_version_id is not null;

reset role;
