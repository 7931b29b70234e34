"""What each ecosystem's versions are compared with: one module and one `SUBJECT` per ecosystem.

A subject makes versions and knows the ecosystem's own tool, its oracle. `test_oracles.py` drives
all of them alike; what is peculiar to one scheme has a `test_<scheme>.py` of its own.
"""

import importlib
import pkgutil
import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Verdict:
    """What an oracle says of a version that it accepts."""

    identity: str | None  # equal for two spellings of one version; None: it has no such notion
    prerelease: bool | None  # None: it has no such notion


class Oracle(Protocol):
    """The ecosystem's own tool, run once for many versions."""

    name: str  # with its version, as a report names it

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        """One verdict per version: None where the registry refuses it."""

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        """-1, 0 or 1 per pair of accepted versions."""


@dataclass(frozen=True)
class Subject:
    """An ecosystem's versions and their oracle."""

    ecosystem: str  # its real versions are in data/<ecosystem>.txt
    scheme: str
    # Takes an empty folder to build in; may call missing(). None: no tool can be had, and the
    # scheme's own tests hold a table of the published rules.
    oracle: Callable[[Path], Oracle] | None
    make: Callable[[random.Random], str]  # one version by the ecosystem's grammar
    respell: Callable[[random.Random, str], str]  # another text, often equal or nearly so
    pairs: int = 200_000  # to compare; 20,000 where the oracle is slow
    # False for pairs on which the oracle is known to be wrong: the module says why, and the
    # scheme's own tests pin what both say.
    comparable: Callable[[str, str], bool] = lambda low, high: True


def all_subjects() -> dict[str, Subject]:
    """By ecosystem, which is the module's name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}").SUBJECT for name in names}


def debian_version(package: str) -> str:
    """Which version of a package Debian has installed."""
    ask = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(ask, check=True, capture_output=True, text=True).stdout
