-- The catalog: who owns which name, which versions exist, which files they have.
--
-- `namespace` is the first column of every key, so that references cannot cross tenants and the
-- schema distributes by it. Ghosts (`failed`, `pending_destruction`) are left out of every "only
-- one" index by naming the live states positively.

create table pkgdb.namespace (
    namespace  pkgdb.string not null,
    created_at timestamptz not null,
    constraint namespace_pkey primary key (namespace)
);
comment on table pkgdb.namespace is
    'A tenant, and the unit of distribution. Its name is its identity.';

create table pkgdb.repository (
    namespace       pkgdb.string not null,
    repository_id   bigint generated always as identity,
    name            pkgdb.string not null,
    kind            text not null,
    status          text not null default 'live',
    epoch           bigint not null default 1,
    revision        bigint not null default 1,
    reuse           text not null default 'never',
    lookalike_guard boolean not null default false,
    immutable       boolean not null default false,
    protected_names text[] not null default '{}',
    keep_versions   integer,
    name_scope      text not null default 'ecosystem',
    validators      jsonb not null default '{}',
    upstream        jsonb not null default '{}',
    created_at      timestamptz not null,
    dropped_at      timestamptz,
    constraint repository_pkey primary key (namespace, repository_id),
    constraint repository_namespace_fkey
        foreign key (namespace) references pkgdb.namespace (namespace),
    constraint repository_kind_check check (kind in ('hosted', 'mirror')),
    constraint repository_status_check check (status in ('live', 'dropped')),
    constraint repository_dropped_check check ((status = 'dropped') = (dropped_at is not null)),
    constraint repository_reuse_check check (reuse in ('never', 'same_content', 'always')),
    constraint repository_name_scope_check
        check (name_scope in ('ecosystem', 'repository', 'namespace')),
    constraint repository_keep_versions_check check (keep_versions > 0),
    constraint repository_upstream_check check (kind = 'mirror' or upstream = '{}'),
    constraint repository_immutable_check check (not (immutable and keep_versions is not null))
);
comment on table pkgdb.repository is
    'A set of package versions that changes over time, with its policies. A dropped one stays as '
    'a ghost while anything of it remains.';
comment on column pkgdb.repository.upstream is 'What a mirror follows.';
comment on column pkgdb.repository.epoch is
    'Snapshot counter: what is added or removed now carries this number.';
create unique index repository_name_key on pkgdb.repository (namespace, name)
    where status = 'live';

create table pkgdb.registration (
    namespace                pkgdb.string not null,
    registration_id          bigint generated always as identity,
    repository_id            bigint not null,
    scope_id                 bigint not null,
    ecosystem                pkgdb.string not null,
    scheme                   pkgdb.string not null,
    name                     pkgdb.string not null,
    normalized_name          pkgdb.string not null,
    lookalike_key            pkgdb.string,
    status                   text not null default 'active',
    revision                 bigint not null default 0,
    latest_version_id        bigint,
    latest_stable_version_id bigint,
    version_count            bigint not null default 0,
    file_count               bigint not null default 0,
    byte_count               bigint not null default 0,
    created_at               timestamptz not null,
    updated_at               timestamptz not null,
    constraint registration_pkey primary key (namespace, registration_id),
    -- What package_version refers to: a version cannot be ordered by another scheme than its
    -- siblings.
    constraint registration_scheme_key unique (namespace, registration_id, scheme),
    -- The one place where a name is claimed, whether live, reserved or without versions left.
    constraint registration_name_key unique (namespace, scope_id, ecosystem, normalized_name),
    constraint registration_repository_fkey foreign key (namespace, repository_id)
        references pkgdb.repository (namespace, repository_id),
    constraint registration_ecosystem_fkey foreign key (ecosystem)
        references pkgdb.ecosystem (ecosystem),
    constraint registration_scheme_fkey foreign key (scheme)
        references pkgdb.version_scheme (scheme),
    constraint registration_scope_check check (scope_id in (0, repository_id)),
    constraint registration_status_check check (status in ('active', 'reserved')),
    constraint registration_reserved_check check (
        status = 'active'
        or (latest_version_id is null and latest_stable_version_id is null and version_count = 0)),
    constraint registration_counts_check
        check (version_count >= 0 and file_count >= 0 and byte_count >= 0)
) with (fillfactor = 70);  -- room for the HOT update that every publish makes
comment on table pkgdb.registration is
    'One package name of one ecosystem in a repository, with its latest pointers and counters.';
comment on column pkgdb.registration.scope_id is
    'Where the name is unique: its repository''s id, or 0 for the whole namespace.';
