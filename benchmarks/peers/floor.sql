-- The floor: the rows of one publish with no check and no lock; every new version is the latest.
-- Source: none; it is what the others are measured by.
-- Isolation: READ COMMITTED. Locks: none but the package's row, which it updates at the end.
-- Wrong: latest is what was committed last, not what is highest.
set role pkgdb_owner;

select PEER.create_publish(p_latest => 'v_version_id', p_latest_stable => 'v_version_id');

reset role;
