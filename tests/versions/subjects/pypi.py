"""PyPI: `packaging`, which pip, build backends and PyPI itself read versions with."""

import importlib.metadata
import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from packaging.utils import canonicalize_version
from packaging.version import InvalidVersion, Version

from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict


@cache
def parse(version: str) -> Version | None:
    # ASCII, and at most 255 characters and 250 digits, are our own limits.
    if not version.isascii() or len(version) > 255 or re.search("[1-9][0-9]{250}", version):
        return None
    try:
        return Version(version)
    except InvalidVersion:
        return None


def read(version: str) -> Verdict | None:
    parsed = parse(version)
    return parsed and Verdict(canonicalize_version(parsed), parsed.is_prerelease)


class Packaging:
    """The library of this very process."""

    name = f"packaging {importlib.metadata.version('packaging')}"

    def __init__(self, _folder: Path) -> None:
        parse.cache_clear()

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        return [read(version) for version in versions]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        both = [(parse(low), parse(high)) for low, high in pairs]
        return [(low > high) - (low < high) for low, high in both]


LONG = ["9" * 87, "1" + "0" * 87, "9" * 88, "1" + "0" * 249]


def make(rng: random.Random) -> str:
    version = spellings.pep440(rng)
    if rng.random() < 0.02:
        version = re.sub("[0-9]+", rng.choice(LONG), version, count=1)
    return version


def respell(rng: random.Random, version: str) -> str:
    """Zeros before and after, capitals, separators, other names of one thing."""
    version = version.strip()
    spelt = rng.choice(
        [
            version + ".0",
            re.sub(r"(\.0)+$", "", version),
            re.sub(r"^([vV]?[0-9]+)(?![0-9!])", r"\1.0", version),
            re.sub("([0-9]+)", r"0\1", version),
            version.upper(),
            version.replace("-", "_"),
            version.replace("_", "."),
            version.replace(".", "-"),
            version.replace("rc", "c"),
            version.replace("c", "pre"),
            version.replace("a", "alpha"),
            version.replace("b", ".beta"),
            version.replace("post", "r"),
            version.replace(".post", "-"),
            version.replace(".dev", "dev"),
            version.partition("+")[0],
            version + "+1",
            version + ".dev",
            version + ".post",
            version + "a",
            "0!" + version,
        ]
    )
    return rng.choice(["", "", "", "v", " "]) + spelt


SUBJECT = Subject("pypi", "pep440", Packaging, make, respell)
