-- Holds a repository to its keep_versions policy: deletes what is beyond it, oldest publication
-- first.
create function pkgdb.apply_retention(
    p_namespace pkgdb.string, p_repository pkgdb.string, p_limit integer default 1000,
    p_actor pkgdb.string default null
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan  -- whatever the statistics say of one namespace
set enable_seqscan = off
set jit = off
as $$
declare
    v_repository   pkgdb.repository;
    v_registration pkgdb.registration;
    v_version      pkgdb.package_version;
    v_deleted      bigint := 0;
begin
    perform pkgdb.begin_request(p_namespace, p_actor, null, 'apply_retention', null);
    if p_limit is null or p_limit not between 1 and 100000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 100000';
    end if;
    v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
    if v_repository.keep_versions is null then
        return 0;
    end if;

    for v_version in
        select (v.whole).*
          from pkgdb.registration r
          cross join lateral (
               select c as whole, c.registration_id, c.version_id,
                      row_number() over (
                          partition by c.variant order by c.published_at desc, c.version_id desc
                      ) as place
                 from pkgdb.package_version c
                where c.namespace = p_namespace and c.registration_id = r.registration_id
                  and c.status = 'available') v
         where r.namespace = p_namespace and r.repository_id = v_repository.repository_id
           and r.version_count > v_repository.keep_versions
           and v.place > v_repository.keep_versions
           and v.version_id is distinct from r.latest_version_id
           and v.version_id is distinct from r.latest_stable_version_id
           and not exists (
                select from pkgdb.tag t
                 where t.namespace = p_namespace and t.registration_id = r.registration_id
                   and t.version_id = v.version_id)
         order by v.registration_id, v.version_id
         limit p_limit
    loop
        select * into strict v_registration
          from pkgdb.registration r
         where r.namespace = p_namespace and r.registration_id = v_version.registration_id;
        perform pkgdb.bury_version(
            v_repository, v_registration, v_version, 'retired', p_actor);
        v_deleted := v_deleted + 1;
    end loop;
    return v_deleted;
end;
$$;
comment on function pkgdb.apply_retention is
    'Deletes versions beyond the repository''s keep_versions: of each package and variant that '
    'many of the most recently published stay, besides what is latest, latest stable, tagged or '
    'quarantined. At most p_limit per call; returns how many, 0 when the policy holds. Takes the '
    'repository for itself, waiting at most 10 seconds. Errors: RG400 malformed argument, RG404 '
    'no such repository, RG405 isolation level, RG422 lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.apply_retention to pkgdb_operator;
