-- Publications: the durable attempts to publish files of a version, and what validators say of
-- them.

create table pkgdb.publication (
    namespace       pkgdb.string not null,
    publication_id  bigint generated always as identity,
    repository_id   bigint not null,
    registration_id bigint not null,
    version_id      bigint not null,
    ecosystem       pkgdb.string not null,
    name            pkgdb.string not null,
    version         pkgdb.string not null,
    variant         pkgdb.string not null,
    role            text not null,
    metadata        jsonb not null,
    content         bytea not null,
    status          text not null default 'open',
    actor           pkgdb.string not null,
    login           text not null,
    request_key     pkgdb.string,
    fence           bigint not null default 1,
    lease_until     timestamptz not null,
    reason          text,
    outcome         text,
    revision        bigint,
    created_at      timestamptz not null,
    ended_at        timestamptz,
    expires_at      timestamptz,
    constraint publication_pkey primary key (namespace, publication_id),
    constraint publication_role_check check (role in ('main', 'side')),
    constraint publication_status_check
        check (status in ('open', 'committed', 'aborted', 'expired', 'rejected')),
    constraint publication_ended_check check ((status = 'open') = (ended_at is null)),
    constraint publication_committed_check check (
        (status = 'committed') = (outcome is not null)
        and (outcome is null) = (revision is null)),
    constraint publication_fence_check check (fence > 0),
    constraint publication_expires_check check (case status
        when 'open' then expires_at is null
        when 'committed' then true
        else expires_at is not null end)
);
comment on table pkgdb.publication is
    'An attempt to publish files of a version, from the reservation of its names to its end. No '
    'foreign keys: it outlives what it published, so that a repeated request finds its answer. '
    'While it is open its files refer to it.';
comment on column pkgdb.publication.content is
    'SHA-256 of all that is published: who has the same may take it over.';
comment on column pkgdb.publication.fence is
    'Goes up with each holder: an earlier one can do nothing any longer.';
comment on column pkgdb.publication.lease_until is
    'From then on anyone with the same content may take it over, or the reaper ends it.';
comment on column pkgdb.publication.expires_at is
    'When purge removes the row; null while it is open, or what it published exists.';
create unique index publication_content_key
    on pkgdb.publication (namespace, registration_id, version_id, content)
    where status = 'open';
create unique index publication_request_key
    on pkgdb.publication (namespace, actor, request_key)
    where request_key is not null and status in ('open', 'committed');
create index publication_version_idx
    on pkgdb.publication (namespace, registration_id, version_id);
create index publication_repository_idx on pkgdb.publication (namespace, repository_id)
    where status = 'open';
create index publication_lease_idx on pkgdb.publication (namespace, lease_until)
    where status = 'open';
create index publication_expiry_idx on pkgdb.publication (namespace, expires_at)
    where expires_at is not null;

alter table pkgdb.file
    add constraint file_publication_fkey foreign key (namespace, publication_id)
        references pkgdb.publication (namespace, publication_id);

create table pkgdb.validation (
    namespace      pkgdb.string not null,
    publication_id bigint not null,
    validator      pkgdb.string not null,
    round          integer not null,
    requirement    text not null,
    status         text not null default 'pending',
    attempts       integer not null default 0,
    detail         text,
    updated_at     timestamptz not null,
    constraint validation_pkey primary key (namespace, publication_id, validator, round),
    constraint validation_publication_fkey foreign key (namespace, publication_id)
        references pkgdb.publication (namespace, publication_id),
    constraint validation_round_check check (round > 0),
    constraint validation_requirement_check check (requirement in ('required', 'advisory')),
    constraint validation_status_check check (status in ('pending', 'succeeded', 'failed')),
    constraint validation_attempts_check check (attempts >= 0)
);
comment on table pkgdb.validation is
    'What a validator said of a publication: round 1 before it was committed, later rounds when '
    'what is published was looked at again.';
