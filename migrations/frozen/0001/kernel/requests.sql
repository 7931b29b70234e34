-- Request keys: a repeated call gets the first answer, a key used for another call is refused.

-- Checks who asks; where the call carries a key, locks it and finds the earlier answer. Comes first
-- in every mutation: `answer` is null where the call is new.
create function pkgdb.begin_request(
    p_namespace text, p_actor text, p_request_key text, p_function text, p_arguments jsonb
)
returns pkgdb.request
language plpgsql
as $$
declare
    v_request pkgdb.request;
    v_earlier pkgdb.request;
begin
    if p_namespace is null then
        perform pkgdb.check_text('namespace', p_namespace, 255);
    end if;
    if p_actor is not null then
        perform pkgdb.check_text('actor', p_actor, 255);
    end if;
    if p_request_key is null then
        return null;
    end if;
    perform pkgdb.check_text('request key', p_request_key, 255);

    v_request.namespace := p_namespace;
    v_request.actor := coalesce(p_actor, session_user);
    v_request.request_key := p_request_key;
    v_request.function := p_function;
    v_request.arguments := sha256(convert_to(p_arguments::text, 'UTF8'));

    perform pkgdb.lock_keys(pkgdb.request_lock(p_namespace, v_request.actor, p_request_key));

    select * into v_earlier
      from pkgdb.request r
     where r.namespace = p_namespace and r.actor = v_request.actor
       and r.request_key = p_request_key;
    if found then
        if v_earlier.function <> p_function or v_earlier.arguments <> v_request.arguments then
            raise exception using
                errcode = 'RG409',
                message = format('request key %s was used for another call',
                                 pkgdb.quoted(p_request_key)),
                detail = format('It answered a call of %s.', v_earlier.function),
                hint = 'Use a new key for each call, and the same key only to repeat it.';
        end if;
        v_request.answer := v_earlier.answer;
    elsif p_function <> 'begin_publication' and exists (
        select from pkgdb.publication p
         where p.namespace = p_namespace and p.actor = v_request.actor
           and p.request_key = p_request_key and p.status in ('open', 'committed'))
    then
        raise exception using
            errcode = 'RG409',
            message = format('request key %s was used for a publication',
                             pkgdb.quoted(p_request_key)),
            hint = 'Use a new key for each call, and the same key only to repeat it.';
    end if;
    return v_request;
end;
$$;

-- Keeps the answer, where the call carried a key.
create function pkgdb.end_request(p_request pkgdb.request, p_answer jsonb)
returns void
language plpgsql
as $$
declare
    v_expires_at timestamptz;
begin
    if p_request.request_key is null then
        return;
    end if;
    v_expires_at := pkgdb.clock() + interval '7 days';
    insert into pkgdb.request
        (namespace, actor, request_key, function, arguments, answer, expires_at)
    values
        (p_request.namespace, p_request.actor, p_request.request_key, p_request.function,
         p_request.arguments, p_answer, v_expires_at);
end;
$$;
