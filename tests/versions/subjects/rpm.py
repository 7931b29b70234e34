"""RPM: its reading of a spec file, and labelCompare, both in the system's python3-rpm."""

import json
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

PYTHON = "/usr/bin/python3"  # python3-rpm is installed for this one alone

# Reads {versions, pairs} as JSON; writes RPM's version, each version's identity, null where a spec
# file may not have it, and each pair's order. A spec file has a package for each of many versions.
DRIVER = """
import json, re, sys
import rpm

def split(text):
    version = rpm.ver(text)
    return version.e, version.v, version.r

def labels(text):
    try:
        parts = split(text)
    except ValueError:
        return None
    # An empty epoch reads as 0, and a line ends a tag: neither can be in a package.
    return parts if rpm.ver(text).evr == text and "\\n" not in text else None

def spec(group):
    yield "Name: x\\nVersion: 1\\nRelease: 1\\nSummary: x\\nLicense: x\\n%description\\n"
    for place, (epoch, version, release) in enumerate(group):
        yield f"%package {place}\\nSummary: x\\nVersion: {version}\\n"
        if epoch is not None:
            yield f"Epoch: {epoch}\\n"
        if release is not None:
            yield f"Release: {release}\\n"
        yield f"%description {place}\\n"

def build(group):
    # As the packages' headers have them.
    path = sys.argv[1] + "/x.spec"
    with open(path, "w") as file:
        file.writelines(spec(group))
    packages = [package.header for package in rpm.spec(path).packages[1:]]
    return [(p["epoch"] or 0, p["version"], p["release"]) for p in packages]

def taken(group):
    try:
        headers = build(group)
    except ValueError:
        headers = None
    if headers and all(h[1] == v and r in (None, h[2]) for h, (e, v, r) in zip(headers, group)):
        return {g: f"{h[0]}:{h[1]}-{g[2] or ''}" for h, g in zip(headers, group)}
    if len(group) == 1:
        return {}
    middle = len(group) // 2
    return taken(group[:middle]) | taken(group[middle:])

rpm.setVerbosity(rpm.RPMLOG_EMERG)
given = json.load(sys.stdin)
read = [labels(text) for text in given["versions"]]
# What is refused stands together, or a package on its own would cost a spec file.
alike = {}
for parts in filter(None, dict.fromkeys(read)):
    text = "-".join(parts[1:2 if parts[2] is None else 3])
    other = frozenset(re.sub("[A-Za-z0-9._+~^]", "", text))
    alike.setdefault((parts[0], other, ".." in text), []).append(parts)
identities = {}
for group in alike.values():
    for at in range(0, len(group), 1000):
        identities |= taken(group[at : at + 1000])
signs = [rpm.labelCompare(split(low), split(high)) for low, high in given["pairs"]]
print(json.dumps([rpm.__version__, [identities.get(parts) for parts in read], signs]))
"""
EPOCHS = ["01:", "2147483648:", "4294967295:", "4294967296:", "9999999999:"]
TEXTS = ["a", "A", "b", "z", "aa", "rc", "RC", "git", "fc", "el", "pre", "p", "alpha", "beta"]


class Rpm:
    """`rpm.spec` and `rpm.labelCompare`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.python = folder, oracle(PYTHON)
        command = [self.python, "-I", "-c", "import rpm"]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            missing("python3-rpm is not installed")
        self.name = f"RPM {self.run()[0]}"

    def run(self, versions: Sequence[str] = (), pairs: Sequence[tuple[str, str]] = ()) -> Any:
        given = json.dumps({"versions": versions, "pairs": pairs})
        command = [self.python, "-I", "-c", DRIVER, str(self.folder)]
        done = subprocess.run(command, check=True, input=given, capture_output=True, text=True)
        return json.loads(done.stdout)

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        _, identities, _ = self.run(versions=versions)
        return [
            # 255 bytes is our own limit.
            Verdict(identity, None) if identity and len(version.encode()) <= 255 else None
            for version, identity in zip(versions, identities, strict=True)
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        _, _, signs = self.run(pairs=pairs)
        return list(signs)


def make(rng: random.Random) -> str:
    version = rng.choice(["", "", "", "", "0:", "00:", "1:", "10:", rng.choice(EPOCHS)])
    version += part(rng)
    return version + ("-" + part(rng) if rng.random() < 0.8 else "")


def part(rng: random.Random) -> str:
    """A version or a release: mostly numbers and dots, else all kinds."""
    made = number(rng) if rng.random() < 0.9 else ""
    for _ in range(rng.choice([0, 1, 1, 2, 2, 3])):
        if rng.random() < 0.5:
            made += "." + number(rng)
        else:
            made += rng.choice(
                ["", "", ".", "_", "+", "~", "^", "~~", "^^", "~^", "^~", "._", "+."]
            )
            made += rng.choice([*TEXTS, "", number(rng), rng.choice(TEXTS) + number(rng)])
    return made or rng.choice([".", "_", "~", "^", "a"])


def number(rng: random.Random) -> str:
    """Few, so that versions often differ in one thing alone."""
    return rng.choice(
        ["0", "0", "1", "1", "2", "10", "00", "01", "20240101", spellings.number(rng)]
    )


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    return rng.choice(
        [
            "0:" + version,
            "0" + version,
            version[:at] + "0" + version[at:],
            version[:at] + rng.choice("._+~^") + version[at:],
            version.replace(".", rng.choice("_+~^"), rng.choice([1, -1])),
            version + rng.choice(["-1", "-0", "-~", "-.", "~", "^", ".", "_", "a", ".0"]),
            version.rpartition("-")[0] or version,
            version.swapcase(),
        ]
    )


SUBJECT = Subject("rpm", "rpm", Rpm, make, respell)
