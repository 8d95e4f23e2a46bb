"""Opens whatever a person has as a picture; what comes out is upright, RGB and 8 bits a channel."""

from captioner.images.kinds import SUFFIXES as IMAGE_SUFFIXES
from captioner.images.limits import MAX_BYTES, MAX_PIXELS, MAX_SECONDS, USUAL, Allowed
from captioner.images.opening import Picture, open_image, picture_size
from captioner.images.quiet import hush

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

hush()
