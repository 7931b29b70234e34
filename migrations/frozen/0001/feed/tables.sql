-- Each mutation writes its event to the outbox in its own transaction; the sequencer gives it its
-- place in the feed afterwards. No foreign keys from events: they outlive what they speak of, and a
-- reference to the namespace or repository row would make every publish lock it.

create table pkgdb.outbox (
    namespace       pkgdb.string not null,
    event_id        bigint generated always as identity,
    event           text not null,
    repository_id   bigint,
    registration_id bigint,
    version_id      bigint,
    snapshot_id     bigint,
    distribution_id bigint,
    revision        bigint not null,
    ecosystem       pkgdb.string,
    name            pkgdb.string not null,
    version         pkgdb.string,
    variant         pkgdb.string,
    actor           text,
    login           text not null,
    occurred_at     timestamptz not null,
    constraint outbox_pkey primary key (namespace, event_id)
) with (
    -- Rows come and go. Vacuumed by how many went, as the few that wait say nothing about it; and
    -- never truncated, which would lock publishers out for the time that it takes.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000,
    vacuum_truncate = off
);
comment on table pkgdb.outbox is
    'Committed changes, waiting for the sequencer to give them their place in the feed.';
comment on column pkgdb.outbox.event_id is
    'Drawn while the registration or repository is locked: it orders the events of each, not '
    'those of different ones.';
comment on column pkgdb.outbox.revision is
    'The revision that the change gave to its registration, or to its repository, snapshot or '
    'distribution where it has none.';
comment on column pkgdb.outbox.login is
    'The session_user of the call; actor is what the caller stated.';

create table pkgdb.feed_head (
    namespace pkgdb.string not null,
    position  bigint not null default 0,
    pruned_to bigint not null default 0,
    constraint feed_head_pkey primary key (namespace),
    constraint feed_head_namespace_fkey
        foreign key (namespace) references pkgdb.namespace (namespace),
    constraint feed_head_pruned_check check (pruned_to between 0 and position)
) with (fillfactor = 50);  -- room for the HOT update of every batch
comment on table pkgdb.feed_head is
    'How far each namespace''s feed goes. Its row is the lock that sequencers take turns by.';
comment on column pkgdb.feed_head.position is 'The last position that was given; 0 before any.';
comment on column pkgdb.feed_head.pruned_to is 'Events up to this position are gone.';

create table pkgdb.feed_incarnation (
    namespace         pkgdb.string not null,
    number            bigint not null,
    incarnation       uuid not null,
    began_after       bigint not null,
    server_started_at timestamptz not null,
    database_oid      oid not null,
    storage_oid       oid not null,
    began_at          timestamptz not null,
    constraint feed_incarnation_pkey primary key (namespace, number),
    constraint feed_incarnation_incarnation_key unique (namespace, incarnation),
    constraint feed_incarnation_head_fkey foreign key (namespace)
        references pkgdb.feed_head (namespace),
    constraint feed_incarnation_began_check check (began_after >= 0)
);
comment on table pkgdb.feed_incarnation is
    'The history that positions belong to. A server that has started anew, and a database that '
    'was restored, copied or failed over, may have lost the newest events, so what comes from '
    'then on is a new incarnation; up to began_after it shares the positions of those before.';
comment on column pkgdb.feed_incarnation.number is 'Counts the incarnations of a namespace from 1.';
comment on column pkgdb.feed_incarnation.server_started_at is
    'When the server process started under which it began.';
comment on column pkgdb.feed_incarnation.storage_oid is
    'The file in which table feed_head was then: loading a dump always makes another.';

create table pkgdb.feed_event (
    namespace       pkgdb.string not null,
    position        bigint not null,
    incarnation     uuid not null,
    event_id        bigint not null,
    event           text not null,
    repository_id   bigint,
    registration_id bigint,
    version_id      bigint,
    snapshot_id     bigint,
    distribution_id bigint,
    revision        bigint not null,
    ecosystem       pkgdb.string,
    name            pkgdb.string not null,
    version         pkgdb.string,
    variant         pkgdb.string,
    actor           text,
    login           text not null,
    occurred_at     timestamptz not null,
    sequenced_at    timestamptz not null,
    constraint feed_event_pkey primary key (namespace, position),
    constraint feed_event_event_key unique (namespace, event_id)
);
comment on table pkgdb.feed_event is
    'The change feed: events at consecutive positions, which are given after their commit.';
comment on column pkgdb.feed_event.occurred_at is
    'When the change was made. Positions need not follow it: a later change may commit first.';
comment on column pkgdb.feed_event.sequenced_at is 'When the event got its position.';

create table pkgdb.consumer (
    namespace  pkgdb.string not null,
    consumer   pkgdb.string not null,
    position   bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint consumer_pkey primary key (namespace, consumer),
    constraint consumer_head_fkey foreign key (namespace)
        references pkgdb.feed_head (namespace),
    constraint consumer_position_check check (position >= 0)
) with (fillfactor = 50);
comment on table pkgdb.consumer is
    'Who reads the feed and keeps its cursor here: what it has not acknowledged is not pruned.';