comment on column pkgdb.registration.lookalike_key is
    'The name as a hurried reader sees it; set where the repository guards against look-alikes.';
create index registration_repository_idx
    on pkgdb.registration (namespace, repository_id, registration_id);
create unique index registration_lookalike_key
    on pkgdb.registration (namespace, scope_id, ecosystem, lookalike_key)
    where lookalike_key is not null;

create table pkgdb.package_version (
    namespace          pkgdb.string not null,
    registration_id    bigint not null,
    version_id         bigint generated always as identity,
    scheme             pkgdb.string not null,
    version            pkgdb.string not null,
    variant            pkgdb.string not null default '',
    normalized_version pkgdb.string not null
        generated always as (pkgdb.scheme_normalize_version(scheme, version)) stored,
    version_key        bytea not null
        generated always as (pkgdb.scheme_version_key(scheme, version)) stored,
    prerelease         boolean not null
        generated always as (pkgdb.scheme_is_prerelease(scheme, version)) stored,
    status             text not null,
    listed             boolean not null default true,
    yank_reason        text,
    deprecation        text,
    quarantine_reason  text,
    metadata           jsonb not null default '{}',
    added_epoch        bigint,
    removed_epoch      bigint,
    created_at         timestamptz not null,
    published_at       timestamptz,
    removed_at         timestamptz,
    constraint package_version_pkey primary key (namespace, registration_id, version_id),
    constraint package_version_registration_fkey foreign key (namespace, registration_id, scheme)
        references pkgdb.registration (namespace, registration_id, scheme),
    constraint package_version_status_check check (
        status in ('processing', 'available', 'quarantined', 'failed', 'pending_destruction')),
    constraint package_version_added_check check (case
        when status in ('processing', 'failed') then added_epoch is null and published_at is null
        when status in ('available', 'quarantined')
            then added_epoch is not null and published_at is not null
        else true end),
    constraint package_version_removed_check check (
        (status = 'pending_destruction') = (removed_epoch is not null)
        and (status in ('failed', 'pending_destruction')) = (removed_at is not null)
        and removed_epoch >= added_epoch),
    constraint package_version_yank_check check (not listed or yank_reason is null),
    constraint package_version_quarantine_check
        check (status in ('quarantined', 'pending_destruction') or quarantine_reason is null)
);
comment on table pkgdb.package_version is 'One version, and variant, of a registration.';
comment on column pkgdb.package_version.quarantine_reason is
    'Why it is blocked. Of a deleted version: not null where it was blocked then, so that a '
    'snapshot that still contains it does not bring it back.';
comment on column pkgdb.package_version.added_epoch is
    'The repository''s epoch when the version became available; snapshots from it on contain it.';
comment on column pkgdb.package_version.removed_epoch is
    'The repository''s epoch when the version was deleted; snapshots before it still contain it.';
create unique index package_version_live_key
    on pkgdb.package_version (namespace, registration_id, normalized_version, variant)
    where status in ('processing', 'available', 'quarantined');
create index package_version_latest_idx
    on pkgdb.package_version (namespace, registration_id, version_key desc, version_id desc)
    where status = 'available' and listed;
create index package_version_latest_stable_idx
    on pkgdb.package_version (namespace, registration_id, version_key desc, version_id desc)
    where status = 'available' and listed and not prerelease;
create index package_version_unlisted_idx
    on pkgdb.package_version (namespace, registration_id, version_key desc, version_id desc)
    where status = 'available' and not listed;
create index package_version_ghost_idx on pkgdb.package_version (namespace, removed_at, version_id)
    where status in ('failed', 'pending_destruction');

alter table pkgdb.registration
    add constraint registration_latest_fkey
        foreign key (namespace, registration_id, latest_version_id)
        references pkgdb.package_version (namespace, registration_id, version_id),
    add constraint registration_latest_stable_fkey
        foreign key (namespace, registration_id, latest_stable_version_id)
        references pkgdb.package_version (namespace, registration_id, version_id);

create table pkgdb.blob (
    namespace      pkgdb.string not null,
    sha256         bytea not null,
    size           bigint not null,
    created_at     timestamptz not null,
    unneeded_since timestamptz,
    constraint blob_pkey primary key (namespace, sha256),
    constraint blob_sha256_check check (octet_length(sha256) = 32),
    constraint blob_size_check check (size >= 0)
);
comment on table pkgdb.blob is
    'Bytes, addressed by their SHA-256; shared by the files of a namespace.';
comment on column pkgdb.blob.unneeded_since is
    'When a file that referred to it was purged: the collector will look whether others do.';
create index blob_unneeded_idx on pkgdb.blob (namespace, unneeded_since)
    where unneeded_since is not null;

