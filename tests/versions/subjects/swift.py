"""Swift package versions. SwiftPM is not to be had: test_swift.py holds its rules."""

import random

from tests.versions import spellings
from tests.versions.subjects import Subject

LARGE = ["9223372036854775807", "9223372036854775808", "10000000000000000000", "9" * 40]


def make(rng: random.Random) -> str:
    version = spellings.semver(rng)
    if rng.random() < 0.1:
        version = rng.choice([f"1.0.{rng.choice(LARGE)}", f"1.0.0-a.{rng.choice(LARGE)}.1"])
    return version


def respell(rng: random.Random, version: str) -> str:
    return rng.choice([version + "+1", version + "-0", version + ".1", version.split("+")[0]])


SUBJECT = Subject(ecosystem="swift", scheme="swift", oracle=None, make=make, respell=respell)
