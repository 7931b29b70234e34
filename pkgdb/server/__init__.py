"""A PostgreSQL server of one's own, for a first try, for tests, for a single machine.

Real server binaries (the system's, or those of the `server` extra), one folder, a Unix socket, no
TCP. Linux and macOS; Windows has no support here: give pkgdb the DSN of any other server instead.
"""

from pkgdb.server.binaries import ServerError, find_bindir
from pkgdb.server.launcher import Server, default_base, down, up

__all__ = ["Server", "ServerError", "default_base", "down", "find_bindir", "up"]
