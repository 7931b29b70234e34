"""Alpine package versions. No registry of tools has apk: test_apk.py holds what it said."""

import random

from tests.versions import spellings
from tests.versions.subjects import Subject

SUFFIXES = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"]
HASHES = ["0", "a", "f", "0a", "00", "deadbeef", "a0", "a1b2c3d4e5f6a7b8c9d0"]


def number(rng: random.Random) -> str:
    return rng.choice(["", "", "", "", "0", "00"]) + spellings.number(rng)


def make(rng: random.Random) -> str:
    version = ".".join(number(rng) for _ in range(rng.choice([1, 2, 2, 3, 3, 4])))
    if rng.random() < 0.25:
        version += rng.choice("abcz")
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        version += "_" + rng.choice(SUFFIXES) + rng.choice(["", number(rng)])
    if rng.random() < 0.1:
        version += "~" + rng.choice(HASHES)
    if rng.random() < 0.6:
        version += "-r" + number(rng)
    return version


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    tail = rng.choice(["0", ".0", "_p", "_alpha", "-r0", "a", "~0"])
    return rng.choice([version + tail, version[:at] + "0" + version[at:], version[:at]])


SUBJECT = Subject(ecosystem="apk", scheme="apk", oracle=None, make=make, respell=respell)
