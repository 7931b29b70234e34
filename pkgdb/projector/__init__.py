"""A repository as a folder that any web server can serve: an example of a reader of the feed.

    simple/index.html, simple/<name>/index.html     PEP 503, for pip: text/html
    .../index.v1_json                               PEP 691, beside each of them
    npm/<name>                                      packuments, for npm
    packages/<aa>/<bb>/<rest of sha256>/<filename>  the files

`pip install --index-url http://host/simple/` and `npm --registry http://host/npm/` work with any
static server: both take what they get for the page's path. The JSON pages have the names that
bandersnatch gives them; a server that is to choose by the request's Accept header serves
`index.v1_json` as application/vnd.pypi.simple.v1+json (recipes for that are in its documentation).
npm does not look at the content type.
"""

from pkgdb.projector.projector import Projector

__all__ = ["Projector"]
