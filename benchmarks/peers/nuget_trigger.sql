-- NuGet Gallery's flags, kept by a trigger: what the source itself asks for.
-- Source: NuGet/NuGetGallery src/NuGetGallery.Core/Services/CorePackageService.cs, a comment in
-- UpdateIsLatestAsync ("Trigger maybe?"). It was never built there, so this one is ours: after each
-- new version it locks all rows of the package's versions, in the order of their ids, and then, in
-- a statement of its own, recomputes the flags.
-- Isolation: READ COMMITTED. Locks: every version row of the package. Two first versions of a new
-- package have no row in common, and so no lock: there even this is wrong.
set role pkgdb_owner;

create function PEER.keep_latest()
returns trigger
language plpgsql
as $$
begin
    perform
       from PEER.package_version v
      where v.namespace = new.namespace and v.registration_id = new.registration_id
      order by v.version_id
        for update;
    perform PEER.set_flags(new.namespace, new.registration_id);
    return null;
end;
$$;
create trigger keep_latest after insert on PEER.package_version
    for each row execute function PEER.keep_latest();

select PEER.create_publish(
    p_latest => 'latest_version_id', p_latest_stable => 'latest_stable_version_id');

reset role;
