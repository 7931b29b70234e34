-- Deletes the oldest events, once they are old enough and no consumer needs them.
create function pkgdb.prune_events(
    p_namespace pkgdb.string, p_keep interval default '7 days', p_limit integer default 10000
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan  -- a chunk is a part of the index
set enable_seqscan = off
set jit = off
as $$
declare
    v_head   pkgdb.feed_head;
    v_before timestamptz;
    v_upto   bigint;
    v_young  bigint;
    v_pruned bigint;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_keep is null or p_keep not between interval '0' and interval '1000 years' then
        raise exception using errcode = 'RG400', message = 'keep must be 0 to 1000 years';
    end if;
    if p_limit is null or p_limit not between 1 and 100000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 100000';
    end if;

    -- Waits for whoever is registering a consumer; cursors that there are only move forward.
    select * into v_head
      from pkgdb.feed_head h
     where h.namespace = p_namespace
       for update;
    if not found then
        return 0;
    end if;

    select least(v_head.position, v_head.pruned_to + p_limit, min(c.position)) into v_upto
      from pkgdb.consumer c
     where c.namespace = p_namespace;
    -- Up to the first one that is too young: what is left begins with no hole.
    v_before := pkgdb.clock() - p_keep;
    select min(e.position) into v_young
      from pkgdb.feed_event e
     where e.namespace = p_namespace
       and e.position > v_head.pruned_to and e.position <= v_upto
       and e.sequenced_at > v_before;
    v_upto := least(v_upto, v_young - 1);

    delete from pkgdb.feed_event e
     where e.namespace = p_namespace
       and e.position > v_head.pruned_to and e.position <= v_upto;
    get diagnostics v_pruned = row_count;
    update pkgdb.feed_head h
       set pruned_to = v_upto
     where h.namespace = p_namespace and h.pruned_to < v_upto;
    return v_pruned;
end;
$$;
comment on function pkgdb.prune_events is
    'Deletes events from the beginning of a namespace''s feed, at most p_limit per call: those '
    'that every consumer has acknowledged and that got their positions longer than p_keep ago. '
    'Returns how many. Errors: RG400 malformed argument, RG405 isolation level.';
grant execute on function pkgdb.prune_events to pkgdb_operator;
