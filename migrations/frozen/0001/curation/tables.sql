-- Snapshots pin what they contain: see purge.

create table pkgdb.snapshot (
    namespace     pkgdb.string not null,
    snapshot_id   bigint generated always as identity,
    name          pkgdb.string not null,
    repository_id bigint not null,
    epoch         bigint not null,
    created_at    timestamptz not null,
    constraint snapshot_pkey primary key (namespace, snapshot_id),
    constraint snapshot_name_key unique (namespace, name),
    constraint snapshot_repository_fkey foreign key (namespace, repository_id)
        references pkgdb.repository (namespace, repository_id)
);
comment on table pkgdb.snapshot is
    'A repository''s content at an epoch: what was added by then and not removed by then.';
create index snapshot_repository_idx on pkgdb.snapshot (namespace, repository_id, epoch);
