"""What `make prove` says that it attacks is what the README promises, and is there."""

import re
from pathlib import Path

import pytest

from tests.proof.attacks import ATTACKS, Attack

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def promises() -> dict[str, list[str]]:
    """Those of the README, and what each links to."""
    listed = README[README.index("What it guarantees") : README.index("## Run it")]
    found = re.findall(r"^- \*\*(.*?)\.?\*\*(.*?)(?=^- |\Z)", listed, re.MULTILINE | re.DOTALL)
    return {promise: re.findall(r"\]\((.*?)\)", text) for promise, text in found}


def test_each_promise_is_attacked_in_its_turn() -> None:
    assert list(dict.fromkeys(attack.promise for attack in ATTACKS)) == list(promises())


@pytest.mark.parametrize("promise", promises())
def test_a_promise_links_to_one_of_its_attacks(promise: str) -> None:
    patterns = [test for attack in ATTACKS if attack.promise == promise for test in attack.tests]
    files = [
        file
        for link in promises()[promise]
        for file in (ROOT / link, *(ROOT / link).glob("test_*"))
    ]
    assert all((ROOT / link).exists() for link in promises()[promise])
    linked = [f"{file.relative_to(ROOT)}::a_test" for file in files]
    assert any(Attack("", "", tuple(patterns)).has(test) for test in linked)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_has_tests(attack: Attack) -> None:
    for pattern in attack.tests:
        file, _, name = pattern.partition("::")
        files = [*ROOT.glob(file)] if file != "*" else [*(ROOT / "tests").rglob("test_*.py")]
        assert files, pattern
        word = name.strip("*").split("*")[0]
        assert any(word in path.read_text() for path in files if path.is_file()), pattern
