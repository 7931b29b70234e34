-- What copy_versions, move_versions and remove_versions share.

create type pkgdb.change_ref as (
    repository_id bigint,
    revision      bigint,
    added         bigint,
    removed       bigint,
    unchanged     bigint,
    skipped       bigint,
    outcome       text,
    changes       jsonb
);
comment on type pkgdb.change_ref is
    'What a call did to a repository: how many versions were added, removed, there already, or '
    'skipped because they are quarantined; changes is an array of {action, ecosystem, name, '
    'version, variant}. An outcome of planned says what would be done.';

-- A version to be copied: what publish would be told of it.
create type pkgdb.copied_version as (
    member       pkgdb.member,
    ecosystem    text,
    name         text,
    version      text,
    variant      text,
    main_files   pkgdb.file_spec[],
    side_files   pkgdb.file_spec[],
    metadata     jsonb,
    dependencies pkgdb.dependency_spec[]
);

-- Reads members in one statement, as they were at their epochs.
create function pkgdb.read_copies(p_namespace text, p_members pkgdb.member[])
returns setof pkgdb.copied_version
language plpgsql
stable
as $$
begin
    return query
    select m, g.ecosystem::text, g.name::text, v.version::text, v.variant::text,
           coalesce(f.main_files, '{}'), coalesce(f.side_files, '{}'), v.metadata,
           pkgdb.version_dependencies(p_namespace, v.registration_id, v.version_id)
      from unnest(p_members) m
      join pkgdb.registration g
        on g.namespace = m.namespace and g.registration_id = m.registration_id
      join pkgdb.package_version v
        on v.namespace = m.namespace and v.registration_id = m.registration_id
       and v.version_id = m.version_id
      cross join lateral (
           select array_agg(
                      (f.filename, f.sha256, b.size, f.media_type, f.attributes)::pkgdb.file_spec
                      order by f.sha256) filter (where f.role = 'main') as main_files,
                  array_agg(
                      (f.filename, f.sha256, b.size, f.media_type, f.attributes)::pkgdb.file_spec
                      order by f.sha256) filter (where f.role = 'side') as side_files
             from pkgdb.file f
             join pkgdb.blob b on b.namespace = p_namespace and b.sha256 = f.sha256
            where f.namespace = v.namespace and f.registration_id = v.registration_id
              and f.version_id = v.version_id and f.added_epoch <= m.epoch
              and (f.removed_epoch is null or f.removed_epoch > m.epoch)) f
     order by g.ecosystem, g.normalized_name, v.version_key, v.version, v.variant;
end;
$$;

-- What queries match in a repository or snapshot, apart from what is blocked: read by one call of a
-- stable function, and so at one moment, whatever others publish and delete meanwhile.
create type pkgdb.chosen_copies as (
    copies pkgdb.copied_version[],
    found  bigint
);

create function pkgdb.choose_copies(
    p_repository pkgdb.repository, p_snapshot pkgdb.snapshot, p_queries text[]
)
returns pkgdb.chosen_copies
language plpgsql
stable
as $$
declare
    v_namespace text := coalesce(p_repository.namespace, p_snapshot.namespace);
    v_members   pkgdb.member[];
    v_chosen    pkgdb.chosen_copies;
begin
    if p_snapshot.snapshot_id is null then
        v_members := pkgdb.repository_members(p_repository);
    else
        v_members := pkgdb.snapshot_members(p_snapshot);
    end if;
    v_members := pkgdb.match_members(v_namespace, v_members, p_queries);
    v_chosen.found := cardinality(v_members);
    v_chosen.copies := array(
        select c
          from pkgdb.read_copies(v_namespace, pkgdb.without_quarantined(v_members)) c);
    return v_chosen;
end;
$$;

-- Publishes copies in a repository that is held exclusively, as publish would each of them. With
-- p_replace a version that is there with other content goes first.
create function pkgdb.publish_copies(
    p_repository pkgdb.repository, p_copies pkgdb.copied_version[], p_replace boolean,
    p_actor text
)
returns pkgdb.change_ref
language plpgsql
as $$
declare
    v_namespace text := p_repository.namespace;
    v_copy      pkgdb.copied_version;
    v_ecosystem pkgdb.ecosystem;
    v_locked    pkgdb.locked_name;
    v_version   pkgdb.package_version;
    v_ref       pkgdb.version_ref;
    v_before    bigint;
    v_missing   pkgdb.file_spec[];
    v_added     pkgdb.member[] := array[]::pkgdb.member[];
    v_removed   pkgdb.member[] := array[]::pkgdb.member[];
    v_result    pkgdb.change_ref;
