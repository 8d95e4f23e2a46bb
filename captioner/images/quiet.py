"""Nothing that Pillow and its libraries remark is printed: it would stand among the captions."""

from __future__ import annotations

import ctypes
import logging
import warnings
from contextlib import suppress

from PIL import _imaging


def hush() -> None:
    """Silence what is said of pictures that are refused, or read all the same."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    # libtiff writes to the process's stderr, below Python; its handlers are looked up through the
    # library that brought it along, and left as they are where that does not show it.
    with suppress(OSError, AttributeError, TypeError):
        libtiff = ctypes.CDLL(_imaging.__file__)
        libtiff.TIFFSetErrorHandler(None)
        libtiff.TIFFSetWarningHandler(None)
