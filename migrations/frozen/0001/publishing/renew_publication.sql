-- Prolongs the lease of an open publication.
create function pkgdb.renew_publication(
    p_namespace pkgdb.string, p_publication_id bigint, p_fence bigint,
    p_lease interval default '15 minutes'
)
returns pkgdb.publication_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_held        pkgdb.locked_publication;
    v_publication pkgdb.publication;
    v_now         timestamptz;
begin
    perform pkgdb.check_lease(p_lease);
    perform pkgdb.check_given('fence', p_fence);
    v_held := pkgdb.lock_publication(p_namespace, p_publication_id);
    v_publication := v_held.publication;
    perform pkgdb.check_fence(v_publication, p_fence);

    v_now := pkgdb.clock();
    update pkgdb.publication p
       set lease_until = v_now + p_lease
     where p.namespace = p_namespace and p.publication_id = p_publication_id
    returning * into strict v_publication;
    return pkgdb.publication_ref(
        (v_held.locked).repository, v_publication, p_fence, 'renewed');
end;
$$;
comment on function pkgdb.renew_publication is
    'Lets the lease of an open publication end p_lease from now; also one that has ended, as long '
    'as nobody took it. Outcome renewed. Errors: RG400 malformed argument, RG404 no such '
    'publication, RG405 isolation level, RG412 stale fence, RG422 ended.';
grant execute on function pkgdb.renew_publication to pkgdb_publisher;