create table pkgdb.file (
    namespace         pkgdb.string not null,
    registration_id   bigint not null,
    version_id        bigint not null,
    file_id           bigint generated always as identity,
    filename          pkgdb.string not null,
    filename_scope_id bigint not null,
    role              text not null,
    sha256            bytea not null,
    media_type        text,
    attributes        jsonb not null default '{}',
    status            text not null,
    publication_id    bigint,
    added_epoch       bigint,
    removed_epoch     bigint,
    created_at        timestamptz not null,
    removed_at        timestamptz,
    constraint file_pkey primary key (namespace, registration_id, version_id, file_id),
    constraint file_version_fkey foreign key (namespace, registration_id, version_id)
        references pkgdb.package_version (namespace, registration_id, version_id),
    constraint file_blob_fkey foreign key (namespace, sha256)
        references pkgdb.blob (namespace, sha256),
    constraint file_scope_check check (filename_scope_id in (0, version_id)),
    constraint file_role_check check (role in ('main', 'side')),
    constraint file_status_check
        check (status in ('processing', 'available', 'failed', 'pending_destruction')),
    constraint file_publication_check
        check ((status = 'processing') = (publication_id is not null)),
    constraint file_added_check check (case
        when status in ('processing', 'failed') then added_epoch is null
        when status = 'available' then added_epoch is not null
        else true end),
    constraint file_removed_check check (
        (status = 'pending_destruction') = (removed_epoch is not null)
        and (status in ('failed', 'pending_destruction')) = (removed_at is not null)
        and removed_epoch >= added_epoch)
);
comment on table pkgdb.file is 'A named file of a version.';
comment on column pkgdb.file.filename_scope_id is
    'Where the file name is unique: its version''s id, or 0 for the whole registration.';
comment on column pkgdb.file.publication_id is
    'The open publication that brings the file.';
comment on column pkgdb.file.role is
    'main: part of the package; side: attached to it (symbols, signature, attestation).';
create unique index file_live_key
    on pkgdb.file (namespace, registration_id, filename_scope_id, filename)
    where status in ('processing', 'available');
create index file_blob_idx on pkgdb.file (namespace, sha256);
create index file_publication_idx on pkgdb.file (namespace, publication_id)
    where publication_id is not null;
create index file_ghost_idx on pkgdb.file (namespace, removed_at, file_id)
    where status in ('failed', 'pending_destruction');

create table pkgdb.tag (
    namespace       pkgdb.string not null,
    registration_id bigint not null,
    tag             pkgdb.string not null,
    version_id      bigint not null,
    updated_at      timestamptz not null,
    constraint tag_pkey primary key (namespace, registration_id, tag),
    constraint tag_version_fkey foreign key (namespace, registration_id, version_id)
        references pkgdb.package_version (namespace, registration_id, version_id)
);
comment on table pkgdb.tag is 'A name that the publisher moves from version to version.';
create index tag_version_idx on pkgdb.tag (namespace, registration_id, version_id);

create table pkgdb.tombstone (
    namespace          pkgdb.string not null,
    registration_id    bigint not null,
    normalized_version pkgdb.string not null,
    version            pkgdb.string not null,
    variant            pkgdb.string not null,
    filename           pkgdb.string not null,
    content_sha256     bytea not null,
    quarantine_reason  text,
    deleted_at         timestamptz not null,
    constraint tombstone_pkey
        primary key (namespace, registration_id, normalized_version, variant, filename),
    constraint tombstone_registration_fkey foreign key (namespace, registration_id)
        references pkgdb.registration (namespace, registration_id)
);
comment on table pkgdb.tombstone is
    'What was deleted, remembered beyond the purge so that the reuse policy can be kept: one row '
    'for the version (file name '''', digest of its metadata) and one for each file.';
comment on column pkgdb.tombstone.quarantine_reason is
    'Not null where the version was blocked when it was deleted: where a mirror''s upstream brings '
    'it again it is blocked still.';
comment on column pkgdb.tombstone.version is
    'As it was published last, so that its identity can be told again under another scheme.';

create table pkgdb.request (
    namespace   pkgdb.string not null,
    actor       pkgdb.string not null,
    request_key pkgdb.string not null,
    function    text not null,
    arguments   bytea not null,
    answer      jsonb not null,
    expires_at  timestamptz not null,
    constraint request_pkey primary key (namespace, actor, request_key)
);
comment on table pkgdb.request is
    'Answers to calls that carried a request key, for seven days: a repeated call gets the first '
    'answer.';
comment on column pkgdb.request.arguments is 'SHA-256 of what was asked.';
create index request_expiry_idx on pkgdb.request (namespace, expires_at);
