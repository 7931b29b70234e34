-- Removes ghosts that nothing pins, a bounded batch per call, beside everything else: it takes no
-- lock that a publish or a lookup needs, and passes over rows that another purge or a restore
-- holds.

create type pkgdb.purge_report as (
    versions     bigint,
    files        bigint,
    pinned       bigint,
    requests     bigint,
    repositories bigint,
    publications bigint,
    backends     bigint
);
comment on type pkgdb.purge_report is
    'What a purge removed: versions and files (rows), expired request keys, dropped repositories, '
    'publications that ended, retired backends; pinned counts the ghosts that a snapshot still '
    'contains.';

-- A row for each snapshot that contains what lived in a repository from one epoch until before
-- another: a version, or a file of it. Of sets, so that it becomes part of the statement that asks:
-- a call for each ghost would take twenty times as long.
create function pkgdb.pins(
    p_namespace text, p_repository_id bigint, p_registration_id bigint, p_version_id bigint,
    p_added_epoch bigint, p_removed_epoch bigint
)
returns setof bigint
language sql
stable
as $$
    select s.snapshot_id
      from pkgdb.snapshot s
     where s.namespace = p_namespace and s.repository_id = p_repository_id
       and s.epoch >= p_added_epoch and s.epoch < p_removed_epoch
    union all
    select m.snapshot_id
      from pkgdb.snapshot_member m
     where m.namespace = p_namespace and m.registration_id = p_registration_id
       and m.version_id = p_version_id
       and m.epoch >= p_added_epoch and m.epoch < p_removed_epoch;
$$;

