"""Writes docs/incidents.md: each incident, its test, and the protections that the test leans on.

    python tools/incidents.py [--check]

What happened and what is right are the first words of each test file; the protections are those
that it takes away to show that it fails then.
"""

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "incidents"
PAGE = ROOT / "docs" / "incidents.md"
KINDS = {
    "L": "Latest pointers",
    "U": "Uniqueness and ghosts",
    "P": "Publications and stores of bytes",
    "F": "The feed",
    "S": "Snapshots, mirrors, distributions",
}
HEAD = """\
<!-- Written by tools/incidents.py: do not edit. -->

# What went wrong elsewhere

Each of these happened in a real registry, or was reproduced there. The test sets up the same
situation and shows what happens here. Where it leans on a lock, an index, a foreign key, a fence or
a condition, it also takes that away and shows that things go wrong without; the last column names
what, by the names of [protections.py](../tests/incidents/protections.py) and
[pipeline.py](../tests/incidents/pipeline.py), or says how else the test is made to fail.
"""


def removals(path: Path) -> set[str]:
    """The names of the protections that a module says how to take away."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "REMOVALS":
            assert isinstance(node.value, ast.Dict)
            return {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
    raise SystemExit(f"{path}: no REMOVALS")


def texts(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def taken_away(module: ast.Module, known: set[str]) -> list[str]:
    """What `without` is given: literally, or from a list of cases."""
    calls = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "without"
    ]
    found = [text for call in calls for each in call.args for text in texts(ast.walk(each))]
    if any(isinstance(each, ast.Name | ast.Starred) for call in calls for each in call.args):
        cases = [node for node in module.body if isinstance(node, ast.Assign | ast.AnnAssign)]
        cases += [
            decorator
            for node in module.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for decorator in node.decorator_list
        ]
        found += [text for case in cases for text in texts(ast.walk(case))]
    named = [text for text in dict.fromkeys(found) if text in known]
    # Some have a way of their own, and say in the name of the test what it is.
    return named or [
        name.rpartition("without ")[2] if "without " in name else name.removeprefix("test ")
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and re.search("without |fails ", name := node.name.replace("_", " "))
    ]


def row(path: Path, known: set[str]) -> str:
    module = ast.parse(path.read_text())
    said = " ".join((ast.get_docstring(module) or "").split())
    happened, separator, right = said.partition(" Right: ")
    if not separator:
        raise SystemExit(f"{path}: the docstring does not say what is right")
    name = path.stem.removeprefix("test_")
    cells = [
        f"[{name}](../tests/incidents/{path.name})",
        happened.rstrip(".") + ".",
        right[0].upper() + right[1:],
        "; ".join(taken_away(module, known)) or "-",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page() -> str:
    known = removals(TESTS / "protections.py") | removals(TESTS / "pipeline.py")
    parts = [HEAD]
    for letter, title in KINDS.items():
        rows = [row(path, known) for path in sorted(TESTS.glob(f"test_{letter}*.py"))]
        table = ["| | what happened | what is right | shown to fail without |", "|---|---|---|---|"]
        parts.append("\n".join([f"## {title}", "", *table, *rows]) + "\n")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/incidents.md is not up to date: python tools/incidents.py")


if __name__ == "__main__":
    main()
