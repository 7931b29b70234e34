-- Curation: what versions depend on, frozen sets of them, how mirrors follow an upstream, and what
-- clients read.

-- One alternative of a relation, as publish is told.
create type pkgdb.dependency_spec as (
    "position"    integer,
    alternative   integer,
    kind          text,
    name          text,
    architecture  text,
    lower_version text,
    lower_strict  boolean,
    upper_version text,
    upper_strict  boolean
);

create table pkgdb.dependency (
    namespace       pkgdb.string not null,
    registration_id bigint not null,
    version_id      bigint not null,
    position        integer not null,
    alternative     integer not null,
    kind            pkgdb.string not null,
    scheme          pkgdb.string not null,
    name            pkgdb.string not null,
    architecture    text,
    lower_version   text,
    lower_strict    boolean not null default false,
    upper_version   text,
    upper_strict    boolean not null default false,
    lower_key       bytea generated always as (
        case when lower_version is not null
             then pkgdb.scheme_version_key(scheme, lower_version) end) stored,
    upper_key       bytea generated always as (
        case when upper_version is not null
             then pkgdb.scheme_version_key(scheme, upper_version) end) stored,
    constraint dependency_pkey
        primary key (namespace, registration_id, version_id, position, alternative),
    constraint dependency_version_fkey foreign key (namespace, registration_id, version_id)
        references pkgdb.package_version (namespace, registration_id, version_id),
    constraint dependency_scheme_fkey foreign key (scheme)
        references pkgdb.version_scheme (scheme),
    constraint dependency_position_check check (position > 0 and alternative > 0),
    constraint dependency_kind_check check (kind ~ '^[a-z][a-z-]{0,62}$')
);
comment on table pkgdb.dependency is
    'What a version says of other packages of its ecosystem: relations by position, and in each '
    'the alternatives of which one will do, by name and at most one bound of versions at each '
    'end.';
comment on column pkgdb.dependency.architecture is
    'What stood behind a colon after the name: any, native, or one architecture.';

create table pkgdb.snapshot (
    namespace     pkgdb.string not null,
    snapshot_id   bigint generated always as identity,
    name          pkgdb.string not null,
    repository_id bigint,
    epoch         bigint,
    member_count  bigint,
    description   text not null default '',
    revision      bigint not null default 0,
    digest        bytea,
    created_at    timestamptz not null,
    constraint snapshot_pkey primary key (namespace, snapshot_id),
    constraint snapshot_name_key unique (namespace, name),
    constraint snapshot_namespace_fkey
        foreign key (namespace) references pkgdb.namespace (namespace),
    constraint snapshot_repository_fkey foreign key (namespace, repository_id)
        references pkgdb.repository (namespace, repository_id),
    constraint snapshot_kind_check check (
        (repository_id is null) = (epoch is null)
        and (repository_id is null) = (member_count is not null)),
    constraint snapshot_digest_check check (octet_length(digest) = 32)
);
comment on table pkgdb.snapshot is
    'An immutable set of versions: a repository''s content at an epoch (what was added by then and '
    'not removed by then), or the members listed for it.';
comment on column pkgdb.snapshot.digest is
    'SHA-256 of its listing, taken once after its creation: check_integrity compares.';
create index snapshot_repository_idx on pkgdb.snapshot (namespace, repository_id, epoch);
create index snapshot_unsealed_idx on pkgdb.snapshot (namespace, snapshot_id)
    where digest is null;

create table pkgdb.snapshot_member (
    namespace       pkgdb.string not null,
    snapshot_id     bigint not null,
    registration_id bigint not null,
    version_id      bigint not null,
    epoch           bigint not null,
    constraint snapshot_member_pkey
        primary key (namespace, snapshot_id, registration_id, version_id),
    constraint snapshot_member_snapshot_fkey foreign key (namespace, snapshot_id)
        references pkgdb.snapshot (namespace, snapshot_id),
    constraint snapshot_member_version_fkey
        foreign key (namespace, registration_id, version_id)
        references pkgdb.package_version (namespace, registration_id, version_id)
);
comment on table pkgdb.snapshot_member is
    'The versions of a snapshot that is not a repository''s content, each with the files that it '
    'had at an epoch of its own repository. The foreign keys pin them.';
