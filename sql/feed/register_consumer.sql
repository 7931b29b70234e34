-- Keeps a cursor for a reader of the feed.
create function pkgdb.register_consumer(
    p_namespace pkgdb.string, p_consumer pkgdb.string, p_position bigint default 0
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
    v_outcome  text;
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_text('consumer', p_consumer, 255);
    if p_position is null or p_position < 0 then
        raise exception using errcode = 'RG400', message = 'position must be 0 or more';
    end if;

    -- Shared with sequencers and other consumers; keeps off who prunes until we are counted.
    perform pkgdb.find_feed(p_namespace);
    loop
        select * into v_head
          from pkgdb.feed_head h
         where h.namespace = p_namespace
           for key share;
        exit when found;
        insert into pkgdb.feed_head (namespace)
        values (p_namespace)
        on conflict (namespace) do nothing;
    end loop;

    loop
        v_outcome := 'unchanged';
        select c.position into v_position
          from pkgdb.consumer c
         where c.namespace = p_namespace and c.consumer = p_consumer;
        exit when found;

        if p_position > v_head.position then
            raise exception using
                errcode = 'RG422',
                message = format('position %s is beyond the end of the feed, %s',
                                 p_position, v_head.position);
        elsif p_position < v_head.pruned_to then
            raise exception using
                errcode = 'RG410',
                message = format('events up to position %s were pruned', v_head.pruned_to),
                hint = format('Begin at a position of %s or later.', v_head.pruned_to);
        end if;
        v_now := pkgdb.clock();
        v_outcome := 'registered';
        insert into pkgdb.consumer (namespace, consumer, position, created_at, updated_at)
        values (p_namespace, p_consumer, p_position, v_now, v_now)
        on conflict (namespace, consumer) do nothing
        returning position into v_position;
        exit when found;
    end loop;
    return (p_consumer, pkgdb.incarnation_at(p_namespace, v_position), v_position, v_outcome
           )::pkgdb.consumer_ref;
end;
$$;
comment on function pkgdb.register_consumer is
    'Keeps a cursor under a name, at first at p_position; no event after it is pruned from then '
    'on. Outcome registered, or unchanged where the name has a cursor, wherever that is by now. '
    'Errors: RG400 malformed argument, RG404 no such namespace, RG405 isolation level, RG410 the '
    'events after p_position were pruned, RG422 p_position is beyond the end of the feed.';
grant execute on function pkgdb.register_consumer to pkgdb_publisher;
