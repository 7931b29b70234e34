"""Terraform: hashicorp/go-version, which it reads versions with."""

import random
import re
from itertools import zip_longest
from typing import ClassVar

from tests.versions import spellings
from tests.versions.subjects import Subject
from tests.versions.subjects.golang import GoLibrary


class GoVersion(GoLibrary):
    """github.com/hashicorp/go-version, with x/mod/semver for what is strictly SemVer."""

    driver = "terraform.go"
    packages: ClassVar = {
        "github.com/hashicorp/go-version": "golang-github-hashicorp-go-version-dev",
        "golang.org/x/mod": "golang-golang-x-mod-dev",
    }


def comparable(low: str, high: str) -> bool:
    """False where go-version's order is none, or not SemVer's; test_terraform has the cases."""
    (core, labels), (other_core, other_labels) = parts(low), parts(high)
    if core != other_core or not labels or not other_labels:
        return True
    for one, two in zip_longest(labels, other_labels, fillvalue=""):
        if one != two:
            ends = "" in (one, two)  # to go-version the end is above a text
            return alike(one) and alike(two) and (not ends or (one + two).isdigit())
    return True


def parts(version: str) -> tuple[str, list[str]]:
    core, _, labels = version.removeprefix("v").partition("+")[0].partition("-")
    return core, labels.split(".") if labels else []


def alike(label: str) -> bool:
    """Whether an identifier is a number to go-version where SemVer says so, and only there."""
    number = re.match("-?([0-9]+)", label)
    if number is None or not label.isdigit():
        # A text, but -1 is a number, and a text that begins with a huge one is above others.
        return number is None or (number[0] != label and int(number[1]) < 2**64)
    return int(label) < 2**63


# Around 63 bits.
LARGE = ["9223372036854775807", "9223372036854775808", "9223372036854775806", "9" * 20, "9" * 100]


def number(rng: random.Random) -> str:
    if rng.random() < 0.02:
        return rng.choice(LARGE)
    return rng.choice(["0", "0", "1", "1", "2", "10", spellings.number(rng)])


def prerelease(rng: random.Random) -> str:
    """Seldom what makes two versions not comparable, of which few pairs can be excluded."""
    labels = [spellings.identifier(rng), *(number(rng) for _ in range(rng.choice([0, 0, 1, 2])))]
    if rng.random() < 0.02:
        labels.append(rng.choice(["-1", "-0", "-01", "--1", "1-", "a", *LARGE]))
    return ".".join(labels)


def make(rng: random.Random) -> str:
    version = rng.choice(["", "", "v"]) + ".".join(number(rng) for _ in range(3))
    if rng.random() < 0.7:
        version += "-" + prerelease(rng)
    if rng.random() < 0.2:
        version += "+" + prerelease(rng)
    return version


def respell(rng: random.Random, version: str) -> str:
    core, dash, labels = version.partition("-")
    return rng.choice(
        [
            version.removeprefix("v"),
            "v" + version,
            version + "+" + prerelease(rng),
            version.partition("+")[0],
            core,
            core.rpartition(".")[0] + ".0" + dash + labels,
            core.rpartition(".")[0] + dash + labels,
            core + ".0" + dash + labels,
            "0" + version,
            version + "." + spellings.number(rng),
            version.swapcase(),
            version.replace("-", "", 1),
        ]
    )


SUBJECT = Subject("terraform", "terraform", GoVersion, make, respell, comparable=comparable)