create function pkgdb.purge(
    p_namespace pkgdb.string, p_repository pkgdb.string default null, p_limit integer default 1000,
    p_older_than interval default '0'
)
returns pkgdb.purge_report
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan  -- whatever the statistics say of one namespace
set enable_seqscan = off
set enable_bitmapscan = off  -- ghosts in the order of their index, and no more of them than p_limit
set enable_hashjoin = off
set jit = off
as $$
declare
    v_repository_id bigint;
    v_now           timestamptz;
    v_before        timestamptz;
    v_registrations bigint[];
    v_versions      bigint[];
    v_files         bigint;
    v_digests       bytea[];
    v_more          bytea[];
    v_report        pkgdb.purge_report;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_limit is null or p_limit not between 1 and 100000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 100000';
    end if;
    if p_older_than is null or p_older_than not between interval '0' and interval '1000 years' then
        raise exception using errcode = 'RG400', message = 'older_than must be 0 to 1000 years';
    end if;
    if p_repository is not null then
        select r.repository_id into v_repository_id
          from pkgdb.repository r
         where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
        if not found then
            perform pkgdb.no_repository(p_namespace, p_repository);
        end if;
    end if;
    v_now := pkgdb.clock();
    v_before := v_now - p_older_than;

    -- What a snapshot contains cannot change under us: a ghost never enters a new snapshot. (Where
    -- there is none at all, no ghost is looked at.)
    select count(*) into v_report.pinned
      from pkgdb.package_version v
      join pkgdb.registration r
        on r.namespace = p_namespace and r.registration_id = v.registration_id
     where v.namespace = p_namespace and v.status in ('failed', 'pending_destruction')
       and v.removed_at <= v_before
       and (v_repository_id is null or r.repository_id = v_repository_id)
       and exists (select from pkgdb.snapshot s where s.namespace = p_namespace)
       and exists (
            select from pkgdb.pins(
                p_namespace, r.repository_id, v.registration_id, v.version_id, v.added_epoch,
                v.removed_epoch));

    -- Versions, oldest ghost first. The row lock makes a restore wait, and skips what a restore
    -- holds.
    select array_agg(g.registration_id), array_agg(g.version_id)
      into v_registrations, v_versions
      from (select v.registration_id, v.version_id
              from pkgdb.package_version v
              join pkgdb.registration r
                on r.namespace = p_namespace and r.registration_id = v.registration_id
             where v.namespace = p_namespace and v.status in ('failed', 'pending_destruction')
               and v.removed_at <= v_before
               and (v_repository_id is null or r.repository_id = v_repository_id)
               and not exists (
                    select from pkgdb.pins(
                        p_namespace, r.repository_id, v.registration_id, v.version_id,
                        v.added_epoch, v.removed_epoch))
             order by v.removed_at, v.version_id
             limit p_limit
               for update of v skip locked) g;
    with gone as (
        delete from pkgdb.file f
         using unnest(v_registrations, v_versions) g (registration_id, version_id)
         where f.namespace = p_namespace and f.registration_id = g.registration_id
           and f.version_id = g.version_id
        returning f.sha256)
    select count(*), array_agg(g.sha256) into v_report.files, v_digests from gone g;
    delete from pkgdb.dependency d
     using unnest(v_registrations, v_versions) g (registration_id, version_id)
     where d.namespace = p_namespace and d.registration_id = g.registration_id
       and d.version_id = g.version_id;
    delete from pkgdb.mirror_version m
     using unnest(v_registrations, v_versions) g (registration_id, version_id)
     where m.namespace = p_namespace and m.registration_id = g.registration_id
       and m.version_id = g.version_id;
    delete from pkgdb.package_version v
     using unnest(v_registrations, v_versions) g (registration_id, version_id)
     where v.namespace = p_namespace and v.registration_id = g.registration_id
       and v.version_id = g.version_id;
    get diagnostics v_report.versions = row_count;
    -- Their publications still answer a repeated request, for as long as request keys do.
    update pkgdb.publication p
       set expires_at = p.ended_at + interval '7 days'
      from unnest(v_registrations, v_versions) g (registration_id, version_id)
     where p.namespace = p_namespace and p.registration_id = g.registration_id
       and p.version_id = g.version_id and p.status = 'committed';

    -- Files deleted from versions that live on. Materialised, here and below: a locking LIMIT on
    -- the inner side of a join would be run again for each outer row, and lock others each time.
    with g as materialized (
        select d.registration_id, d.version_id, d.file_id
          from pkgdb.file d
          join pkgdb.registration r
            on r.namespace = p_namespace and r.registration_id = d.registration_id
         where d.namespace = p_namespace and d.status in ('failed', 'pending_destruction')
           and d.removed_at <= v_before
           and (v_repository_id is null or r.repository_id = v_repository_id)
           and not exists (
                select from pkgdb.pins(
                    p_namespace, r.repository_id, d.registration_id, d.version_id, d.added_epoch,
                    d.removed_epoch))
           and exists (
                select from pkgdb.package_version v
                 where v.namespace = p_namespace and v.registration_id = d.registration_id
                   and v.version_id = d.version_id
                   and v.status in ('processing', 'available', 'quarantined'))
         order by d.removed_at, d.file_id
         limit p_limit
           for update of d skip locked),
    gone as (
        delete from pkgdb.file f
         using g
         where f.namespace = p_namespace and f.registration_id = g.registration_id
           and f.version_id = g.version_id and f.file_id = g.file_id
        returning f.sha256)
    select count(*), array_agg(o.sha256) into v_files, v_more from gone o;
    v_report.files := v_report.files + v_files;

    with g as materialized (
        select e.actor, e.request_key
          from pkgdb.request e
         where e.namespace = p_namespace and e.expires_at <= v_now
         order by e.expires_at
         limit p_limit
           for update skip locked)
    delete from pkgdb.request q
     using g
     where q.namespace = p_namespace and q.actor = g.actor and q.request_key = g.request_key;
    get diagnostics v_report.requests = row_count;

    v_report.publications := pkgdb.purge_publications(p_namespace, v_now, p_limit);
    v_more := v_more || pkgdb.purge_updates(p_namespace, v_now, p_limit);
    v_report.repositories := pkgdb.purge_dropped(p_namespace, v_before, p_limit);
    delete from pkgdb.backend b
     where b.namespace = p_namespace and b.status = 'retired'
       and not exists (
            select from pkgdb.blob_copy c
             where c.namespace = p_namespace and c.backend_id = b.backend_id);
    get diagnostics v_report.backends = row_count;
    -- Last, as others may wait for these rows.
    perform pkgdb.mark_unneeded(p_namespace, v_digests || v_more);
    return v_report;
end;
$$;
comment on function pkgdb.purge is
    'Removes versions and files that were deleted, or failed, at least p_older_than ago and that '
    'no snapshot contains; at most p_limit of each per call, of one repository or of all; '
    'besides, expired request keys, publications and mirror updates that ended a week ago, and '
    'what is left of dropped repositories and retired backends. Ends mirror updates whose lease '
    'ended a week ago. Bytes stay for the collector. '
    'Several purges at once share the work. Errors: RG400 malformed argument, RG404 no such '
    'repository, RG405 isolation level.';
