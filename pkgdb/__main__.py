"""``python -m pkgdb``."""

from pkgdb.cli import main

if __name__ == "__main__":
    main()
