-- What the schema was installed with, so that check_integrity notices what is missing later.

create table pkgdb.protection (
    relation pkgdb.string not null,
    name     pkgdb.string not null,
    kind     text not null,
    constraint protection_pkey primary key (relation, name)
);
comment on table pkgdb.protection is
    'Constraints and unique indexes that the promises lean on. Written when the schema is '
    'installed.';

-- The constraints and unique indexes that are there now.
create function pkgdb.protections()
returns setof pkgdb.protection
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select c.relname::text::pkgdb.string, k.conname::text::pkgdb.string, 'constraint'
      from pg_constraint k
      join pg_class c on c.oid = k.conrelid
     where k.connamespace = 'pkgdb'::regnamespace and k.contype in ('p', 'u', 'f', 'c')
     union all
    select c.relname::text::pkgdb.string, x.relname::text::pkgdb.string, 'unique index'
      from pg_index i
      join pg_class c on c.oid = i.indrelid
      join pg_class x on x.oid = i.indexrelid
     where c.relnamespace = 'pkgdb'::regnamespace and i.indisunique
       and not exists (select from pg_constraint k where k.conindid = i.indexrelid
                          and k.contype in ('p', 'u'));
end;
$$;

insert into pkgdb.protection (relation, name, kind)
select p.relation, p.name, p.kind
  from pkgdb.protections() p
 order by p.relation, p.name;
