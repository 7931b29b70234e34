-- NuGet Gallery's flags, kept by a trigger: what the source itself asks for.
-- Source: NuGet/NuGetGallery src/NuGetGallery.Core/Services/CorePackageService.cs, a comment in
-- UpdateIsLatestAsync ("Trigger maybe?"). It was never built there, so this one is ours: after each
-- new version it locks all rows of the package's versions, in the order of their ids, and then, in
-- a statement of its own, recomputes the flags.
-- Isolation: READ COMMITTED. Locks: every version row of the package. Two first versions of a new
-- package have no row in common, and so no lock: there even this is wrong.
set role pkgdb_owner;

alter table PEER.package_version
    add column is_latest        boolean not null default false,
    add column is_latest_stable boolean not null default false;
update PEER.package_version v
   set is_latest = v.version_id = r.latest_version_id,
       is_latest_stable = v.version_id is not distinct from r.latest_stable_version_id
  from PEER.registration r
 where r.namespace = v.namespace and r.registration_id = v.registration_id
   and v.version_id in (r.latest_version_id, r.latest_stable_version_id);
create index package_version_flag_idx on PEER.package_version (namespace, registration_id)
    where is_latest or is_latest_stable;

create function PEER.keep_latest()
returns trigger
language plpgsql
as $$
declare
    v_highest record;
begin
    perform
       from PEER.package_version v
      where v.namespace = new.namespace and v.registration_id = new.registration_id
      order by v.version_id
        for update;
    select * into v_highest from PEER.highest(new.namespace, new.registration_id);
    update PEER.package_version v
       set is_latest = false, is_latest_stable = false
     where v.namespace = new.namespace and v.registration_id = new.registration_id
       and (v.is_latest and v.version_id is distinct from v_highest.latest
            or v.is_latest_stable and v.version_id is distinct from v_highest.latest_stable);
    update PEER.package_version v
       set is_latest = v.version_id = v_highest.latest,
           is_latest_stable = v.version_id is not distinct from v_highest.latest_stable
     where v.namespace = new.namespace and v.registration_id = new.registration_id
       and v.version_id in (v_highest.latest, v_highest.latest_stable)
       and not (v.is_latest and v.is_latest_stable);
    return null;
end;
$$;
create trigger keep_latest after insert on PEER.package_version
    for each row execute function PEER.keep_latest();

select PEER.create_publish(
    p_latest => 'latest_version_id', p_latest_stable => 'latest_stable_version_id');

create view PEER.latest as
    select registration_id, version_id from PEER.package_version where is_latest;

reset role;
