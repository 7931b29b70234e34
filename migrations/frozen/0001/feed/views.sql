-- Where the feed and its readers are.

create view pkgdb.feed_positions with (security_barrier) as
select n.namespace::text, coalesce(h.position, 0) as head, coalesce(h.pruned_to, 0) as pruned_to,
       i.incarnation, coalesce(o.waiting, 0) as waiting, o.waiting_since
  from pkgdb.namespace n
  left join pkgdb.feed_head h on h.namespace = n.namespace
  left join lateral (
       select f.incarnation
         from pkgdb.feed_incarnation f
        where f.namespace = n.namespace and f.began_after < h.position
        order by f.number desc
        limit 1) i on true
  left join lateral (
       select count(*) as waiting, min(w.occurred_at) as waiting_since
         from pkgdb.outbox w
        where w.namespace = n.namespace) o on true;
comment on view pkgdb.feed_positions is
    'The last position of each namespace''s feed and the incarnation of the event there, up to '
    'where the feed was pruned, and the committed events that have no position yet.';
grant select on pkgdb.feed_positions to pkgdb_reader;

create view pkgdb.consumers as
select c.namespace::text, c.consumer::text, i.incarnation, c.position,
       h.position - c.position as behind, c.created_at, c.updated_at
  from pkgdb.consumer c
  join pkgdb.feed_head h on h.namespace = c.namespace
  left join lateral (
       select f.incarnation
         from pkgdb.feed_incarnation f
        where f.namespace = c.namespace and f.began_after < c.position
        order by f.number desc
        limit 1) i on true;
comment on view pkgdb.consumers is
    'Who reads the feed: the cursor, and how many events it is behind.';
grant select on pkgdb.consumers to pkgdb_publisher;
