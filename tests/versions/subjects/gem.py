"""RubyGems: Gem::Version of the machine's ruby, with the rules of its registry."""

import json
import random
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support import oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

DRIVER = Path(__file__).with_suffix(".rb")
TEXTS = ["a", "A", "b", "B", "z", "Z", "aa", "ab", "alpha", "beta", "rc", "RC", "pre", "preview"]
TEXTS += ["dev", "x", "gem", "json", "html", "GemSpec", "gems"]


class RubyGems:
    """Gem::Version."""

    def __init__(self, _folder: Path) -> None:
        self.ruby = oracle("ruby")
        release, amended, _, _ = self.run()
        self.name = f"RubyGems {release}" + (" with the zeros of 3.5" if amended else "")

    def run(self, versions: Sequence[str] = (), pairs: Sequence[tuple[str, str]] = ()) -> Any:
        given = json.dumps({"versions": versions, "pairs": pairs})
        command = [self.ruby, str(DRIVER)]
        done = subprocess.run(command, check=True, input=given, capture_output=True, text=True)
        return json.loads(done.stdout)

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        _, _, facts, _ = self.run(versions=versions)
        return [fact and Verdict(*fact) for fact in facts]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        _, _, _, signs = self.run(pairs=pairs)
        return list(signs)


def make(rng: random.Random) -> str:
    version = segment(rng)
    for _ in range(rng.choice([0, 1, 1, 2, 2, 2, 3])):
        version += "." + segment(rng)
    if rng.random() < 0.7:
        version += "." + rng.choice(["", "", "0", "0.0.", "1", "00"]) + rng.choice(TEXTS)
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            version += rng.choice(["", ".", "."]) + rng.choice([segment(rng), rng.choice(TEXTS)])
    return version + ".0" * rng.choice([0, 0, 0, 1, 2])


def segment(rng: random.Random) -> str:
    """Few, so that versions often differ in one thing alone."""
    return rng.choice(["0", "0", "0", "1", "1", "2", "10", "00", "01", spellings.number(rng)])


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    letter = re.search("[A-Za-z]", version)
    first = letter.start() if letter else len(version)
    return rng.choice(
        [
            version + ".0",
            version.removesuffix(".0"),
            version + rng.choice([".a", ".0.a", ".0.1"]),
            version[:first] + rng.choice(["0.", "0", "."]) + version[first:],
            version[:at] + "0" + version[at:],
            version[:at] + "." + version[at:],
            version[:at] + ".0." + version[at:],
            version.replace(".0", "", 1),
            version.swapcase(),
            re.sub(r"(?<=[A-Za-z])\.(?=[0-9])", "", version),
        ]
    )


SUBJECT = Subject("gem", "rubygems", RubyGems, make, respell)
