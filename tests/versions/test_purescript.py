"""What is peculiar to the purescript scheme; test_oracles.py compares it with the registry's
library."""

from itertools import combinations

import psycopg
import pytest

from tests.versions.conftest import Read

LARGEST = 2**31 - 1


@pytest.mark.parametrize(
    "ascending",
    [
        "0.0.0 0.0.1 0.0.9 0.0.10 0.1.0 0.9.9 0.10.0 1.0.0 1.2.3 1.2.10 1.10.0 2.0.0 10.0.0",
        f"0.0.{LARGEST - 1} 0.0.{LARGEST} 0.{LARGEST}.0 {LARGEST}.0.0 {LARGEST}.{LARGEST}.0",
        "1000.1111.1233 1000.1111.1234 1000.1112.0 1001.0.0",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    readings = read("purescript", ascending.split())
    keys = [r and r.key for r in readings]
    assert None not in keys
    assert all(low < high for low, high in combinations(keys, 2))
    assert [r and (r.normal, r.prerelease) for r in readings] == [
        (version, False) for version in ascending.split()
    ]


@pytest.mark.parametrize(
    ("message", "versions"),
    [
        (
            "is not SemVer",
            [
                *["", ".12.0", "12.0", "12", "0.12.12.1", "1.a.2", "1.-1.2", "-1.0.0", "+1.0.0"],
                *["v1.0.0", "V1.0.0", "=1.0.0", "0.000012.1", "00.0.0", "0.00.0", "1.0.00"],
                *[" 1.0.1", "1.0.1 ", "1.0.1\n", "1. 0.1", "1..0", "1.0.", "1,0,0", "1.0.0-"],
                *["\N{ARABIC-INDIC DIGIT ONE}.0.0", "1.0.é", "1_0.0.0", "0x1.0.0", "1e3.0.0"],
                *["01.0.0", "1.0.0+"],
            ],
        ),
        (
            "has a prerelease or a build",
            ["1.0.1-rc.1", "1.0.0-0", "1.0.0--", "1.0.0+nightly", "1.0.0+0", "1.0.0-a+b"],
        ),
        (
            f"has a number above {LARGEST}",
            [form.format(LARGEST + 1) for form in ["{}.0.0", "0.{}.0", "0.0.{}"]]
            + ["4294967296.0.0", "0.0.18446744073709551616", "9" * 200 + ".0.0"],
        ),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, message: str, versions: list[str]) -> None:
    assert read("purescript", versions) == [None] * len(versions)
    for version in versions:
        with pytest.raises(psycopg.Error, match=message), db.transaction():
            db.execute("select pkgdb.purescript_normalize(%s)", [version])
