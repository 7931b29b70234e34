-- The only source of time. Read after the locks are held, so that times follow the order of
-- commits.
create function pkgdb.clock()
returns timestamptz
language sql
volatile
return pg_catalog.clock_timestamp();
comment on function pkgdb.clock() is 'The time now; the only place that reads a clock.';
