-- Latest under one lock for all packages.
-- Source: PostgreSQL's documentation, chapter "Concurrency Control", "Advisory Locks"; as
-- pypi/warehouse warehouse/packaging/models.py (ensure_monotonic_journals) does for its journal.
-- Re-created: takes the advisory lock, writes the rows, selects the highest, updates the pointers.
-- Isolation: READ COMMITTED. Locks: one advisory lock until the transaction ends.
set role pkgdb_owner;

select PEER.create_publish(
    p_before => $$perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('PEER'));$$);

reset role;
