-- Notes what upstream has, a chunk at a time. Nobody sees it before the commit.
create function pkgdb.stage_mirror_items(
    p_namespace pkgdb.string, p_update_id bigint, p_fence bigint, p_items jsonb,
    p_lease interval default '15 minutes'
)
returns pkgdb.mirror_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
    v_locked  pkgdb.locked_update;
    v_update  pkgdb.mirror_update;
    v_items   pkgdb.bulk_item[];
    v_problem text;
    v_staged  bigint;
    v_now     timestamptz;
begin
    perform pkgdb.check_lease(p_lease);
    if p_items is null or jsonb_typeof(p_items) <> 'array' then
        raise exception using errcode = 'RG400', message = 'items must be a JSON array';
    end if;
    v_locked := pkgdb.lock_update(p_namespace, p_update_id);
    v_update := v_locked.mirror_update;
    perform pkgdb.check_update(v_update, p_fence);

    v_items := array(
        select pkgdb.read_item(i.item::integer, i.value, e)
          from jsonb_array_elements(p_items) with ordinality i (value, item)
          left join pkgdb.ecosystem e on e.ecosystem = i.value ->> 'ecosystem'
         order by i.item);
    select format('item %s (%s %s): %s', i.item, pkgdb.quoted(i.name), pkgdb.quoted(i.version),
                  coalesce(i.message, 'the version is malformed'))
      into v_problem
      from unnest(v_items) i
     where i.message is not null or i.normalized_version is null
     order by i.item
     limit 1;
    if found then
        raise exception using errcode = 'RG400', message = v_problem;
    end if;

    insert into pkgdb.mirror_item
        (namespace, update_id, ecosystem, normalized_name, normalized_version, variant, item,
         content, version_key, dependencies)
    select distinct on (i.ecosystem, i.normalized_name, i.normalized_version, i.variant)
           p_namespace, p_update_id, i.ecosystem, i.normalized_name, i.normalized_version,
           i.variant, p_items -> (i.item - 1), pkgdb.item_content(i),
           pkgdb.scheme_version_key(e.scheme, i.version), i.dependencies
      from unnest(v_items) i
      join pkgdb.ecosystem e on e.ecosystem = i.ecosystem
     order by i.ecosystem, i.normalized_name, i.normalized_version, i.variant, i.item
    on conflict do nothing;
    get diagnostics v_staged = row_count;
    select format('item %s (%s %s) is there twice, with other content', i.item,
                  pkgdb.quoted(i.name), pkgdb.quoted(i.version))
      into v_problem
      from unnest(v_items) i
      join pkgdb.mirror_item o
        on o.namespace = p_namespace and o.update_id = p_update_id
       and o.ecosystem = i.ecosystem and o.normalized_name = i.normalized_name
       and o.normalized_version = i.normalized_version and o.variant = i.variant
     where o.content <> pkgdb.item_content(i)
     order by i.item
     limit 1;
    if found then
        raise exception using errcode = 'RG409', message = v_problem;
    end if;

    v_now := pkgdb.clock();
    update pkgdb.mirror_update u
       set staged = u.staged + v_staged, filtered = u.filtered and v_staged = 0,
           lease_until = v_now + p_lease
     where u.namespace = p_namespace and u.update_id = p_update_id
    returning * into strict v_update;
    return pkgdb.mirror_ref(v_update, v_update.fence, 'staged');
end;
$$;
comment on function pkgdb.stage_mirror_items is
    'Notes items (array of {ecosystem, name, version, variant, files, metadata, dependencies}) '
    'that upstream has, and renews the lease; an empty array only renews it. The same item again '
    'changes nothing. Outcome staged. Errors: RG400 malformed argument or item, RG404 no such '
    'update, RG405 isolation level, RG409 an item is there with other content, RG412 stale '
    'fence, RG422 the update has ended.';
grant execute on function pkgdb.stage_mirror_items to pkgdb_operator;

-- What makes an item the same as another, however it was written: where upstream has its files does
-- not.
create function pkgdb.item_content(p_item pkgdb.bulk_item)
returns bytea
language sql
immutable parallel safe
as $$
    select sha256(convert_to(
        jsonb_build_array(
            p_item.name, p_item.version, p_item.metadata, to_jsonb(p_item.dependencies),
            (select jsonb_agg(
                        jsonb_build_array(
                            f.filename, f.sha256, f.size, f.media_type, f.attributes - 'path')
                        order by f.filename collate "C")
               from unnest(p_item.files) f))::text, 'UTF8'));
$$;
