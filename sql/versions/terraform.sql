-- Versions of Terraform modules and providers: the tags that its registry takes.
--
-- SemVer, after an optional "v". Identity and order leave the "v" and build metadata out. The three
-- numbers have at most 63 bits, as in hashicorp/go-version, which Terraform reads them with.
--
-- The order is SemVer's. That of go-version is not transitive: 1.0.0-a.1 > 1.0.0-a > 1.0.0-a.b
-- there, but 1.0.0-a.b > 1.0.0-a.1; it reads -1 (in 1.0.0--1) as a negative number, and numbers
-- above 63 bits in a prerelease as texts; these, and texts that start with one above 64 bits, are
-- above other texts there. It agrees on all else.
--
-- Key: that of SemVer.

-- SemVer where the version is one of Terraform.
create function pkgdb.terraform_core(p_version text)
returns text
language sql
immutable parallel safe
return case
    when p_version collate "C" like 'v%' and octet_length(p_version) <= 255
        then substr(p_version, 2)
    else p_version
end;
comment on function pkgdb.terraform_core is 'A version without the "v" that may precede it.';

create function pkgdb.terraform_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
begin
    return pkgdb.semver_normalize(pkgdb.terraform_core(p_version), '9223372036854775807');
end;
$$;
comment on function pkgdb.terraform_normalize is
    'A SemVer version without a leading "v" and build metadata; RG400 where it is none.';

create function pkgdb.terraform_key(p_version text)
returns bytea
language sql
immutable parallel safe
return pkgdb.semver_key(pkgdb.terraform_normalize(p_version));
comment on function pkgdb.terraform_key is 'Order key of a Terraform module or provider version.';

create function pkgdb.terraform_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return pkgdb.semver_is_prerelease(pkgdb.terraform_core(p_version), '9223372036854775807');
comment on function pkgdb.terraform_is_prerelease is
    'True where a Terraform module or provider version has a prerelease part.';
