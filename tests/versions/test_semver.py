"""The semver schemes against node's `semver`."""

import json
import random
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.conftest import Read

# Reads {versions, pairs}; writes what node-semver makes of each version, and of each pair.
NODE = """
const semver = require('semver');
const { versions, pairs } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const parsed = versions.map((text) => {
  const version = semver.parse(text);
  return version && [version.version, version.prerelease.length > 0];
});
process.stdout.write(JSON.stringify([parsed, pairs.map(([a, b]) => semver.compare(a, b))]));
"""
Parsed = list[tuple[str, bool] | None]


class Node:
    """node-semver: the one that npm itself uses, else one that npm installs into a folder."""

    def __init__(self, folder: Path) -> None:
        self.node, npm = oracle("node"), oracle("npm")
        self.folder = Path(npm).resolve().parent.parent
        if self.run("require('semver')").returncode == 0:
            return
        self.folder = folder
        command = [npm, "install", "--silent", "--no-audit", "--prefix", folder, "semver"]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            missing("npm cannot install semver")

    def run(self, script: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [self.node, "-e", script]
        return subprocess.run(
            command, check=False, input=given, capture_output=True, cwd=self.folder, text=True
        )

    def __call__(
        self, versions: list[str], pairs: list[tuple[str, str]]
    ) -> tuple[Parsed, list[int]]:
        done = self.run(NODE, json.dumps({"versions": versions, "pairs": pairs}))
        done.check_returncode()
        parsed, compared = json.loads(done.stdout)
        return [entry and tuple(entry) for entry in parsed], compared


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node(tmp_path_factory.mktemp("node"))


def corpus() -> list[str]:
    rng = random.Random(200)
    real = spellings.real("npm")
    made = [spellings.semver(rng) for _ in range(15_000)]
    return real + made + [spellings.damaged(rng, rng.choice(real + made)) for _ in range(15_000)]


def strict(version: str) -> bool:
    """Whether a text is in no looser spelling than SemVer's own: node trims and takes a "v"."""
    return version[:1].isdigit() and version == version.strip() and len(version) <= 255


@pytest.mark.parametrize("scheme", ["semver53", "semver64"])
def test_agrees_with_node(read: Read, node: Node, scheme: str) -> None:
    versions = corpus()
    readings = read(scheme, versions)
    accepted = [r for r in readings if r is not None]
    ordered = [r for r in sorted(accepted, key=lambda r: r.key) if exact_in_node(r.normal)]
    pairs = [(low.version, high.version) for low, high in pairwise(ordered)]
    assert len(pairs) > 15_000
    parsed, compared = node(versions, pairs)

    for version, reading, entry in zip(versions, readings, parsed, strict=True):
        if scheme == "semver64" and not exact_in_node(version.partition("-")[0]):
            continue
        assert (reading is not None) == (entry is not None and strict(version)), version
        if reading is not None:
            assert (reading.normal, reading.prerelease) == entry
    # Neighbours in our order: with the oracle's own order transitive, that is every pair.
    for (low, high), sign in zip(pairwise(ordered), compared, strict=True):
        assert sign == (low.key > high.key) - (low.key < high.key), (low, high)
        assert (sign == 0) == (low.normal == high.normal), (low, high)


def exact_in_node(version: str) -> bool:
    """Larger numbers are an error to node in the core, and floats in a prerelease."""
    return all(int(number) < 2**53 for number in re.findall("[0-9]+", version))


@pytest.mark.parametrize(("scheme", "limit"), [("semver53", 2**53 - 1), ("semver64", 2**64 - 1)])
def test_number_limits(read: Read, scheme: str, limit: int) -> None:
    for form in ["{}.0.0", "0.{}.0", "0.0.{}", "{0}.{0}.{0}-a", "0.{}.0-1.0"]:
        fits, exceeds = read(scheme, [form.format(limit), form.format(limit + 1)])
        assert fits is not None
        assert exceeds is None
    # The limit is of the core alone.
    [large] = read(scheme, [f"1.0.0-{'9' * 249}"])
    assert large is not None


def test_prerelease_numbers_are_exact(read: Read) -> None:
    """Where node's floats make two numbers one, and above any machine integer."""
    numbers = [2**53, 2**53 + 1, 2**64, 2**64 + 1, 10**30, 10**87 - 1, 10**87, 10**240, 10**240 + 1]
    ascending = [f"1.0.0-{n}" for n in numbers]
    keys = [r and r.key for r in read("semver64", ascending)]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    "version",
    [
        *["", "1", "1.0", "1.0.0.0", "v1.0.0", "=1.0.0", " 1.0.0", "1.0.0 ", "1.0.0\n", "01.0.0"],
        *["1.0.0-01", "1.0.0-", "1.0.0-a..b", "1.0.0+", "1.0.0+a+b", "1.0.0-é", "1.0.0-a_b"],
        *["\N{ARABIC-INDIC DIGIT ONE}.0.0", "9" * 256 + ".0.0"],
        *["1.0.0-" + "9" * 250, "1.0.0-" + "a" * 250],
    ],
)
def test_refused(read: Read, version: str) -> None:
    assert read("semver53", [version]) == [None]
    assert read("semver64", [version]) == [None]


def test_order_of_the_specification(read: Read) -> None:
    """Items 11.2 to 11.4, with capitals below small letters and numbers below texts."""
    ascending = """
        1.0.0-0 1.0.0-1 1.0.0-10 1.0.0-B 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-alpha-1
        1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.9.0 1.10.0 2.0.0-0 2.0.0 2.1.0
        2.1.1
    """.split()  # noqa: SIM905
    for scheme in ["semver53", "semver64", "natural"]:
        keys = [r and r.key for r in read(scheme, ascending)]
        assert keys == sorted(set(keys)), scheme


def test_build_metadata_is_no_identity(read: Read) -> None:
    plain, built, other = read("semver53", ["1.0.0-a", "1.0.0-a+1", "1.0.0-a+x-y.01"])
    assert plain is not None
    assert built is not None
    assert other is not None
    assert {plain.normal, built.normal, other.normal} == {"1.0.0-a"}
    assert plain.key == built.key == other.key
    [hyphen_in_build] = read("semver53", ["1.0.0+a-b"])
    assert hyphen_in_build is not None
    assert not hyphen_in_build.prerelease
