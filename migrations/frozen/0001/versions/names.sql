-- Names: which spellings are one package, and what is no name at all. Each rule follows what the
-- ecosystem's own registry takes.

create function pkgdb.malformed_name(p_name text, p_rule text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'RG400',
        message = format('name %s is malformed', pkgdb.quoted(p_name)),
        hint = p_rule;
end;
$$;
comment on function pkgdb.malformed_name is 'Raises RG400.';

create function pkgdb.matching_name(
    p_name text, p_max integer, p_pattern text, p_rule text, p_reserved text default null
)
returns text
language sql
immutable parallel safe
return case
    when octet_length(p_name) <= p_max and p_name collate "C" ~ p_pattern
        and (p_name collate "C" ~* p_reserved) is not true
        then p_name collate "C"
    else pkgdb.malformed_name(p_name, p_rule)
end;
comment on function pkgdb.matching_name is
    'A name of at most p_max characters that matches a pattern of ASCII characters, and in any '
    'case not the pattern p_reserved, as it is; RG400 for any other, saying p_rule.';

-- PEP 503 and PEP 508.
create function pkgdb.pep503_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(regexp_replace(
    pkgdb.matching_name(
        p_name, 255, '^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$',
        'ASCII letters, digits and . _ - between them, at most 255 characters.'),
    '[-_.]+', '-', 'g'));
comment on function pkgdb.pep503_name is
    'Lower case, each run of . _ - as one -. Raises RG400 for what is no name.';

-- validate-npm-package-name. Old names keep their capitals; that new ones have none is
-- ecosystem.new_names_lower. The marks ~ ' ! ( ) * of a few names from before the rule are refused,
-- and names that start with a hyphen taken: there are such.
create function pkgdb.npm_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 214,
    '^(?:@[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9_-]|[A-Za-z0-9-])[A-Za-z0-9._-]*$',
    '[@scope/]name of letters, digits and . _ -, not starting with . or _, at most 214 '
    'characters, not node_modules or favicon.ico.',
    '^(?:node_modules|favicon[.]ico)$');
comment on function pkgdb.npm_name is 'The name as it is. Raises RG400 for what is no name.';

-- Cargo's registry: "a_b" and "A-B" are one crate.
create function pkgdb.cargo_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(translate(pkgdb.matching_name(
    p_name, 64, '^[A-Za-z][A-Za-z0-9_-]*$',
    'A letter, then letters, digits and _ -, at most 64 characters.'), '_', '-'));
comment on function pkgdb.cargo_name is 'Lower case, _ as -. Raises RG400 for what is no name.';

-- NuGet Gallery's PackageIdValidator.
create function pkgdb.nuget_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(pkgdb.matching_name(
    p_name, 128, '^[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*$',
    'Letters, digits and _, with single . or - between them, at most 128 characters.'));
comment on function pkgdb.nuget_name is 'Lower case. Raises RG400 for what is no name.';

-- Maven's DefaultModelValidator; a path is made of both, so no part of the group is empty.
create function pkgdb.maven_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 255, '^[A-Za-z0-9_-]+(?:[.][A-Za-z0-9_-]+)*:[A-Za-z0-9_-][A-Za-z0-9_.-]*$',
    'group:artifact of ASCII letters, digits and . _ -, at most 255 characters.');
comment on function pkgdb.maven_name is 'The name as it is. Raises RG400 for what is no name.';

-- RubyGems: Patterns::NAME_PATTERN, a letter somewhere, no mark at an end, no end of a file's name.
-- Its registry finds names in any case.
create function pkgdb.gem_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(pkgdb.matching_name(
    p_name, 255, '^(?=.*[A-Za-z])[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$',
    'ASCII letters, digits and . _ - between them, a letter among them, at most 255 characters, '
    'not ending in .gem, .gemspec, .html or .json.',
    '[.](?:gem|gemspec|html|json)$'));
comment on function pkgdb.gem_name is 'Lower case. Raises RG400 for what is no name.';

-- Debian Policy 5.6.1.
create function pkgdb.deb_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 255, '^[a-z0-9][a-z0-9.+-]+$',
    'Lower-case letters, digits and . + -, starting with a letter or digit, 2 to 255 characters.');
comment on function pkgdb.deb_name is 'The name as it is. Raises RG400 for what is no name.';

-- rpmbuild: ALLOWED_CHARS_NAME.
create function pkgdb.rpm_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 255, '^(?!.*[.][.])[A-Za-z0-9_][A-Za-z0-9_.+-]*$',
    'ASCII letters, digits and _ . + -, starting with a letter, digit or _, no two dots in a row, '
    'at most 255 characters.');
