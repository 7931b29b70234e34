-- What readers see: live things only. security_barrier, so that no cheap function in a reader's
-- WHERE clause is shown a row that the view hides.

create view pkgdb.repositories with (security_barrier) as
select r.namespace::text, r.name::text as repository, r.repository_id, r.kind,
       pkgdb.policy_of(r) as policy, r.revision, r.epoch, r.created_at
  from pkgdb.repository r
 where r.status = 'live';
comment on view pkgdb.repositories is 'Live repositories and their policies.';

create view pkgdb.registrations with (security_barrier) as
select g.namespace::text, r.name::text as repository, g.ecosystem::text, g.name::text,
       g.normalized_name::text, g.registration_id, g.revision,
       latest.version::text as latest, stable.version::text as latest_stable,
       g.version_count as versions, g.file_count as files, g.byte_count as bytes,
       g.created_at, g.updated_at
  from pkgdb.registration g
  join pkgdb.repository r on r.namespace = g.namespace and r.repository_id = g.repository_id
  left join pkgdb.package_version latest
    on latest.namespace = g.namespace and latest.registration_id = g.registration_id
   and latest.version_id = g.latest_version_id
  left join pkgdb.package_version stable
    on stable.namespace = g.namespace and stable.registration_id = g.registration_id
   and stable.version_id = g.latest_stable_version_id
 where r.status = 'live' and g.status = 'active' and g.revision > 0;
comment on view pkgdb.registrations is
    'Package names with their latest versions and counters; not those of which nothing was ever '
    'published.';

create view pkgdb.package_versions with (security_barrier) as
select v.namespace::text, r.name::text as repository, g.ecosystem::text, g.name::text,
       v.registration_id, v.version_id, v.version::text, v.normalized_version::text,
       v.variant::text, v.prerelease, v.status, v.listed, v.yank_reason, v.deprecation,
       v.metadata, v.published_at
  from pkgdb.package_version v
  join pkgdb.registration g
    on g.namespace = v.namespace and g.registration_id = v.registration_id
  join pkgdb.repository r on r.namespace = g.namespace and r.repository_id = g.repository_id
 where r.status = 'live' and v.status in ('available', 'quarantined');
comment on view pkgdb.package_versions is 'Published versions; quarantined ones by status.';

create view pkgdb.files with (security_barrier) as
select f.namespace::text, r.name::text as repository, g.ecosystem::text, g.name::text,
       v.version::text, v.variant::text, f.registration_id, f.version_id, f.filename::text,
       pg_catalog.encode(f.sha256, 'hex') as sha256, b.size, f.media_type, f.attributes, f.role
  from pkgdb.repository r
  join pkgdb.registration g on g.namespace = r.namespace and g.repository_id = r.repository_id
  join pkgdb.file f on f.namespace = g.namespace and f.registration_id = g.registration_id
  -- One row of each, by its key. Before the first ANALYZE a join would be planned as if a namespace
  -- had one row.
 cross join lateral (
       select v.version, v.variant, v.status
         from pkgdb.package_version v
        where v.namespace = f.namespace and v.registration_id = f.registration_id
          and v.version_id = f.version_id
       offset 0) v
 cross join lateral (
       select b.size
         from pkgdb.blob b
        where b.namespace = f.namespace and b.sha256 = f.sha256
       offset 0) b
 where r.status = 'live' and f.status = 'available' and v.status = 'available';
comment on view pkgdb.files is 'Files of available versions.';

create view pkgdb.tags with (security_barrier) as
select t.namespace::text, r.name::text as repository, g.ecosystem::text, g.name::text,
       t.tag::text, v.version::text, v.variant::text, t.registration_id, t.version_id
  from pkgdb.tag t
  join pkgdb.package_version v
    on v.namespace = t.namespace and v.registration_id = t.registration_id
   and v.version_id = t.version_id
  join pkgdb.registration g
    on g.namespace = t.namespace and g.registration_id = t.registration_id
  join pkgdb.repository r on r.namespace = g.namespace and r.repository_id = g.repository_id
 where r.status = 'live' and v.status = 'available';
comment on view pkgdb.tags is 'Tags on available versions.';

create view pkgdb.publications with (security_barrier) as
select p.namespace::text, p.publication_id, r.name::text as repository, p.ecosystem::text,
       p.name::text, p.version::text, p.variant::text, p.status, p.actor::text, p.login,
       p.request_key::text, p.fence, p.lease_until, p.reason, p.created_at, p.ended_at,
       p.version_id, p.outcome
  from pkgdb.publication p
  left join pkgdb.repository r
    on r.namespace = p.namespace and r.repository_id = p.repository_id;
comment on view pkgdb.publications is
    'Publications: open ones, those that ended in the last week, and those whose version exists.';

create view pkgdb.validations with (security_barrier) as
select v.namespace::text, v.publication_id, v.validator::text, v.round, v.requirement, v.status,
       v.attempts, v.detail, v.updated_at
  from pkgdb.validation v;
comment on view pkgdb.validations is 'What validators said of publications, round by round.';

grant select on pkgdb.publications, pkgdb.validations to pkgdb_publisher;
grant select on pkgdb.repositories, pkgdb.registrations, pkgdb.package_versions, pkgdb.files,
    pkgdb.tags
    to pkgdb_reader;
