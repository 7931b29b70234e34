-- A digest over all that is frozen in a snapshot: taken at any time, it is the same.
create function pkgdb.snapshot_digest(p_namespace pkgdb.string, p_snapshot pkgdb.string)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
begin
    return encode(
        pkgdb.listing_digest(pkgdb.find_snapshot(p_namespace, p_snapshot)), 'hex');
end;
$$;
comment on function pkgdb.snapshot_digest is
    'SHA-256, as 64 hexadecimal digits, over the listing of a snapshot: its versions with their '
    'metadata, and their files. Never changes. Errors: RG400 malformed argument, RG404 no such '
    'snapshot.';
grant execute on function pkgdb.snapshot_digest to pkgdb_reader;

create function pkgdb.listing_digest(p_snapshot pkgdb.snapshot)
returns bytea
language plpgsql
stable
as $$
declare
    v_listing bytea;
begin
    select string_agg(d.digest, null order by d.digest) into v_listing
      from pkgdb.member_digests(pkgdb.snapshot_members(p_snapshot)) d;
    return sha256(coalesce(v_listing, ''));
end;
$$;
