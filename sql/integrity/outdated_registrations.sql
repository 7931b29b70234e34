-- What upgrade_scheme has still to move.
create view pkgdb.outdated_registrations with (security_barrier) as
select g.namespace::text, r.name::text as repository, g.ecosystem::text, g.name::text,
       g.registration_id, g.scheme::text, e.scheme::text as current_scheme,
       g.version_count as versions
  from pkgdb.registration g
  join pkgdb.ecosystem e on e.ecosystem = g.ecosystem
  join pkgdb.repository r on r.namespace = g.namespace and r.repository_id = g.repository_id
 where g.scheme <> e.scheme;
comment on view pkgdb.outdated_registrations is
    'Packages whose versions are ordered by another scheme than their ecosystem''s present one, '
    'reserved names and packages of dropped repositories among them.';
grant select on pkgdb.outdated_registrations to pkgdb_operator;
