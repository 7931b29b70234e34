-- Latest under a row lock: what most would write.
-- Source: PostgreSQL's documentation, chapter "Concurrency Control", "Row-Level Locks".
-- Re-created: SELECT ... FOR UPDATE on the package's row first; then, in statements of their own
-- which see what those before have committed, writes the rows, selects the highest and updates the
-- pointers.
-- Isolation: READ COMMITTED. Locks: the package's row, from the beginning to the end.
set role pkgdb_owner;

select PEER.create_publish(p_lock => 'for update');

reset role;
