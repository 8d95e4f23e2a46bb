"""Too little memory, said in a sentence."""

from __future__ import annotations

from captioner.errors import CaptionerError

NEEDED = 900 << 20
"""Bytes of address space below which libraries end the process as they are loaded, without a word
that Python could take up: measured, 600 MB do and 700 MB do not."""


def check() -> None:
    """Raise CaptionerError where `ulimit -v` leaves less than that."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < NEEDED:
        raise CaptionerError(
            f"a limit (ulimit -v) leaves {limit >> 20} MB of memory, and {NEEDED >> 20} MB are"
            " needed: raise it."
        )
