-- Swift package versions (SE-0292 and its registry specification: SemVer 2.0.0, strictly; the
-- Version type of SwiftPM).
--
-- As SemVer, with identity and order without the build: SwiftPM holds 1.0.0+a and 1.0.0+b for
-- equal. Its numbers are 63-bit integers: a release beyond that is refused, an identifier of a
-- prerelease beyond that is a text. SwiftPM reads -1 and -0 (in 1.0.0--1) as numbers too; they are
-- texts in SemVer, and here.
--
-- Key: that of SemVer.

create function pkgdb.swift_normalize(p_version text)
returns text
language sql
immutable parallel safe
return pkgdb.semver_normalize(p_version, '9223372036854775807');
comment on function pkgdb.swift_normalize is
    'A Swift package version without its build metadata; RG400 where it is none.';

create function pkgdb.swift_key(p_version text)
returns bytea
language sql
immutable parallel safe
return pkgdb.bounded_semver_key(pkgdb.swift_normalize(p_version), '9223372036854775807');
comment on function pkgdb.swift_key is 'Order key of a Swift package version.';

create function pkgdb.swift_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return strpos(pkgdb.swift_normalize(p_version) collate "C", '-') > 0;
comment on function pkgdb.swift_is_prerelease is
    'True where a Swift package version has a prerelease part.';
