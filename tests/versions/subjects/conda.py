"""Conda: its own VersionOrder, in the copy of conda that conda-lock carries."""

import importlib.metadata
import importlib.util
import random
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from tests.support import missing
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

WORDS = ["a", "b", "c", "rc", "RC", "dev", "DEV", "Dev", "post", "POST", "alpha", "z", "p", "d"]
WORDS += ["post_", "dev_", "devs", "po", "posts", "ab", "x"]


class InvalidVersionSpec(Exception):
    """What conda.exceptions has under this name."""

    def __init__(self, version: str, details: str) -> None:
        super().__init__(version, details)


class Conda:
    """VersionOrder alone: the module needs nothing else of conda but the error that it raises."""

    def __init__(self, _folder: Path) -> None:
        try:
            files = importlib.metadata.distribution("conda-lock")
        except importlib.metadata.PackageNotFoundError:
            missing("conda-lock, which has a copy of conda, is not installed")
        conda = Path(str(files.locate_file("conda_lock/_vendor/conda")))
        self.name = f"conda {runpy.run_path(str(conda / '_version.py'))['version']}"
        self.order = version_order(conda / "models" / "version.py")

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        return [self.verdict(version) for version in versions]

    def verdict(self, version: str) -> Verdict | None:
        # What a file name can hold, and what is no pattern: CEP 26, in letters of either case.
        if len(version) > 255 or re.search("[1-9][0-9]{250}", version):
            return None
        if not re.fullmatch(r"[0-9A-Za-z.+!_]+", version):
            return None
        try:
            self.order(version)
        except InvalidVersionSpec:
            return None
        return Verdict(version.lower(), None)

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        both = [(self.order(low), self.order(high)) for low, high in pairs]
        return [(low > high) - (low < high) for low, high in both]


def version_order(path: Path) -> Any:
    """The class, from a package "conda" that is complete only as far as it needs."""
    spec = importlib.util.spec_from_file_location("conda.models.version", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    stubs = {name: ModuleType(name) for name in ["conda", "conda.models", "conda.exceptions"]}
    stubs["conda.exceptions"].InvalidVersionSpec = InvalidVersionSpec  # type: ignore[attr-defined]
    with patch.dict(sys.modules, stubs | {spec.name: module}):
        spec.loader.exec_module(module)
    return module.VersionOrder


def make(rng: random.Random) -> str:
    version = rng.choice(["", "", "", "", "", "0!", "1!", "01!", "2!"])
    version += row(rng, rng.randint(1, 5))
    version += rng.choice(["", "", "", "", "", ".0", ".0.0", "_", "_", "._", "__"])
    if rng.random() < 0.2:
        version += "+" + row(rng, rng.randint(1, 3))
    return version


def row(rng: random.Random, components: int) -> str:
    parts = [component(rng) for _ in range(components)]
    return parts[0] + "".join(rng.choice("...__") + part for part in parts[1:])


def component(rng: random.Random) -> str:
    """Runs of digits and of letters in turn, starting with either, many of them zero."""
    runs = ""
    for _ in range(rng.choice([1, 1, 1, 1, 1, 2, 2, 3, 4])):
        runs += rng.choice(["", "0", "0", "00"]) if rng.random() < 0.2 else digits(rng)
        runs += rng.choice(WORDS) if rng.random() < 0.35 else ""
    return runs or "0"


def digits(rng: random.Random) -> str:
    if rng.random() < 0.6:
        return str(rng.randint(0, 2))
    return rng.choice(["9" * 20, "1" + "0" * 87]) if rng.random() < 0.02 else spellings.number(rng)


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    return rng.choice(
        [
            version + ".0",
            version + ".0.0",
            version + "0",
            version + "_",
            version + "+0",
            "0!" + version,
            version.swapcase(),
            version.replace(".", "_"),
            version.replace("_", "."),
            version.replace(".0", ""),
            version.replace(".", ".0", 1),
            version.replace("0.", "", 1),
            version[:at] + "0" + version[at:],
            version[:at] + ".0." + version[at:],
            version[:at] + rng.choice(WORDS) + version[at:],
        ]
    )


SUBJECT = Subject(
    ecosystem="conda",
    scheme="conda",
    oracle=Conda,
    make=make,
    respell=respell,
)
