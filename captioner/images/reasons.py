"""Why a file is no picture that can be read, and what to do about it: one part of a sentence."""

from __future__ import annotations

import re
from typing import IO

from PIL import UnidentifiedImageError, features

_KNOWN = rb"\xff\xd8|\x89PNG|GIF8|RIFF....WEBP|BM|II\*|MM\0\*|P[1-7]\s|\0\0\0\x0cjP|....ftypav"
_SIGNATURES = (
    (rb"^....ftyp(hei|hev|mif1|msf1)", "is an HEIC photo, which cannot be read; save it as JPEG"),
    (rb"^....ftyp(?!avi[fs])", "is a film; save one picture of it as JPEG"),
    (rb"^%PDF", "is a PDF document; save its page as PNG"),
    (rb"^\s*<(svg|\?xml.*<svg)", "is an SVG drawing; save it as PNG"),
)


def unreadable(path: str, error: OSError | ValueError) -> str:
    """Why a file cannot be opened at all."""
    if path.startswith(("http://", "https://")):
        return "is a web address; download the picture and name the file"
    if isinstance(error, FileNotFoundError):
        return "there is no such file; check the name"
    if isinstance(error, PermissionError):
        return "may not be read; check its permissions"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def damaged(cause: Exception | str) -> str:
    """What to say of a picture that broke its decoder."""
    return f"is cut off or damaged ({cause or type(cause).__name__}); copy or download it again"


def what_it_is(file: IO[bytes], error: Exception) -> str:
    """Say what a file is that PIL could not open, and what to do about it."""
    file.seek(0)
    start = file.read(4096)
    if not start:
        return "is empty (0 bytes); copy or download it again"
    for signature, reason in _SIGNATURES:
        if re.search(signature, start, re.DOTALL):
            return reason
    if start[4:11] == b"ftypavi" and not features.check("avif"):
        return "is an AVIF photo, which this Pillow was built without; save it as JPEG"
    if re.match(_KNOWN, start, re.DOTALL):
        return damaged("incomplete" if isinstance(error, UnidentifiedImageError) else error)
    if not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", start):
        return "holds text, not a picture; download it again, or name another file"
    return "is not a kind of picture that can be read; save it as JPEG or PNG"
