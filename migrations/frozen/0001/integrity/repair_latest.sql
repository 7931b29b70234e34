-- Puts latest pointers and counters of one registration right, after someone wrote to the tables by
-- hand.
create function pkgdb.repair_latest(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_ecosystem pkgdb.string,
    p_name pkgdb.string, p_actor pkgdb.string default null
)
returns pkgdb.version_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_locked       pkgdb.locked_name;
    v_registration pkgdb.registration;
    v_latest       pkgdb.package_version;
    v_stable       pkgdb.package_version;
    v_versions     bigint;
    v_files        bigint;
    v_bytes        bigint;
begin
    perform pkgdb.begin_request(p_namespace, p_actor, null, 'repair_latest', null);
    v_locked := pkgdb.open_registration(p_namespace, p_repository, p_ecosystem, p_name);
    v_registration := v_locked.registration;

    select count(*) into v_versions
      from pkgdb.package_version v
     where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
       and v.status in ('available', 'quarantined');
    select count(*), coalesce(sum(b.size), 0) into v_files, v_bytes
      from pkgdb.file f
      join pkgdb.package_version v
        on v.namespace = p_namespace and v.registration_id = f.registration_id
       and v.version_id = f.version_id and v.status in ('available', 'quarantined')
      join pkgdb.blob b on b.namespace = p_namespace and b.sha256 = f.sha256
     where f.namespace = p_namespace and f.registration_id = v_registration.registration_id
       and f.status = 'available';

    select * into v_latest
      from pkgdb.package_version v
     where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
       and v.status = 'available' and v.listed
     order by v.version_key desc, v.version_id desc
     limit 1;
    select * into v_stable
      from pkgdb.package_version v
     where v.namespace = p_namespace and v.registration_id = v_registration.registration_id
       and v.status = 'available' and v.listed and not v.prerelease
     order by v.version_key desc, v.version_id desc
     limit 1;

    if (v_versions, v_files, v_bytes, v_latest.version_id, v_stable.version_id)
        is not distinct from (
            v_registration.version_count, v_registration.file_count, v_registration.byte_count,
            v_registration.latest_version_id, v_registration.latest_stable_version_id)
    then
        return pkgdb.unchanged(v_registration, v_latest);
    end if;
    return pkgdb.touch(
        v_registration, v_latest, 'repaired', p_actor,
        p_versions => (v_versions - v_registration.version_count)::integer,
        p_files => (v_files - v_registration.file_count)::integer,
        p_bytes => v_bytes - v_registration.byte_count);
end;
$$;
comment on function pkgdb.repair_latest is
    'Recomputes the latest pointers and counters of one package from its rows, for after a change '
    'made by hand. Outcome repaired or unchanged; the version is the latest. Errors: RG400 '
    'malformed argument, RG404 no such repository or package, RG405 isolation level.';
grant execute on function pkgdb.repair_latest to pkgdb_operator;
