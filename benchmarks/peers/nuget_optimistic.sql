-- NuGet Gallery's flags with its optimistic-concurrency fix, merged for a month in 2017.
-- Source: NuGet/NuGetGallery, pull requests 3548, 3632, 3641 and 3695, reverted by 3707:
-- src/NuGetGallery/Services/PackageService.cs (UpdateIsLatestAsync, TryUpdateIsLatestInDatabase)
-- as of commit 551fd86.
-- Re-created: the version is committed without flags. Then, in a transaction of its own, each row
-- whose flags have to change is updated where it still has those that were read; if fewer rows were
-- updated than have to change, all is rolled back. The first try goes by what the push has read in
-- the beginning; up to three more, each after a random wait of up to a second, read again. Then it
-- gives up and says nothing. The retries are the client's: pgbench counts none of them.
-- Generous: a retry reads and updates in one call.
-- Isolation: READ COMMITTED. Locks: none but those of the rows that it updates. Between the two
-- transactions latest is wrong for all to see, as long as the waits last. Two pushes conflict only
-- if both change one row, which two first versions do not. Unlisting still went wrong, so it was
-- reverted.
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

-- What the client learns: every version, and what it makes of them once the new one, if there is
-- one, is among them: which rows have other flags than they should, and which should have them.
create function PEER.read_flags(
    p_namespace text, p_registration_id bigint, p_scheme text, p_new text,
    out versions text, out latest bigint, out latest_stable bigint, out wins boolean,
    out wins_stable boolean, out changes boolean, out changed bigint[], out was_latest boolean[],
    out was_stable boolean[]
)
language plpgsql
stable
as $$
declare
    v_key bytea := case when p_new is not null
        then pkgdb.scheme_version_key(p_scheme, p_new) end;
begin
    select h.latest, h.latest_stable into latest, latest_stable
      from PEER.highest(p_namespace, p_registration_id) h;
    wins := v_key is not null and not exists (
        select
          from PEER.package_version v
         where v.namespace = p_namespace and v.registration_id = p_registration_id
           and v.version_id = latest and v.version_key >= v_key);
    wins_stable := v_key is not null
        and not pkgdb.scheme_is_prerelease(p_scheme, p_new)
        and not exists (
            select
              from PEER.package_version v
             where v.namespace = p_namespace and v.registration_id = p_registration_id
               and v.version_id = latest_stable and v.version_key >= v_key);
    latest := case when wins then 0 else coalesce(latest, 0) end;
    latest_stable := case when wins_stable then 0 else coalesce(latest_stable, 0) end;
    select string_agg(v.version_id || ' ' || v.version, ' '),
           coalesce(array_agg(v.version_id) filter (where f.changed), '{}'),
           coalesce(array_agg(v.is_latest) filter (where f.changed), '{}'),
           coalesce(array_agg(v.is_latest_stable) filter (where f.changed), '{}')
      into versions, changed, was_latest, was_stable
      from PEER.package_version v
     cross join lateral (
        select v.is_latest <> (v.version_id = latest)
               or v.is_latest_stable <> (v.version_id = latest_stable) as changed) f
     where v.namespace = p_namespace and v.registration_id = p_registration_id;
    changes := changed <> '{}';
end;
$$;

-- False where another was first.
create function PEER.try_flags(
    p_namespace text, p_registration_id bigint, p_changed bigint[], p_was_latest boolean[],
    p_was_stable boolean[], p_latest bigint, p_latest_stable bigint
)
returns boolean
language plpgsql
as $$
declare
    v_count bigint;
begin
    update PEER.package_version v
       set is_latest = v.version_id = p_latest, is_latest_stable = v.version_id = p_latest_stable
      from unnest(p_changed, p_was_latest, p_was_stable)
           as c (version_id, was_latest, was_stable)
     where v.namespace = p_namespace and v.registration_id = p_registration_id
       and v.version_id = c.version_id
       and v.is_latest = c.was_latest and v.is_latest_stable = c.was_stable
       and (v.status = 'available' and v.listed
            or v.version_id not in (p_latest, p_latest_stable));
    get diagnostics v_count = row_count;
    if v_count <> cardinality(p_changed) then
        raise serialization_failure;
    end if;
    return true;
exception
    when serialization_failure or deadlock_detected then
        return false;
end;
$$;

create function PEER.retry_flags(p_namespace text, p_registration_id bigint)
returns boolean
language plpgsql
as $$
declare
    v_read record;
begin
    select * into v_read from PEER.read_flags(p_namespace, p_registration_id, null, null);
    return not v_read.changes
        or PEER.try_flags(
            p_namespace, p_registration_id, v_read.changed, v_read.was_latest, v_read.was_stable,
            v_read.latest, v_read.latest_stable);
end;
$$;

create view PEER.latest as
    select registration_id, version_id from PEER.package_version where is_latest;

reset role;
