"""What has no rules of its own, and so no oracle."""

import random

from tests.versions import spellings
from tests.versions.subjects import Subject


def respell(rng: random.Random, version: str) -> str:
    return rng.choice(
        [
            "v" + version,
            "V" + version,
            version.replace(".", rng.choice("-_/:+")),
            version + rng.choice([".", "-", "+x", ".0"]),
        ]
    )


SUBJECT = Subject(
    ecosystem="generic", scheme="natural", oracle=None, make=spellings.generic, respell=respell
)
