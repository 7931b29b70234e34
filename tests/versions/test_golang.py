"""What is peculiar to the golang scheme; test_oracles.py compares it with golang.org/x/mod."""

from pathlib import Path

import psycopg
import pytest

from tests.versions.conftest import Read
from tests.versions.subjects.golang import GoModules


@pytest.mark.parametrize(
    "ascending",
    [
        "v0.0.0-0 v0.0.0-1 v0.0.0-10 v0.0.0-A v0.0.0-a v0.0.0-a.1 v0.0.0-a.b v0.0.0-a- v0.0.0",
        # Pseudo-versions: before any tag, after a prerelease, after a release.
        "v0.0.0-20180101000000-ffffffffffff v0.0.0-20191109021931-daa7c04131f5 v0.0.1-rc.1 "
        "v0.0.1-rc.1.0.20200101000000-000000000000 v0.0.1-rc.2 v0.0.1 "
        "v0.0.2-0.20200101000000-000000000000 v0.0.2-a v0.0.2",
        "v1.9.0 v1.10.0 v1.10.1 v2.0.0+incompatible v2.0.1 v10.0.0+incompatible",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("golang", ascending.split())]
    assert None not in keys
    assert keys == sorted(set(keys))


def test_identity_is_the_text(read: Read) -> None:
    """A proxy serves v2.0.0+incompatible beside v2.0.0, and neither is above the other."""
    versions = ["v2.0.0", "v2.0.0+incompatible"]
    plain, incompatible = read("golang", versions)
    assert plain is not None
    assert incompatible is not None
    assert [plain.normal, incompatible.normal] == versions
    assert plain.key == incompatible.key


@pytest.mark.parametrize(
    ("prerelease", "versions"),
    [
        (True, "v0.0.0-20191109021931-daa7c04131f5 v1.0.0-rc.1 v2.0.0-rc.1+incompatible"),
        (False, "v0.0.0 v1.0.0 v2.0.0+incompatible"),
    ],
)
def test_prerelease(read: Read, prerelease: bool, versions: str) -> None:
    assert {r and r.prerelease for r in read("golang", versions.split())} == {prerelease}


@pytest.mark.parametrize(
    "version",
    [
        *["", "v", "v1", "v1.2", "1.2.3", "V1.2.3", "vv1.2.3", "v1.2.3.4", "v01.2.3", "v1.2.3-01"],
        *["v1.2.3-", "v1.2.3-a..b", "v1.2.3+", "v1.2.3+build", "v1.2.3+Incompatible", "v1.2.3-é"],
        *["v1.2.3+incompatible.1", "v1.2.3+incompatible+incompatible", " v1.2.3", "v1.2.3\n"],
        *["latest", "go1.21.0", "v1.0.0-" + "a" * 249],
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str) -> None:
    assert read("golang", [version]) == [None]
    for function in ["normalize", "key"]:
        with pytest.raises(psycopg.Error, match="is not the canonical version of a Go module"):
            db.execute(f"select pkgdb.golang_{function}(%s)", [version])


def test_numbers_are_exact(read: Read) -> None:
    numbers = [2**53, 2**53 + 1, 2**63, 2**64, 2**64 + 1, 10**87 - 1, 10**87, 10**240, 10**240 + 1]
    for form in ["v{}.0.0", "v0.{}.0", "v0.0.{}", "v0.0.0-{}", "v0.0.0-a.{}"]:
        keys = [r and r.key for r in read("golang", [form.format(number) for number in numbers])]
        assert None not in keys
        assert keys == sorted(set(keys))
    # As many digits as 255 characters have room for.
    fits, exceeds = read("golang", [f"v{'9' * 250}.0.0", f"v{'9' * 251}.0.0"])
    assert fits is not None
    assert exceeds is None


def test_incompatible_is_taken_as_x_mod_takes_it(read: Read, tmp_path: Path) -> None:
    """Also where the major version needs none: a proxy serves none such, but it would be valid."""
    versions = ["v0.0.0+incompatible", "v1.0.0+incompatible"]
    assert None not in GoModules(tmp_path).read(versions)
    assert None not in read("golang", versions)
