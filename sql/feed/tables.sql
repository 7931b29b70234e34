-- Each mutation writes its event here in its own transaction. No foreign keys: events outlive what
-- they speak of, and a reference to the namespace or repository row would make every publish lock
-- it.

create table pkgdb.outbox (
    namespace       pkgdb.string not null,
    event_id        bigint generated always as identity,
    event           text not null,
    repository_id   bigint not null,
    registration_id bigint,
    version_id      bigint,
    revision        bigint not null,
    ecosystem       pkgdb.string,
    name            pkgdb.string not null,
    version         pkgdb.string,
    variant         pkgdb.string,
    actor           text,
    login           text not null,
    occurred_at     timestamptz not null,
    constraint outbox_pkey primary key (namespace, event_id)
);
comment on table pkgdb.outbox is
    'Committed changes, waiting for the sequencer to give them their place in the feed.';
comment on column pkgdb.outbox.revision is
    'The revision that the change gave to its registration, or to its repository where it has '
    'none.';
comment on column pkgdb.outbox.login is
    'The session_user of the call; actor is what the caller stated.';
