-- Gives a publication up: its file names are free, and the version too where no other fills it.
create function pkgdb.abort_publication(
    p_namespace pkgdb.string, p_publication_id bigint, p_fence bigint,
    p_reason pkgdb.string default null, p_actor pkgdb.string default null
)
returns pkgdb.publication_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_held        pkgdb.locked_publication;
    v_publication pkgdb.publication;
    v_outcome     text := 'unchanged';
begin
    perform pkgdb.begin_request(p_namespace, p_actor, null, 'abort_publication', null);
    perform pkgdb.check_message('reason', p_reason);
    perform pkgdb.check_given('fence', p_fence);
    v_held := pkgdb.lock_publication(p_namespace, p_publication_id);
    v_publication := v_held.publication;
    if v_publication.status in ('open', 'committed') then
        perform pkgdb.check_fence(v_publication, p_fence);
        perform pkgdb.end_publication(v_publication, 'aborted', p_reason);
        perform pkgdb.free_slot(
            p_namespace, v_publication.registration_id, v_publication.version_id);
        perform pkgdb.mark_unneeded(
            p_namespace,
            pkgdb.forget_unpublished(p_namespace, v_publication.registration_id));
        v_outcome := 'aborted';
        select * into strict v_publication
          from pkgdb.publication p
         where p.namespace = p_namespace and p.publication_id = p_publication_id;
    end if;
    return pkgdb.publication_ref((v_held.locked).repository, v_publication, null, v_outcome);
end;
$$;
comment on function pkgdb.abort_publication is
    'Ends a publication uncommitted. Bytes that were uploaded stay until the collector takes them. '
    'Outcome aborted, or unchanged where it had ended uncommitted. Errors: RG400 malformed '
    'argument, RG404 no such publication, RG405 isolation level, RG412 stale fence, RG422 '
    'committed.';
grant execute on function pkgdb.abort_publication to pkgdb_publisher;
