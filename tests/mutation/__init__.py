"""Each protection taken away, one at a time: some test must fail for it."""

import os

# Seconds: a test that waits for what never comes has noticed something. Before it is read.
os.environ.setdefault("PKGDB_TEST_PATIENCE", "10")
