"""The wheel, installed far from any checkout, migrates."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pkgdb import migrate
from tests.migrations.tools import ROOT, dump
from tests.support import ServerUnderTest

PROGRAM = """
import sys
from pathlib import Path
from pkgdb import migrate, resources

for name in ("sql", "migrations"):
    assert resources.folder(name).is_relative_to(sys.prefix), resources.folder(name)
migrate.upgrade(sys.argv[1])
print(migrate.current(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_wheel_outside_of_the_checkout_migrates(
    server: ServerUnderTest, empty_dsn: str, dsn: str, tmp_path: Path
) -> None:
    place = tmp_path / "50% of a place"
    place.mkdir()
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: object) -> str:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place, ROOT)
    (wheel,) = place.glob("pkgdb-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv")
    python = place / "venv" / "bin" / "python"
    run(*pip, "--python", python, "install", "--no-deps", "--no-index", wheel)
    # The libraries are this environment's; the .pth files in there, which name the checkout, are
    # not read from a folder that is itself named by one.
    installed = sysconfig.get_path("purelib", vars={"base": str(place / "venv")})
    (Path(installed) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    assert run(python, "-W", "error", "-c", PROGRAM, empty_dsn) == "pkgdb_0001\n"
    assert migrate.current(empty_dsn) == "pkgdb_0001"
    assert dump(server, empty_dsn) == dump(server, dsn)