create index snapshot_member_version_idx
    on pkgdb.snapshot_member (namespace, registration_id, version_id, epoch);

create table pkgdb.snapshot_source (
    namespace   pkgdb.string not null,
    snapshot_id bigint not null,
    source_id   bigint not null,
    constraint snapshot_source_pkey primary key (namespace, snapshot_id, source_id),
    constraint snapshot_source_snapshot_fkey foreign key (namespace, snapshot_id)
        references pkgdb.snapshot (namespace, snapshot_id),
    constraint snapshot_source_source_fkey foreign key (namespace, source_id)
        references pkgdb.snapshot (namespace, snapshot_id),
    constraint snapshot_source_self_check check (snapshot_id <> source_id)
);
comment on table pkgdb.snapshot_source is 'Which snapshots a snapshot was made from.';
create index snapshot_source_source_idx on pkgdb.snapshot_source (namespace, source_id);

create table pkgdb.mirror (
    namespace     pkgdb.string not null,
    repository_id bigint not null,
    release       text,
    updated_at    timestamptz not null,
    constraint mirror_pkey primary key (namespace, repository_id),
    constraint mirror_repository_fkey foreign key (namespace, repository_id)
        references pkgdb.repository (namespace, repository_id)
);
comment on table pkgdb.mirror is 'Up to where a mirror has followed its upstream.';
comment on column pkgdb.mirror.release is
    'What upstream called the state that the mirror is at; null where its settings changed since.';

create table pkgdb.mirror_update (
    namespace     pkgdb.string not null,
    update_id     bigint generated always as identity,
    repository_id bigint not null,
    status        text not null default 'open',
    upstream      jsonb not null,
    release       text,
    actor         pkgdb.string not null,
    login         text not null,
    request_key   pkgdb.string,
    fence         bigint not null default 1,
    lease_until   timestamptz not null,
    staged        bigint not null default 0,
    filtered      boolean not null default false,
    report        jsonb,
    reason        text,
    created_at    timestamptz not null,
    ended_at      timestamptz,
    expires_at    timestamptz,
    constraint mirror_update_pkey primary key (namespace, update_id),
    constraint mirror_update_status_check
        check (status in ('open', 'committed', 'aborted', 'superseded')),
    constraint mirror_update_ended_check check (
        (status = 'open') = (ended_at is null) and (status = 'open') = (expires_at is null)),
    constraint mirror_update_report_check check ((status = 'committed') = (report is not null)),
    constraint mirror_update_fence_check check (fence > 0),
    constraint mirror_update_staged_check check (staged >= 0)
);
comment on table pkgdb.mirror_update is
    'An attempt to bring a mirror to the state of its upstream. No foreign keys: it outlives its '
    'repository, so that a repeated call finds its answer.';
comment on column pkgdb.mirror_update.filtered is
    'Whether the filter has looked at all that is staged.';
comment on column pkgdb.mirror_update.fence is
    'Goes up with each holder: an earlier one can do nothing any longer.';
create unique index mirror_update_open_key
    on pkgdb.mirror_update (namespace, repository_id)
    where status = 'open';
create index mirror_update_repository_idx
    on pkgdb.mirror_update (namespace, repository_id, update_id);
create index mirror_update_lease_idx on pkgdb.mirror_update (namespace, lease_until)
    where status = 'open';
create index mirror_update_expiry_idx on pkgdb.mirror_update (namespace, expires_at)
    where expires_at is not null;

