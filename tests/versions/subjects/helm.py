"""Helm: Masterminds/semver, which it reads versions with."""

import random
from typing import ClassVar

from tests.versions import spellings
from tests.versions.subjects import Subject
from tests.versions.subjects.golang import GoLibrary


class Masterminds(GoLibrary):
    """github.com/Masterminds/semver, version 3."""

    driver = "helm.go"
    packages: ClassVar = {"github.com/Masterminds/semver": "golang-github-masterminds-semver-dev"}


# Around 64 bits: the largest number, and texts that look like numbers.
LARGE = ["18446744073709551615", "18446744073709551616", "18446744073709551614", "9" * 19]
LARGER = ["9" * 20, "1" + "0" * 20, "9" * 21, "1" + "0" * 87, "9" * 200, "18446744073709551616-"]


def number(rng: random.Random) -> str:
    numbers = ["0", "0", "1", "1", "2", "10", spellings.number(rng)]
    zeros = rng.choice(["", "", "", "", "0", "00"])
    return zeros + (rng.choice(numbers) if rng.random() < 0.97 else rng.choice(LARGE))


def label(rng: random.Random) -> str:
    return rng.choice(LARGE + LARGER) if rng.random() < 0.2 else spellings.identifier(rng)


def make(rng: random.Random) -> str:
    version = rng.choice(["", "", "", "v"])
    version += ".".join(number(rng) for _ in range(rng.choice([1, 2, 3, 3, 3, 3])))
    if rng.random() < 0.7:
        version += "-" + ".".join(label(rng) for _ in range(rng.randint(1, 3)))
    if rng.random() < 0.2:
        version += "+" + ".".join(label(rng) for _ in range(rng.randint(1, 2)))
    return version


def respell(rng: random.Random, version: str) -> str:
    core, dash, labels = version.partition("-")
    return rng.choice(
        [
            version.removeprefix("v"),
            "v" + version,
            version + "+" + label(rng),
            version.partition("+")[0],
            core + ".0" + dash + labels,
            core.removesuffix(".0") + dash + labels,
            core.replace(".", ".0") + dash + labels,
            "0" + version,
            core + dash + labels.replace(".", ".0"),
            version + rng.choice(["", "-", "."]) + label(rng),
            version.swapcase(),
        ]
    )


SUBJECT = Subject("helm", "helm", Masterminds, make, respell)
