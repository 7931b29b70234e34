"""What strangers send: any text gets RG400 or a result, from every function, and one order."""

import random
from itertools import permutations

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.versions import spellings
from tests.versions.conftest import Read, ReadNames

SCHEMES = ["semver53", "semver64", "pep440", "debian", "natural"]
RULES = ["npm", "cargo", "pep503", "deb", "generic"]
BATCH, BATCHES = 250, 400  # 100,000 texts

REAL = [v for name in ["npm", "pypi", "deb"] for v in spellings.real(name)]
TEXT = st.one_of(
    st.sampled_from(REAL),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.text("0123456789.-+~:!_v", max_size=16),
    st.text("01.-_+avbrcdeposti \n", max_size=16),
    st.builds(spellings.damaged, st.randoms(use_true_random=False), st.sampled_from(REAL)),
)


@pytest.mark.slow
def test_any_text(read: Read) -> None:
    @settings(
        max_examples=BATCHES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False), st.lists(TEXT, min_size=20, max_size=40))
    def check(rng: random.Random, seeds: list[str]) -> None:
        # Hypothesis makes the seeds, and splices of two or three of them to fill the batch.
        texts = list(seeds)
        while len(texts) < BATCH:
            one, two, three = rng.choice(seeds), rng.choice(seeds), rng.choice(seeds)
            cut = rng.randint(0, len(one))
            texts.append(one[:cut] + rng.choice(["", three]) + two[rng.choice([0, cut]) :])
        for scheme, known in accepted.items():
            known |= {r.normal: r.key for r in read(scheme, texts) if r is not None}

    # semver64 is semver53 with another number.
    accepted: dict[str, dict[str, bytes]] = {s: {} for s in SCHEMES if s != "semver64"}
    check()

    # A normal form is its own normal form, with the same key and so the same place.
    for scheme, known in accepted.items():
        assert len(known) > 1_000, scheme
        for reading in read(scheme, list(known)):
            assert reading is not None
            assert (reading.normal, reading.key) == (reading.version, known[reading.version])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_server_orders_totally(db: psycopg.Connection, read: Read, scheme: str) -> None:
    rng = random.Random(6)
    makers = [spellings.semver, spellings.pep440, spellings.debian, spellings.generic]
    texts = [rng.choice(makers)(rng) for _ in range(8_000)]
    keys = [r.key for r in read(scheme, texts) if r is not None]
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


def test_extremes(read: Read, read_names: ReadNames) -> None:
    texts = ["", "1" * 255, "1" * 256, "1" * 10_000_000, "0" * 255, "1." * 127 + "1", "1a" * 127]
    texts += ["é" * 255, "1.0.0-" + "\N{COMBINING ACUTE ACCENT}" * 300, "\x01" * 255, "{" * 9]
    texts += ["1-" + "~" * 253, "\\" * 9, "\\x41", "\\101", "1.0.0-\\x41"]
    for scheme in SCHEMES:
        read(scheme, texts)
        assert read(scheme, [None]) == [None]  # type: ignore[list-item]
    for rule in RULES:
        read_names(rule, texts)
        assert read_names(rule, [None]) == [None]  # type: ignore[list-item]


def test_numbers_have_at_most_250_digits(read: Read) -> None:
    longest, longer = "9" * 250, "1" + "0" * 250
    for scheme in ["pep440", "debian", "natural"]:
        fits, too_long, padded = read(scheme, [longest, longer, "0000" + longest])
        assert fits is not None
        assert too_long is None
        assert padded is not None
        assert padded.key == fits.key


def test_numbers_of_every_length_are_ordered(read: Read) -> None:
    """One digit more is more, over every way in which a key states a length."""
    numbers = [n for digits in range(1, 249) for n in ["1" + "0" * (digits - 1), "9" * digits]]
    for scheme, form in [
        ("semver53", "1.0.0-{}"),
        ("pep440", "1.{}"),
        ("pep440", "1.post{}"),
        ("pep440", "{}!1"),
        ("debian", "1.{}"),
        ("natural", "r{}"),
    ]:
        keys = [r and r.key for r in read(scheme, [form.format(n) for n in numbers])]
        assert keys == sorted(set(keys)), form
