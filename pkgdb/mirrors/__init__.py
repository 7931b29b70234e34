"""Mirrors: repositories that follow an upstream, such as an archive of Debian packages.

Needs the `cli` and `storage` extras. What must be true is decided by the SQL functions; this
package reads upstream, which it does not trust further than its signature, and can be killed at
any point.
"""

from pkgdb.mirrors.debian import DebianArchive
from pkgdb.mirrors.updater import MirrorUpdated, MirrorUpdater
from pkgdb.mirrors.upstream import (
    Absent,
    BadSignature,
    Changed,
    Expired,
    Limits,
    Upstream,
    UpstreamError,
    Wrong,
)

__all__ = [
    "Absent",
    "BadSignature",
    "Changed",
    "DebianArchive",
    "Expired",
    "Limits",
    "MirrorUpdated",
    "MirrorUpdater",
    "Upstream",
    "UpstreamError",
    "Wrong",
]
