"""Maven: ComparableVersion and the model validator of Debian's libmaven3-core-java."""

import random
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tests.support import missing, oracle
from tests.versions import spellings
from tests.versions.subjects import Subject, Verdict

DRIVER = Path(__file__).with_suffix(".java")
LIBRARIES = Path("/usr/share/maven/lib")


class Maven:
    """Maven's own classes, driven by a small program."""

    def __init__(self, folder: Path) -> None:
        self.java, javac = oracle("java"), oracle("javac")
        if not list(LIBRARIES.glob("maven-artifact-3.*.jar")):
            missing("Maven 3 is not installed")
        command = [javac, "-d", str(folder), "-cp", f"{LIBRARIES}/*", str(DRIVER)]
        subprocess.run(command, check=True, capture_output=True)
        self.path = f"{folder}:{LIBRARIES}/*"
        [version] = self.answers([])
        self.name = f"maven-artifact {version}"

    def answers(self, questions: Iterable[tuple[str, ...]]) -> list[str]:
        lines = [" ".join([verb, *map(encoded, texts)]) + "\n" for verb, *texts in questions]
        command = [self.java, "-cp", self.path, "Driver"]
        done = subprocess.run(
            command, check=True, input="".join(lines), capture_output=True, text=True
        )
        return done.stdout.splitlines()

    def read(self, versions: Sequence[str]) -> list[Verdict | None]:
        # Maven warns of what no folder can be called; a repository's path has the version in it.
        # What it would read as a range, an expression or two names it cannot ask for.
        answers = self.answers(("read", version) for version in versions)[1:]
        return [
            Verdict(version, answer == "true") if answer != "-" and can_be_asked(version) else None
            for version, answer in zip(versions, answers, strict=True)
        ]

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return [int(sign) for sign in self.answers(("compare", *pair) for pair in pairs)[1:]]


def encoded(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogatepass")).decode()


def can_be_asked(version: str) -> bool:
    return (
        re.fullmatch(r"[!-~]{1,255}", version) is not None
        and re.search(r"[][(),]|\$\{|[1-9][0-9]{250}", version) is None
        and version not in (".", "..")
    )


def comparable(low: str, high: str) -> bool:
    """False where the tool contradicts what it says of each of the two and a third version.

    1.sp.1 < 1-rc, as a word is below a list; but 1-rc < 1 < 1.sp.1. In general: where the two
    differ first, the rest of one is below nothing, that of the other above it, and the kinds of
    their items say the opposite. Ten zeros or more are a number above all of nine digits to it.
    """
    if re.search("(?<![0-9])0{10,}(?![0-9])", f"{low} {high}"):
        return False
    return coherent(items(low), items(high))


BELOW = ["alpha", "beta", "milestone", "rc", "snapshot"]
NAMES = {"cr": "rc", "ga": "", "final": "", "release": ""}
LETTERS = {"a": "alpha", "b": "beta", "m": "milestone"}
KINDS = [str, list, int]  # as the tool orders them
Items = list[Any]  # words, numbers, and Items as the last one


def coherent(one: Items, two: Items) -> bool:
    for at, (low, high) in enumerate(zip_longest(one, two)):
        if low == high:
            continue
        if isinstance(low, list) and isinstance(high, list):
            return coherent(low, high)
        if low is None or high is None or type(low) is type(high):
            return True
        signs = sign(one[at:]), sign(two[at:])
        kinds = KINDS.index(type(low)), KINDS.index(type(high))
        return signs[0] == signs[1] or (signs[0] < signs[1]) == (kinds[0] < kinds[1])
    return True


def sign(rest: Items) -> int:
    """Below nothing or above it: the first item that is not null decides."""
    for item in rest:
        if isinstance(item, list):
            return sign(item)
        if item not in (0, ""):
            return -1 if item in BELOW else 1
    return 0


def items(version: str) -> Items:
    text = version.lower()
    found = inner = Items()
    for match in re.finditer("([0-9]+|[^0-9.-]+|)([.-]?)", text):
        run, separator = match.groups()
        change = not separator and match.end() < len(text)
        if run and not run.isdigit():
            if not separator and inner:
                inner = opened(inner)
            run = LETTERS.get(run, run) if change else run
            inner.append(NAMES.get(run, run))
        elif run or separator:
            inner.append(int(run or 0))
        if change or separator == "-":
            inner = opened(inner)
    return trimmed(found)


def opened(inner: Items) -> Items:
    new = Items()
    inner.append(new)
    return new


def trimmed(found: Items) -> Items:
    last = [trimmed(found.pop())] if found and isinstance(found[-1], list) else []
    while found and found[-1] in (0, ""):
        found.pop()
    return found + [item for item in last if item]


QUALIFIERS = """
    alpha Alpha a A beta BETA b B milestone m M rc RC cr CR snapshot SNAPSHOT Snapshot ga GA final
    Final release RELEASE sp SP x foo jre Zeta alphax al _ + ~ 1_2
""".split()  # noqa: SIM905


def make(rng: random.Random) -> str:
    version = number(rng) + "".join("." + number(rng) for _ in range(rng.randint(0, 3)))
    if rng.random() < 0.75:
        for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
            version += rng.choice(["-", "-", "-", ".", ".", ""]) + rng.choice(QUALIFIERS)
            if rng.random() < 0.6:
                version += rng.choice(["", "", "", "-", "."]) + number(rng)
    if rng.random() < 0.1:
        version += rng.choice(["-", ".", "-SNAPSHOT", "-20240102.030405-1", "-1", "-0", ".x.1"])
    if rng.random() < 0.05:
        version = rng.choice(QUALIFIERS) + rng.choice(["", "-", "."]) + version
    return version


def number(rng: random.Random) -> str:
    """Few, so that versions often differ in their words alone; sometimes long."""
    few = ["0", "0", "0", "1", "1", "2", "9", "10", "00", "01", "000", spellings.number(rng)]
    large = ["999999999", "1000000000", "999999999999999999", "1000000000000000000", "9" * 40]
    return rng.choice(large) if rng.random() < 0.05 else rng.choice(few)


def respell(rng: random.Random, version: str) -> str:
    at = rng.randint(0, len(version))
    one, two = rng.choice([("-", "."), (".", "-"), ("-", ""), ("rc", "cr"), ("a", "alpha")])
    return rng.choice(
        [
            version.swapcase(),
            version.replace(one, two, 1),
            version + rng.choice([".0", "-0", ".ga", "-Final", ".", "-", "-0.0", ".0.0"]),
            version.removesuffix(".0"),
            version.replace(".", ".0"),
            version[:at] + rng.choice([".", "-", "0", ".0", "-0"]) + version[at:],
        ]
    )


SUBJECT = Subject("maven", "maven", Maven, make, respell, comparable=comparable)