create table pkgdb.mirror_item (
    namespace          pkgdb.string not null,
    update_id          bigint not null,
    ecosystem          pkgdb.string not null,
    normalized_name    pkgdb.string not null,
    normalized_version pkgdb.string not null,
    variant            pkgdb.string not null,
    item               jsonb not null,
    content            bytea not null,
    version_key        bytea not null,
    dependencies       pkgdb.dependency_spec[] not null,
    wanted             boolean not null default false,
    constraint mirror_item_pkey primary key
        (namespace, update_id, ecosystem, normalized_name, normalized_version, variant),
    constraint mirror_item_update_fkey foreign key (namespace, update_id)
        references pkgdb.mirror_update (namespace, update_id),
    constraint mirror_item_ecosystem_fkey foreign key (ecosystem)
        references pkgdb.ecosystem (ecosystem)
);
comment on table pkgdb.mirror_item is
    'What an open update has found upstream: nobody sees it before the commit.';
comment on column pkgdb.mirror_item.content is
    'SHA-256 of all that makes it the same as another: not of where upstream has its files.';
comment on column pkgdb.mirror_item.wanted is
    'Whether the mirror''s filter, where it has one, lets it in; known once it has looked.';

create table pkgdb.mirror_version (
    namespace       pkgdb.string not null,
    registration_id bigint not null,
    version_id      bigint not null,
    content         bytea not null,
    constraint mirror_version_pkey primary key (namespace, registration_id, version_id),
    constraint mirror_version_version_fkey
        foreign key (namespace, registration_id, version_id)
        references pkgdb.package_version (namespace, registration_id, version_id),
    constraint mirror_version_content_check check (octet_length(content) = 32)
);
comment on table pkgdb.mirror_version is
    'What a version of a mirror was when it came in, as a digest: an update compares.';

create table pkgdb.mirror_file (
    namespace pkgdb.string not null,
    update_id bigint not null,
    sha256    bytea not null,
    path      text not null,
    constraint mirror_file_pkey primary key (namespace, update_id, sha256),
    constraint mirror_file_update_fkey foreign key (namespace, update_id)
        references pkgdb.mirror_update (namespace, update_id),
    constraint mirror_file_blob_fkey foreign key (namespace, sha256)
        references pkgdb.blob (namespace, sha256)
);
comment on table pkgdb.mirror_file is
    'The bytes that an open update brings, and where upstream has them: the collector leaves them '
    'alone.';
create index mirror_file_blob_idx on pkgdb.mirror_file (namespace, sha256);

create table pkgdb.distribution (
    namespace       pkgdb.string not null,
    distribution_id bigint generated always as identity,
    prefix          pkgdb.string not null,
    name            pkgdb.string not null,
    ecosystem       pkgdb.string not null,
    settings        jsonb not null default '{}',
    revision        bigint not null default 0,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    constraint distribution_pkey primary key (namespace, distribution_id),
    constraint distribution_name_key unique (namespace, prefix, name),
    constraint distribution_namespace_fkey
        foreign key (namespace) references pkgdb.namespace (namespace),
    constraint distribution_ecosystem_fkey foreign key (ecosystem)
        references pkgdb.ecosystem (ecosystem)
);
comment on table pkgdb.distribution is
    'A named pointer that clients read: components, each served from a snapshot or live from a '
    'repository.';

create table pkgdb.distribution_component (
    namespace       pkgdb.string not null,
    distribution_id bigint not null,
    component       pkgdb.string not null,
    snapshot_id     bigint,
    repository_id   bigint,
    constraint distribution_component_pkey
        primary key (namespace, distribution_id, component),
    constraint distribution_component_distribution_fkey
        foreign key (namespace, distribution_id)
        references pkgdb.distribution (namespace, distribution_id),
    constraint distribution_component_snapshot_fkey foreign key (namespace, snapshot_id)
        references pkgdb.snapshot (namespace, snapshot_id),
    constraint distribution_component_repository_fkey foreign key (namespace, repository_id)
        references pkgdb.repository (namespace, repository_id),
    constraint distribution_component_source_check
        check (num_nonnulls(snapshot_id, repository_id) = 1)
);
comment on table pkgdb.distribution_component is
    'What a component of a distribution serves. The foreign keys keep it from being dropped.';
create index distribution_component_snapshot_idx
    on pkgdb.distribution_component (namespace, snapshot_id);
create index distribution_component_repository_idx
    on pkgdb.distribution_component (namespace, repository_id);
