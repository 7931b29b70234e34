"""Packuments: the document of one npm package with all its versions."""

import json
import re
from collections.abc import Iterator

from pkgdb.indexes.entry import Bad, Entry
from pkgdb.indexes.source import Damaged, Source


def looks_like(head: bytes) -> bool:
    return (
        head.lstrip()[:1] == b"{"
        and re.search(rb'"(dist-tags|versions)"\s*:\s*\{', head) is not None
    )


def read(source: Source) -> Iterator[Entry | Bad]:
    document = source.document()
    packument = document.value
    name, manifests = packument.get("name"), packument.get("versions")
    if not isinstance(name, str) or not isinstance(manifests, dict):
        raise Damaged(1, "not a packument: it has no name, or no versions")
    tags = packument.get("dist-tags", {})
    if not isinstance(tags, dict):
        raise Damaged(document.line_of('"dist-tags"'), "dist-tags is not an object")

    for tag, version in tags.items():
        if not isinstance(version, str) or version not in manifests:
            yield Bad(1, f"{name}: the tag {tag} is on {version}, which is not among the versions")
    document.line_of('"versions"')
    for version, manifest in manifests.items():
        line = document.line_of(json.dumps(version) + ":")
        if not isinstance(manifest, dict):
            yield Bad(line, f"{name} {version}: the manifest is not an object")
            continue
        deprecated = manifest.get("deprecated")
        yield Entry(
            line,
            {
                "ecosystem": "npm",
                "name": name,
                "version": version,
                "metadata": {
                    key: value
                    for key, value in manifest.items()
                    if key not in ("name", "version", "deprecated")
                },
            },
            deprecated=deprecated if isinstance(deprecated, str) and deprecated else None,
            tags=tuple(tag for tag, of in tags.items() if of == version),
            unregistered=1,
        )
