"""What Pillow gets silently wrong in TIFF: planes, negatives, a thumbnail before the photo."""

from __future__ import annotations

from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COLORMAP,
    EXTRASAMPLES,
    IMAGELENGTH,
    IMAGEWIDTH,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    TiffImageFile,
)

_SUBFILE = 254  # the tag whose lowest bit marks a page as a smaller copy of another
_PAGES = 100  # that are looked at
_YCBCR = 6
_LIKENESS = 0.03  # by which the proportions of a photo and its thumbnail may differ


class UnreadableTiff(Exception):
    """A whole file of a kind that would be misread."""


def turn_to_the_photo(image: TiffImageFile) -> None:
    """Go to the page that shows the first page's photo in full, if that is a thumbnail of it.

    A thumbnail is marked as a smaller copy, or at most half as long as a page of its proportions.
    """
    first = _page(image)
    best, best_place = first, 0
    for place in range(1, _PAGES):
        try:
            image.seek(place)
        except Exception:  # the last was before, or one that cannot be read
            break
        page = _page(image)
        reduced = page[2]
        if (best[2] and not reduced) or (not reduced and _is_larger_copy(page, best)):
            best, best_place = page, place
    image.seek(best_place)


def _page(image: TiffImageFile) -> tuple[int, int, bool]:
    tags = image.tag_v2
    return tags[IMAGEWIDTH], tags[IMAGELENGTH], bool(tags.get(_SUBFILE, 0) & 1)


def _is_larger_copy(page: tuple[int, int, bool], other: tuple[int, int, bool]) -> bool:
    scale_x, scale_y = page[0] / other[0], page[1] / other[1]
    return min(scale_x, scale_y) >= 2 and abs(scale_x / scale_y - 1) <= _LIKENESS


def mend(image: TiffImageFile) -> None:
    """Before it is decoded: have libtiff read planes and YCbCr that Pillow's own code mistakes,
    and a palette of 8 bits, which it takes for one of 16, black.

    Raises UnreadableTiff for what both mistake.
    """
    tags = image.tag_v2
    photometric, planes = tags.get(PHOTOMETRIC_INTERPRETATION), tags.get(PLANAR_CONFIGURATION, 1)
    if planes == 2 and tags.get(SAMPLESPERPIXEL, 1) == 1:
        tags[PLANAR_CONFIGURATION] = planes = 1  # one plane is no planes
        image._setup()
    if image.mode in ("P", "PA") and max(tags[COLORMAP]) < 256:
        tags[COLORMAP] = tuple(level * 257 for level in tags[COLORMAP])  # written in 8 bits, not 16
        image._setup()
    if tags.get(SAMPLEFORMAT) == (2,) and tags.get(BITSPERSAMPLE) == (8,):
        raise UnreadableTiff  # numbers below 0, that Pillow takes for bright ones
    if planes == 2:
        premultiplied = 1 in tags.get(EXTRASAMPLES, ())
        if image.mode not in ("RGB", "RGBA", "CMYK") or premultiplied or photometric == _YCBCR:
            raise UnreadableTiff
    if not image.use_load_libtiff and (planes == 2 or photometric == _YCBCR):
        wide = ";16N" if tags[BITSPERSAMPLE][0] == 16 else ""
        rawmode = "RGBX" if photometric == _YCBCR else image.mode + wide
        image.use_load_libtiff = True
        width, height = tags[IMAGEWIDTH], tags[IMAGELENGTH]
        codec = ("libtiff", (0, 0, width, height), 0, (rawmode, "raw", False, tags.offset))
        image.tile = [type(image.tile[0])(*codec)]


def is_negative(image: TiffImageFile) -> bool:
    """Whether 0 is white, and Pillow hands the numbers on as they are: in all but 1 and 8 bits."""
    zero_is_white = image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0
    return zero_is_white and image.mode not in ("1", "L")
