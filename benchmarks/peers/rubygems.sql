-- RubyGems: every push writes the positions and flags of all versions of the gem anew.
-- Source: rubygems/rubygems.org app/models/rubygem.rb (reorder_versions, bulk_reorder_versions),
-- app/models/version.rb (after_save :reorder_versions), as of August 2026; issue 6099 (deadlocks).
-- Re-created: with the new row in place the client reads all numbers and sorts them, then all ids;
-- one statement sets the position of each and takes the flag latest off it; then it reads the
-- released versions again and sets the flag of the highest of each platform. The comparison is the
-- server's here; the ids and positions travel back and forth as there.
-- Left out: the second time. There the row is inserted unindexed, and indexed by a job after the
-- bytes are written, with a reordering each (Pusher, AfterVersionWriteJob). And the indexes of
-- versions that contain position or latest, but for one.
-- Isolation: READ COMMITTED. Locks: none but those of the rows that it updates, in whatever order
-- the update meets them. Two pushes do not see each other's rows: both are latest, at one position.
-- A deadlock fails the push there; here whoever runs it may try again. Pull request 6849, open,
-- adds an advisory lock for each gem.
set role pkgdb_owner;

alter table PEER.package_version
    add column latest   boolean,
    add column position integer;
update PEER.package_version v
   set latest = v.version_id is not distinct from r.latest_stable_version_id,
       position = p.position
  from PEER.registration r
  join (select v.namespace, v.registration_id, v.version_id,
               row_number() over (partition by v.namespace, v.registration_id
                                  order by v.version_key desc, v.version_id desc) - 1 as position
          from PEER.package_version v) p
    on p.namespace = r.namespace and p.registration_id = r.registration_id
 where p.namespace = v.namespace and p.registration_id = v.registration_id
   and p.version_id = v.version_id;
create index package_version_position_idx
    on PEER.package_version (namespace, registration_id, position);

create or replace view PEER.latest as
    select registration_id, version_id from PEER.package_version where latest;

create view PEER.places as
    select registration_id, version_id, position as place from PEER.package_version;

reset role;
