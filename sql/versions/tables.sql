-- Reference data of every ecosystem: how its names and versions are read.

create table pkgdb.version_scheme (
    scheme      pkgdb.string not null,
    description text not null,
    constraint version_scheme_pkey primary key (scheme)
);
comment on table pkgdb.version_scheme is
    'A way to order versions: each has a key, a normal form and a prerelease function. What a '
    'scheme computes never changes once rows use it; a correction is a new scheme.';

create table pkgdb.ecosystem (
    ecosystem       pkgdb.string not null,
    name_rule       pkgdb.string not null,
    scheme          pkgdb.string not null,
    claim_scope     text not null,
    file_rule       text not null,
    filename_scope  text not null,
    name_max        integer not null,
    version_max     integer not null,
    new_names_lower boolean not null,
    constraint ecosystem_pkey primary key (ecosystem),
    constraint ecosystem_scheme_fkey
        foreign key (scheme) references pkgdb.version_scheme (scheme),
    constraint ecosystem_claim_scope_check check (claim_scope in ('repository', 'namespace')),
    constraint ecosystem_file_rule_check check (file_rule in ('one', 'many')),
    constraint ecosystem_filename_scope_check
        check (filename_scope in ('version', 'registration')),
    constraint ecosystem_name_max_check check (name_max between 1 and 255),
    constraint ecosystem_version_max_check check (version_max between 1 and 255)
);
comment on table pkgdb.ecosystem is
    'A package type, named as in package URLs, and the rules that it uses. An ecosystem that '
    'reuses known rules is one more row.';
comment on column pkgdb.ecosystem.name_rule is 'Name normaliser, a rule of rule_normalize_name().';
comment on column pkgdb.ecosystem.scheme is
    'Version scheme of new registrations; each registration keeps its own.';
comment on column pkgdb.ecosystem.claim_scope is
    'Where a name is unique unless the repository''s policy says otherwise.';
comment on column pkgdb.ecosystem.file_rule is 'How many main files a version may have.';
comment on column pkgdb.ecosystem.filename_scope is 'Where a file name is unique.';
comment on column pkgdb.ecosystem.name_max is 'Longest name, in characters; the rule enforces it.';
comment on column pkgdb.ecosystem.version_max is
    'Longest version, in characters; the scheme enforces it.';
comment on column pkgdb.ecosystem.new_names_lower is
    'A new name must be in lower case, although older ones need not be.';
create index ecosystem_scheme_idx on pkgdb.ecosystem (scheme);
