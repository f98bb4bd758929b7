"""The errors of a queue file, as those who put and those who take files over see them. Pure."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SpoolClosed", "UnknownFormat", "as_os_error"]


class SpoolClosed(OSError):
    """The process stops, and its spool takes nothing any more."""


class UnknownFormat(OSError):
    """A queue file was written by another version of logweir; it is left as it is."""


def as_os_error(path: Path, error: Exception) -> OSError:
    """The error as callers see it: fact, place, next step."""
    return OSError(
        f"the disk queue cannot be written ({error}) at {path}; "
        "make room or give write access, it resumes by itself"
    )
