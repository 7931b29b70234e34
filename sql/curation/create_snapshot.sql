-- Freezes what a repository contains, whatever its size: its content at this epoch. What is added
-- or removed from now on carries the next.
create function pkgdb.create_snapshot(
    p_namespace pkgdb.string, p_snapshot pkgdb.string, p_repository pkgdb.string default null,
    p_items jsonb default null, p_description text default '',
    p_request_key pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.snapshot_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_request    pkgdb.request;
    v_repository pkgdb.repository;
    v_members    pkgdb.member[];
    v_snapshot   pkgdb.snapshot;
    v_result     pkgdb.snapshot_ref;
begin
    v_request := pkgdb.begin_request(
        p_namespace, p_actor, p_request_key, 'create_snapshot',
        jsonb_build_array(p_snapshot, p_repository, p_items, p_description));
    if v_request.answer is not null then
        return jsonb_populate_record(v_result, v_request.answer);
    end if;
    perform pkgdb.check_text('snapshot', p_snapshot, 255);
    perform pkgdb.check_description(p_description);
    if p_repository is null then
        perform pkgdb.lock_keys(variadic '{}');
        if p_items is not null then
            raise exception using
                errcode = 'RG400', message = 'items need a repository that they are in';
        end if;
        v_snapshot := pkgdb.insert_snapshot(p_namespace, p_snapshot, p_description, '{}');
    else
        -- For itself: nobody is half-way through adding to this epoch.
        v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
        if v_repository.kind = 'mirror' and not exists (
            select from pkgdb.mirror m
             where m.namespace = p_namespace and m.repository_id = v_repository.repository_id)
        then
            raise exception using
                errcode = 'RG422',
                message = format('mirror %s was never updated', pkgdb.quoted(p_repository));
        end if;
        if p_items is not null then
            v_members := pkgdb.find_members(v_repository, p_items);
        end if;
        v_snapshot := pkgdb.insert_snapshot(
            p_namespace, p_snapshot, p_description, v_members,
            case when p_items is null then v_repository.repository_id end,
            case when p_items is null then v_repository.epoch end);
        update pkgdb.repository r
           set epoch = r.epoch + 1
         where r.namespace = p_namespace and r.repository_id = v_repository.repository_id;
    end if;
    v_result := pkgdb.touch_snapshot(v_snapshot, 'created', p_actor);
    perform pkgdb.end_request(v_request, to_jsonb(v_result));
    return v_result;
end;
$$;
comment on function pkgdb.create_snapshot is
    'Makes an immutable snapshot of a repository, at a cost that does not depend on its size; or '
    'of the versions listed in p_items (array of {ecosystem, name, version, variant}); or, without '
    'a repository, an empty one. Takes the repository for itself, waiting at most 10 seconds. '
    'Outcome created. Errors: RG400 malformed argument, RG404 no such namespace, repository or '
    'version, RG405 isolation level, RG409 the name is taken, RG422 the mirror was never updated, '
    'or lock held shared, 55P03 lock timeout.';
grant execute on function pkgdb.create_snapshot to pkgdb_operator;

create function pkgdb.check_description(p_description text)
returns void
language plpgsql
immutable parallel safe
as $$
begin
    if p_description is null then
        raise exception using errcode = 'RG400', message = 'description is missing';
    end if;
    perform pkgdb.check_message('description', p_description);
end;
$$;

-- The published versions that a list names, each once.
create function pkgdb.find_members(p_repository pkgdb.repository, p_items jsonb)
returns pkgdb.member[]
language plpgsql
stable
as $$
declare
    v_item         jsonb;
    v_ecosystem    pkgdb.ecosystem;
    v_registration pkgdb.registration;
    v_version      pkgdb.package_version;
    v_members      pkgdb.member[] := array[]::pkgdb.member[];
begin
    if jsonb_typeof(p_items) <> 'array' then
        raise exception using errcode = 'RG400', message = 'items must be a JSON array';
    end if;
    for v_item in select i.value from jsonb_array_elements(p_items) i
    loop
        if jsonb_typeof(v_item) <> 'object'
            or v_item - array['ecosystem', 'name', 'version', 'variant'] <> '{}'
        then
            raise exception using
                errcode = 'RG400',
                message = format('item %s is not an object of ecosystem, name, version, variant',
                                 pkgdb.quoted(v_item::text));
        end if;
        v_ecosystem := pkgdb.find_ecosystem(v_item ->> 'ecosystem');
        v_registration := pkgdb.find_registration(
            p_repository, v_ecosystem,
            pkgdb.rule_normalize_name(v_ecosystem.name_rule, v_item ->> 'name'));
        v_version := pkgdb.find_version(
            v_registration,
            pkgdb.scheme_normalize_version(
                coalesce(v_registration.scheme, v_ecosystem.scheme), v_item ->> 'version'),
            coalesce(v_item ->> 'variant', ''));
        if v_version.status is null or v_version.status = 'processing'
            or v_registration.repository_id <> p_repository.repository_id
        then
            raise exception using
                errcode = 'RG404',
                message = format('no version %s of %s in repository %s',
                                 pkgdb.quoted(v_item ->> 'version'),
                                 pkgdb.quoted(v_item ->> 'name'),
                                 pkgdb.quoted(p_repository.name));
        end if;
        v_members := v_members || (
            p_repository.namespace, v_version.registration_id, v_version.version_id,
            p_repository.epoch)::pkgdb.member;
    end loop;
    return array(select distinct m from unnest(v_members) m);
end;
$$;
