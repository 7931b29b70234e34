"""Conan versions, against the client's own classes."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

from tests.support import missing
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

WORDS = ["a", "b", "rc", "rc1", "alpha", "beta2", "cci", "_", "k", "z9", "dev", "r19c", "v6"]
MIXED = ["1a", "1b", "2a", "9z", "01a", "10a", "1_", "1__0", "0a", "00a", "20240101a", "1+2"]
NUMBERS = ["00", "01", "007", "1_0", "0_0", "20200203", "9" * 40, "1" + "0" * 87, "9" * 88]
SIGNED = ["-", "--", "-1", "-2", "-10", "-0", "-a", "-1x", "+1", "+0", "+a", "--1", "-1_0"]


class Conan:
    def __init__(self, folder: Path) -> None:
        try:
            import conan
            from conan.api.model import RecipeReference
            from conan.errors import ConanException
            from conan.tools.scm import Version
        except ImportError:
            missing("conan is not installed")
        self.name = f"conan {conan.__version__}"
        self.reference, self.refusal, self.version = RecipeReference, ConanException, Version

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        return [self.judge(version) for version in versions]

    def judge(self, version: str) -> Verdict | None:
        try:
            self.reference("pkg", version).validate_ref()
        except self.refusal:
            return None
        # A prerelease is what version ranges leave out.
        return Verdict(identity=version, prerelease=self.version(version).pre is not None)

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        versions = [(self.version(one), self.version(two)) for one, two in pairs]
        return [(one > two) - (one < two) for one, two in versions]


def item(rng: random.Random, *, first: bool) -> str:
    kind = rng.random()
    if kind < 0.6:
        return spellings.number(rng)
    if kind < 0.61:
        return rng.choice(MIXED)
    if kind < 0.75:
        return rng.choice(NUMBERS)
    return rng.choice(WORDS if first else [*WORDS, *SIGNED, ""])


def row(rng: random.Random, *, first: bool = False) -> str:
    items = [item(rng, first=first) for _ in range(rng.randint(1, 4))]
    return ".".join(items + ["0"] * rng.choice([0, 0, 0, 1, 2]))


def make(rng: random.Random) -> str:
    version = row(rng, first=True)
    if rng.random() < 0.4:
        version += "-" + row(rng)
    if rng.random() < 0.3:
        version += "+" + row(rng)
    return version


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    zero = rng.choice(["0", ".0", ".0.0", "_0"])
    return rng.choice([version + zero, version[:at] + zero + version[at:], version + "+1"])


def rows(version: str) -> list[list[int | str]]:
    """The items of a version, its prerelease and its build, as Conan has them."""
    from conan.tools.scm import Version

    parsed = Version(version)
    parts = (parsed, parsed.pre, parsed.build)
    return [[item.value for item in part.main] if part else [] for part in parts]


def comparable(low: str, high: str) -> bool:
    """False where numbers and texts go round, 9 < 10 < 1a < 9: Conan compares a number with a text
    as two texts, and we have a text that starts with digits at the place of their number."""
    for ones, others in zip(rows(low), rows(high), strict=True):
        for one, other in zip(ones, others, strict=False):
            if one != other:
                return ordered(one, other)
    return True


def ordered(one: int | str, other: int | str) -> bool:
    """Whether items have the same order as texts and by the numbers that they start with."""
    if isinstance(one, int) and isinstance(other, int):
        return True
    for number, text in [(one, other), (other, one)]:
        if isinstance(number, int) and number < 0:
            return not re.match("-[0-9]", str(text))
    digits, others = (re.match("[0-9]*", str(i))[0] for i in (one, other))
    if not digits or not others or len(digits) == len(others):
        return True
    lower = int(digits) < int(others)
    return int(digits) != int(others) and (str(one) < str(other)) == lower


SUBJECT = Subject(
    ecosystem="conan",
    scheme="conan",
    oracle=Conan,
    make=make,
    respell=respell,
    comparable=comparable,
)
