"""What is peculiar to the hex scheme; test_oracles.py compares it with Elixir's Version."""

import psycopg
import pytest

from tests.versions.conftest import Read


@pytest.mark.parametrize(
    "ascending",
    [
        "0.0.0-0 0.0.0 0.0.1 0.1.0-dev 0.1.0 0.9.0 0.10.0 1.0.0-rc.0 1.0.0-rc.2 1.0.0-rc.10 1.0.0",
        "1.0.0-0 1.0.0-1 1.0.0-10 1.0.0-A 1.0.0-a 1.0.0-a.1 1.0.0-a.b 1.0.0-a- 1.0.0",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    readings = read("hex", ascending.split())
    keys = [r and r.key for r in readings]
    assert None not in keys
    assert keys == sorted(set(keys))
    assert [r and r.prerelease for r in readings] == [
        "-" in version for version in ascending.split()
    ]
    assert [r and r.normal for r in readings] == ascending.split()


NEITHER = ["", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-01", "1.0.0-", "1.0.0-a..b"]
NEITHER += ["1.0.0-a_b", "1.0.0+", " 1.0.0", "1.0.0\n", "1.0.0-é", "1.0.0-" + "a" * 250]
NUMBERS = ["100000000000000.0.0", "0.100000000000000.0", "0.0.100000000000000", "9" * 20 + ".0.0"]
NUMBERS += ["1.0.0-100000000000000", "1.0.0-a-b.100000000000000", "1.0.0-100000000000000.a"]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        *[(version, "is not SemVer") for version in NEITHER],
        *[(version, "has a number above 99999999999999") for version in NUMBERS],
        ("1.0.0+build", "has build metadata, which Hex refuses"),
        ("1.0.0-rc.1+a-b", "has build metadata, which Hex refuses"),
        ("1.0.0-" + "a" * 65, "has a prerelease of more than 64 characters"),
        ("99999999999999.0.0-" + "1." * 32 + "a", "has a prerelease of more than 64 characters"),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("hex", [version]) == [None]
    for function in ["normalize", "key"]:
        with pytest.raises(psycopg.Error) as caught:
            db.execute(f"select pkgdb.hex_{function}(%s)", [version])
        assert (caught.value.diag.message_primary or "").endswith(message)


@pytest.mark.parametrize(
    "version",
    [
        "99999999999999.99999999999999.99999999999999-99999999999999." + "a" * 49,
        "1.0.0-" + "a" * 64,
        # Not numbers: part of a text, or a text for its hyphen.
        *["1.0.0-a100000000000000", "1.0.0-100000000000000a", "1.0.0-a-100000000000000"],
        *["1.0.0--100000000000000", "1.0.0-a.-100000000000000", "1.0.0-99999999999999.1.a-b"],
    ],
)
def test_at_the_limits(read: Read, version: str) -> None:
    assert read("hex", [version]) != [None]
