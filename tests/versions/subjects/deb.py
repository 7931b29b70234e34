"""Debian: dpkg's own library, in a small program compiled against it."""

import random
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict, debian_version

SOURCE = Path(__file__).with_suffix(".c")


class Dpkg:
    """`parseversion` and `dpkg_version_compare`."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "deb"
        command = [oracle("cc"), "-o", str(self.program), str(SOURCE), "-ldpkg", "-lmd"]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            missing("libdpkg-dev is not installed")
        self.name = f"libdpkg {debian_version('libdpkg-dev')}"

    def answers(self, lines: Iterable[str]) -> list[int]:
        given = "".join(f"{line}\n" for line in lines).encode()
        done = subprocess.run([self.program], check=True, input=given, capture_output=True)
        return [int(answer) for answer in done.stdout.split()]

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        # dpkg trims white space, and takes +1 and -0 for epochs; neither is Debian Policy.
        strict = [v if len(v) <= 255 and not re.search(r"^[+-]|\s", v) else "" for v in versions]
        return [
            Verdict(version, None) if taken else None
            for version, taken in zip(versions, self.answers(strict), strict=True)
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return self.answers(f"{low}\t{high}" for low, high in pairs)


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    return rng.choice(
        [
            rng.choice(["0:", "00:", "01:", "2147483647:", "2147483648:", "0"]) + version,
            version + rng.choice(["-0", "-00", "-", "-~", "~", "+", ".", "a", "-1-1"]),
            version[:at] + "0" + version[at:],
            version[:at] + rng.choice("~+-.:a") + version[at:],
            version.removesuffix("-0"),
            version.partition(":")[2] or version,
            version.rpartition("-")[0] or version,
            version.swapcase(),
        ]
    )


SUBJECT = Subject("deb", "debian", Dpkg, spellings.debian, respell)
