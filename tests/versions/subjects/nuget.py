"""NuGet: NuGet.Versioning, out of the nuget.exe of an npm package, under mono."""

import random
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

DRIVER = Path(__file__).with_suffix(".cs")


class NuGetVersioning:
    """`NuGetVersion`, driven by a small program compiled against nuget.exe."""

    def __init__(self, folder: Path) -> None:
        npm, mcs, self.mono = oracle("npm"), oracle("mcs"), oracle("mono")
        install = [npm, "install", "--silent", "--no-audit", "--prefix", str(folder), "nuget-exe"]
        if subprocess.run(install, check=False, capture_output=True).returncode != 0:
            missing("npm cannot install nuget-exe")
        [packed] = folder.glob("node_modules/nuget-exe/*.exe")
        shutil.copy(packed, folder / "NuGet.exe")  # the name that it calls itself
        self.program = folder / "driver.exe"
        command = [mcs, f"-out:{self.program}", f"-r:{folder / 'NuGet.exe'}", str(DRIVER)]
        subprocess.run(command, check=True, capture_output=True)
        [version] = self.answers([])
        self.name = f"NuGet.Versioning {version}"

    def answers(self, questions: Iterable[tuple[str, ...]]) -> list[str]:
        lines = [" ".join([verb, *map(encoded, texts)]) + "\n" for verb, *texts in questions]
        command = [self.mono, str(self.program)]
        done = subprocess.run(
            command, check=True, input="".join(lines), capture_output=True, text=True
        )
        return done.stdout.splitlines()

    def facts(self, versions: Sequence[str]) -> list[tuple[str, str, bool, bool] | None]:
        """Normal form, that with metadata, whether prerelease, whether SemVer 2."""
        found: list[tuple[str, str, bool, bool] | None] = []
        for line in self.answers(("read", version) for version in versions)[1:]:
            if line == "-":
                found.append(None)
            else:
                normal, full, prerelease, semver2 = line.split(" ")
                found.append((normal, full, prerelease == "True", semver2 == "True"))
        return found

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        # NuGetGallery, PackageHelper.ValidateNuGetPackageMetadata: at most 64 characters. White
        # space of .NET within a version, or not ASCII, is a difference we keep, and 255 bytes is
        # our own limit.
        return [
            Verdict(fact[0].lower(), fact[2])
            if fact
            and len(fact[1]) <= 64
            and version.isascii()
            and len(version) <= 255
            and len(version.split()) == 1
            else None
            for version, fact in zip(versions, self.facts(versions), strict=True)
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return [int(sign) for sign in self.answers(("compare", *pair) for pair in pairs)[1:]]


def encoded(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogatepass")).decode()


def label(rng: random.Random) -> str:
    texts = ["a", "A", "rc", "RC", "beta", "Beta", "-", "--", "0a", "00a", "1-", "a-1", "a1", "a10"]
    integers = ["-0", "-00", "-1", "-5", "-05", "-10", "-2147483648", "-2147483649", "--1"]
    return rng.choice([spellings.number(rng), rng.choice(texts), rng.choice(integers)])


def make(rng: random.Random) -> str:
    parts = rng.choice([1, 2, 3, 3, 3, 4, 4])
    version = ".".join(rng.choice(["", "", "0", "00"]) + number(rng) for _ in range(parts))
    version += ".0" * rng.choice([0, 0, 0, 1])
    if rng.random() < 0.7:
        version += "-" + ".".join(label(rng) for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.2:
        version += "+" + ".".join(label(rng) for _ in range(rng.randint(1, 2)))
    return version


def number(rng: random.Random) -> str:
    """Few, so that versions often differ in their labels alone; now and then too large."""
    return rng.choice(["0", "0", "1", "1", "2", "10", "11", spellings.number(rng)])


def respell(rng: random.Random, version: str) -> str:
    core, dash, labels = version.partition("-")
    space = rng.choice(["", " ", "\t", "\r\n"])
    return rng.choice(
        [
            version.swapcase(),
            version + "+" + label(rng),
            version.partition("+")[0],
            "0" + version,
            core + ".0" + dash + labels,
            core.removesuffix(".0") + dash + labels,
            core.replace(".", ".0") + dash + labels,
            core.replace(".", space + "." + space) + space + dash + labels,
            space + version + space,
            version + rng.choice(["", "-", "."]) + label(rng),
        ]
    )


SUBJECT = Subject("nuget", "nuget", NuGetVersioning, make, respell)