begin
    v_result.unchanged := 0;
    foreach v_copy in array p_copies
    loop
        v_ecosystem := pkgdb.find_ecosystem(v_copy.ecosystem);
        v_locked := pkgdb.held_name(p_repository, v_ecosystem, v_copy.name);
        v_version := pkgdb.live_version(v_locked, v_copy.version, v_copy.variant);
        v_before := v_version.version_id;
        if p_replace and v_version.status = 'available'
            and not pkgdb.is_copy(v_version, v_copy)
        then
            perform pkgdb.check_removable(p_repository);
            perform pkgdb.bury_version(
                p_repository, v_locked.registration, v_version, 'deleted', p_actor);
            v_removed := v_removed || (
                v_namespace, v_version.registration_id, v_before, p_repository.epoch)::pkgdb.member;
            v_locked := pkgdb.held_name(p_repository, v_ecosystem, v_copy.name);
        end if;

        v_ref := pkgdb.publish_version(
            v_locked, v_copy.name, v_copy.version, v_copy.variant, v_copy.main_files,
            v_copy.metadata, v_copy.dependencies, p_actor);
        if v_copy.side_files <> '{}' then
            v_locked := pkgdb.held_name(p_repository, v_ecosystem, v_copy.name);
            v_version := pkgdb.live_version(v_locked, v_copy.version, v_copy.variant);
            v_missing := pkgdb.missing_files(v_version, v_copy.side_files);
            perform pkgdb.check_none_on_its_way(v_version, v_copy.side_files);
            if v_missing <> '{}' then
                v_ref.outcome := (pkgdb.extend_version(
                    v_locked, v_version, v_missing, 'side', p_actor)).outcome;
            end if;
        end if;
        if v_ref.outcome = 'unchanged' then
            v_result.unchanged := v_result.unchanged + 1;
        else
            v_added := v_added || (
                v_namespace, v_ref.registration_id, v_ref.version_id, p_repository.epoch
            )::pkgdb.member;
        end if;
    end loop;
    v_result.added := cardinality(v_added);
    v_result.removed := cardinality(v_removed);
    v_result.changes := pkgdb.member_changes('remove', v_removed)
        || pkgdb.member_changes('add', v_added);
    return v_result;
end;
$$;

-- A name in a repository that is held exclusively, as it is now. Where repositories share the scope
-- of names, somebody else may hold it.
create function pkgdb.held_name(
    p_repository pkgdb.repository, p_ecosystem pkgdb.ecosystem, p_name text
)
returns pkgdb.locked_name
language plpgsql
stable
as $$
declare
    v_name text := pkgdb.rule_normalize_name(p_ecosystem.name_rule, p_name);
begin
    return (
        p_repository, p_ecosystem, v_name,
        pkgdb.find_registration(p_repository, p_ecosystem, v_name))::pkgdb.locked_name;
end;
$$;

-- The live row of a version under a name, or null.
create function pkgdb.live_version(p_locked pkgdb.locked_name, p_version text, p_variant text)
returns pkgdb.package_version
language plpgsql
stable
as $$
begin
    if (p_locked.registration).registration_id is null
        or (p_locked.registration).repository_id <> (p_locked.repository).repository_id
    then
        return null;
    end if;
    return pkgdb.find_version(
        p_locked.registration,
        pkgdb.scheme_normalize_version((p_locked.registration).scheme, p_version), p_variant);
end;
$$;

-- Whether a version has what a copy would give it.
create function pkgdb.is_copy(p_version pkgdb.package_version, p_copy pkgdb.copied_version)
returns boolean
language plpgsql
stable
as $$
begin
    return p_version.metadata = p_copy.metadata
        and p_copy.dependencies is not distinct from pkgdb.version_dependencies(
            p_version.namespace, p_version.registration_id, p_version.version_id)
        and array(
            select (f.filename, f.sha256, f.role)::text
              from pkgdb.file f
             where f.namespace = p_version.namespace
               and f.registration_id = p_version.registration_id
               and f.version_id = p_version.version_id and f.status = 'available'
             order by f.filename)
            = array(
            select (n.filename, n.sha256, n.role)::text
              from (select o.filename, o.sha256, 'main' as role
                      from unnest(p_copy.main_files) o
                     union all
                    select o.filename, o.sha256, 'side' from unnest(p_copy.side_files) o) n
             order by n.filename collate "C");
end;
$$;

-- Members apart from those that are quarantined, or were when they were deleted: nobody serves or
-- promotes what is blocked.
create function pkgdb.without_quarantined(p_members pkgdb.member[])
returns pkgdb.member[]
language plpgsql
stable
as $$
begin
    return array(
        select m
          from unnest(p_members) m
          join pkgdb.package_version v
            on v.namespace = m.namespace and v.registration_id = m.registration_id
           and v.version_id = m.version_id
         where v.status <> 'quarantined' and v.quarantine_reason is null);
end;
$$;

-- Deletes members of a repository that is held exclusively, set by set; as bury_version does one.
create function pkgdb.bury_members(
    p_repository pkgdb.repository, p_members pkgdb.member[], p_actor text
)
returns void
language plpgsql
as $$
declare
    v_namespace text := p_repository.namespace;
    v_now       timestamptz := pkgdb.clock();
    v_version   pkgdb.package_version;
