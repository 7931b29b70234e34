"""What strangers send: any text gets RG400 or a result, from every function, and one order."""

import random
from itertools import permutations

import psycopg
import pytest

from tests.versions import spellings
from tests.versions.conftest import Read, ReadNames
from tests.versions.subjects import Subject, all_subjects

SUBJECTS = all_subjects()
SCHEMES = sorted({subject.scheme for subject in SUBJECTS.values()})
TEXTS = 100_000
# Every letter that some scheme knows, their separators, and what none of them expects.
ALPHABETS = ["0123456789.-+~:!_v^", "01.-_+~^abrcdeposti \n", "019.", spellings.MARKS]


@pytest.mark.slow
@pytest.mark.parametrize("ecosystem", SUBJECTS)
def test_any_text(read: Read, ecosystem: str) -> None:
    subject = SUBJECTS[ecosystem]
    rng = random.Random(ecosystem)
    accepted: dict[str, bytes] = {}
    for _ in range(10):
        texts = [any_text(rng, subject) for _ in range(TEXTS // 10)]
        accepted |= {r.normal: r.key for r in read(subject.scheme, texts) if r is not None}

    # A normal form is its own normal form, with the same key and so the same place.
    assert len(accepted) > 1_000
    for reading in read(subject.scheme, list(accepted)):
        assert reading is not None
        assert (reading.normal, reading.key) == (reading.version, accepted[reading.version])


def any_text(rng: random.Random, subject: Subject) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return subject.make(rng)
    if kind == 1:
        return spellings.damaged(rng, subject.make(rng))
    if kind == 2:  # the beginning of one, the end of another
        one, two = subject.make(rng), rng.choice(spellings.real(subject.ecosystem))
        return one[: rng.randint(0, len(one))] + two[rng.randint(0, len(two)) :]
    if kind == 3:
        return "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randint(0, 16)))
    # Something short, again and again, up to and beyond the longest.
    piece = "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randint(1, 4)))
    return rng.choice(["", "1", "1.0.0-", "v1."]) + piece * rng.choice([2, 20, 250 // len(piece)])


@pytest.mark.parametrize("ecosystem", SUBJECTS)
def test_the_server_orders_totally(db: psycopg.Connection, read: Read, ecosystem: str) -> None:
    subject = SUBJECTS[ecosystem]
    rng = random.Random(6)
    texts = [subject.make(rng) for _ in range(3_000)]
    texts += [subject.respell(rng, text) for text in texts[:1_000]]
    keys = [r.key for r in read(subject.scheme, texts) if r is not None]
    triples = [rng.sample(keys, 3) for _ in range(3_000)]
    rows = db.execute(
        """
        select a < b, a = b, b < c, b = c, a < c, a = c
          from unnest(%s::bytea[], %s::bytea[], %s::bytea[]) with ordinality t (a, b, c, place)
         order by place
        """,
        [list(column) for column in zip(*triples, strict=True)],
    ).fetchall()
    for (a, b, c), row in zip(triples, rows, strict=True):
        assert row == (a < b, a == b, b < c, b == c, a < c, a == c)
        assert any(x <= y <= z for x, y, z in permutations([a, b, c]))


def test_extremes(db: psycopg.Connection, read: Read, read_names: ReadNames) -> None:
    texts = ["", "1" * 255, "1" * 256, "1" * 10_000_000, "0" * 255, "1." * 127 + "1", "1a" * 127]
    texts += ["é" * 255, "1.0.0-" + "\N{COMBINING ACUTE ACCENT}" * 300, "\x01" * 255, "{" * 9]
    texts += ["1-" + "~" * 253, "\\" * 9, "\\x41", "\\101", "1.0.0-\\x41"]
    for scheme in SCHEMES:
        read(scheme, texts)
        assert read(scheme, [None]) == [None]  # type: ignore[list-item]
    for (rule,) in db.execute("select distinct name_rule from pkgdb.ecosystem").fetchall():
        read_names(rule, texts)
        assert read_names(rule, [None]) == [None]  # type: ignore[list-item]


def test_numbers_have_at_most_250_digits(read: Read) -> None:
    longest, longer = "9" * 250, "1" + "0" * 250
    for scheme in ["pep440", "debian", "natural", "maven", "rubygems", "rpm", "conda"]:
        fits, too_long, padded = read(scheme, [longest, longer, "0000" + longest])
        assert fits is not None, scheme
        assert too_long is None, scheme
        assert padded is not None, scheme
        assert padded.key == fits.key


def test_numbers_of_every_length_are_ordered(read: Read) -> None:
    """One digit more is more, over every way in which a key states a length."""
    numbers = [n for digits in range(1, 246) for n in ["1" + "0" * (digits - 1), "9" * digits]]
    for scheme, form in [
        ("semver53", "1.0.0-{}"),
        ("pep440", "1.{}"),
        ("pep440", "1.post{}"),
        ("pep440", "{}!1"),
        ("debian", "1.{}"),
        ("natural", "r{}"),
        ("maven", "1.{}"),
        ("rubygems", "1.{}"),
        ("rpm", "1.{}-1"),
        ("golang", "v1.0.{}"),
        ("conda", "1.{}"),
    ]:
        keys = [r and r.key for r in read(scheme, [form.format(n) for n in numbers])]
        assert keys == sorted(set(keys)), (scheme, form)
