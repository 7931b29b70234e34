-- A validator says what it found. Messages may come late, twice or out of order: what is decided
-- stays decided.
create function pkgdb.record_validation(
    p_namespace pkgdb.string, p_publication_id bigint, p_validator pkgdb.string,
    p_result pkgdb.string, p_detail pkgdb.string default null, p_round integer default 1,
    p_quarantine boolean default false, p_actor pkgdb.string default null
)
returns pkgdb.validation_ref
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_held        pkgdb.locked_publication;
    v_publication pkgdb.publication;
    v_validation  pkgdb.validation;
    v_now         timestamptz;
    v_outcome     text := 'recorded';
begin
    perform pkgdb.begin_request(p_namespace, p_actor, null, 'record_validation', null);
    perform pkgdb.check_text('validator', p_validator, 255);
    perform pkgdb.check_message('detail', p_detail);
    if p_result is null or p_result not in ('succeeded', 'failed', 'error') then
        raise exception using
            errcode = 'RG400',
            message = format('result cannot be %s', pkgdb.quoted(p_result)),
            hint = 'Results: succeeded, failed, error (it could not tell, and will try again).';
    end if;
    if p_round is null or p_round < 1 or p_quarantine is null then
        raise exception using
            errcode = 'RG400', message = 'round must be 1 or more, and quarantine true or false';
    end if;
    v_held := pkgdb.lock_publication(p_namespace, p_publication_id);
    v_publication := v_held.publication;
    select * into v_validation
      from pkgdb.validation v
     where v.namespace = p_namespace and v.publication_id = p_publication_id
       and v.validator = p_validator and v.round = p_round;

    if v_publication.status in ('aborted', 'expired', 'rejected')
        or v_validation.status = p_result
        or (v_validation.status <> 'pending' and p_result = 'error')
    then
        return (p_publication_id, p_validator, p_round, v_validation.status,
                v_validation.attempts, 'unchanged')::pkgdb.validation_ref;
    end if;
    if v_validation.status <> 'pending' then
        raise exception using
            errcode = 'RG409',
            message = format('validator %s said %s in round %s of publication %s',
                             pkgdb.quoted(p_validator), v_validation.status, p_round,
                             p_publication_id),
            hint = 'What is published is looked at again in another round.';
    end if;
    if v_publication.status = 'open' and p_round > 1 then
        raise exception using
            errcode = 'RG422',
            message = format('publication %s is not committed: this is round 1',
                             p_publication_id);
    end if;

    v_now := pkgdb.clock();
    insert into pkgdb.validation as v
        (namespace, publication_id, validator, round, requirement, status, attempts, detail,
         updated_at)
    values
        (p_namespace, p_publication_id, p_validator, p_round, 'advisory',
         case p_result when 'error' then 'pending' else p_result end, 1, p_detail, v_now)
    on conflict (namespace, publication_id, validator, round)
    do update set status = excluded.status, attempts = v.attempts + 1,
                  detail = excluded.detail, updated_at = excluded.updated_at
    returning * into strict v_validation;
    if p_result = 'failed' and v_publication.status = 'open'
        and v_validation.requirement = 'required'
    then
        perform pkgdb.end_publication(
            v_publication, 'rejected', format('validator %s failed', p_validator));
        perform pkgdb.free_slot(
            p_namespace, v_publication.registration_id, v_publication.version_id);
        perform pkgdb.mark_unneeded(
            p_namespace,
            pkgdb.forget_unpublished(p_namespace, v_publication.registration_id));
    elsif p_result = 'failed' and v_publication.status = 'committed' and p_quarantine then
        v_outcome := pkgdb.quarantine_publication(
            v_held, format('validator %s failed', p_validator), p_actor);
    end if;
    return (p_publication_id, p_validator, p_round, v_validation.status, v_validation.attempts,
            v_outcome)::pkgdb.validation_ref;
end;
$$;
comment on function pkgdb.record_validation is
    'Records p_result, what p_validator found in a publication: succeeded, failed, or error (an '
    'attempt that could tell nothing); p_detail says more. A required validator''s failure ends an '
    'open publication and frees its slot. After the commit a result changes nothing that is '
    'visible, unless it failed and p_quarantine: then the version is quarantined; a validator that '
    'looks again counts p_round from 2. Who was not asked for by the repository''s policy is '
    'advisory. Outcome recorded, quarantined, or unchanged: a duplicate, or a message that came '
    'after the publication ended. Errors: RG400 malformed argument, RG404 no such publication, '
    'RG405 isolation level, RG409 the round had another result, RG422 a later round before the '
    'commit.';
grant execute on function pkgdb.record_validation to pkgdb_publisher;

-- Quarantines what a committed publication published, where it is still there to be seen.
create function pkgdb.quarantine_publication(
    p_held pkgdb.locked_publication, p_reason text, p_actor text
)
returns text
language plpgsql
as $$
declare
    v_publication pkgdb.publication := p_held.publication;
    v_version     pkgdb.package_version;
begin
    select * into v_version
      from pkgdb.package_version v
     where v.namespace = v_publication.namespace
       and v.registration_id = v_publication.registration_id
       and v.version_id = v_publication.version_id and v.status = 'available';
    if not found then
        return 'recorded';
    end if;
    update pkgdb.package_version v
       set status = 'quarantined', quarantine_reason = p_reason
     where v.namespace = v_publication.namespace
       and v.registration_id = v_version.registration_id
       and v.version_id = v_version.version_id;
    perform pkgdb.mark_ghosts(v_version, coalesce(p_reason, ''));
    perform pkgdb.touch(
        (p_held.locked).registration, v_version, 'quarantined', p_actor);
    return 'quarantined';
end;
$$;
