"""npm: node's `semver`, which npm reads versions with."""

import json
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

DRIVER = Path(__file__).with_suffix(".cjs")


class Node:
    """node-semver: the one that npm itself uses, else one that npm installs into a folder."""

    def __init__(self, folder: Path) -> None:
        self.node, npm = oracle("node"), oracle("npm")
        self.folder = Path(npm).resolve().parent.parent
        if self.start([], []).returncode != 0:
            self.folder = folder
            command = [npm, "install", "--silent", "--no-audit", "--prefix", folder, "semver"]
            if subprocess.run(command, check=False, capture_output=True).returncode != 0:
                missing("npm cannot install semver")
        self.name = f"node-semver {self.run([], [])[0]}"

    def start(
        self, versions: Sequence[str], pairs: Sequence[tuple[str, str]]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.node, DRIVER],
            check=False,
            input=json.dumps({"versions": versions, "pairs": pairs}),
            capture_output=True,
            cwd=self.folder,
            text=True,
        )

    def run(
        self, versions: Sequence[str], pairs: Sequence[tuple[str, str]]
    ) -> tuple[str, list[list | None], list[int]]:
        done = self.start(versions, pairs)
        done.check_returncode()
        return tuple(json.loads(done.stdout))

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        _, parsed, _ = self.run(versions, [])
        return [
            # node's own limit is 256 characters, ours is 255.
            Verdict(*entry) if entry and len(version) <= 255 else None
            for version, entry in zip(versions, parsed, strict=True)
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return self.run([], pairs)[2]


# Around what node takes for a number, and what is one only in an identifier.
LARGE = ["9007199254740990", "9007199254740991", "9007199254740992", "9" * 17, "9" * 90]


def make(rng: random.Random) -> str:
    version = spellings.semver(rng)
    if rng.random() < 0.01:
        version = rng.choice(["1.0.{}", "{0}.{0}.0-a", "1.0.0-{}", "1.0.0-a.{}.1", "1.0.0-a{}"])
        version = version.format(rng.choice(LARGE))
    return version


def respell(rng: random.Random, version: str) -> str:
    """Other build metadata, one identifier more or less, letters of the other case."""
    base = version.partition("+")[0]
    label = spellings.identifier(rng)
    core = base.partition("-")[0]
    return rng.choice(
        [
            base,
            f"{base}+{label}",
            f"{base}+0{label}.{label}",
            f"{base}.{label}" if "-" in base else f"{base}-{label}",
            f"{core}-{label}",
            base.rpartition(".")[0],
            core,
            version.swapcase(),
            f"{base}-",
            f"{base}0",
            f"v{version}",
            f"{version} ",
        ]
    )


def comparable(low: str, high: str) -> bool:
    """False where node compares numbers as floats, and finds two different ones equal."""
    return all(
        int(part) < 2**53
        for version in (low, high)
        for part in version.partition("+")[0].replace("-", ".", 1).split(".")
        if part.isdigit()
    )


SUBJECT = Subject("npm", "semver53", Node, make, respell, comparable=comparable)
