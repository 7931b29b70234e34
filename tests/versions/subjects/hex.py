"""Hex: Elixir's `Version`."""

import random
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support import oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

DRIVER = Path(__file__).with_suffix(".exs")


class Elixir:
    """`Version`, and the rules that its registry adds to it."""

    def __init__(self, folder: Path) -> None:
        self.elixir = oracle("elixir")
        [version] = self.answers([])
        self.name = f"Elixir {version}"

    def answers(self, questions: Iterable[Sequence[str]]) -> list[str]:
        lines = [" ".join(words) + "\n" for words in questions]
        done = subprocess.run(
            [self.elixir, DRIVER],
            check=True,
            input="".join(lines),
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout.splitlines()

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        answers = self.answers(("-", encoded(version)) for version in versions)[1:]
        return [  # 255 characters are pkgdb's own limit
            None if answer == "-" or len(version) > 255 else verdict(*answer.split(" "))
            for version, answer in zip(versions, answers, strict=True)
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return [
            int(sign) for sign in self.answers([encoded(v) for v in pair] for pair in pairs)[1:]
        ]


def encoded(version: str) -> str:
    return version.encode("utf-8", "surrogatepass").hex().upper()


def verdict(identity: str, prerelease: str) -> Verdict:
    return Verdict(identity, prerelease == "true")


# The registry's largest number, and its longest prerelease.
LARGE = ["99999999999999", "100000000000000", "99999999999998", "9" * 20]
LONG = ["a" * 64, "a" * 65, "1." * 31 + "ab", "1." * 32 + "a", "a" * 49 + ".99999999999999"]
TEXTS = ["-100000000000000", "a-100000000000000", "100000000000000a", "0-"]


def number(rng: random.Random) -> str:
    if rng.random() < 0.02:
        return rng.choice(LARGE)
    return rng.choice(["0", "0", "1", "1", "2", "10", spellings.number(rng, 99999999999999)])


def label(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return rng.choice(LARGE[:1] + LARGE + TEXTS)
    return spellings.identifier(rng).replace("9007199254740991", "99999999999998")


def make(rng: random.Random) -> str:
    version = ".".join(number(rng) for _ in range(3))
    if rng.random() < 0.7:
        version += "-" + ".".join(label(rng) for _ in range(rng.randint(1, 4)))
    elif rng.random() < 0.1:
        version += "-" + rng.choice(LONG)
    if rng.random() < 0.05:
        version += "+" + label(rng)
    return version


def respell(rng: random.Random, version: str) -> str:
    core, dash, labels = version.partition("-")
    return rng.choice(
        [
            "v" + version,
            core,
            core.rpartition(".")[0] + ".0" + dash + labels,
            version + "+" + label(rng),
            version.partition("+")[0],
            version + rng.choice(["-", ".", ""]) + label(rng),
            version.swapcase(),
            version + rng.choice([".0", ".1", ".a", "-"]),
        ]
    )


SUBJECT = Subject("hex", "hex", Elixir, make, respell)
