-- Snapshots, mirrors and distributions, for readers.

create view pkgdb.snapshots with (security_barrier) as
select s.namespace::text, s.name::text as snapshot, s.snapshot_id,
       case when s.repository_id is null then 'members' else 'pointer' end as kind,
       case when r.status = 'live' then r.name::text end as repository, s.epoch,
       s.member_count as members, s.description, s.revision,
       pg_catalog.encode(s.digest, 'hex') as digest, s.created_at
  from pkgdb.snapshot s
  left join pkgdb.repository r
    on r.namespace = s.namespace and r.repository_id = s.repository_id;
comment on view pkgdb.snapshots is
    'Snapshots: pointer to a repository''s content at an epoch (repository is null where it was '
    'dropped since), or with listed members.';

create view pkgdb.snapshot_sources with (security_barrier) as
select s.namespace::text, s.name::text as snapshot, o.name::text as source
  from pkgdb.snapshot_source k
  join pkgdb.snapshot s on s.namespace = k.namespace and s.snapshot_id = k.snapshot_id
  join pkgdb.snapshot o on o.namespace = k.namespace and o.snapshot_id = k.source_id;
comment on view pkgdb.snapshot_sources is 'Which snapshots a snapshot was made from.';

create view pkgdb.distributions with (security_barrier) as
select d.namespace::text, d.prefix::text, d.name::text as distribution, d.distribution_id,
       d.ecosystem::text, d.settings, d.revision, d.created_at, d.updated_at
  from pkgdb.distribution d;
comment on view pkgdb.distributions is 'Distributions: named pointers that clients read.';

create view pkgdb.distribution_components with (security_barrier) as
select d.namespace::text, d.prefix::text, d.name::text as distribution, c.component::text,
       s.name::text as snapshot, r.name::text as repository
  from pkgdb.distribution_component c
  join pkgdb.distribution d
    on d.namespace = c.namespace and d.distribution_id = c.distribution_id
  left join pkgdb.snapshot s on s.namespace = c.namespace and s.snapshot_id = c.snapshot_id
  left join pkgdb.repository r
    on r.namespace = c.namespace and r.repository_id = c.repository_id and r.status = 'live';
comment on view pkgdb.distribution_components is
    'What each component of a distribution serves: a snapshot, or a repository as it is.';

create view pkgdb.mirrors with (security_barrier) as
select r.namespace::text, r.name::text as repository, r.upstream, m.release, m.updated_at
  from pkgdb.repository r
  left join pkgdb.mirror m on m.namespace = r.namespace and m.repository_id = r.repository_id
 where r.kind = 'mirror' and r.status = 'live';
comment on view pkgdb.mirrors is 'Mirrors, and up to where they have followed their upstream.';

create view pkgdb.mirror_updates with (security_barrier) as
select u.namespace::text, u.update_id, r.name::text as repository, u.status, u.actor::text,
       u.fence, u.lease_until, u.release, u.staged, u.report, u.reason, u.created_at, u.ended_at
  from pkgdb.mirror_update u
  left join pkgdb.repository r
    on r.namespace = u.namespace and r.repository_id = u.repository_id and r.status = 'live';
comment on view pkgdb.mirror_updates is
    'Updates of mirrors: open ones, and those that ended in the last week.';

create view pkgdb.dependencies with (security_barrier) as
select g.namespace::text, r.name::text as repository, g.ecosystem::text, g.name::text,
       v.version::text, v.variant::text, d.position, d.alternative, d.kind::text,
       pkgdb.alternative_text(d.name, d.architecture, d.lower_version, d.lower_strict,
                              d.upper_version, d.upper_strict) as relation,
       v.registration_id, v.version_id
  from pkgdb.dependency d
  join pkgdb.package_version v
    on v.namespace = d.namespace and v.registration_id = d.registration_id
   and v.version_id = d.version_id
  join pkgdb.registration g
    on g.namespace = v.namespace and g.registration_id = v.registration_id
  join pkgdb.repository r on r.namespace = g.namespace and r.repository_id = g.repository_id
 where r.status = 'live' and v.status in ('available', 'quarantined');
comment on view pkgdb.dependencies is
    'What published versions say of other packages: one row for each alternative of a relation.';

grant select on pkgdb.snapshots, pkgdb.snapshot_sources, pkgdb.distributions,
    pkgdb.distribution_components, pkgdb.mirrors, pkgdb.mirror_updates, pkgdb.dependencies
    to pkgdb_reader;
