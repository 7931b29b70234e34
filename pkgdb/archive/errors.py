"""What can keep a distribution from being rendered."""

__all__ = ["ArchiveError"]


class ArchiveError(OSError):
    """A distribution cannot be rendered as it is; what its readers see stays as it was."""
