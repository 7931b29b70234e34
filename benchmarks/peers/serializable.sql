-- Latest by PostgreSQL's own means: SERIALIZABLE, and again when it says so.
-- Source: PostgreSQL's documentation, "Concurrency Control", "Serializable Isolation Level".
-- Re-created: writes the rows, selects the highest, updates the pointers. The whole transaction is
-- the client's, as is trying it again at 40001.
-- Isolation: SERIALIZABLE. Locks: none of its own.
set role pkgdb_owner;

select PEER.create_publish();

reset role;
