-- What changed from one snapshot to another, package by package.

create type pkgdb.snapshot_difference as (
    change        text,
    ecosystem     text,
    name          text,
    variant       text,
    left_version  text,
    right_version text
);
comment on type pkgdb.snapshot_difference is
    'added, removed, upgraded or downgraded (by the ecosystem''s order of versions), or changed: '
    'the same version, or one of the same order, with other content.';

create function pkgdb.diff_snapshots(
    p_namespace pkgdb.string, p_left pkgdb.string, p_right pkgdb.string
)
returns setof pkgdb.snapshot_difference
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- as member says
set jit = off
as $$
declare
    v_left  pkgdb.member[] := pkgdb.snapshot_members(pkgdb.find_snapshot(p_namespace, p_left));
    v_right pkgdb.member[] := pkgdb.snapshot_members(pkgdb.find_snapshot(p_namespace, p_right));
begin
    return query
    with both_sides as (
        select coalesce(l.namespace, r.namespace) as namespace,
               coalesce(l.registration_id, r.registration_id) as registration_id,
               coalesce(l.version_id, r.version_id) as version_id, l.epoch as left_epoch,
               r.epoch as right_epoch
          from unnest(v_left) l
          full join unnest(v_right) r
            on r.registration_id = l.registration_id and r.version_id = l.version_id
    ), differing as (
        -- The very same version on both differs if files came or went between the epochs.
        select s.namespace, s.registration_id, s.version_id, e.side, e.epoch
          from both_sides s
          cross join lateral (
               values ('left', s.left_epoch), ('right', s.right_epoch)) e (side, epoch)
         where e.epoch is not null
           and (s.left_epoch is null or s.right_epoch is null
                or s.left_epoch <> s.right_epoch and exists (
                    select from pkgdb.file f
                     where f.namespace = s.namespace and f.registration_id = s.registration_id
                       and f.version_id = s.version_id
                       and (f.added_epoch > least(s.left_epoch, s.right_epoch)
                            and f.added_epoch <= greatest(s.left_epoch, s.right_epoch)
                            or f.removed_epoch > least(s.left_epoch, s.right_epoch)
                            and f.removed_epoch <= greatest(s.left_epoch, s.right_epoch))
                    offset 0))
    ), described as (
        select d.side, g.ecosystem, g.normalized_name, g.name, v.variant, v.normalized_version,
               v.version_key, v.version,
               (d.namespace, d.registration_id, d.version_id, d.epoch)::pkgdb.member as member
          from differing d
          join pkgdb.registration g
            on g.namespace = d.namespace and g.registration_id = d.registration_id
          join pkgdb.package_version v
            on v.namespace = d.namespace and v.registration_id = d.registration_id
           and v.version_id = d.version_id
    ), numbered as (
        -- A version that both have is paired with itself; the rest in the order of versions.
        select d.*,
               count(*) over (
                   partition by d.ecosystem, d.normalized_name, d.variant, d.normalized_version)
               = 2 as on_both
          from described d
    ), paired as (
        select coalesce(l.ecosystem, r.ecosystem) as ecosystem,
               coalesce(l.normalized_name, r.normalized_name) as normalized_name,
               coalesce(l.name, r.name) as name, coalesce(l.variant, r.variant) as variant,
               l.version as left_version, r.version as right_version,
               l.version_key as left_key, r.version_key as right_key,
               coalesce(l.on_both, r.on_both) as on_both, l.member as left_member,
               r.member as right_member
          from (select n.*,
                       row_number() over (
                           partition by n.ecosystem, n.normalized_name, n.variant, n.on_both
                           order by n.version_key, n.version, n.normalized_version) as place
                  from numbered n where n.side = 'left') l
          full join (select n.*,
                       row_number() over (
                           partition by n.ecosystem, n.normalized_name, n.variant, n.on_both
                           order by n.version_key, n.version, n.normalized_version) as place
                  from numbered n where n.side = 'right') r
            on r.ecosystem = l.ecosystem and r.normalized_name = l.normalized_name
           and r.variant = l.variant and r.on_both = l.on_both and r.place = l.place
           and (not l.on_both or r.normalized_version = l.normalized_version)
    )
    select case
               when p.left_version is null then 'added'
               when p.right_version is null then 'removed'
               when p.on_both then 'changed'
               when p.left_key < p.right_key then 'upgraded'
               when p.left_key > p.right_key then 'downgraded'
               else 'changed' end,
           p.ecosystem::text, p.name::text, p.variant::text, p.left_version::text,
           p.right_version::text
      from paired p
     where not p.on_both
        or pkgdb.member_digest(p.left_member)
           <> pkgdb.member_digest(p.right_member)
     order by p.ecosystem, p.normalized_name, p.variant, coalesce(p.left_key, p.right_key),
              p.left_version, p.right_version;
end;
$$;
comment on function pkgdb.diff_snapshots is
    'What differs between two snapshots: for each package (ecosystem, name, variant) its versions '
    'on either side, paired in the order of versions; versions with the same content on both are '
    'left out. Errors: RG400 malformed argument, RG404 no such snapshot.';
grant execute on function pkgdb.diff_snapshots to pkgdb_reader;
