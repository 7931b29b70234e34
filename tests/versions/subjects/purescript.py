"""PureScript package versions, against the registry's library, as spago contains it."""

import json
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

DRIVER = Path(__file__).with_suffix(".mjs")
SPAGO = "0.93.45"  # the driver looks into it, so it is this very version


class Spago:
    name = f"the registry's library in spago {SPAGO}"

    def __init__(self, folder: Path) -> None:
        self.node, self.folder = oracle("node"), folder
        # Its one file needs none of its dependencies.
        command = [oracle("npm"), "pack", "--silent", f"spago@{SPAGO}"]
        if subprocess.run(command, check=False, capture_output=True, cwd=folder).returncode != 0:
            missing("npm cannot fetch spago")
        command = ["tar", "-xzf", f"spago-{SPAGO}.tgz", "package/bin/bundle.js"]
        subprocess.run(command, check=True, cwd=folder)

    def run(self, versions: Sequence[str], pairs: Sequence[tuple[str, str]]) -> tuple[list, list]:
        given = {"folder": str(self.folder), "versions": versions, "pairs": pairs}
        done = subprocess.run(
            [self.node, DRIVER], check=True, input=json.dumps(given), capture_output=True, text=True
        )
        return tuple(json.loads(done.stdout))

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        printed, _ = self.run(versions, [])
        return [
            None if identity is None else Verdict(identity=identity, prerelease=False)
            for identity in printed
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return self.run([], pairs)[1]


def make(rng: random.Random) -> str:
    return ".".join(number(rng) for _ in range(3))


def number(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return str(rng.randrange(2 ** rng.randint(1, 32)))
    return spellings.number(rng, 2**31 - 1)


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    return rng.choice(
        [
            version[:at] + rng.choice("0129") + version[at:],
            version.rpartition(".")[0] + "." + number(rng),
            number(rng) + "." + version.partition(".")[2],
            version + rng.choice(["-a", "+a", "-0"]),
        ]
    )


SUBJECT = Subject(
    ecosystem="purescript", scheme="purescript", oracle=Spago, make=make, respell=respell
)
