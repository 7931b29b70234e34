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
        perform PEER.set_flags(v_package.namespace, v_package.registration_id);
    end loop;
    return v_done;
end;
$$;

reset role;
