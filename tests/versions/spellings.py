"""Versions to test with: real ones, ones made by a grammar, and damaged ones."""

import random
from pathlib import Path

DATA = Path(__file__).parent / "data"
NUMBERS = ["0", "1", "2", "9", "10", "11", "99", "100", "2147483647", "2147483648"]
MARKS = "0123456789.-_+~:!=vVabcdeprstoxABZ \t\n\v\x1f*/\\'\"\x7fé"
MARKS += "\N{ARABIC-INDIC DIGIT THREE}\N{LATIN SMALL LETTER LONG S}"


def real(ecosystem: str) -> list[str]:
    return (DATA / f"{ecosystem}.txt").read_text().split()


def number(rng: random.Random, largest: int = 2**53 - 1) -> str:
    return str(min(int(rng.choice(NUMBERS)), largest)) if rng.random() < 0.9 else str(largest)


def damaged(rng: random.Random, version: str) -> str:
    """A version with one to three characters inserted, replaced, dropped or doubled."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(version))
        mark = rng.choice(MARKS)
        version = rng.choice(
            [
                version[:at] + mark + version[at:],
                version[:at] + mark + version[at + 1 :],
                version[:at] + version[at + 1 :],
                version[:at] + version[at : at + 1] + version[at:],
            ]
        )
    return version


def semver(rng: random.Random) -> str:
    version = ".".join(number(rng) for _ in range(3))
    if rng.random() < 0.7:
        version += "-" + ".".join(identifier(rng) for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.2:
        version += "+" + ".".join(identifier(rng) for _ in range(rng.randint(1, 2)))
    return version


def identifier(rng: random.Random) -> str:
    if rng.random() < 0.4:
        return number(rng)
    text = ["a", "A", "alpha", "beta", "B", "rc", "x", "-", "--", "0a", "1-", "a1", "a10", "a2"]
    return rng.choice(text)


def pep440(rng: random.Random) -> str:
    def digits() -> str:
        return rng.choice(["", "", "0", "00"]) + number(rng)

    def separator() -> str:
        return rng.choice(["", "", ".", "-", "_"])

    version = rng.choice(["", "", "", "v", "V", " ", "\t v"])
    if rng.random() < 0.15:
        version += digits() + "!"
    version += ".".join(digits() for _ in range(rng.randint(1, 5)))
    version += ".0" * rng.choice([0, 0, 0, 1, 2])
    if rng.random() < 0.4:
        tags = ["a", "b", "c", "rc", "alpha", "beta", "pre", "preview", "RC", "Alpha"]
        version += separator() + rng.choice(tags)
        version += rng.choice([separator() + digits(), separator()])
    if rng.random() < 0.3:
        named = separator() + rng.choice(["post", "rev", "r", "POST"]) + separator()
        version += rng.choice(["-" + digits(), named + digits(), named])
    if rng.random() < 0.3:
        version += separator() + rng.choice(["dev", "DEV"])
        version += rng.choice([separator() + digits(), separator()])
    if rng.random() < 0.2:
        parts = [rng.choice(["a", "B", "ubuntu", "1a", "0a1", digits()]) for _ in range(3)]
        version += "+" + rng.choice(".-_").join(parts[: rng.randint(1, 3)])
    return version + rng.choice(["", "", "", " ", "\n"])


def debian(rng: random.Random) -> str:
    def part(symbols: str) -> str:
        runs = [*symbols, "~~", "a", "A", "rc", "z", "+deb", "~rc", "0", "00", "01", ""]
        return "".join(rng.choice(runs) + rng.choice(["", number(rng)]) for _ in range(4))

    version = number(rng) + part(".+~")
    if rng.random() < 0.3:
        version = rng.choice(["0", "1", "2", "10", "02"]) + ":" + version
        version += rng.choice(["", ":", ":1"])
    if rng.random() < 0.2:
        version += "-" + part(".+~")
    if rng.random() < 0.6:
        version += "-" + rng.choice(["0", "1", "~", "a", "+", "."]) + part(".+~")
    return version


def generic(rng: random.Random) -> str:
    version = rng.choice([semver, debian])(rng)
    return rng.choice(["", "", "v", "V", "r"]) + version.replace(" ", "")
