"""pkgdb beside Debian's aptly, on the same packages in one run."""
