"""Why a file is no picture that can be read, and what to do about it: one part of a sentence."""

from __future__ import annotations

import re
from typing import IO

from PIL import UnidentifiedImageError, features

from captioner.errors import why_unread
from captioner.images import tiff
from captioner.images.kinds import NotInstalled

_KNOWN = (
    rb"\xff\xd8|\x89PNG|GIF8|RIFF....WEBP|BM|II\*|MM\0\*|P[1-7fF]\s|\0\0\0\x0cjP|\xff\x4f\xff\x51"
    rb"|....ftyp(avi|hei|hev|mif1|msf1)|\xff\x0a|\0\0\0\x0cJXL"
)
_SIGNATURES = (
    (rb"^....ftyp(?!avi[fs]|hei|hev|mif1|msf1)", "is a film; save one picture of it as JPEG"),
    (rb"^\xff\xd8\xff\xf7", "is JPEG-LS; save it as JPEG"),
    (rb"^%PDF", "is a PDF document; save its page as PNG"),
    (rb"^\s*<(svg|\?xml.*<svg)", "is an SVG drawing; save it as PNG"),
    (rb"^\x89PNG.{8}CgBI", "is a PNG as Apple's tools change it for iPhones; save it as PNG again"),
)
_PACKAGES = {"HEIF": ("an HEIC photo", "pillow-heif"), "JXL": ("JPEG XL", "pillow-jxl-plugin")}
_LONGEST = 100  # characters of a decoder's own words
_NOT_READ = r"(?i)cannot handle|unknown (pixel|data)|unsupported|not yet supp|unable to determine"


def unreadable(path: str, error: OSError | ValueError) -> str:
    """Why a file cannot be opened at all."""
    if path.startswith(("http://", "https://")):
        return "is a web address; download the picture and name the file"
    return why_unread(error)


def damaged(cause: Exception | str) -> str:
    """What to say of a picture that broke its decoder."""
    if isinstance(cause, MemoryError):
        return "takes more memory than there is; make it smaller"
    why = " ".join(str(cause).split())[:_LONGEST] or type(cause).__name__
    return f"is cut off or damaged ({why}); copy or download it again"


def what_it_is(file: IO[bytes], error: Exception) -> str:
    """Say what a file is that could not be opened or decoded, and what to do about it."""
    if isinstance(error, NotInstalled):
        kind, package = _PACKAGES[str(error)]
        return f"is {kind}, which needs the package {package}: pip install {package}"
    if isinstance(error, tiff.UnreadableTiff):
        return "is a TIFF of a kind that would be misread; save it as PNG"
    file.seek(0)
    start = file.read(4096)
    if not start:
        return "is empty (0 bytes); copy or download it again"
    for signature, reason in _SIGNATURES:
        if re.search(signature, start, re.DOTALL):
            return reason
    if start[4:11] == b"ftypavi" and not features.check("avif"):
        return "is an AVIF photo, which this Pillow was built without; save it as JPEG"
    unknown = isinstance(error.__cause__ or error, KeyError) and start.startswith((b"II", b"MM"))
    if unknown or re.search(_NOT_READ, str(error)):
        why = f"compression {error}" if unknown else error
        return f"is of a kind that cannot be read ({why}); save it as JPEG or PNG with 8 bits"
    if re.match(_KNOWN, start, re.DOTALL):
        return damaged("incomplete" if isinstance(error, UnidentifiedImageError) else error)
    if not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", start):
        return "holds text, not a picture; download it again, or name another file"
    return "is not a kind of picture that can be read; save it as JPEG or PNG"
