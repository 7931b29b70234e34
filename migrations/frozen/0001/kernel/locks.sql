-- Advisory locks: what they stand for, and the only function that takes them.
--
-- Lock order, over all functions: requests, repositories, distributions, snapshots, registrations.

create type pkgdb.lock_key as (
    rank      integer,  -- place in the lock order
    key       bigint,   -- what PostgreSQL locks
    exclusive boolean
);

-- A number is a hash over the list of names as a list, never over joined text: ('a-b', 'c') and
-- ('a', 'b-c') are different locks. Names are qualified because these are inlined in the caller.

create function pkgdb.request_lock(p_namespace text, p_actor text, p_request_key text)
returns pkgdb.lock_key
language sql
immutable parallel safe
return (
    1,
    pg_catalog.hash_array_extended(
        array['request', p_namespace, p_actor, p_request_key] collate "C", 0),
    true
)::pkgdb.lock_key;

create function pkgdb.repository_lock(
    p_namespace text, p_repository_id bigint, p_exclusive boolean default false
)
returns pkgdb.lock_key
language sql
immutable parallel safe
return (
    2,
    pg_catalog.hash_array_extended(
        array['repository', p_namespace, p_repository_id::text] collate "C", 0),
    p_exclusive
)::pkgdb.lock_key;

create function pkgdb.distribution_lock(
    p_namespace text, p_distribution_id bigint, p_exclusive boolean
)
returns pkgdb.lock_key
language sql
immutable parallel safe
return (
    3,
    pg_catalog.hash_array_extended(
        array['distribution', p_namespace, p_distribution_id::text] collate "C", 0),
    p_exclusive
)::pkgdb.lock_key;

create function pkgdb.snapshot_lock(
    p_namespace text, p_snapshot_id bigint, p_exclusive boolean default false
)
returns pkgdb.lock_key
language sql
immutable parallel safe
return (
    4,
    pg_catalog.hash_array_extended(
        array['snapshot', p_namespace, p_snapshot_id::text] collate "C", 0),
    p_exclusive
)::pkgdb.lock_key;

create function pkgdb.registration_lock(
    p_namespace text, p_scope_id bigint, p_ecosystem text, p_normalized_name text
)
returns pkgdb.lock_key
language sql
immutable parallel safe
return (
    5,
    pg_catalog.hash_array_extended(
        array['registration', p_namespace, p_scope_id::text, p_ecosystem, p_normalized_name]
        collate "C", 0),
    true
)::pkgdb.lock_key;

-- Takes the locks until the end of the transaction. Called before any read that a decision rests
-- on.
create function pkgdb.lock_keys(variadic p_keys pkgdb.lock_key[])
returns void
language plpgsql
as $$
declare
    v_keys pkgdb.lock_key[] := p_keys;
    v_key  pkgdb.lock_key;
begin
    -- A snapshot taken before the lock would be read after it.
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception using
            errcode = 'RG405',
            message = format('pkgdb changes nothing under isolation level %s',
                             current_setting('transaction_isolation')),
            hint = 'Use READ COMMITTED: the functions take their own locks.';
    end if;

    -- Sorted and each number once, whatever it stands for; the stronger mode wins. (What nearly
    -- every call asks for, a repository and a name in it, is in order as it comes.)
    if cardinality(p_keys) > 2 or p_keys[1].rank >= p_keys[2].rank then
        v_keys := array(
            select (min(k.rank), k.key, bool_or(k.exclusive))::pkgdb.lock_key
              from unnest(p_keys) k
             group by k.key
             order by min(k.rank), k.key);
    end if;
    foreach v_key in array v_keys
    loop
        if not v_key.exclusive then
            perform pg_advisory_xact_lock_shared(v_key.key);
        elsif v_key.rank = 2 then
            perform pkgdb.lock_repository_key(v_key.key);
        else
            perform pg_advisory_xact_lock(v_key.key);
        end if;
    end loop;
end;
$$;
comment on function pkgdb.lock_keys(pkgdb.lock_key[]) is
    'Takes transaction-level locks in the one order. RG405 above READ COMMITTED.';

-- An exclusive lock on a repository. The wait is bounded, because everything queues behind it; and
-- a transaction that holds the lock shared may not ask for it exclusive: two of them would
-- deadlock.
create function pkgdb.lock_repository_key(p_key bigint)
returns void
language plpgsql
as $$
declare
    v_limit constant interval := interval '10 seconds';
    v_timeout        text := current_setting('lock_timeout');
begin
    if exists (
        select from pg_locks l
         where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.objsubid = 1
           and (l.classid::bigint << 32 | l.objid::bigint) = p_key
        having bool_and(l.mode = 'ShareLock')
    ) then
        raise exception using
            errcode = 'RG422',
            message = 'this transaction already uses the repository and cannot take it for itself',
            hint = 'Call functions that lock the whole repository first, or in a transaction of '
                   'their own.';
    end if;

    if v_timeout = '0' or v_timeout::interval > v_limit then
        perform set_config('lock_timeout', extract(epoch from v_limit) * 1000 || 'ms', true);
    end if;
    perform pg_advisory_xact_lock(p_key);
    perform set_config('lock_timeout', v_timeout, true);
end;
$$;
