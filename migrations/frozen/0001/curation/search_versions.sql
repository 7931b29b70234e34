-- What a repository contains now, or a snapshot for ever.
create function pkgdb.search_versions(
    p_namespace pkgdb.string, p_repository pkgdb.string default null,
    p_snapshot pkgdb.string default null, p_query text default null,
    p_files boolean default false
)
returns setof pkgdb.content_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_repository pkgdb.repository;
    v_members    pkgdb.member[];
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_files is null or num_nonnulls(p_repository, p_snapshot) <> 1 then
        raise exception using
            errcode = 'RG400',
            message = 'name a repository or a snapshot; files must be true or false';
    end if;
    if p_snapshot is not null then
        v_members := pkgdb.snapshot_members(pkgdb.find_snapshot(p_namespace, p_snapshot));
    else
        select * into v_repository
          from pkgdb.repository r
         where r.namespace = p_namespace and r.name = p_repository and r.status = 'live';
        if not found then
            perform pkgdb.no_repository(p_namespace, p_repository);
        end if;
        v_members := pkgdb.repository_members(v_repository);
    end if;
    if p_query is not null then
        v_members := pkgdb.match_members(p_namespace, v_members, array[p_query]);
    end if;
    return query select * from pkgdb.describe_members(p_namespace, v_members, p_files);
end;
$$;
comment on function pkgdb.search_versions is
    'The versions of a repository as it is now, or of a snapshot, that p_query matches (null: '
    'all), in order of ecosystem, name, version and variant; with p_files the files of each. '
    'Errors: RG400 malformed argument or query, RG404 no such repository or snapshot.';
grant execute on function pkgdb.search_versions to pkgdb_reader;
