-- Warehouse (PyPI): every new release numbers all releases of the project anew.
-- Source: pypi/warehouse warehouse/forklift/legacy.py (_sort_releases, pull request 19735),
-- warehouse/packaging/models.py (ensure_monotonic_journals; Project.latest_version),
-- warehouse/db.py (DEFAULT_ISOLATION), as of August 2026.
-- Re-created: with the new row in place the client locks and reads all releases in the order of
-- their ids, sorts them, and updates those whose number has changed; at the end it takes the global
-- advisory lock of the journal and writes the event. Latest is asked for by number.
-- Generous: one statement updates all that changed (there each is one), and the comparison is the
-- server's.
-- Left out: the trigger that sums the sizes of all files of the project for each file.
-- Isolation: READ COMMITTED. Locks: every release's row, in order, then the journal's. Who waits
-- for the rows has taken his snapshot before: he does not see the release that he waited for, and
-- numbers the others without it. Right again with the next release.
set role pkgdb_owner;

alter table PEER.package_version add column pypi_ordering integer;
update PEER.package_version v
   set pypi_ordering = p.place
  from (select v.namespace, v.registration_id, v.version_id,
               row_number() over (partition by v.namespace, v.registration_id
                                  order by v.version_key, v.version_id) - 1 as place
          from PEER.package_version v) p
 where p.namespace = v.namespace and p.registration_id = v.registration_id
   and p.version_id = v.version_id;
create index package_version_ordering_idx
    on PEER.package_version (namespace, registration_id, pypi_ordering desc);

create or replace view PEER.latest as
    select distinct on (registration_id) registration_id, version_id
      from PEER.package_version
     order by registration_id, prerelease, pypi_ordering desc;

create view PEER.places as
    select registration_id, version_id,
           max(pypi_ordering) over (partition by registration_id) - pypi_ordering as place
      from PEER.package_version;

reset role;
