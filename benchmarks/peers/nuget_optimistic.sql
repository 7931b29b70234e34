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

reset role;
