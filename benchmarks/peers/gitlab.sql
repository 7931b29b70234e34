-- GitLab: a lease while a version is created, and latest found when it is asked for.
-- Source: gitlabhq/gitlabhq app/services/packages/npm/create_package_service.rb,
-- app/services/concerns/exclusive_lease_guard.rb, lib/gitlab/exclusive_lease.rb, the migration
-- AddUniqueIndexForNpmPackagesOnProjectIdNameVersion,
-- app/services/packages/npm/generate_metadata_service.rb (sorted_versions).
-- Re-created: looks whether the version exists, takes the lease of its name and version, inserts in
-- a transaction and gives the lease back. A partial unique index leaves out what is to be
-- destroyed.
-- The lease is in Redis there; here it is a row of an unlogged table with transactions of its own,
-- which do not wait for the disk.
-- Left out: the tag that a client of npm sends, which is the publisher's word and goes before the
-- highest; and the version is available at once, where a worker there processes it.
-- Isolation: READ COMMITTED. Locks: the lease, of one version only; who does not get it is told to
-- try again. Nothing about latest is stored, so nothing can be wrong; each reader pays: there every
-- version is fetched and sorted, here the index that pkgdb has finds it.
set role pkgdb_owner;

create unlogged table PEER.lease (
    lease_key  text primary key,
    uuid       uuid not null,
    expires_at timestamptz not null
);
drop index PEER.package_version_live_key;
create unique index package_version_when_npm
    on PEER.package_version (namespace, registration_id, normalized_version, variant)
    where status <> 'pending_destruction';

create or replace view PEER.latest as
    select r.registration_id, h.latest as version_id
      from PEER.registration r
     cross join PEER.highest(r.namespace, r.registration_id) h
     where h.latest is not null;

reset role;
