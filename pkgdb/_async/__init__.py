"""The registry, and what it runs on."""
