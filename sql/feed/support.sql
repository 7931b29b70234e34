-- Cursors and the histories that they belong to.

create type pkgdb.consumer_ref as (
    consumer    text,
    incarnation uuid,
    position    bigint,
    outcome     text
);
comment on type pkgdb.consumer_ref is
    'A consumer''s cursor: the last position that it has acknowledged, and the incarnation of the '
    'event there (null at position 0).';

-- The incarnation that the event at a position belongs to; null at 0, which all have in common.
create function pkgdb.incarnation_at(p_namespace text, p_position bigint)
returns uuid
language plpgsql
stable
as $$
declare
    v_incarnation uuid;
begin
    select i.incarnation into v_incarnation
      from pkgdb.feed_incarnation i
     where i.namespace = p_namespace and i.began_after < p_position
     order by i.number desc
     limit 1;
    return v_incarnation;
end;
$$;

-- Where a feed is now, also before its first event, or RG404.
create function pkgdb.find_feed(p_namespace text)
returns pkgdb.feed_head
language plpgsql
stable
as $$
declare
    v_head pkgdb.feed_head;
begin
    select n.namespace, coalesce(h.position, 0), coalesce(h.pruned_to, 0) into v_head
      from pkgdb.namespace n
      left join pkgdb.feed_head h on h.namespace = n.namespace
     where n.namespace = p_namespace;
    if not found then
        raise exception using
            errcode = 'RG404',
            message = format('no namespace %s', pkgdb.quoted(p_namespace));
    end if;
    return v_head;
end;
$$;

-- Where a consumer's cursor is, or RG404.
create function pkgdb.consumer_position(p_namespace text, p_consumer text)
returns bigint
language plpgsql
stable
as $$
declare
    v_position bigint;
begin
    perform pkgdb.check_text('consumer', p_consumer, 255);
    select c.position into v_position
      from pkgdb.consumer c
     where c.namespace = p_namespace and c.consumer = p_consumer;
    if not found then
        raise exception using
            errcode = 'RG404',
            message = format('no consumer %s in namespace %s',
                             pkgdb.quoted(p_consumer), pkgdb.quoted(p_namespace));
    end if;
    return v_position;
end;
$$;

-- Refuses a cursor whose history is not this feed's. That of an older incarnation is good as far as
-- all later ones share its positions.
create function pkgdb.check_history(p_namespace text, p_incarnation uuid, p_position bigint)
returns void
language plpgsql
stable
as $$
declare
    v_number bigint;
    v_shared bigint;
begin
    if p_incarnation is null then
        return;
    end if;
    select i.number into v_number
      from pkgdb.feed_incarnation i
     where i.namespace = p_namespace and i.incarnation = p_incarnation;
    if found then
        select min(i.began_after) into v_shared
          from pkgdb.feed_incarnation i
         where i.namespace = p_namespace and i.number > v_number;
        if v_shared is null or p_position <= v_shared then
            return;
        end if;
    end if;
    raise exception using
        errcode = 'RG412',
        message = format('position %s of incarnation %s is not in this feed''s history',
                         p_position, p_incarnation),
        detail = case when v_number is null then 'The incarnation is unknown.'
                      else format('They have the positions up to %s in common.', v_shared) end,
        hint = 'The database has lost what was read there. Build anew what was derived from the '
               'feed.';
end;
$$;

-- The incarnation of the events that get their positions now. The head is locked.
create function pkgdb.current_incarnation(p_head pkgdb.feed_head)
returns uuid
language plpgsql
as $$
declare
    v_now        timestamptz := pkgdb.clock();
    v_started_at timestamptz := pg_postmaster_start_time();
    v_storage    oid := pg_relation_filenode('pkgdb.feed_head');
    v_database   oid;
    v_last       pkgdb.feed_incarnation;
begin
    select d.oid into strict v_database
      from pg_database d
     where d.datname = current_database();
    select * into v_last
      from pkgdb.feed_incarnation i
     where i.namespace = p_head.namespace
     order by i.number desc
     limit 1;
    if (v_last.server_started_at, v_last.database_oid, v_last.storage_oid)
       is distinct from (v_started_at, v_database, v_storage)
    then
        insert into pkgdb.feed_incarnation
            (namespace, number, incarnation, began_after, server_started_at, database_oid,
             storage_oid, began_at)
        values
            (p_head.namespace, coalesce(v_last.number, 0) + 1, gen_random_uuid(), p_head.position,
             v_started_at, v_database, v_storage, v_now)
        returning * into v_last;
    end if;
    return v_last.incarnation;
end;
$$;
