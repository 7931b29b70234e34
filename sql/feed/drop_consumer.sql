-- Forgets a consumer: nothing is kept for it any longer.
create function pkgdb.drop_consumer(p_namespace pkgdb.string, p_consumer pkgdb.string)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pkgdb.lock_keys(variadic '{}');
    perform pkgdb.check_text('namespace', p_namespace, 255);
    perform pkgdb.check_text('consumer', p_consumer, 255);

    delete from pkgdb.consumer c
     where c.namespace = p_namespace and c.consumer = p_consumer;
    return found;
end;
$$;
comment on function pkgdb.drop_consumer is
    'Forgets a consumer and its cursor. True, or false where there is no such consumer. Errors: '
    'RG400 malformed argument, RG405 isolation level.';
grant execute on function pkgdb.drop_consumer to pkgdb_publisher;
