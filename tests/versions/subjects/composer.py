"""Composer: composer/semver itself, as Debian has it, with Packagist's rules."""

import json
import random
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict, debian_version

DRIVER = Path(__file__).with_suffix(".php")
LIBRARY = Path("/usr/share/php/Composer/Semver/autoload.php")
BRANCHES = ["master", "trunk", "default", "feature/x", "x", "X", "1.0", "2.x", "a+b", "a-dev"]
BRANCHES += ["#1", "a@b", "a@dev", ""]
WORDS = ["stable", "STABLE", "Stable", "a", "alpha", "b", "beta", "Beta", "rc", "RC", "p", "pl"]
WORDS += ["patch", "A", "B", "P"]


class Composer:
    """VersionParser and Comparator."""

    def __init__(self, _folder: Path) -> None:
        self.php = oracle("php")
        if not LIBRARY.exists():
            missing("php-composer-semver is not installed")
        release = debian_version("php-composer-semver")
        patched = " with the dates of 3.4" if self.run()[0] else ""
        self.name = f"composer/semver {release}{patched}"

    def run(self, versions: Sequence[str] = (), pairs: Sequence[tuple[str, str]] = ()) -> Any:
        command = [self.php, "-d", "memory_limit=-1", str(DRIVER)]
        given = json.dumps({"versions": versions, "pairs": pairs})
        done = subprocess.run(command, check=True, input=given, capture_output=True, text=True)
        return json.loads(done.stdout)

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        _, entries, _ = self.run(versions=versions)
        return [verdict(v, e) for v, e in zip(versions, entries, strict=True)]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        _, _, signs = self.run(pairs=pairs)
        return list(signs)


def verdict(version: str, entry: tuple[str, str] | None) -> Verdict | None:
    if entry is None or not publishable(version):
        return None
    normal, stability = entry
    # Packagist keeps one version of those that differ in case alone (Version::equals).
    return Verdict(normal.lower(), stability != "stable") if len(normal) <= 255 else None


def publishable(version: str) -> bool:
    """Whether a text has room, a name after "dev-", and nothing that a requirement adds: a flag
    such as "@beta", an alias after spaces, other versions after "," or "|"."""
    if len(version) > 255 or re.search("[1-9][0-9]{250}", version):
        return False
    version = version.strip(" \t\n\r\v")
    added = re.search(r"[,|\\]|@(stable|RC|beta|alpha|dev)$|^dev-$", version, re.IGNORECASE)
    return not added and bool(re.fullmatch("[!-~]+", version))


def make(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.01:
        return rng.choice(["", "dev-", "dev-", "DEV-", "Dev-"]) + rng.choice(BRANCHES)
    if kind < 0.15:
        version = date(rng)
    else:
        version = rng.choice(["", "", "", "v", "V"]) + rng.choice(["", "", "", "0", "00"])
        version += ".".join(number(rng) for _ in range(rng.randint(1, 4)))
        if rng.random() < 0.12:
            wild = "".join(rng.choice([".x", ".X", ".*"]) for _ in range(rng.randint(0, 2)))
            return version + wild + rng.choice(["-dev", ".dev", "dev", "-DEV"])
    if rng.random() < 0.6:
        version += rng.choice(["-", "", ".", "_"]) + rng.choice(WORDS)
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            version += rng.choice(["", ".", "-"]) + rng.choice(["", "0"]) + number(rng)
    if rng.random() < 0.15:
        version += rng.choice(["-dev", ".dev", "dev", "-", ".", "_", "_.dev", "--dev"])
    if rng.random() < 0.1:
        version += "+" + rng.choice(["1", "a+b", "-x", ".", "dev", "a_b", ""])
    return rng.choice(["", "", "", "", "", " ", "\n"]) + version


def number(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return str(rng.randint(0, 3))
    if kind < 0.998:
        return spellings.number(rng, largest=2**63 - 2)
    return rng.choice(["9223372036854775807", "9223372036854775808", "9" * 25, "0" * 30 + "7"])


def date(rng: random.Random) -> str:
    """A date of up to seven parts, of which two or three may be short or long."""
    version = rng.choice(["", "", "v"]) + rng.choice(["2010", "2024", "0000"])
    for _ in range(rng.randint(0, 7)):
        version += rng.choice(["", "", "-", ".", ":"]) + rng.choice(["00", "01", "02", "12"])
    for _ in range(rng.choice([0, 0, 1, 2, 3])):
        version += rng.choice(["", "-", ".", ".", ":"]) + rng.choice(["0", "5", "10", "100"])
    return version


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    return rng.choice(
        [
            "v" + version,
            version + ".0",
            version + "+b.1",
            version + "-stable",
            version + "-STABLE",
            version + rng.choice("-._"),
            version + "-dev",
            version.swapcase(),
            version[:at] + "0" + version[at:],
            version[:at] + rng.choice(".-") + version[at:],
            version.replace("alpha", "a").replace("beta", "b").replace("patch", "pl"),
            version.translate(str.maketrans(".-:", rng.choice(["-.-", ".:.", "..-"]))),
            version.replace("9999999", "x"),
        ]
    )


def comparable(low: str, high: str) -> bool:
    """Comparator has no order among branches with a name, and PHP takes all numbers above 2^63 - 2
    for equals."""
    branch = re.compile(r"\s*(dev-|master|trunk|default)", re.IGNORECASE)
    huge = [any(int(n) > 2**63 - 2 for n in re.findall("[0-9]+", v)) for v in (low, high)]
    return not (branch.match(low) and branch.match(high)) and not all(huge)


SUBJECT = Subject(
    ecosystem="composer",
    scheme="composer",
    oracle=Composer,
    make=make,
    respell=respell,
    comparable=comparable,
)
