"""Go modules: golang.org/x/mod, and how all libraries of Go are driven."""

import json
import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict, debian_version

HERE = Path(__file__).parent
SOURCES = Path("/usr/share/gocode")  # where Debian keeps the sources of libraries


class GoLibrary:
    """A library, driven by a small program: `driver.go` and a file that calls the library."""

    driver: ClassVar[str]
    # Import paths, and Debian's packages of them.
    packages: ClassVar[dict[str, str]]

    def __init__(self, folder: Path) -> None:
        go = oracle("go")
        versions = []
        for path, package in self.packages.items():
            if not (SOURCES / "src" / path).is_dir():
                missing(f"{package} is not installed")
            versions.append(f"{path} {debian_version(package)}")
        self.name = ", ".join(versions)
        self.program = folder / "oracle"
        sources = [str(HERE / "driver.go"), str(HERE / self.driver)]
        # The libraries as they lie there: nothing is downloaded or written elsewhere.
        settings = {"GO111MODULE": "off", "GOPATH": str(SOURCES), "GOFLAGS": "", "GOENV": "off"}
        subprocess.run(
            [go, "build", "-o", str(self.program), *sources],
            check=True,
            env=os.environ | settings | {"GOCACHE": str(folder / "cache")},
        )

    def ask(self, versions: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Any:
        given = json.dumps({"Versions": list(versions), "Pairs": list(pairs)})
        done = subprocess.run(
            [self.program], check=True, input=given, stdout=subprocess.PIPE, text=True
        )
        return json.loads(done.stdout)

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        verdicts, _ = self.ask(versions, [])
        return [  # 255 characters are pkgdb's own limit
            Verdict(verdict["Identity"], verdict["Prerelease"])
            if verdict is not None and len(version) <= 255
            else None
            for version, verdict in zip(versions, verdicts, strict=True)
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        _, signs = self.ask([], pairs)
        return list(signs)


class GoModules(GoLibrary):
    """golang.org/x/mod: `module` for what is a version, `semver` for the order."""

    driver = "golang.go"
    packages: ClassVar = {"golang.org/x/mod": "golang-golang-x-mod-dev"}


PSEUDO = ["v0.0.0-", "v1.2.4-0.", "v1.2.3-rc.1.0.", "v10.0.1-0."]
SUFFIXES = ["+incompatible", "+incompatible", "+Incompatible", "+incompatible.1", "+build", "+"]


def pseudo_version(rng: random.Random) -> str:
    when = rng.choice(["20191109021931", "20191109021932", "20200101000000", "99991231235959"])
    return rng.choice(PSEUDO) + when + "-" + rng.choice(["daa7c04131f5", "000000000000"])


def make(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        version = pseudo_version(rng)
    elif kind < 0.3:
        # Numbers that no machine integer holds, and versions of the largest size.
        digits = [rng.choice("19") * rng.choice([19, 20, 21, 87, 88, 100, 120]) for _ in range(4)]
        version = "v" + ".".join(rng.choices([*digits, "0", "1"], k=3)) + "-" + rng.choice(digits)
    else:
        core = ".".join(rng.choice(["0", "1", "2", "10", spellings.number(rng)]) for _ in range(3))
        labels = [spellings.identifier(rng) for _ in range(rng.randint(0, 4))]
        version = "v" + core + ("-" + ".".join(labels) if labels else "")
    return version + (rng.choice(SUFFIXES) if rng.random() < 0.2 else "")


def respell(rng: random.Random, version: str) -> str:
    core, dash, labels = version.partition("-")
    return rng.choice(
        [
            version.removesuffix("+incompatible"),
            version + "+incompatible",
            version.removeprefix("v"),
            version.replace("v", "V"),
            version + rng.choice(["", "-", "."]) + spellings.identifier(rng),
            core,
            core.rpartition(".")[0],
            core.rpartition(".")[0] + ".0" + dash + labels,
            version.swapcase().replace("V", "v", 1),
        ]
    )


SUBJECT = Subject("golang", "golang", GoModules, make, respell)
