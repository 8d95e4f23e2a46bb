"""Opens whatever a person has as a picture; what comes out is upright, RGB and 8 bits a channel."""

from captioner.images.opening import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    Picture,
    open_image,
    picture_size,
)

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "Picture", "open_image", "picture_size"]
