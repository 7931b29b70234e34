insert into pkgdb.version_scheme (scheme, description) values
    ('semver53', 'SemVer 2.0.0, core numbers of at most 53 bits; build metadata is no identity'),
    ('semver64', 'SemVer 2.0.0, core numbers of at most 64 bits; build metadata is no identity'),
    ('pep440', 'PEP 440'),
    ('debian', 'Debian Policy 5.6.12, as dpkg compares; identity is the text'),
    ('natural', 'SemVer where valid, else runs of digits and letters; identity is the text');

insert into pkgdb.ecosystem
    (ecosystem, name_rule, scheme, claim_scope, file_rule, filename_scope, name_max, version_max,
     new_names_lower)
values
    ('npm', 'npm', 'semver53', 'namespace', 'one', 'version', 214, 255, true),
    ('cargo', 'cargo', 'semver64', 'repository', 'one', 'version', 64, 255, false),
    ('pypi', 'pep503', 'pep440', 'repository', 'many', 'registration', 255, 255, false),
    ('deb', 'deb', 'debian', 'repository', 'one', 'version', 255, 255, false),
    ('generic', 'generic', 'natural', 'repository', 'many', 'version', 255, 255, false);
