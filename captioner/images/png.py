"""PNG beyond Pillow: notes behind the pixels, and the transparent colour where it is not 8 bits."""

from __future__ import annotations

from typing import IO, Any

from PIL.PngImagePlugin import PngImageFile, PngStream

_CHUNKS = 100_000  # that are gone through for the notes
_NOTES = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
_LEVELS = {"L;2": 255 // 3, "L;4": 255 // 15, "RGB;16B": 1 / 257}
"""How Pillow scales the numbers of the file to its own, by its name for them."""


def notes(image: PngImageFile) -> dict[Any, Any]:
    """What Pillow calls the `info` of a picture, the EXIF and texts behind its pixels too, none of
    which is decoded.

    Raises struct.error, SyntaxError, OSError or ValueError for a damaged file.
    """
    info: dict[Any, Any] = dict(image.info)
    if "exif" not in info and "Raw profile type exif" in info:  # as ImageMagick writes it
        info["exif"] = bytes.fromhex("".join(info["Raw profile type exif"].split("\n")[3:]))
    return (_late_notes(image.fp) if image.fp else {}) | info


def _late_notes(file: IO[bytes]) -> dict[Any, Any]:
    place, stream = file.tell(), PngStream(file)
    try:
        file.seek(8)
        for _ in range(_CHUNKS):
            kind, start, length = stream.read()
            if kind == b"IEND":
                break
            if kind in _NOTES:
                stream.call(kind, start, length)
            file.seek(start + length + 4)
        return stream.im_info
    finally:
        file.seek(place)


def mend(image: PngImageFile) -> None:
    """Before it is decoded: bring the transparent colour to the scale of the pixels to come."""
    colour, scale = image.info.get("transparency"), _LEVELS.get(str(image.tile[0].args))
    if scale and isinstance(colour, tuple):
        image.info["transparency"] = tuple(int(channel * scale) for channel in colour)
    elif scale and isinstance(colour, int):
        image.info["transparency"] = int(colour * scale)
