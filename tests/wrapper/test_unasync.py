"""The synchronous twin is what its source makes of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def unasync(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, root / "tools" / "unasync.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_twin_is_fresh() -> None:
    result = unasync(ROOT, "--check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for part in ("tools/unasync.py", "pyproject.toml"):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / part, tmp_path / part)
    for part in ("_async", "_sync"):
        shutil.copytree(ROOT / "pkgdb" / part, tmp_path / "pkgdb" / part)
    return tmp_path


def test_a_stale_twin_is_found_and_written_anew(checkout: Path) -> None:
    twins = checkout / "pkgdb" / "_sync"
    good = (twins / "executor.py").read_text(encoding="utf-8")
    (twins / "executor.py").write_text(good + "# by hand\n", encoding="utf-8")
    (twins / "orphan.py").touch()

    found = unasync(checkout, "--check")
    assert found.returncode == 1
    assert found.stdout == "stale: pkgdb/_sync/executor.py\nstale: pkgdb/_sync/orphan.py\n"

    assert unasync(checkout).returncode == 0
    assert (twins / "executor.py").read_text(encoding="utf-8") == good
    assert not (twins / "orphan.py").exists()
    assert unasync(checkout, "--check").returncode == 0


def test_nothing_asynchronous_is_left() -> None:
    for path in (ROOT / "pkgdb" / "_sync").glob("*.py"):
        text = path.read_text(encoding="utf-8").split("\n", 1)[1]
        assert "await" not in text
        assert "async" not in text.lower(), path
