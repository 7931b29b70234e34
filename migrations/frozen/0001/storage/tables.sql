-- Where bytes are: backends, which repository keeps its files on which, and a ledger of every copy.

create table pkgdb.backend (
    namespace       pkgdb.string not null,
    backend_id      bigint generated always as identity,
    name            pkgdb.string not null,
    url             text not null,
    status          text not null default 'live',
    installation_id uuid not null,
    server_identity text not null,
    created_at      timestamptz not null,
    retired_at      timestamptz,
    constraint backend_pkey primary key (namespace, backend_id),
    constraint backend_name_key unique (namespace, name),
    constraint backend_namespace_fkey
        foreign key (namespace) references pkgdb.namespace (namespace),
    constraint backend_status_check check (status in ('live', 'retired')),
    constraint backend_retired_check check ((status = 'retired') = (retired_at is not null))
);
comment on table pkgdb.backend is
    'A store of bytes: a folder, a bucket. A retired one stays, with its name, while copies on it '
    'wait for their deletion.';
comment on column pkgdb.backend.url is
    'Where the store is, for clients: file:///folder, s3://bucket/prefix. Never a secret.';
comment on column pkgdb.backend.installation_id is
    'Stands in the store as well: only the database that a store knows may delete in it.';
comment on column pkgdb.backend.server_identity is
    'Which server this was true on: a restored or cloned database must adopt its stores first.';
create table pkgdb.repository_backend (
    namespace     pkgdb.string not null,
    repository_id bigint not null,
    backend_id    bigint not null,
    requirement   text not null,
    announced_to  bigint not null default 0,
    constraint repository_backend_pkey primary key (namespace, repository_id, backend_id),
    constraint repository_backend_repository_fkey foreign key (namespace, repository_id)
        references pkgdb.repository (namespace, repository_id),
    constraint repository_backend_backend_fkey foreign key (namespace, backend_id)
        references pkgdb.backend (namespace, backend_id),
    constraint repository_backend_requirement_check
        check (requirement in ('optional', 'filling', 'required'))
);
comment on table pkgdb.repository_backend is
    'Which stores a repository keeps its files on.';
comment on column pkgdb.repository_backend.requirement is
    'optional: uploads go there when they can; filling: what is committed from now on must be '
    'there; required: all that is live is there.';
comment on column pkgdb.repository_backend.announced_to is
    'While filling: up to this registration, what was missing is in the ledger.';
create index repository_backend_backend_idx
    on pkgdb.repository_backend (namespace, backend_id);

create table pkgdb.blob_copy (
    namespace       pkgdb.string not null,
    sha256          bytea not null,
    backend_id      bigint not null,
    generation      bigint generated always as identity,
    state           pkgdb.string not null,
    attempts        integer not null default 0,
    next_attempt_at timestamptz,
    last_error      text,
    created_at      timestamptz not null,
    present_at      timestamptz,
    verified_at     timestamptz,
    deleted_attempt integer,
    constraint blob_copy_pkey primary key (namespace, sha256, backend_id, generation),
    constraint blob_copy_blob_fkey foreign key (namespace, sha256)
        references pkgdb.blob (namespace, sha256),
    constraint blob_copy_backend_fkey foreign key (namespace, backend_id)
        references pkgdb.backend (namespace, backend_id),
    constraint blob_copy_state_check check (state in ('pending', 'present', 'lost', 'deleting')),
    constraint blob_copy_present_check check (case
        when state in ('present', 'lost') then present_at is not null
        when state = 'pending' then present_at is null
        else true end),
    constraint blob_copy_deleted_check check (deleted_attempt is null or state = 'deleting'),
    constraint blob_copy_due_check
        check (state not in ('pending', 'deleting') or next_attempt_at is not null),
    constraint blob_copy_attempts_check check (attempts >= 0)
);
comment on table pkgdb.blob_copy is
    'One object on one backend, under a key that no other object ever has.';
comment on column pkgdb.blob_copy.generation is
    'Part of the object''s key, and never given again: deleting a generation cannot hit a later '
    'upload of the same bytes.';
comment on column pkgdb.blob_copy.state is
    'pending: announced, perhaps being uploaded; present; lost: was there and is not, or not '
    'right; deleting: nothing needs it.';
comment on column pkgdb.blob_copy.attempts is
    'How often a worker was given the work that this row stands for: the fence of its answer.';
comment on column pkgdb.blob_copy.next_attempt_at is
    'When that work is due: from the beginning, or at the end of a worker''s lease or a back-off.';
comment on column pkgdb.blob_copy.deleted_attempt is
    'The attempt that first deleted an object of which an upload could still be on its way. It '
    'is deleted once more when none can be any longer.';
-- One object at a time is what a blob has on a backend.
create unique index blob_copy_live_key on pkgdb.blob_copy (namespace, sha256, backend_id)
    where state in ('pending', 'present');
create index blob_copy_work_idx
    on pkgdb.blob_copy (namespace, backend_id, state, next_attempt_at);
create index blob_copy_verified_idx on pkgdb.blob_copy (namespace, verified_at)
    where state = 'present';
