"""Which test notices what: killers.json, a line for each mutant.

A mutant that nobody can notice has the reason there, in brackets.
"""

import json
from pathlib import Path

FILE = Path(__file__).with_name("killers.json")


def read() -> dict[str, str]:
    return dict(json.loads(FILE.read_text()))


def write(known: dict[str, str]) -> None:
    FILE.write_text(json.dumps(known, indent=0, sort_keys=True) + "\n")


def is_excuse(entry: str) -> bool:
    return entry.startswith("(")
