-- Moves a consumer's cursor forward.
create function pkgdb.acknowledge_events(
    p_namespace pkgdb.string, p_consumer pkgdb.string, p_position bigint,
    p_incarnation uuid default null
)
returns pkgdb.consumer_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_head     pkgdb.feed_head;
    v_now      timestamptz;
    v_position bigint;
    v_outcome  text := 'unchanged';
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_position is null or p_position < 0 then
        raise exception using errcode = 'RG400', message = 'position must be 0 or more';
    end if;

    perform from pkgdb.consumer c
      where c.namespace = p_namespace and c.consumer = p_consumer
        for no key update;
    v_position := pkgdb.consumer_position(p_namespace, p_consumer);
    v_head := pkgdb.find_feed(p_namespace);

    perform pkgdb.check_history(p_namespace, p_incarnation, p_position);
    if p_position > v_head.position then
        raise exception using
            errcode = 'RG422',
            message = format('position %s is beyond the end of the feed, %s',
                             p_position, v_head.position);
    end if;
    if p_position > v_position then
        v_now := pkgdb.clock();
        update pkgdb.consumer c
           set position = p_position, updated_at = v_now
         where c.namespace = p_namespace and c.consumer = p_consumer;
        v_position := p_position;
        v_outcome := 'acknowledged';
    end if;
    return (p_consumer, pkgdb.incarnation_at(p_namespace, v_position), v_position, v_outcome
           )::pkgdb.consumer_ref;
end;
$$;
comment on function pkgdb.acknowledge_events is
    'Says that a consumer has done what events up to p_position ask for; p_incarnation is that of '
    'the event there. Outcome acknowledged, or unchanged where its cursor is there or further. '
    'Errors: RG400 malformed argument, RG404 no such namespace or consumer, RG405 isolation '
    'level, RG412 the position is of another history, RG422 it is beyond the end of the feed.';
grant execute on function pkgdb.acknowledge_events to pkgdb_publisher;
