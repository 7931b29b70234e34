-- Recomputes every promise from the rows: also those that a constraint holds, because a constraint
-- can be dropped, disabled during a restore, or stand on a corrupt index.

create type pkgdb.violation as (
    promise  text,
    relation text,
    key      jsonb,
    detail   text
);
comment on type pkgdb.violation is
    'A promise that does not hold: which, in which relation, at which row, and how.';

-- Whether what is stored of a version differs from what its scheme says today. A version that the
-- scheme refuses differs.
create function pkgdb.is_stale(p_version pkgdb.package_version)
returns boolean
language plpgsql
immutable
as $$
begin
    return p_version.normalized_version
               <> pkgdb.scheme_normalize_version(p_version.scheme, p_version.version)
        or p_version.version_key
               <> pkgdb.scheme_version_key(p_version.scheme, p_version.version)
        or p_version.prerelease
               <> pkgdb.scheme_is_prerelease(p_version.scheme, p_version.version);
exception when sqlstate 'RG400' then
    return true;
end;
$$;

-- The same for a name and the rule of its ecosystem.
create function pkgdb.is_stale_name(
    p_registration pkgdb.registration, p_ecosystem pkgdb.ecosystem
)
returns boolean
language plpgsql
immutable
as $$
begin
    return p_registration.normalized_name
               <> pkgdb.rule_normalize_name(p_ecosystem.name_rule, p_registration.name);
exception when sqlstate 'RG400' then
    return true;
end;
$$;

