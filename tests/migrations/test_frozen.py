import re
import subprocess
import sys

from tests.migrations.tools import ROOT


def test_the_newest_frozen_files_are_those_of_sql() -> None:
    check = subprocess.run(
        [sys.executable, "tools/freeze.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout) == (0, "")


def test_install_lists_each_file_once() -> None:
    install = (ROOT / "sql" / "install.sql").read_text()
    listed = re.findall(r"^\\ir (\S+)$", install, flags=re.MULTILINE)
    files = {path.relative_to(ROOT / "sql").as_posix() for path in (ROOT / "sql").rglob("*.sql")}
    assert sorted(listed) == sorted(files - {"install.sql"})
