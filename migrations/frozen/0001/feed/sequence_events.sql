-- Moves committed events from the outbox to the end of the feed.
create function pkgdb.sequence_events(
    p_namespace pkgdb.string, p_limit integer default 10000
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan  -- statistics of an outbox are those of another moment
set enable_seqscan = off
set jit = off
as $$
declare
    v_head        pkgdb.feed_head;
    v_incarnation uuid;
    v_now         timestamptz;
    v_moved       bigint;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_limit is null or p_limit not between 1 and 100000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 100000';
    end if;
    -- What another sequencer is moving is still seen here: nothing means that nothing is left.
    if not exists (select from pkgdb.outbox o where o.namespace = p_namespace) then
        return 0;
    end if;

    -- The lock that sequencers take turns by. Publishers never come here.
    loop
        select * into v_head
          from pkgdb.feed_head h
         where h.namespace = p_namespace
           for no key update;
        exit when found;
        insert into pkgdb.feed_head (namespace)
        values (p_namespace)
        on conflict (namespace) do nothing;
    end loop;

    -- In one statement, which begins under the lock: all that it sees is committed. Who changes a
    -- registration draws the event_id while holding it, until the commit, so that event_ids follow
    -- commits there, and whatever is seen comes with all that came before.
    v_incarnation := pkgdb.current_incarnation(v_head);
    v_now := pkgdb.clock();
    with batch as materialized (
        select min(w.event_id) as first, max(w.event_id) as last
          from (select o.event_id
                  from pkgdb.outbox o
                 where o.namespace = p_namespace
                 order by o.event_id
                 limit p_limit) w
    ), moved as (
        delete from pkgdb.outbox o
         using batch b
         where o.namespace = p_namespace and o.event_id between b.first and b.last
        returning o.*
    )
    insert into pkgdb.feed_event
        (namespace, position, incarnation, event_id, event, repository_id, registration_id,
         version_id, snapshot_id, distribution_id, revision, ecosystem, name, version, variant,
         actor, login, occurred_at, sequenced_at)
    select m.namespace, v_head.position + row_number() over (order by m.event_id), v_incarnation,
           m.event_id, m.event, m.repository_id, m.registration_id, m.version_id, m.snapshot_id,
           m.distribution_id, m.revision, m.ecosystem, m.name, m.version, m.variant, m.actor,
           m.login, m.occurred_at, v_now
      from moved m;
    get diagnostics v_moved = row_count;

    update pkgdb.feed_head h
       set position = h.position + v_moved
     where h.namespace = p_namespace;
    return v_moved;
end;
$$;
comment on function pkgdb.sequence_events is
    'Gives at most p_limit committed events of a namespace their positions at the end of its '
    'feed, and returns how many; 0 when all that had been committed are in the feed. Call it again '
    'and again, from any number of places, each time in a transaction of its own. Errors: RG400 '
    'malformed argument, RG405 isolation level.';
grant execute on function pkgdb.sequence_events to pkgdb_operator;
