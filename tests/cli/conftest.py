"""Running commands, in this process and in others."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pkgdb.cli.app import cli


@pytest.fixture
def run(dsn: str) -> Callable[..., Result]:
    """Runs a command on the test's database."""

    def run(*arguments: object) -> Result:
        environment = {"PKGDB_DSN": dsn, "COLUMNS": "120"}
        result = CliRunner().invoke(cli, [str(a) for a in arguments], env=environment)
        # Anything but an exit would have been a traceback for the user.
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def run_json(run: Callable[..., Result]) -> Callable[..., Any]:
    """Runs a command with --json, and reads what it prints."""

    def run_json(*arguments: object) -> Any:
        result = run(*arguments, "--json")
        assert result.stdout, result.stderr
        return json.loads(result.stdout)

    return run_json


@pytest.fixture
def spawn() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m pkgdb` in a process of its own."""

    def spawn(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PKGDB_")}
        return subprocess.run(
            [sys.executable, "-m", "pkgdb", *(str(a) for a in arguments)],
            env=inherited | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return spawn


@pytest.fixture
def items(tmp_path: Path) -> Callable[..., Path]:
    """Writes JSON lines of a package, one version a line."""

    def items(*versions: str | dict[str, Any], name: str = "thing") -> Path:
        path = tmp_path / "items.jsonl"
        with path.open("w") as file:
            for version in versions:
                more = version if isinstance(version, dict) else {"version": version}
                file.write(json.dumps({"ecosystem": "pypi", "name": name} | more) + "\n")
        return path

    return items
