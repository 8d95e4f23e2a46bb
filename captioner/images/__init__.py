"""Opens whatever a person has as a picture; what comes out is upright, RGB and 8 bits a channel."""

import ctypes
import logging
import warnings
from contextlib import suppress

from PIL import _imaging

from captioner.images.kinds import SUFFIXES as IMAGE_SUFFIXES
from captioner.images.limits import MAX_BYTES, MAX_PIXELS, MAX_SECONDS, USUAL, Allowed
from captioner.images.opening import Picture, open_image, picture_size

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SECONDS",
    "USUAL",
    "Allowed",
    "Picture",
    "open_image",
    "picture_size",
]

# Nothing that Pillow and its libraries remark is printed: it would stand among the captions.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
# libtiff writes to the process's stderr, below Python; its handlers are looked up through the
# library that brought it along, and left as they are where that does not show it.
with suppress(OSError, AttributeError, TypeError):
    libtiff = ctypes.CDLL(_imaging.__file__)
    libtiff.TIFFSetErrorHandler(None)
    libtiff.TIFFSetWarningHandler(None)
