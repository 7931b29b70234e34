-- The floor: the rows of one publish, written with no check and no lock at all. It needs to be told
-- what pkgdb.publish finds out: the registration, and that everything is new.
create table public.target as
select row_number() over (order by r.registration_id)::integer as number, r.registration_id, r.name
  from pkgdb.registration r;
alter table public.target add primary key (number);

create function public.floor_publish(
    p_number integer, p_version text, p_filename text, p_sha256 bytea, p_size bigint
)
returns pkgdb.version_ref
language plpgsql
as $$
declare
    v_now      timestamptz := clock_timestamp();
    v_target   public.target;
    v_version  bigint;
    v_revision bigint;
begin
    select * into v_target from public.target t where t.number = p_number;
    insert into pkgdb.package_version
        (namespace, registration_id, scheme, version, status, added_epoch, created_at,
         published_at)
    values
        ('bench', v_target.registration_id, 'semver53', p_version, 'available', 1, v_now, v_now)
    returning version_id into v_version;
    insert into pkgdb.blob (namespace, sha256, size, created_at)
    values ('bench', p_sha256, p_size, v_now);
    insert into pkgdb.file
        (namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
         status, added_epoch, created_at)
    values
        ('bench', v_target.registration_id, v_version, p_filename, v_version, 'main', p_sha256,
         'available', 1, v_now);
    update pkgdb.registration
       set latest_version_id = v_version, latest_stable_version_id = v_version,
           version_count = version_count + 1, file_count = file_count + 1,
           byte_count = byte_count + p_size, revision = revision + 1, updated_at = v_now
     where namespace = 'bench' and registration_id = v_target.registration_id
    returning revision into v_revision;
    insert into pkgdb.outbox
        (namespace, event, repository_id, registration_id, version_id, revision, ecosystem, name,
         version, variant, login, occurred_at)
    values
        ('bench', 'created', 1, v_target.registration_id, v_version, v_revision, 'npm',
         v_target.name, p_version, '', session_user, v_now);
    return (v_target.registration_id, v_version, v_revision, 'created')::pkgdb.version_ref;
end;
$$;
