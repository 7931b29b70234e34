-- What the four ways of NuGet Gallery have in common: two flags on each version's row, and what is
-- to be known of them.
set role pkgdb_owner;

alter table PEER.package_version
    add column is_latest        boolean not null default false,
    add column is_latest_stable boolean not null default false;
update PEER.package_version v
   set is_latest = v.version_id = r.latest_version_id,
       is_latest_stable = v.version_id is not distinct from r.latest_stable_version_id
  from PEER.registration r
 where r.namespace = v.namespace and r.registration_id = v.registration_id
   and v.version_id in (r.latest_version_id, r.latest_stable_version_id);
create index package_version_flag_idx on PEER.package_version (namespace, registration_id)
    where is_latest or is_latest_stable;

-- What the client learns: every version, and what it makes of them once the new one, if there is
-- one, is among them: which rows have other flags than they should, and which should have them.
create function PEER.read_flags(
    p_namespace text, p_registration_id bigint, p_scheme text, p_new text,
    out versions text, out latest bigint, out latest_stable bigint, out wins boolean,
    out wins_stable boolean, out changes boolean, out changed bigint[], out was_latest boolean[],
    out was_stable boolean[]
)
language plpgsql
stable
as $$
declare
    v_key bytea := case when p_new is not null
        then pkgdb.scheme_version_key(p_scheme, p_new) end;
begin
    select h.latest, h.latest_stable into latest, latest_stable
      from PEER.highest(p_namespace, p_registration_id) h;
    wins := v_key is not null and not exists (
        select
          from PEER.package_version v
         where v.namespace = p_namespace and v.registration_id = p_registration_id
           and v.version_id = latest and v.version_key >= v_key);
    wins_stable := v_key is not null
        and not pkgdb.scheme_is_prerelease(p_scheme, p_new)
        and not exists (
            select
              from PEER.package_version v
             where v.namespace = p_namespace and v.registration_id = p_registration_id
               and v.version_id = latest_stable and v.version_key >= v_key);
    latest := case when wins then 0 else coalesce(latest, 0) end;
    latest_stable := case when wins_stable then 0 else coalesce(latest_stable, 0) end;
    select string_agg(v.version_id || ' ' || v.version, ' '),
           coalesce(array_agg(v.version_id) filter (where f.changed), '{}'),
           coalesce(array_agg(v.is_latest) filter (where f.changed), '{}'),
           coalesce(array_agg(v.is_latest_stable) filter (where f.changed), '{}')
      into versions, changed, was_latest, was_stable
      from PEER.package_version v
     cross join lateral (
        select v.is_latest <> (v.version_id = latest)
               or v.is_latest_stable <> (v.version_id = latest_stable) as changed) f
     where v.namespace = p_namespace and v.registration_id = p_registration_id;
    changes := changed <> '{}';
end;
$$;

-- For those that keep the flags in the database: as they should be, whatever they are.
create function PEER.set_flags(p_namespace text, p_registration_id bigint)
returns void
language plpgsql
as $$
declare
    v_highest record;
begin
    select * into v_highest from PEER.highest(p_namespace, p_registration_id);
    update PEER.package_version v
       set is_latest = false, is_latest_stable = false
     where v.namespace = p_namespace and v.registration_id = p_registration_id
       and (v.is_latest and v.version_id is distinct from v_highest.latest
            or v.is_latest_stable and v.version_id is distinct from v_highest.latest_stable);
    update PEER.package_version v
       set is_latest = v.version_id = v_highest.latest,
           is_latest_stable = v.version_id is not distinct from v_highest.latest_stable
     where v.namespace = p_namespace and v.registration_id = p_registration_id
       and v.version_id in (v_highest.latest, v_highest.latest_stable)
       and not (v.is_latest and v.is_latest_stable);
end;
$$;

create or replace view PEER.latest as
    select registration_id, version_id from PEER.package_version where is_latest;

reset role;