comment on function pkgdb.rpm_name is 'The name as it is. Raises RG400 for what is no name.';

-- Composer's ValidatingArrayLoader::hasPackageNamingError; Packagist holds names in lower case.
create function pkgdb.composer_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(pkgdb.matching_name(
    p_name, 255,
    '^[A-Za-z0-9](?:[_.-]?[A-Za-z0-9]+)*/[A-Za-z0-9](?:(?:[_.]|-{1,2})?[A-Za-z0-9]+)*$',
    'vendor/name of ASCII letters and digits with single _ . - between them, at most 255 '
    'characters; neither is a device of Windows, and the name has no end .json.',
    '(?:^|/)(?:nul|con|prn|aux|com[1-9]|lpt[1-9])(?:/|$)|[.]json$'));
comment on function pkgdb.composer_name is 'Lower case. Raises RG400 for what is no name.';

-- golang.org/x/mod/module, CheckPath: no part is a device of Windows or looks like a short name
-- there, and a major version at the end is /v2 or higher, or .vN where gopkg.in has it.
create function pkgdb.golang_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 255,
    '^(?=[^/]*[.])(?!.*/v(?:0[0-9]*|1|[0-9.]*[.][0-9.]*)$)'
    '(?:(?!gopkg[.]in/)|(?=.*[.]v(?:0|[1-9][0-9]*(?:-unstable)?)$))'
    '[a-z0-9](?:[a-z0-9.-]*[a-z0-9-])?'
    '(?:/[A-Za-z0-9_~-](?:[A-Za-z0-9._~-]*[A-Za-z0-9_~-])?)*$',
    'host.name/path of ASCII letters, digits and - _ . ~, the host in lower case, at most 255 '
    'characters; no part like con or a~1, which mean something to Windows; at the end no /v0, /v1 '
    'or /v2.0, and of gopkg.in/ a .vN.',
    '(?:^|/)(?:con|prn|aux|nul|com[1-9]|lpt[1-9]|[^./]*~[0-9]+)(?:[.][^/]*)?(?:/|$)');
comment on function pkgdb.golang_name is
    'The name as it is: capitals are another module. Raises RG400 for what is no name.';

-- Helm's chart names: one element of a path and of a URL.
create function pkgdb.helm_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(pkgdb.matching_name(
    p_name, 250, '^[A-Za-z0-9._-]+$',
    'ASCII letters, digits and . _ -, at most 250 characters, not . or ..', '^[.][.]?$'));
comment on function pkgdb.helm_name is 'Lower case. Raises RG400 for what is no name.';

-- Conan's ConanName.
create function pkgdb.conan_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 101, '^[a-z0-9_][a-z0-9_+.-]+$',
    'Lower-case letters, digits and _ + . -, starting with a letter, digit or _, 2 to 101 '
    'characters.');
comment on function pkgdb.conan_name is 'The name as it is. Raises RG400 for what is no name.';

-- Terraform's registry addresses: a provider, or the name and the system of a module, each within a
-- namespace or not.
create function pkgdb.terraform_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(pkgdb.matching_name(
    p_name, 255,
    '^[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?'
    '(?:/[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?){0,2}$',
    'name, name/system or namespace/name/system of ASCII letters, digits and _ - between them, '
    'at most 255 characters.'));
comment on function pkgdb.terraform_name is 'Lower case. Raises RG400 for what is no name.';

-- Hex: hexpm, Hexpm.Repository.Package.
create function pkgdb.hex_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 255, '^[a-z][a-z0-9_]+$',
    'A lower-case letter, then lower-case letters, digits and _, 2 to 255 characters.');
comment on function pkgdb.hex_name is 'The name as it is. Raises RG400 for what is no name.';

-- SE-0292: scope.name, in any case one package; or the location of its source, as a package URL has
-- it.
create function pkgdb.swift_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(pkgdb.matching_name(
    p_name, 255,
    '^(?:(?=[^.]{1,39}[.].{1,100}$)'
    '[A-Za-z0-9](?:-?[A-Za-z0-9])*[.][A-Za-z0-9](?:[-_]?[A-Za-z0-9])*'
    '|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*){2,})$',
    'scope.name of letters, digits and single - (or _ in the name) between them, at most 39 and '
    '100 characters; or host/path, at most 255 characters.'));
comment on function pkgdb.swift_name is 'Lower case. Raises RG400 for what is no name.';

