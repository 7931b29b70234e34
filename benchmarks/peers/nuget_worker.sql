-- NuGet Gallery's flags, kept by one background worker.
-- Source: no code; the remedy that is proposed wherever latest is wrong, and near to what
-- NuGet/NuGetGallery has: src/GalleryTools/Commands/UpdateIsLatestCommand.cs recomputes the flags
-- of packages that went wrong, from outside.
-- Re-created: publish writes the rows and one of the queue, and nothing else. work(), which nobody
-- else calls at the same time, takes up to 100 rows of the queue, recomputes each of their packages
-- once and says how many rows it took. It sees every version whose row it took, as both were
-- committed at once.
-- Isolation: READ COMMITTED. Locks: none. Right once the queue is empty, and behind until then: how
-- far is what the worker cannot keep up with.
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

create table PEER.queue (
    queue_id        bigint generated always as identity primary key,
    namespace       text not null,
    registration_id bigint not null
);

select PEER.create_publish(
    p_after => $$
        insert into PEER.queue (namespace, registration_id)
        values (p_namespace, v_registration.registration_id);$$,
    p_latest => 'latest_version_id', p_latest_stable => 'latest_stable_version_id');

create function PEER.work()
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_done    bigint := 0;
    v_package record;
    v_highest record;
begin
    for v_package in
        with taken as (
            delete from PEER.queue
             where queue_id = any (array(
                 select q.queue_id from PEER.queue q order by q.queue_id limit 100))
            returning namespace, registration_id)
        select t.namespace, t.registration_id, count(*) as taken
          from taken t
         group by t.namespace, t.registration_id
    loop
        v_done := v_done + v_package.taken;
        select * into v_highest
          from PEER.highest(v_package.namespace, v_package.registration_id);
        update PEER.package_version v
           set is_latest = false, is_latest_stable = false
         where v.namespace = v_package.namespace
           and v.registration_id = v_package.registration_id
           and (v.is_latest and v.version_id is distinct from v_highest.latest
                or v.is_latest_stable and v.version_id is distinct from v_highest.latest_stable);
        update PEER.package_version v
           set is_latest = v.version_id = v_highest.latest,
               is_latest_stable = v.version_id is not distinct from v_highest.latest_stable
         where v.namespace = v_package.namespace
           and v.registration_id = v_package.registration_id
           and v.version_id in (v_highest.latest, v_highest.latest_stable)
           and not (v.is_latest and v.is_latest_stable);
    end loop;
    return v_done;
end;
$$;

create view PEER.latest as
    select registration_id, version_id from PEER.package_version where is_latest;

reset role;
