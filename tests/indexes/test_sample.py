"""The sample that ships in the wheel: real, readable, and free of addresses."""

import lzma
from pathlib import Path

import pytest

import pkgdb
from pkgdb.indexes import Entry, Source, detect, read

SAMPLE = Path(pkgdb.__file__).parent / "sample"
FILES = sorted(path for path in SAMPLE.glob("*/*") if path.parent.name != "packages")
FORMATS = {"debian": "debian", "npm": "npm", "pypi": "pypi"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_entry_can_be_read(path):
    with Source(path) as source:
        assert detect(source) == FORMATS[path.parent.name]
    found = list(read(path))
    assert all(isinstance(entry, Entry) for entry in found)
    assert found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_address_of_a_registry_is_in_it(path):
    assert b"://" not in lzma.decompress(path.read_bytes())


def test_it_is_small():
    assert sum(path.stat().st_size for path in FILES) < 1_500_000
