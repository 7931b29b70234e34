-- The ledger as clients and operators see it.

create view pkgdb.backends with (security_barrier) as
select b.namespace::text, b.name::text as backend, b.backend_id, b.url, b.status,
       b.installation_id, b.created_at
  from pkgdb.backend b;
comment on view pkgdb.backends is
    'Stores of bytes; retired ones as long as something is left on them.';

create view pkgdb.repository_backends with (security_barrier) as
select k.namespace::text, r.name::text as repository, b.name::text as backend, k.requirement
  from pkgdb.repository_backend k
  join pkgdb.repository r on r.namespace = k.namespace and r.repository_id = k.repository_id
  join pkgdb.backend b on b.namespace = k.namespace and b.backend_id = k.backend_id
 where r.status = 'live';
comment on view pkgdb.repository_backends is
    'Which backends a repository keeps its files on: optional, filling or required.';

create view pkgdb.blob_copies with (security_barrier) as
select c.namespace::text, pg_catalog.encode(c.sha256, 'hex') as sha256, o.size,
       b.name::text as backend, b.url, pkgdb.object_key(c.namespace, c.sha256, c.generation)
       as object_key, c.generation, c.verified_at
  from pkgdb.blob_copy c
  join pkgdb.backend b on b.namespace = c.namespace and b.backend_id = c.backend_id
  join pkgdb.blob o on o.namespace = c.namespace and o.sha256 = c.sha256
 where c.state = 'present' and b.status = 'live';
comment on view pkgdb.blob_copies is
    'Where the bytes of a digest are: objects that are present on live backends.';

create view pkgdb.dead_letters with (security_barrier) as
select c.namespace::text, b.name::text as backend, pg_catalog.encode(c.sha256, 'hex') as sha256,
       c.generation, case c.state when 'deleting' then 'delete' else 'copy' end as task,
       c.attempts, c.last_error, c.next_attempt_at
  from pkgdb.blob_copy c
  join pkgdb.backend b on b.namespace = c.namespace and b.backend_id = c.backend_id
 where (c.state in ('pending', 'deleting') and c.attempts >= 5)
    or (c.state = 'pending'
        and exists (
            select
              from pkgdb.file f
              join pkgdb.registration r
                on r.namespace = c.namespace and r.registration_id = f.registration_id
              join pkgdb.repository_backend k
                on k.namespace = c.namespace and k.repository_id = r.repository_id
               and k.backend_id = c.backend_id
             where f.namespace = c.namespace and f.sha256 = c.sha256
               and f.status in ('available', 'pending_destruction'))
        and not exists (
            select from pkgdb.blob_copy s
             where s.namespace = c.namespace and s.sha256 = c.sha256 and s.state = 'present'));
comment on view pkgdb.dead_letters is
    'Work that a person should look at: copies and deletions that failed five times or more, and '
    'copies of published bytes that no backend has any longer. All of it is tried again.';

grant select on pkgdb.repository_backends, pkgdb.blob_copies to pkgdb_reader;
grant select on pkgdb.backends to pkgdb_publisher;
grant select on pkgdb.dead_letters to pkgdb_operator;
