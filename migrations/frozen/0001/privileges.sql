-- Types, row types of tables among them, are usable by PUBLIC unless that is revoked: anyone could
-- then make a column of one, and so block a migration that changes it.
do $$
declare
    v_type record;
begin
    for v_type in
        select t.typname
          from pg_catalog.pg_type t
          left join pg_catalog.pg_class c on c.oid = t.typrelid
         where t.typnamespace = 'pkgdb'::regnamespace and t.typelem = 0
           and (c.relkind is null or c.relkind in ('c', 'r', 'v'))
           and pg_catalog.pg_get_userbyid(t.typowner) = current_user
         order by t.typname
    loop
        execute pg_catalog.format('revoke usage on type pkgdb.%I from public', v_type.typname);
    end loop;
end;
$$;