create function pkgdb.check_integrity(p_namespace pkgdb.string default null)
returns setof pkgdb.violation
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Whole tables are compared: what the planner believes about tables that nobody has analysed yet
-- must not make it compare each row with each.
set enable_nestloop = off
set jit = off
as $$
begin
    -- One live version: identities.
    return query
    select 'one live version', 'package_version',
           jsonb_build_object('namespace', v.namespace, 'registration_id', v.registration_id,
                              'normalized_version', v.normalized_version, 'variant', v.variant),
           format('%s live rows', count(*))
      from pkgdb.package_version v
     where (p_namespace is null or v.namespace = p_namespace)
       and v.status in ('processing', 'available', 'quarantined')
     group by v.namespace, v.registration_id, v.normalized_version, v.variant
    having count(*) > 1;

    return query
    select 'one live version', 'file',
           jsonb_build_object('namespace', f.namespace, 'registration_id', f.registration_id,
                              'filename', f.filename),
           format('%s live rows', count(*))
      from pkgdb.file f
     where (p_namespace is null or f.namespace = p_namespace)
       and f.status in ('processing', 'available')
     group by f.namespace, f.registration_id, f.filename_scope_id, f.filename
    having count(*) > 1;

    return query
    select 'one live version', 'registration',
           jsonb_build_object('namespace', r.namespace, 'scope_id', r.scope_id,
                              'ecosystem', r.ecosystem, 'normalized_name', r.normalized_name),
           format('%s rows claim the name', count(*))
      from pkgdb.registration r
     where (p_namespace is null or r.namespace = p_namespace)
     group by r.namespace, r.scope_id, r.ecosystem, r.normalized_name
    having count(*) > 1;

    return query
    select 'one live version', 'registration',
           jsonb_build_object('namespace', r.namespace, 'scope_id', r.scope_id,
                              'ecosystem', r.ecosystem, 'lookalike_key', r.lookalike_key),
           format('%s rows claim the look-alike key', count(*))
      from pkgdb.registration r
     where (p_namespace is null or r.namespace = p_namespace)
       and r.lookalike_key is not null
     group by r.namespace, r.scope_id, r.ecosystem, r.lookalike_key
    having count(*) > 1;

    return query
    select 'one live version', 'repository',
           jsonb_build_object('namespace', r.namespace, 'name', r.name),
           format('%s live rows', count(*))
      from pkgdb.repository r
     where (p_namespace is null or r.namespace = p_namespace) and r.status = 'live'
     group by r.namespace, r.name
    having count(*) > 1;

    -- Latest is right, and the counters with it.
    return query
    select 'latest is right', 'registration',
           jsonb_build_object('namespace', r.namespace, 'registration_id', r.registration_id),
           format('%s is %s, should be %s', p.pointer, coalesce(p.stored::text, 'null'),
                  coalesce(p.right_one::text, 'null'))
      from pkgdb.registration r
      cross join lateral (
           select 'latest_version_id', r.latest_version_id,
                  (select v.version_id
                     from pkgdb.package_version v
                    where v.namespace = r.namespace and v.registration_id = r.registration_id
                      and v.status = 'available' and v.listed
                    order by v.version_key desc, v.version_id desc
                    limit 1)
           union all
           select 'latest_stable_version_id', r.latest_stable_version_id,
                  (select v.version_id
                     from pkgdb.package_version v
                    where v.namespace = r.namespace and v.registration_id = r.registration_id
                      and v.status = 'available' and v.listed and not v.prerelease
                    order by v.version_key desc, v.version_id desc
                    limit 1)
      ) p (pointer, stored, right_one)
     where (p_namespace is null or r.namespace = p_namespace)
       and p.stored is distinct from p.right_one;

    return query
    with files as (
        select f.namespace, f.registration_id, f.version_id,
               count(*) as files, coalesce(sum(b.size), 0) as bytes
          from pkgdb.file f
          left join pkgdb.blob b on b.namespace = f.namespace and b.sha256 = f.sha256
         where (p_namespace is null or f.namespace = p_namespace) and f.status = 'available'
         group by f.namespace, f.registration_id, f.version_id
    ), counts as (
        select v.namespace, v.registration_id, count(*) as versions,
               coalesce(sum(f.files), 0) as files, coalesce(sum(f.bytes), 0) as bytes
          from pkgdb.package_version v
          left join files f
            on f.namespace = v.namespace and f.registration_id = v.registration_id
           and f.version_id = v.version_id
         where (p_namespace is null or v.namespace = p_namespace)
           and v.status in ('available', 'quarantined')
         group by v.namespace, v.registration_id
    )
    select 'latest is right', 'registration',
           jsonb_build_object('namespace', r.namespace, 'registration_id', r.registration_id),
           format('counters are %s versions, %s files, %s bytes, should be %s, %s, %s',
                  r.version_count, r.file_count, r.byte_count, coalesce(c.versions, 0),
                  coalesce(c.files, 0), coalesce(c.bytes, 0))
      from pkgdb.registration r
      left join counts c
        on c.namespace = r.namespace and c.registration_id = r.registration_id
     where (p_namespace is null or r.namespace = p_namespace)
       and (r.version_count, r.file_count, r.byte_count)
           is distinct from (coalesce(c.versions, 0), coalesce(c.files, 0), coalesce(c.bytes, 0));

    -- Identity and order: what is stored is what the functions say today.
    return query
    select 'identity and order', 'package_version',
           jsonb_build_object('namespace', v.namespace, 'registration_id', v.registration_id,
                              'version_id', v.version_id),
           format('identity, key or prerelease of %L is stale', v.version)
      from pkgdb.package_version v
     where (p_namespace is null or v.namespace = p_namespace)
       and pkgdb.is_stale(v);

    return query
    select 'identity and order', 'package_version',
           jsonb_build_object('namespace', v.namespace, 'registration_id', v.registration_id,
                              'version_id', v.version_id),
           format('scheme is %s, its registration''s is %s', v.scheme, r.scheme)
      from pkgdb.package_version v
      join pkgdb.registration r
        on r.namespace = v.namespace and r.registration_id = v.registration_id
     where (p_namespace is null or v.namespace = p_namespace) and v.scheme <> r.scheme;

    return query
    select 'identity and order', 'registration',
           jsonb_build_object('namespace', r.namespace, 'registration_id', r.registration_id),
           p.problem
      from pkgdb.registration r
      join pkgdb.repository o on o.namespace = r.namespace and o.repository_id = r.repository_id
      join pkgdb.ecosystem e on e.ecosystem = r.ecosystem
      cross join lateral (
           values
           (case when pkgdb.is_stale_name(r, e)
                 then format('normalised name %L is stale', r.normalized_name) end),
           (case when r.scheme <> e.scheme
                 then format('scheme is %s, the ecosystem''s is %s', r.scheme, e.scheme) end),
           (case when r.scope_id <> case o.status when 'live' then pkgdb.claim_scope_id(o, e)
                                    else o.repository_id end
                 then 'the name is claimed in another scope than the policy says' end),
           (case when o.status = 'live' and o.lookalike_guard
                      and r.lookalike_key <> pkgdb.lookalike(r.normalized_name)
                 then format('look-alike key %L is stale', r.lookalike_key)
                 when o.status = 'live' and o.lookalike_guard and r.lookalike_key is null
                      and not exists (
                        select from pkgdb.registration other
                         where other.namespace = r.namespace and other.scope_id = r.scope_id
                           and other.ecosystem = r.ecosystem
                           and other.lookalike_key = pkgdb.lookalike(r.normalized_name))
                 then 'the guard is on and nobody holds the look-alike key'
                 when r.lookalike_key is not null
                      and not (o.status = 'live' and o.lookalike_guard)
                 then 'the guard is off and a look-alike key is held' end),
           (case when r.status = 'reserved' and exists (
                        select from pkgdb.package_version v
                         where v.namespace = r.namespace
                           and v.registration_id = r.registration_id)
                 then 'a reserved name has versions' end)
      ) p (problem)
     where (p_namespace is null or r.namespace = p_namespace) and p.problem is not null;

    -- Ghosts: states, epochs and what still hangs on them.
    return query
    select 'ghosts and epochs', 'package_version',
           jsonb_build_object('namespace', v.namespace, 'registration_id', v.registration_id,
                              'version_id', v.version_id),
           p.problem
      from pkgdb.package_version v
      join pkgdb.registration r
        on r.namespace = v.namespace and r.registration_id = v.registration_id
      join pkgdb.repository o on o.namespace = r.namespace and o.repository_id = r.repository_id
      cross join lateral (
           values
           (case when v.status in ('available', 'quarantined')
                      and (v.added_epoch is null or v.published_at is null)
                 then format('%s without an epoch and time of addition', v.status)
                 when v.status in ('processing', 'failed') and v.added_epoch is not null
                 then format('%s with an epoch of addition', v.status) end),
           (case when (v.status = 'pending_destruction') <> (v.removed_epoch is not null)
                 then format('%s %s an epoch of removal', v.status,
                             case when v.removed_epoch is null then 'without' else 'with' end) end),
           (case when v.status = 'processing' and not exists (
                        select from pkgdb.publication p
                         where p.namespace = v.namespace
                           and p.registration_id = v.registration_id
                           and p.version_id = v.version_id and p.status = 'open')
                 then 'processing without an open publication' end),
           (case when v.removed_epoch < v.added_epoch then 'removed before it was added' end),
           (case when v.added_epoch > o.epoch or v.removed_epoch > o.epoch
                 then format('an epoch later than the repository''s %s', o.epoch) end),
           (case when o.status = 'dropped'
                      and v.status in ('processing', 'available', 'quarantined')
                 then format('%s in a dropped repository', v.status) end),
           (case when v.status = 'pending_destruction' and v.added_epoch is not null
                      and o.status = 'live'
                      and not exists (
                        select from pkgdb.tombstone t
                         where t.namespace = v.namespace
                           and t.registration_id = v.registration_id
                           and t.normalized_version = v.normalized_version
                           and t.variant = v.variant and t.filename = '')
                      and not exists (
                        select from pkgdb.package_version n
                         where n.namespace = v.namespace
                           and n.registration_id = v.registration_id
                           and n.normalized_version = v.normalized_version
                           and n.variant = v.variant and n.version_id > v.version_id)
                 then 'deleted without a tombstone' end)
      ) p (problem)
     where (p_namespace is null or v.namespace = p_namespace) and p.problem is not null;

    return query
    select 'ghosts and epochs', 'file',
           jsonb_build_object('namespace', f.namespace, 'registration_id', f.registration_id,
                              'version_id', f.version_id, 'file_id', f.file_id),
           p.problem
      from pkgdb.file f
      join pkgdb.package_version v
        on v.namespace = f.namespace and v.registration_id = f.registration_id
       and v.version_id = f.version_id
      cross join lateral (
           values
           (case when f.status in ('processing', 'available')
                      and v.status in ('failed', 'pending_destruction')
                 then format('%s file of a %s version', f.status, v.status) end),
           (case when f.status = 'available' and v.status = 'processing'
                 then 'available file of a version that is not published' end),
           (case when (f.status = 'pending_destruction') <> (f.removed_epoch is not null)
                      or (f.status = 'available' and f.added_epoch is null)
                      or f.removed_epoch < f.added_epoch
                      or f.added_epoch < v.added_epoch
                      or (f.status = 'pending_destruction'
                          and f.removed_epoch > v.removed_epoch)
                 then 'epochs that do not fit its state or its version' end),
           (case when f.filename_scope_id not in (0, f.version_id)
                 then 'name claimed in a scope that is not its own' end)
      ) p (problem)
     where (p_namespace is null or f.namespace = p_namespace) and p.problem is not null;

    -- Published means published: what is on its way, and what was let through.
    return query
    select 'published means published', 'publication',
           jsonb_build_object('namespace', p.namespace, 'publication_id', p.publication_id),
           x.problem
      from pkgdb.publication p
      left join pkgdb.package_version v
        on v.namespace = p.namespace and v.registration_id = p.registration_id
       and v.version_id = p.version_id
      cross join lateral (
           values
           (case when p.status = 'open'
                      and v.status is distinct from 'processing'
                      and v.status is distinct from 'available'
                      and v.status is distinct from 'quarantined'
                 then format('open, and its version is %s', coalesce(v.status, 'gone')) end),
           (case when p.status = 'committed' and exists (
                        select from pkgdb.validation d
                         where d.namespace = p.namespace
                           and d.publication_id = p.publication_id and d.round = 1
                           and d.requirement = 'required' and d.status <> 'succeeded')
                 then 'committed without a validation that it required' end),
           (case when p.status = 'committed' and v.status in ('processing', 'failed')
                 then format('committed, and its version is %s', v.status) end)
      ) x (problem)
     where (p_namespace is null or p.namespace = p_namespace) and x.problem is not null;

    return query
    select 'published means published', 'file',
           jsonb_build_object('namespace', f.namespace, 'registration_id', f.registration_id,
                              'version_id', f.version_id, 'file_id', f.file_id),
           'processing without an open publication of its version'
      from pkgdb.file f
      left join pkgdb.publication p
        on p.namespace = f.namespace and p.publication_id = f.publication_id
     where (p_namespace is null or f.namespace = p_namespace)
       and (f.status = 'processing' or f.publication_id is not null)
       and (p.status is distinct from 'open' or f.status <> 'processing'
            or p.registration_id <> f.registration_id or p.version_id <> f.version_id);

    -- Stored bytes: where they must be, and none that is forgotten. A copy that was found lost is
    -- known to be, as long as another is to be made.
    return query
    select distinct 'stored bytes', 'blob_copy',
           jsonb_build_object('namespace', f.namespace, 'sha256', encode(f.sha256, 'hex'),
                              'backend_id', k.backend_id),
           'no copy of published bytes on a required backend'
      from pkgdb.repository_backend k
      join pkgdb.registration r
        on r.namespace = k.namespace and r.repository_id = k.repository_id
      join pkgdb.file f
        on f.namespace = r.namespace and f.registration_id = r.registration_id
       and f.status = 'available'
      left join pkgdb.blob_copy c
        on c.namespace = f.namespace and c.sha256 = f.sha256 and c.backend_id = k.backend_id
       and c.state in ('pending', 'present')
      left join pkgdb.blob_copy l
        on l.namespace = f.namespace and l.sha256 = f.sha256 and l.backend_id = k.backend_id
       and l.state = 'lost'
     where (p_namespace is null or k.namespace = p_namespace) and k.requirement = 'required'
       and c.state is distinct from 'present'
       and (c.state is null or l.state is null);

    return query
    select distinct 'stored bytes', 'blob_copy',
           jsonb_build_object('namespace', c.namespace, 'sha256', encode(c.sha256, 'hex')),
           'the last copy of published bytes is to be deleted'
      from pkgdb.blob_copy c
      join pkgdb.file f
        on f.namespace = c.namespace and f.sha256 = c.sha256 and f.status = 'available'
      join pkgdb.registration r
        on r.namespace = f.namespace and r.registration_id = f.registration_id
      join pkgdb.repository_backend k
        on k.namespace = r.namespace and k.repository_id = r.repository_id
      left join pkgdb.blob_copy o
        on o.namespace = c.namespace and o.sha256 = c.sha256
       and o.state in ('pending', 'present', 'lost')
     where (p_namespace is null or c.namespace = p_namespace)
       and c.state = 'deleting' and c.present_at is not null and o.generation is null;

    return query
    select 'stored bytes', 'blob_copy',
           jsonb_build_object('namespace', c.namespace, 'sha256', encode(c.sha256, 'hex'),
                              'backend_id', c.backend_id),
           format('%s live copies', count(*))
      from pkgdb.blob_copy c
     where (p_namespace is null or c.namespace = p_namespace)
       and c.state in ('pending', 'present')
     group by c.namespace, c.sha256, c.backend_id
    having count(*) > 1;

    return query
    select 'stored bytes', 'blob_copy',
           jsonb_build_object('namespace', c.namespace, 'sha256', encode(c.sha256, 'hex'),
                              'backend_id', c.backend_id, 'generation', c.generation),
           x.problem
      from pkgdb.blob_copy c
      left join pkgdb.backend b on b.namespace = c.namespace and b.backend_id = c.backend_id
      cross join lateral (
           values
           (case when b.backend_id is null then 'no such backend' end),
           (case when b.status = 'retired' and c.state <> 'deleting'
                 then format('%s on a retired backend', c.state) end),
           (case when c.state = 'deleting' and c.next_attempt_at is null
                 then 'deleting, and never due' end),
           (case when not exists (
                        select from pkgdb.blob o
                         where o.namespace = c.namespace and o.sha256 = c.sha256)
                 then 'no such blob' end)
      ) x (problem)
     where (p_namespace is null or c.namespace = p_namespace) and x.problem is not null;

    return query
    select 'stored bytes', 'blob',
           jsonb_build_object('namespace', b.namespace, 'sha256', encode(b.sha256, 'hex')),
           'nothing needs it, and the collector does not know'
      from pkgdb.blob b
     where (p_namespace is null or b.namespace = p_namespace) and b.unneeded_since is null
       and not exists (
            select from pkgdb.file f where f.namespace = b.namespace and f.sha256 = b.sha256)
       and not exists (
            select from pkgdb.mirror_file f
             where f.namespace = b.namespace and f.sha256 = b.sha256)
       and (exists (
                select from pkgdb.blob_copy c
                 where c.namespace = b.namespace and c.sha256 = b.sha256
                   and c.state <> 'deleting')
            or not exists (
                select from pkgdb.blob_copy c
                 where c.namespace = b.namespace and c.sha256 = b.sha256));

    return query
    select 'stored bytes', 'repository_backend',
           jsonb_build_object('namespace', k.namespace, 'repository_id', k.repository_id,
                              'backend_id', k.backend_id),
           'a repository without a live backend of that id'
      from pkgdb.repository_backend k
     where (p_namespace is null or k.namespace = p_namespace)
       and not exists (
            select from pkgdb.backend b
             where b.namespace = k.namespace and b.backend_id = k.backend_id
               and b.status = 'live');

    -- Snapshots: of epochs that are over, with as many members as they say, each of which lived at
    -- its epoch, and with the listing that they were sealed with.
    return query
    select 'immutable snapshots', 'snapshot',
           jsonb_build_object('namespace', s.namespace, 'snapshot_id', s.snapshot_id), c.problem
      from pkgdb.snapshot s
      cross join lateral (
           select format('epoch %s is not over: the repository is at %s', s.epoch, r.epoch)
                  as problem
             from pkgdb.repository r
            where r.namespace = s.namespace and r.repository_id = s.repository_id
              and r.epoch <= s.epoch
            union all
           select format('%s members, not %s', m.members, s.member_count)
             from (select count(*) as members
                     from pkgdb.snapshot_member k
                    where k.namespace = s.namespace and k.snapshot_id = s.snapshot_id) m
            where s.member_count is not null and m.members <> s.member_count
            union all
           select 'its listing is not the one that it was sealed with'
            where s.digest is not null and s.digest <> pkgdb.listing_digest(s)) c
     where p_namespace is null or s.namespace = p_namespace;

    return query
    select 'immutable snapshots', 'snapshot_member',
           jsonb_build_object('namespace', m.namespace, 'snapshot_id', m.snapshot_id,
                              'registration_id', m.registration_id, 'version_id', m.version_id),
           format('the version did not live at epoch %s', m.epoch)
      from pkgdb.snapshot_member m
      join pkgdb.package_version v
        on v.namespace = m.namespace and v.registration_id = m.registration_id
       and v.version_id = m.version_id
      join pkgdb.registration g
        on g.namespace = m.namespace and g.registration_id = m.registration_id
      join pkgdb.repository r
        on r.namespace = m.namespace and r.repository_id = g.repository_id
     where (p_namespace is null or m.namespace = p_namespace)
       and (m.epoch >= r.epoch or v.added_epoch is null or v.added_epoch > m.epoch
            or v.removed_epoch <= m.epoch);

    -- Names that only one may have, and the one update that may be open.
    return query
    select 'unique names', d.relation,
           jsonb_build_object('namespace', d.namespace, 'name', d.name), 'more than one has it'
      from (
        select 'snapshot' as relation, s.namespace, s.name::text as name
          from pkgdb.snapshot s
        union all
        select 'distribution', o.namespace, jsonb_build_array(o.prefix, o.name)::text
          from pkgdb.distribution o
        union all
        select 'mirror_update', u.namespace, u.repository_id::text
          from pkgdb.mirror_update u
         where u.status = 'open') d
     where p_namespace is null or d.namespace = p_namespace
     group by d.relation, d.namespace, d.name
    having count(*) > 1;

    -- Mirrors: what was staged belongs to an update that is open, of a mirror that lives.
    return query
    select 'one commit', 'mirror_update',
           jsonb_build_object('namespace', u.namespace, 'update_id', u.update_id), c.problem
      from pkgdb.mirror_update u
      cross join lateral (
           select 'it has ended, and what it staged is still there' as problem
            where u.status <> 'open'
              and (exists (
                    select from pkgdb.mirror_item i
                     where i.namespace = u.namespace and i.update_id = u.update_id)
                   or exists (
                    select from pkgdb.mirror_file f
                     where f.namespace = u.namespace and f.update_id = u.update_id))
            union all
           select 'it is open, and not of a live mirror'
            where u.status = 'open' and not exists (
                select from pkgdb.repository r
                 where r.namespace = u.namespace and r.repository_id = u.repository_id
                   and r.kind = 'mirror' and r.status = 'live')
            union all
           select format('it counts %s staged items, and %s are there', u.staged, i.items)
             from (select count(*) as items
                     from pkgdb.mirror_item k
                    where k.namespace = u.namespace and k.update_id = u.update_id) i
            where u.status = 'open' and i.items <> u.staged) c
     where p_namespace is null or u.namespace = p_namespace;

    -- Distributions: each serves something, and what it serves is there.
    return query
    select 'served content', 'distribution',
           jsonb_build_object('namespace', d.namespace, 'distribution_id', d.distribution_id),
           'it has no components'
      from pkgdb.distribution d
     where (p_namespace is null or d.namespace = p_namespace)
       and not exists (
            select from pkgdb.distribution_component c
             where c.namespace = d.namespace and c.distribution_id = d.distribution_id)
     union all
    select 'served content', 'distribution_component',
           jsonb_build_object('namespace', c.namespace, 'distribution_id', c.distribution_id,
                              'component', c.component),
           'its distribution, snapshot or live repository is not there'
      from pkgdb.distribution_component c
     where (p_namespace is null or c.namespace = p_namespace)
       and (not exists (
                select from pkgdb.distribution d
                 where d.namespace = c.namespace and d.distribution_id = c.distribution_id)
            or (c.snapshot_id is not null and not exists (
                select from pkgdb.snapshot s
                 where s.namespace = c.namespace and s.snapshot_id = c.snapshot_id))
            or (c.repository_id is not null and not exists (
                select from pkgdb.repository r
                 where r.namespace = c.namespace and r.repository_id = c.repository_id
                   and r.status = 'live')));

    -- References, whether or not a foreign key still holds them.
    return query
    select 'references', p.relation, p.key, p.problem
      from (
        select v.namespace, 'package_version' as relation,
               jsonb_build_object('namespace', v.namespace, 'registration_id', v.registration_id,
                                  'version_id', v.version_id) as key,
               'no such registration' as problem
          from pkgdb.package_version v
         where not exists (
            select from pkgdb.registration r
             where r.namespace = v.namespace and r.registration_id = v.registration_id)
        union all
        select r.namespace, 'registration',
               jsonb_build_object('namespace', r.namespace, 'registration_id', r.registration_id),
               'no such repository'
          from pkgdb.registration r
         where not exists (
            select from pkgdb.repository o
             where o.namespace = r.namespace and o.repository_id = r.repository_id)
        union all
        select r.namespace, 'repository',
               jsonb_build_object('namespace', r.namespace, 'repository_id', r.repository_id),
               'no such namespace'
          from pkgdb.repository r
         where not exists (select from pkgdb.namespace n where n.namespace = r.namespace)
        union all
        select s.namespace, 'snapshot',
               jsonb_build_object('namespace', s.namespace, 'snapshot_id', s.snapshot_id),
               'no such repository'
          from pkgdb.snapshot s
         where s.repository_id is not null and not exists (
            select from pkgdb.repository o
             where o.namespace = s.namespace and o.repository_id = s.repository_id)
        union all
        select m.namespace, 'snapshot_member',
               jsonb_build_object('namespace', m.namespace, 'snapshot_id', m.snapshot_id,
                                  'registration_id', m.registration_id,
                                  'version_id', m.version_id),
               'no such snapshot with listed members'
          from pkgdb.snapshot_member m
         where not exists (
            select from pkgdb.snapshot s
             where s.namespace = m.namespace and s.snapshot_id = m.snapshot_id
               and s.repository_id is null)
        union all
        select k.namespace, 'snapshot_source',
               jsonb_build_object('namespace', k.namespace, 'snapshot_id', k.snapshot_id,
                                  'source_id', k.source_id),
               'no such snapshot'
          from pkgdb.snapshot_source k
         where not exists (
            select from pkgdb.snapshot s
             where s.namespace = k.namespace and s.snapshot_id = k.snapshot_id)
            or not exists (
            select from pkgdb.snapshot s
             where s.namespace = k.namespace and s.snapshot_id = k.source_id)
        union all
        select d.namespace, 'dependency',
               jsonb_build_object('namespace', d.namespace, 'registration_id', d.registration_id,
                                  'version_id', d.version_id, 'position', d.position),
               case when v.version_id is null then 'no such version'
                    else 'the scheme is not that of its version' end
          from pkgdb.dependency d
          left join pkgdb.package_version v
            on v.namespace = d.namespace and v.registration_id = d.registration_id
           and v.version_id = d.version_id
         where v.version_id is null or v.scheme <> d.scheme
        union all
        select m.namespace, 'mirror_version',
               jsonb_build_object('namespace', m.namespace, 'registration_id', m.registration_id,
                                  'version_id', m.version_id),
               'no such version of a mirror'
          from pkgdb.mirror_version m
         where not exists (
            select
              from pkgdb.package_version v
              join pkgdb.registration g
                on g.namespace = m.namespace and g.registration_id = v.registration_id
              join pkgdb.repository r
                on r.namespace = m.namespace and r.repository_id = g.repository_id
               and r.kind = 'mirror'
             where v.namespace = m.namespace and v.registration_id = m.registration_id
               and v.version_id = m.version_id)
        union all
        select f.namespace, 'file',
               jsonb_build_object('namespace', f.namespace, 'registration_id', f.registration_id,
                                  'version_id', f.version_id, 'file_id', f.file_id),
               'no such version'
          from pkgdb.file f
         where not exists (
            select from pkgdb.package_version v
             where v.namespace = f.namespace and v.registration_id = f.registration_id
               and v.version_id = f.version_id)
        union all
        select f.namespace, 'file',
               jsonb_build_object('namespace', f.namespace, 'registration_id', f.registration_id,
                                  'version_id', f.version_id, 'file_id', f.file_id),
               'no such blob'
          from pkgdb.file f
         where not exists (
            select from pkgdb.blob b
             where b.namespace = f.namespace and b.sha256 = f.sha256)
        union all
        select t.namespace, 'tag',
               jsonb_build_object('namespace', t.namespace, 'registration_id', t.registration_id,
                                  'tag', t.tag),
               'not on a published version of its registration'
          from pkgdb.tag t
         where not exists (
            select from pkgdb.package_version v
             where v.namespace = t.namespace and v.registration_id = t.registration_id
               and v.version_id = t.version_id and v.status in ('available', 'quarantined'))
        union all
        select t.namespace, 'tombstone',
               jsonb_build_object('namespace', t.namespace, 'registration_id', t.registration_id,
                                  'normalized_version', t.normalized_version,
                                  'variant', t.variant),
               case when r.registration_id is null then 'no such registration'
                    else format('normalised version is stale of %L', t.version) end
          from pkgdb.tombstone t
          left join pkgdb.registration r
            on r.namespace = t.namespace and r.registration_id = t.registration_id
         where r.registration_id is null
            or t.normalized_version <> pkgdb.remembered_identity(r.scheme, t)
      ) p
     where p_namespace is null or p.namespace = p_namespace;

    -- Events: each revision of a registration, repository, snapshot or distribution has one event,
    -- in order, and none is from the future. What was pruned is the beginning; what waits in the
    -- outbox is last. Of what is gone only the events are left.
    return query
    with event as (
        select e.namespace, s.subject, s.subject_id, e.revision, e.position, e.event_id,
               'feed_event' as relation
          from pkgdb.feed_event e
          cross join lateral pkgdb.event_subject(
               e.registration_id, e.repository_id, e.snapshot_id, e.distribution_id) s
         where p_namespace is null or e.namespace = p_namespace
         union all
        select o.namespace, s.subject, s.subject_id, o.revision, 9223372036854775807, o.event_id,
               'outbox'
          from pkgdb.outbox o
          cross join lateral pkgdb.event_subject(
               o.registration_id, o.repository_id, o.snapshot_id, o.distribution_id) s
         where p_namespace is null or o.namespace = p_namespace
    ), ordered as materialized (
        select e.*, lag(e.revision) over revisions as before_revision,
               (e.position, e.event_id)
               < (lag(e.position) over revisions, lag(e.event_id) over revisions) as too_early
          from event e
        window revisions as (
            partition by e.namespace, e.subject, e.subject_id
            order by e.revision, e.position, e.event_id)
    ), told as (
        select o.namespace, o.subject, o.subject_id, count(*) as events,
               min(o.revision) as first, max(o.revision) as last
          from ordered o
         group by o.namespace, o.subject, o.subject_id
    ), revision as (
        select 'registration' as subject, r.namespace, r.registration_id as subject_id, r.revision
          from pkgdb.registration r
         union all
        select 'repository', r.namespace, r.repository_id, r.revision from pkgdb.repository r
         union all
        select 'snapshot', s.namespace, s.snapshot_id, s.revision from pkgdb.snapshot s
         union all
        select 'distribution', d.namespace, d.distribution_id, d.revision
          from pkgdb.distribution d
    ), known as (
        select r.* from revision r where p_namespace is null or r.namespace = p_namespace
    ), compared as (
        select coalesce(k.subject, t.subject) as subject,
               coalesce(k.namespace, t.namespace) as namespace,
               coalesce(k.subject_id, t.subject_id) as subject_id, k.revision, t.events, t.first,
               t.last
          from known k
          full join told t
            on t.subject = k.subject and t.namespace = k.namespace
           and t.subject_id = k.subject_id
    )
    select 'feed', max(o.relation),
           jsonb_build_object('namespace', o.namespace, o.subject || '_id', o.subject_id,
                              'revision', o.revision),
           format('%s events for one revision', count(*) + 1)
      from ordered o
     where o.revision = o.before_revision
     group by o.namespace, o.subject, o.subject_id, o.revision
     union all
    select 'feed', o.relation,
           jsonb_build_object('namespace', o.namespace, 'event_id', o.event_id),
           format('revision %s comes before revision %s', o.revision, o.before_revision)
      from ordered o
     where o.revision > o.before_revision and o.too_early
     union all
    select 'feed', c.subject,
           jsonb_build_object('namespace', c.namespace, c.subject || '_id', c.subject_id),
           format('revision %s, but %s events up to revision %s',
                  coalesce(c.revision::text, 'unknown'), coalesce(c.events, 0),
                  coalesce(c.last, 0))
      from compared c
      left join pkgdb.feed_head h on h.namespace = c.namespace
     where case when c.events is null then c.revision > 0 and coalesce(h.pruned_to, 0) = 0
                else c.last <> c.revision or c.events <> c.last - c.first + 1 or c.first < 1
                     or (c.first > 1 and coalesce(h.pruned_to, 0) = 0) end;

    return query
    select 'feed', 'feed_event',
           jsonb_build_object('namespace', e.namespace, 'event_id', e.event_id),
           format('the event is there %s times', count(*))
      from (select f.namespace, f.event_id from pkgdb.feed_event f
             union all
            select o.namespace, o.event_id from pkgdb.outbox o) e
     where p_namespace is null or e.namespace = p_namespace
     group by e.namespace, e.event_id
    having count(*) > 1;

    -- Positions: no gaps, each of its incarnation, and cursors within them.
    return query
    select 'feed', 'feed_head',
           jsonb_build_object('namespace', coalesce(h.namespace, e.namespace)),
           format('positions after %s up to %s, but %s', coalesce(h.pruned_to, 0),
                  coalesce(h.position, 0),
                  case when e.events is null then 'no events'
                       else format('%s events from %s to %s', e.events, e.first, e.last) end)
      from pkgdb.feed_head h
      full join (
           select f.namespace, count(*) as events, min(f.position) as first,
                  max(f.position) as last
             from pkgdb.feed_event f
            group by f.namespace) e
        on e.namespace = h.namespace
     where (p_namespace is null or coalesce(h.namespace, e.namespace) = p_namespace)
       and case when e.events is null then h.position <> h.pruned_to
                else (h.pruned_to + 1, h.position, h.position - h.pruned_to)
                     is distinct from (e.first, e.last, e.events) end;

    return query
    select 'feed', 'feed_incarnation',
           jsonb_build_object('namespace', i.namespace, 'number', i.number),
           'does not begin where the one before it may end'
      from (select f.namespace, f.number, f.began_after,
                   lag(f.number, 1, 0::bigint) over incarnations as before,
                   lag(f.began_after) over incarnations as before_began
              from pkgdb.feed_incarnation f
            window incarnations as (partition by f.namespace order by f.number)) i
      left join pkgdb.feed_head h on h.namespace = i.namespace
     where (p_namespace is null or i.namespace = p_namespace)
       and (i.number <> i.before + 1 or i.began_after > coalesce(h.position, 0)
            or (i.number = 1 and i.began_after <> 0) or i.began_after < i.before_began);

    return query
    select 'feed', 'feed_event',
           jsonb_build_object('namespace', e.namespace, 'position', e.position),
           'the position is not of its incarnation'
      from pkgdb.feed_event e
      left join (
           select f.namespace, f.incarnation, f.began_after,
                  lead(f.began_after) over (
                      partition by f.namespace order by f.number) as ended_after
             from pkgdb.feed_incarnation f) i
        on i.namespace = e.namespace and i.incarnation = e.incarnation
     where (p_namespace is null or e.namespace = p_namespace)
       and (i.incarnation is null or e.position <= i.began_after or e.position > i.ended_after);

    return query
    select 'feed', 'consumer',
           jsonb_build_object('namespace', c.namespace, 'consumer', c.consumer),
           format('position %s is not from %s to %s', c.position, coalesce(h.pruned_to, 0),
                  coalesce(h.position, 0))
      from pkgdb.consumer c
      left join pkgdb.feed_head h on h.namespace = c.namespace
     where (p_namespace is null or c.namespace = p_namespace)
       and c.position not between coalesce(h.pruned_to, 0) and coalesce(h.position, 0);

    -- The protections themselves are there and trusted.
    return query
    select 'protections', 'pg_index', jsonb_build_object('index', i.indexrelid::regclass::text),
           'index is not valid'
      from pg_index i
      join pg_class c on c.oid = i.indrelid
     where c.relnamespace = 'pkgdb'::regnamespace
       and not (i.indisvalid and i.indisready and i.indislive);

    return query
    select 'protections', 'pg_constraint',
           jsonb_build_object('table', c.conrelid::regclass::text, 'constraint', c.conname),
           'constraint is not validated'
      from pg_constraint c
     where c.connamespace = 'pkgdb'::regnamespace and not c.convalidated;

    return query
    select 'protections', p.kind, jsonb_build_object('table', p.relation, 'name', p.name),
           'is missing'
      from pkgdb.protection p
     where not exists (
        select from pkgdb.protections() c
         where c.relation = p.relation and c.name = p.name and c.kind = p.kind);
end;
$$;
comment on function pkgdb.check_integrity is
    'Recomputes every promise from the rows of one namespace, or of all, and returns each '
    'violation; none on a database that only pkgdb''s functions have written. Reads everything '
    'once, in one snapshot, and locks nothing.';
grant execute on function pkgdb.check_integrity to pkgdb_operator;

-- What an event is about.
create function pkgdb.event_subject(
    p_registration_id bigint, p_repository_id bigint, p_snapshot_id bigint,
    p_distribution_id bigint
)
returns table (subject text, subject_id bigint)
language sql
immutable parallel safe
as $$
    select case when p_registration_id is not null then 'registration'
                when p_repository_id is not null then 'repository'
                when p_snapshot_id is not null then 'snapshot'
                else 'distribution' end,
           coalesce(p_registration_id, p_repository_id, p_snapshot_id, p_distribution_id)
$$;
