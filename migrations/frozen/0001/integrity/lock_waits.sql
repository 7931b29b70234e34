-- Who holds, and who waits for, which lock of pkgdb, by name; prepared transactions included.
create view pkgdb.lock_waits as
with held as (
    select l.pid, l.mode, l.granted, l.waitstart, l.virtualtransaction,
           (l.classid::bigint << 32) | l.objid::bigint as key
      from pg_catalog.pg_locks l
     where l.locktype = 'advisory' and l.objsubid = 1
       and l.database = (
            select d.oid from pg_catalog.pg_database d
             where d.datname = pg_catalog.current_database())
), prepared as (
    -- By the lock that a prepared transaction holds on its own id: its virtual id is that of the
    -- session that prepared it, or none after a restart.
    select x.virtualtransaction, p.gid, p.owner
      from pg_catalog.pg_prepared_xacts p
      join pg_catalog.pg_locks x
        on x.locktype = 'transactionid' and x.pid is null and x.transactionid = p.transaction
), named as (
    select (k.lock).key, 'repository' as lock_kind, r.namespace, r.name as repository,
           null::text as ecosystem, null::text as name
      from pkgdb.repository r
      cross join lateral (
           select pkgdb.repository_lock(r.namespace, r.repository_id) as lock) k
    union all
    select (k.lock).key, 'registration', g.namespace, r.name, g.ecosystem, g.name
      from pkgdb.registration g
      join pkgdb.repository r on r.namespace = g.namespace and r.repository_id = g.repository_id
      cross join lateral (
           select pkgdb.registration_lock(
               g.namespace, g.scope_id, g.ecosystem, g.normalized_name) as lock) k
    union all
    select (k.lock).key, 'distribution', d.namespace, null, null,
           concat_ws('/', nullif(d.prefix, ''), d.name)
      from pkgdb.distribution d
      cross join lateral (
           select pkgdb.distribution_lock(d.namespace, d.distribution_id, true) as lock) k
    union all
    select (k.lock).key, 'snapshot', s.namespace, null, null, s.name
      from pkgdb.snapshot s
      cross join lateral (
           select pkgdb.snapshot_lock(s.namespace, s.snapshot_id) as lock) k
)
select h.pid, p.gid, coalesce(a.usename, p.owner)::text as usename,
       a.application_name, n.lock_kind, n.namespace::text, n.repository::text,
       n.ecosystem::text, n.name::text, h.mode, h.granted, h.waitstart as waiting_since,
       case when h.granted then '{}' else pg_catalog.pg_blocking_pids(h.pid) end as blocked_by,
       a.query
  from held h
  left join named n on n.key = h.key
  left join pg_catalog.pg_stat_activity a on a.pid = h.pid
  left join prepared p on h.pid is null and p.virtualtransaction = h.virtualtransaction;
comment on view pkgdb.lock_waits is
    'Advisory locks held or waited for in this database, with the repository, distribution, '
    'snapshot or package they stand for (null for a name that is just being claimed, or a lock of '
    'someone else). pid is null and gid set for a prepared transaction.';
grant select on pkgdb.lock_waits to pkgdb_operator;
-- The view calls these in its reader's name.
grant execute on function pkgdb.repository_lock, pkgdb.registration_lock, pkgdb.distribution_lock,
    pkgdb.snapshot_lock to pkgdb_operator;
