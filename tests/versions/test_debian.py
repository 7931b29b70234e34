"""The debian scheme against dpkg."""

import random
import subprocess
from itertools import pairwise

import pytest

from tests.support import oracle
from tests.versions import spellings
from tests.versions.conftest import Read

# One shell runs dpkg for each line.
VALIDATE = """
while IFS= read -r version; do
    if dpkg --validate-version "$version" 2>/dev/null; then echo 1; else echo 0; fi
done
"""
COMPARE = """
while read -r low relation high; do
    if dpkg --compare-versions "$low" "$relation" "$high"; then echo 1; else echo 0; fi
done
"""


def dpkg(script: str, lines: list[str]) -> list[bool]:
    oracle("dpkg")
    done = subprocess.run(
        ["sh", "-c", script],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        check=True,
        text=True,
    )
    assert not done.stderr
    answers = [answer == "1" for answer in done.stdout.split()]
    assert len(answers) == len(lines)
    return answers


@pytest.mark.slow
def test_order_agrees_with_dpkg(read: Read) -> None:
    rng = random.Random(3)
    versions = rng.sample(spellings.real("deb"), 1_500)
    versions += [spellings.debian(rng) for _ in range(3_000)]
    versions += [respelled(rng, rng.choice(versions)) for _ in range(500)]
    accepted = [r for r in read("debian", versions) if r is not None]
    assert len(accepted) > 4_000
    assert not any(r.prerelease for r in accepted)
    assert [r for r in accepted if r.normal != r.version] == []

    # Neighbours in our order: with the oracle's own order transitive, that is every pair.
    ordered = sorted(accepted, key=lambda r: r.key)
    lines = [
        f"{low.version} {'eq' if low.key == high.key else 'lt'} {high.version}"
        for low, high in pairwise(ordered)
    ]
    assert sum(" eq " in line for line in lines) > 100
    answers = dpkg(COMPARE, lines)
    assert [line for line, true in zip(lines, answers, strict=True) if not true] == []


def respelled(rng: random.Random, version: str) -> str:
    """Another text that dpkg often, not always, holds for equal."""
    at = rng.randint(0, len(version))
    return rng.choice(["0:" + version, version + "-0", version[:at] + "0" + version[at:]])


@pytest.mark.slow
def test_accepts_what_dpkg_accepts(read: Read) -> None:
    rng = random.Random(4)
    made = rng.sample(spellings.real("deb"), 500) + [spellings.debian(rng) for _ in range(500)]
    damaged = [spellings.damaged(rng, rng.choice(made)) for _ in range(1_500)]
    # dpkg trims spaces and reads "+1:" as C reads a number; neither is Debian Policy.
    versions = [
        v
        for v in made + damaged
        if v and "\n" not in v and v == v.strip() and not v.startswith("+") and len(v) < 256
    ]
    ours = [r is not None for r in read("debian", versions)]
    pairs = zip(versions, ours, dpkg(VALIDATE, versions), strict=True)
    assert [v for v, we, they in pairs if we != they] == []


def test_every_real_version_is_taken(read: Read) -> None:
    assert None not in read("debian", spellings.real("deb"))


@pytest.mark.parametrize(
    "ascending",
    [
        "1.0~~ 1.0~ 1.0 1.0+",
        "1.2A 1.2a",
        "1a 1.0",
        "0.1 2:1.0 10:0.1",
        "1.0-1-1 1.0-1-2 1.0-2-1",
        "1-a 1.0-a",
        "1.9223372036854775807 1.9223372036854775808 1.18446744073709551616 1.18446744073709551617",
        "1.0-1~bpo1 1.0-1 1.0-1+b1 1.0-1.1",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("debian", ascending.split())]
    assert keys == sorted(set(keys))


def test_equal_keys_of_different_texts(read: Read) -> None:
    readings = read("debian", ["1.0", "1.0-0", "0:1.0", "00:01.00-00", "1.0-"])
    assert readings.pop() is None
    assert len({r and r.key for r in readings}) == 1
    assert len({r and r.normal for r in readings}) == 4


@pytest.mark.parametrize(
    "version",
    [
        *["", "a1", "1_0", "1-", "1:", ":1", "1:a", "1.0:2", "1:2-3:4", "-1:1", "+1:1", "1 0"],
        *["1\n", "2147483648:1", "1é", "1-é", "9" * 251, "1" * 256],
    ],
)
def test_refused(read: Read, version: str) -> None:
    assert read("debian", [version]) == [None]
