"""Cargo: the `semver` crate, which Cargo and its registry read versions with."""

import random
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict
from tests.versions.subjects.npm import respell

DRIVER = Path(__file__).with_suffix(".rs")
CRATES = Path("/usr/share/cargo/registry")  # where Debian's packages of crates have their sources


def compiler() -> str:
    """The first rustc that runs: one that stands for another (rustup) may have none to run."""
    there = [rustc for rustc in [oracle("rustc"), "/usr/bin/rustc"] if Path(rustc).exists()]
    ask = ["--version"]
    runs = [r for r in there if subprocess.run([r, *ask], capture_output=True).returncode == 0]
    if not runs:
        missing("rustc does not run")
    return runs[0]


class Crate:
    """The crate and a driver, compiled into a folder."""

    def __init__(self, folder: Path) -> None:
        rustc = compiler()
        crates = [path for path in CRATES.glob("semver-*") if re.search(r"-1\.[0-9.]+$", path.name)]
        if not crates:
            missing("librust-semver-dev is not installed")
        crate = max(crates)
        self.name = f"the crate {crate.name}"
        library, self.program = folder / "libsemver.rlib", folder / "cargo"
        command = [rustc, "--edition=2021", "-O", "--cap-lints=allow"]
        as_library = ["--crate-name=semver", "--crate-type=rlib", '--cfg=feature="std"']
        source = crate / "src" / "lib.rs"
        subprocess.run([*command, *as_library, source, "-o", library], check=True)
        uses = f"--extern=semver={library}"
        subprocess.run([*command, uses, DRIVER, "-o", self.program], check=True)

    def run(self, question: str, texts: Sequence[str]) -> list[str]:
        given = "".join(text + "\0" for text in texts).encode()
        done = subprocess.run(
            [self.program, question], check=True, input=given, stdout=subprocess.PIPE
        )
        return done.stdout.decode().split("\n")[:-1]

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        return [
            # 255 characters are our own limit.
            Verdict(line[2:], line[0] == "1") if line and len(version) <= 255 else None
            for version, line in zip(versions, self.run("read", versions), strict=True)
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return [
            int(line) for line in self.run("compare", [text for pair in pairs for text in pair])
        ]


# Around 64 bits, the bound of the three numbers; in an identifier there is none.
LARGE = ["18446744073709551614", "18446744073709551615", "18446744073709551616", "9" * 20]
LARGE += ["1" + "0" * 20, "9" * 21, "9" * 87, "1" + "0" * 87, "9" * 88, "9" * 200]


def make(rng: random.Random) -> str:
    version = spellings.semver(rng)
    if rng.random() < 0.05:
        version = rng.choice(["1.0.{}", "{0}.{0}.0-a", "1.0.0-{}", "1.0.0-a.{}.1", "1.0.0-a{}"])
        version = version.format(rng.choice(LARGE))
    return version


SUBJECT = Subject("cargo", "semver64", Crate, make, respell)
