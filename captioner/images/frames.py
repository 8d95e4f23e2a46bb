"""Of an animation, the first frame that shows something: many fade in from black or white."""

from __future__ import annotations

from PIL import Image

from captioner.images.colours import rgb

_ANIMATIONS = {"GIF", "PNG", "WEBP", "AVIF"}
_SHOWS = 64  # levels of brightness, of 255, between the darkest and the lightest place
_FRAMES = 100  # that are looked at


def first_that_shows(image: Image.Image) -> Image.Image:
    """The first frame in RGB that is more than one flat colour; of flat ones, the least flat."""
    best = rgb(image)
    if image.format not in _ANIMATIONS:
        return best
    most, place = _range(best), 1
    while most < _SHOWS and place < _FRAMES and getattr(image, "is_animated", False):
        try:
            image.seek(place)
            frame = rgb(image)
        except Exception:  # the last was before, or one that is damaged: those before it count
            break
        if (found := _range(frame)) > most:
            best, most = frame, found
        place += 1
    return best


def _range(picture: Image.Image) -> int:
    darkest, lightest = picture.convert("L").getextrema()
    assert isinstance(darkest, int) and isinstance(lightest, int)
    return lightest - darkest