begin
    -- Publications that add files to them.
    for v_version in
        select v.*
          from unnest(p_members) m
          join pkgdb.package_version v
            on v.namespace = m.namespace and v.registration_id = m.registration_id
           and v.version_id = m.version_id
         where exists (
            select from pkgdb.publication p
             where p.namespace = v.namespace and p.registration_id = v.registration_id
               and p.version_id = v.version_id and p.status = 'open')
    loop
        perform pkgdb.end_publications(v_version, 'the version was deleted');
    end loop;
    if p_members = '{}' then
        return;
    end if;
    perform pkgdb.forget_release(p_repository);
    delete from pkgdb.tag t
     using unnest(p_members) m
     where t.namespace = m.namespace and t.registration_id = m.registration_id
       and t.version_id = m.version_id;

    insert into pkgdb.tombstone
        (namespace, registration_id, normalized_version, version, variant, filename,
         content_sha256, quarantine_reason, deleted_at)
    select v_namespace, v.registration_id, v.normalized_version, v.version, v.variant,
           c.filename, c.content_sha256,
           case when c.filename = '' and v.status = 'quarantined'
                then coalesce(v.quarantine_reason, '') end,
           v_now
      from unnest(p_members) m
      join pkgdb.package_version v
        on v.namespace = m.namespace and v.registration_id = m.registration_id
       and v.version_id = m.version_id
      cross join lateral (
           select '' as filename, pkgdb.metadata_digest(v.metadata) as content_sha256
            union all
           select f.filename, f.sha256
             from pkgdb.file f
            where f.namespace = v.namespace and f.registration_id = v.registration_id
              and f.version_id = v.version_id and f.status = 'available') c
    on conflict (namespace, registration_id, normalized_version, variant, filename)
    do update set version = excluded.version, content_sha256 = excluded.content_sha256,
                  quarantine_reason = excluded.quarantine_reason,
                  deleted_at = excluded.deleted_at;

    -- What readers are told, and the counters, from the files as they still are.
    insert into pkgdb.outbox
        (namespace, event, repository_id, registration_id, version_id, revision, ecosystem, name,
         version, variant, actor, login, occurred_at)
    select v_namespace, 'deleted', p_repository.repository_id, g.registration_id, v.version_id,
           g.revision + row_number() over (partition by g.registration_id order by v.version_id),
           g.ecosystem, g.name, v.version, v.variant, p_actor, session_user, v_now
      from unnest(p_members) m
      join pkgdb.registration g
        on g.namespace = m.namespace and g.registration_id = m.registration_id
      join pkgdb.package_version v
        on v.namespace = m.namespace and v.registration_id = m.registration_id
       and v.version_id = m.version_id
     order by g.registration_id, v.version_id;
    update pkgdb.registration r
       set version_count = r.version_count - l.versions, file_count = r.file_count - l.files,
           byte_count = r.byte_count - l.bytes
      from (select m.namespace, m.registration_id, count(*) as versions,
                   sum(f.files) as files, sum(f.bytes) as bytes
              from unnest(p_members) m
              cross join lateral (
                   select count(*) as files, coalesce(sum(b.size), 0) as bytes
                     from pkgdb.file f
                     join pkgdb.blob b on b.namespace = v_namespace and b.sha256 = f.sha256
                    where f.namespace = m.namespace and f.registration_id = m.registration_id
                      and f.version_id = m.version_id and f.status = 'available') f
             group by m.namespace, m.registration_id) l
     where r.namespace = l.namespace and r.registration_id = l.registration_id;

    update pkgdb.file f
       set status = 'pending_destruction', removed_epoch = p_repository.epoch, removed_at = v_now
      from unnest(p_members) m
     where f.namespace = m.namespace and f.registration_id = m.registration_id
       and f.version_id = m.version_id and f.status = 'available';
    update pkgdb.package_version v
       set status = 'pending_destruction', removed_epoch = p_repository.epoch, removed_at = v_now,
           quarantine_reason = case when v.status = 'quarantined'
                                    then coalesce(v.quarantine_reason, '') end
      from unnest(p_members) m
     where v.namespace = m.namespace and v.registration_id = m.registration_id
       and v.version_id = m.version_id;
    perform pkgdb.count_revisions(
        v_namespace, array(select m.registration_id from unnest(p_members) m));
end;
$$;

-- Moves the latest pointers of registrations, and their revisions: once for each time that one is
-- named. As touch does it for one.
create function pkgdb.count_revisions(p_namespace text, p_registrations bigint[])
returns void
language plpgsql
as $$
declare
    v_now timestamptz := pkgdb.clock();
begin
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
           revision = r.revision + g.changes,
           updated_at = v_now
      from (select p_namespace as namespace, u.registration_id, count(*) as changes
              from unnest(p_registrations) u (registration_id)
             group by u.registration_id) g
     where r.namespace = g.namespace and r.registration_id = g.registration_id;
end;
$$;
