# Generated from pkgdb/_async/__init__.py by tools/unasync.py: do not edit.
"""The registry, and what it runs on."""
