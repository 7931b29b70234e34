-- The events after a cursor, in the order of their positions.
create function pkgdb.read_events(
    p_namespace pkgdb.string, p_after bigint default null, p_limit integer default 1000,
    p_consumer pkgdb.string default null, p_incarnation uuid default null
)
returns setof pkgdb.feed_event
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan  -- a page is a part of the index wherever it begins
set enable_seqscan = off
set jit = off
as $$
declare
    v_head  pkgdb.feed_head;
    v_after bigint := coalesce(p_after, 0);
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    if p_limit is null or p_limit not between 1 and 10000 then
        raise exception using errcode = 'RG400', message = 'limit must be 1 to 10000';
    end if;
    if p_after < 0 then
        raise exception using errcode = 'RG400', message = 'after must not be negative';
    end if;
    if p_consumer is not null and (p_after is not null or p_incarnation is not null) then
        raise exception using
            errcode = 'RG400',
            message = 'a consumer reads from its own cursor',
            hint = 'Give p_consumer, or p_after and p_incarnation.';
    end if;

    v_head := pkgdb.find_feed(p_namespace);
    if p_consumer is not null then
        v_after := pkgdb.consumer_position(p_namespace, p_consumer);
    end if;

    if v_after > v_head.position then
        -- A standby may be behind the server on which this was read. It cannot tell yet.
        if pg_is_in_recovery() then
            return;
        end if;
        raise exception using
            errcode = 'RG412',
            message = format('position %s is beyond the end of the feed, %s',
                             v_after, v_head.position),
            hint = 'The database has lost what was read there. Build anew what was derived from '
                   'the feed.';
    end if;
    perform pkgdb.check_history(p_namespace, p_incarnation, v_after);
    if v_after < v_head.pruned_to then
        raise exception using
            errcode = 'RG410',
            message = format('events up to position %s were pruned', v_head.pruned_to),
            hint = format('Build anew what was derived from the feed, and read on from a position '
                          'of %s or later.', v_head.pruned_to);
    end if;

    return query
    select e.*
      from pkgdb.feed_event e
     where e.namespace = p_namespace and e.position > v_after
     order by e.position
     limit p_limit;
end;
$$;
comment on function pkgdb.read_events is
    'At most p_limit events of a namespace after position p_after (null: from the beginning), or '
    'after the cursor of p_consumer. p_incarnation is that of the event at p_after: with it, a '
    'cursor that a restored database does not know any more is noticed. Errors: RG400 malformed '
    'argument, RG404 no such namespace or consumer, RG410 the next events were pruned, RG412 the '
    'cursor is of another history.';
grant execute on function pkgdb.read_events to pkgdb_reader;