-- pub: an identifier of Dart in lower case, and none of the words that its registry reserves.
create function pkgdb.pub_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 64, '^[a-z_][a-z0-9_]*$',
    'A lower-case letter or _, then lower-case letters, digits and _, at most 64 characters, no '
    'reserved word of Dart.',
    '^(?:assert|break|case|catch|class|const|continue|default|do|else|extends|false|final|finally'
    '|for|if|in|is|mixin|new|null|return|super|switch|this|throw|true|try|var|void|while|with)$');
comment on function pkgdb.pub_name is 'The name as it is. Raises RG400 for what is no name.';

-- The PureScript registry: PackageName.
create function pkgdb.purescript_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 150, '^[a-z0-9]+(?:-[a-z0-9]+)*$',
    'Lower-case letters and digits with single - between them, at most 150 characters, without '
    'the prefix purescript-.',
    '^purescript-(?!compiler-backend-utilities$)');
comment on function pkgdb.purescript_name is 'The name as it is. Raises RG400 for what is no name.';

-- conda-build, package naming conventions: names are in lower case.
create function pkgdb.conda_name(p_name text)
returns text
language sql
immutable parallel safe
return lower(pkgdb.matching_name(
    p_name, 255, '^[A-Za-z0-9_][A-Za-z0-9_.-]*$',
    'ASCII letters, digits and _ . -, starting with a letter, digit or _, at most 255 '
    'characters.'));
comment on function pkgdb.conda_name is 'Lower case. Raises RG400 for what is no name.';

-- apk-tools 3: apk-package(5).
create function pkgdb.apk_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 255, '^[A-Za-z0-9][A-Za-z0-9._+-]*$',
    'ASCII letters, digits and . _ + -, starting with a letter or digit, at most 255 characters.');
comment on function pkgdb.apk_name is 'The name as it is. Raises RG400 for what is no name.';

-- No two names that look the same: ASCII alone.
create function pkgdb.generic_name(p_name text)
returns text
language sql
immutable parallel safe
return pkgdb.matching_name(
    p_name, 255, '^[!-~]+$',
    'Printable ASCII without spaces, 1 to 255 characters.');
comment on function pkgdb.generic_name is 'The name as it is. Raises RG400 for what is no name.';

create function pkgdb.unknown_name_rule(p_rule text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'RG400',
        message = format('no name rule %s', pkgdb.quoted(p_rule));
end;
$$;
comment on function pkgdb.unknown_name_rule is 'Raises RG400.';

-- A branch is a statement, as in the functions of schemes.sql.
create function pkgdb.rule_normalize_name(p_rule text, p_name text)
returns text
language plpgsql
immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rule text collate "C" := p_rule;
    v_name text collate "C" := p_name;
begin
    if v_rule = 'pep503' then
        return pkgdb.pep503_name(v_name);
    elsif v_rule = 'npm' then
        return pkgdb.npm_name(v_name);
    elsif v_rule = 'deb' then
        return pkgdb.deb_name(v_name);
    elsif v_rule = 'cargo' then
        return pkgdb.cargo_name(v_name);
    elsif v_rule = 'nuget' then
        return pkgdb.nuget_name(v_name);
    elsif v_rule = 'maven' then
        return pkgdb.maven_name(v_name);
    elsif v_rule = 'gem' then
        return pkgdb.gem_name(v_name);
    elsif v_rule = 'rpm' then
        return pkgdb.rpm_name(v_name);
    elsif v_rule = 'composer' then
        return pkgdb.composer_name(v_name);
    elsif v_rule = 'golang' then
        return pkgdb.golang_name(v_name);
    elsif v_rule = 'helm' then
        return pkgdb.helm_name(v_name);
    elsif v_rule = 'conan' then
        return pkgdb.conan_name(v_name);
    elsif v_rule = 'terraform' then
        return pkgdb.terraform_name(v_name);
    elsif v_rule = 'hex' then
        return pkgdb.hex_name(v_name);
    elsif v_rule = 'swift' then
        return pkgdb.swift_name(v_name);
    elsif v_rule = 'pub' then
        return pkgdb.pub_name(v_name);
    elsif v_rule = 'purescript' then
        return pkgdb.purescript_name(v_name);
    elsif v_rule = 'conda' then
        return pkgdb.conda_name(v_name);
    elsif v_rule = 'apk' then
        return pkgdb.apk_name(v_name);
    elsif v_rule = 'generic' then
        return pkgdb.generic_name(v_name);
    end if;
    return pkgdb.unknown_name_rule(p_rule);
end;
$$;
comment on function pkgdb.rule_normalize_name is
    'Identity of a name under a rule: equal exactly where two spellings are one package.';
