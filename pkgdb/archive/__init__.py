"""Distributions as folders that any web server can serve: to apt, pip and npm.

    <prefix>/dists/<distribution>/InRelease, ...        deb: `deb URL/<prefix> <distribution> main`
    <prefix>/<distribution>/simple/<name>/index.html    pypi: `pip --index-url URL/.../simple/`
    <prefix>/<distribution>/npm/<name>                  npm: `npm --registry URL/.../npm/`
    <prefix>/pool/<2 digits>/<sha256>/<filename>        the files of all of them

What a client sees of a distribution changes from one state to the next at once: the folder with its
name is a link, which the server has to follow. A client that has begun to read one state finds all
of it for a time of grace. Needs the `storage` and `cli` extras, and gpg to sign.
"""

from pkgdb.archive.errors import ArchiveError
from pkgdb.archive.renderer import ArchiveRenderer, Rendering

__all__ = ["ArchiveError", "ArchiveRenderer", "Rendering"]
