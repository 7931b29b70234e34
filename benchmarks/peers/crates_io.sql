-- crates.io: the default version is compared with the new one in the transaction, and recomputed by
-- a background job afterwards.
-- Source: rust-lang/crates.io src/controllers/krate/publish.rs,
-- crates/crates_io_database/src/models/default_versions.rs and krate.rs (NewCrate::update),
-- src/worker/jobs/update_default_version.rs, crates/crates_io_worker/src/background_job.rs
-- (enqueue_deduplicated) and storage.rs, migrations/2025-02-11-163554_fix-num-versions-trigger,
-- as of August 2026.
-- Re-created: the publish updates the crate's row, inserts the version (a trigger counts it in
-- default_versions), reads the default version in a statement of its own, replaces it if the new
-- one is higher, and enqueues a job, unless one that is not running waits already. work(), one
-- worker's turn, takes a job, reads the highest version and writes it: yanked ones last, and
-- prereleases after releases.
-- Without a worker the queue grows to one job a crate, and each publish looks through all of it.
-- The update of the crate's row counts the version here too, so that it is not updated twice.
-- Isolation: READ COMMITTED. Locks: the crate's row from its update on, then the one of
-- default_versions: publishes of a crate come one after the other and are right. The job locks
-- neither before it reads: it may overwrite a newer default version with an older one, until the
-- job that the newer one has enqueued.
set role pkgdb_owner;

create table PEER.default_versions (
    namespace       text not null,
    registration_id bigint not null,
    version_id      bigint not null,
    num_versions    integer,
    primary key (namespace, registration_id),
    foreign key (namespace, registration_id)
        references PEER.registration (namespace, registration_id) on delete cascade,
    foreign key (namespace, registration_id, version_id)
        references PEER.package_version (namespace, registration_id, version_id)
        deferrable initially deferred
);
create unique index default_versions_version_id_uindex on PEER.default_versions (version_id);
insert into PEER.default_versions
select r.namespace, r.registration_id, coalesce(r.latest_stable_version_id, r.latest_version_id),
       r.version_count
  from PEER.registration r
 where r.latest_version_id is not null;

create table PEER.background_jobs (
    id         bigint generated always as identity primary key,
    job_type   text not null,
    data       jsonb not null,
    retries    integer not null default 0,
    last_retry timestamptz not null default '1970-01-01',
    created_at timestamptz not null default current_timestamp,
    priority   smallint not null default 0
);
create index background_jobs_priority_id_index on PEER.background_jobs (priority desc, id);

create function PEER.count_default_version()
returns trigger
language plpgsql
as $$
begin
    insert into PEER.default_versions as d (namespace, registration_id, version_id, num_versions)
    values (new.namespace, new.registration_id, new.version_id, 1)
        on conflict (namespace, registration_id)
           do update set num_versions = d.num_versions + 1;
    return new;
end;
$$;
create trigger count_default_version after insert on PEER.package_version
    for each row execute function PEER.count_default_version();

-- One turn of the worker: how many jobs it did.
create function PEER.work()
returns bigint
language plpgsql
as $$
declare
    v_job     record;
    v_version bigint;
begin
    select j.id, j.data ->> 'namespace' as namespace, (j.data -> 'crate_id')::bigint as crate_id
      into v_job
      from PEER.background_jobs j
     where j.job_type = 'update_default_version'
       and j.last_retry < now() - interval '1 minute' * power(2, j.retries)
     order by j.priority desc, j.id
     limit 1
       for update skip locked;
    if v_job.id is null then
        return 0;
    end if;
    select v.version_id into v_version
      from PEER.package_version v
     where v.namespace = v_job.namespace and v.registration_id = v_job.crate_id
     order by not v.listed, v.prerelease, v.version_key desc, v.version_id desc
     limit 1;
    insert into PEER.default_versions (namespace, registration_id, version_id)
    values (v_job.namespace, v_job.crate_id, v_version)
        on conflict (namespace, registration_id) do update set version_id = excluded.version_id;
    delete from PEER.background_jobs j where j.id = v_job.id;
    return 1;
end;
$$;

create or replace view PEER.latest as
    select registration_id, version_id from PEER.default_versions;

reset role;
