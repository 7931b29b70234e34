"""Names: which spellings are one package, and what is none."""

import random

import pytest
from packaging.utils import InvalidName, canonicalize_name

from tests.versions import spellings
from tests.versions.conftest import ReadNames


@pytest.mark.parametrize(
    ("rule", "name", "normal"),
    [
        ("pep503", "Foo._-Bar", "foo-bar"),
        ("pep503", "x", "x"),
        ("pep503", "A" * 255, "a" * 255),
        ("npm", "left-pad", "left-pad"),
        ("npm", "JSONStream", "JSONStream"),
        ("npm", "@Scope/name.js", "@Scope/name.js"),
        ("npm", "@scope/_private", "@scope/_private"),
        ("npm", "-", "-"),
        ("npm", "n" * 214, "n" * 214),
        ("npm", "@s/node_modules", "@s/node_modules"),
        ("cargo", "Serde_JSON", "serde-json"),
        ("cargo", "c" * 64, "c" * 64),
        ("deb", "libstdc++6", "libstdc++6"),
        ("deb", "0ad", "0ad"),
        ("generic", 'we"ird%1', 'we"ird%1'),
        ("generic", "A/b@c", "A/b@c"),
        ("generic", "g" * 255, "g" * 255),
    ],
)
def test_normal_form(read_names: ReadNames, rule: str, name: str, normal: str) -> None:
    assert read_names(rule, [name, normal]) == [normal, normal]


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (
            "pep503",
            ["-a", "a-", ".", "a b", "a/b", "a\n", "é", "\N{LATIN SMALL LETTER LONG S}", "a" * 256],
        ),
        ("npm", [".a", "_a", "a/b", "@a", "@/b", "@a/", "@a/.b", "@../b", "@a/b/c", "a b", "a\n"]),
        ("npm", ["node_modules", "Favicon.ico", "é", "n" * 215, "a!", "a~b", "%41", "a\\b"]),
        ("cargo", ["1a", "_a", "-a", "a.b", "a+b", "é", "a\n", "c" * 65]),
        ("deb", ["a", "Foo", "-ab", ".ab", "+ab", "a_b", "a b", "ab\n", "é1", "a" * 256]),
        ("generic", [" ", "a b", "a\n", "a\t", "é", "\x7f", "g" * 256]),
    ],
)
def test_refused(read_names: ReadNames, rule: str, names: list[str]) -> None:
    assert read_names(rule, ["", *names]) == [None] * (len(names) + 1)


def test_agrees_with_packaging(read_names: ReadNames) -> None:
    rng = random.Random(503)
    names = ["Django", "zope.interface", "ruamel-yaml_clib", "A", "backports.zoneinfo"]
    names = names + [spellings.damaged(rng, rng.choice(names)) for _ in range(5_000)]
    assert read_names("pep503", names) == [canonical(name) for name in names]


def canonical(name: str) -> str | None:
    try:
        return canonicalize_name(name, validate=True) if name.isascii() else None
    except InvalidName:
        return None
