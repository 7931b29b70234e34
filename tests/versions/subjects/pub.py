"""Dart and Flutter package versions. No compiled pub_semver is to be had: test_pub.py holds its
rules."""

import random

from tests.versions import spellings
from tests.versions.subjects import Subject, swift


def make(rng: random.Random) -> str:
    version = swift.make(rng)
    if rng.random() < 0.3 and "+" not in version:
        version += "+" + ".".join(spellings.identifier(rng) for _ in range(rng.randint(1, 3)))
    return version


def respell(rng: random.Random, version: str) -> str:
    return rng.choice([version + "+0", version + "+1", version + ".0", version + "+0xA"])


SUBJECT = Subject(ecosystem="pub", scheme="pub", oracle=None, make=make, respell=respell)