grant execute on function pkgdb.purge to pkgdb_operator;

-- Removes publications that no repeated request can ask for any longer.
create function pkgdb.purge_publications(p_namespace text, p_now timestamptz, p_limit integer)
returns bigint
language plpgsql
as $$
declare
    v_publications bigint[];
    v_removed      bigint;
begin
    v_publications := array(
        select p.publication_id
          from pkgdb.publication p
         where p.namespace = p_namespace and p.expires_at <= p_now
         order by p.expires_at
         limit p_limit
           for update skip locked);
    delete from pkgdb.validation v
     where v.namespace = p_namespace and v.publication_id = any (v_publications);
    delete from pkgdb.publication p
     where p.namespace = p_namespace and p.publication_id = any (v_publications);
    get diagnostics v_removed = row_count;
    return v_removed;
end;
$$;

-- Ends updates of mirrors that nobody has gone on with for a week after their lease, and removes
-- those that ended a week ago. The row says who is at an update: nothing else need be locked.
-- Returns the digests of what they brought.
create function pkgdb.purge_updates(p_namespace text, p_now timestamptz, p_limit integer)
returns bytea[]
language plpgsql
as $$
declare
    v_update  pkgdb.mirror_update;
    v_digests bytea[] := array[]::bytea[];
begin
    for v_update in
        select *
          from pkgdb.mirror_update u
         where u.namespace = p_namespace and u.status = 'open'
           and u.lease_until <= p_now - interval '7 days'
         order by u.lease_until
         limit p_limit
           for update skip locked
    loop
        v_digests := v_digests
            || pkgdb.end_update(v_update, 'aborted', 'nobody went on with it after its lease');
    end loop;
    with g as materialized (
        select u.update_id
          from pkgdb.mirror_update u
         where u.namespace = p_namespace and u.expires_at <= p_now
         order by u.expires_at
         limit p_limit
           for update skip locked)
    delete from pkgdb.mirror_update u
     using g
     where u.namespace = p_namespace and u.update_id = g.update_id;
    return v_digests;
end;
$$;

-- Removes the names of dropped repositories that have no versions left, then the repositories.
create function pkgdb.purge_dropped(p_namespace text, p_before timestamptz, p_limit integer)
returns bigint
language plpgsql
as $$
declare
    v_registrations bigint[];
    v_repositories  bigint;
begin
    select array_agg(g.registration_id) into v_registrations
      from (select r.registration_id
              from pkgdb.repository d
              join pkgdb.registration r
                on r.namespace = p_namespace and r.repository_id = d.repository_id
             where d.namespace = p_namespace and d.status = 'dropped' and d.dropped_at <= p_before
               and not exists (
                    select from pkgdb.package_version v
                     where v.namespace = p_namespace and v.registration_id = r.registration_id)
             order by r.registration_id
             limit p_limit
               for update of r skip locked) g;
    delete from pkgdb.tombstone t
     where t.namespace = p_namespace and t.registration_id = any (v_registrations);
    delete from pkgdb.registration r
     where r.namespace = p_namespace and r.registration_id = any (v_registrations);

    -- What they kept their files on, once none is left of which the bytes could be needed.
    delete from pkgdb.repository_backend k
     using pkgdb.repository d
     where k.namespace = p_namespace and d.namespace = p_namespace
       and d.repository_id = k.repository_id and d.status = 'dropped'
       and not exists (
            select from pkgdb.registration r
             where r.namespace = p_namespace and r.repository_id = d.repository_id);
    delete from pkgdb.mirror m
     using pkgdb.repository d
     where m.namespace = p_namespace and d.namespace = p_namespace
       and d.repository_id = m.repository_id and d.status = 'dropped';
    with g as materialized (
        select d.repository_id
          from pkgdb.repository d
         where d.namespace = p_namespace and d.status = 'dropped' and d.dropped_at <= p_before
           and not exists (
                select from pkgdb.registration r
                 where r.namespace = p_namespace and r.repository_id = d.repository_id)
           and not exists (
                select from pkgdb.snapshot s
                 where s.namespace = p_namespace and s.repository_id = d.repository_id)
         order by d.repository_id
         limit p_limit
           for update skip locked)
    delete from pkgdb.repository r
     using g
     where r.namespace = p_namespace and r.repository_id = g.repository_id;
    get diagnostics v_repositories = row_count;
    return v_repositories;
end;
$$;
