"""The command line: ``pkgdb``, or ``python -m pkgdb``."""

import sys


def main() -> None:
    """Exit codes: 0 fine, 1 findings, 2 wrong usage or not to be carried out."""
    try:
        from pkgdb.cli.app import cli
    except ModuleNotFoundError as error:
        if (error.name or "pkgdb").startswith("pkgdb"):
            raise
        print(f"{error.name} is missing: install pkgdb[cli]", file=sys.stderr)
        sys.exit(2)
    cli(prog_name="pkgdb")
