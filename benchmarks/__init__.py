"""What pkgdb costs, beside the same writes without it: `make bench`."""
