"""What a person wrote about a photo: inside it, or in an XMP sidecar."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from PIL import ExifTags, Image, IptcImagePlugin
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from captioner.batch import xmp
from captioner.images import USUAL, png
from captioner.images.kinds import opened

_CAPTION, _CHARACTER_SET = (2, 120), (1, 90)  # of IPTC-IIM
_UTF8 = b"\x1b%G"
_OF_PNG = ("description", "comment")  # keywords of the PNG specification
_PACKETS = 100  # of XMP that are looked at
_OF_WINDOWS = (ExifTags.Base.XPComment, ExifTags.Base.XPSubject, ExifTags.Base.XPTitle)

# What cameras and programs write by themselves. Most names are from PhotoPrism's list of unwanted
# descriptions (internal/meta), found in many people's photos.
_MACHINES = re.compile(
    r"((olympus|(konica )?minolta|samsung|sony|pentax|casio|sanyo|kodak|ricoh|asus|hp|vivitar|benq"
    r"|polaroid|panasonic|toshiba|concord|medion|premier) )?digital (still )?camera"
    r"|(samsung|sony dsc|minolta dsc)( camera pictures)?"
    r"|<digimax.*>|dcim[\\/].*|exif_jpeg_picture|default|untitled|binary comment|iclarified"
    r"|charset=\w+|dvc .*hdmi|created (by|with) .*|picture|image|screenshot"
    r"|r?hdr(pl)?|sdr(_hdrb)?|[fr]?bt(hdr|fhdr|fmdn|f|r)?|mon|o?z?nor(wo)?|dav|mde(_soft)?|edf|cof"
    r"|frontbhdp|ptr|frem|rpt|burst|qrf|fshbty|_?cuva",
    re.IGNORECASE | re.DOTALL,
)
_DATA = re.compile(r"(<\?xml|<OME|ImageJ=|SCIFIO=|\{).*|.*\bSteps: \d+, Sampler: .*", re.DOTALL)


def sidecars(photo: str) -> tuple[Path, Path]:
    """The XMP sidecars that the photo of that path may have: darktable's and digiKam's
    `photo.jpg.xmp`, and Lightroom's `photo.xmp`."""
    return Path(f"{photo}.xmp"), Path(f"{os.path.splitext(photo)[0]}.xmp")


def is_described(photo: str, *places: Path) -> bool:
    """Whether someone has described the photo of that path: in it, beside it, or in a sidecar in
    one of those places."""
    beside = (path.with_suffix(end) for path in sidecars(photo) for end in (".xmp", ".XMP"))
    return any(map(sidecar_description, (*places, *beside))) or bool(description(photo))


def sidecar_description(sidecar: Path) -> str:
    """The description in an XMP sidecar; "" where that is absent, empty or broken."""
    try:
        return xmp.description(sidecar.read_bytes())
    except (OSError, ValueError):
        return ""


def description(photo: str | bytes) -> str:
    """The description in the photo of that path or of those bytes: XMP's, IPTC's, EXIF's or PNG's;
    "" where there is none, or only what a camera writes by itself, or no photo."""
    try:
        with io.BytesIO(photo) if isinstance(photo, bytes) else open(photo, "rb") as file:
            return next(filter(None, map(_by_a_person, _descriptions(file))), "")
    except OSError:  # opening the photo will tell
        return ""


def _descriptions(file: IO[bytes]) -> Iterator[str]:
    with suppress(Exception):  # damaged notes can trip a decoder in any way
        image = opened(file, USUAL)
        info = image.info
        if isinstance(image, PngImageFile):
            info |= png.notes(image)
        packet = info.get("xmp")
        if packet:
            yield _of_xmp(packet if isinstance(packet, bytes) else str(packet).encode())
        yield _of_iptc(image)
        yield from _of_exif(Image.Image.getexif(image))  # a PNG's own would decode it
        if isinstance(image, PngImageFile):
            yield from (str(info[name]) for name in info if str(name).lower() in _OF_PNG)
    yield from map(_of_xmp, _packets(file))


def _of_exif(notes: Image.Exif) -> Iterator[str]:
    yield _text(notes.get(ExifTags.Base.ImageDescription))
    for name in _OF_WINDOWS:
        value = notes.get(name)
        if isinstance(value, bytes):
            yield value.decode("utf-16-le", "replace")
    comment = notes.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(comment, bytes):
        yield _user_comment(comment[:8], comment[8:], notes.endian == ">")


def _user_comment(kind: bytes, text: bytes, big: bool) -> str:
    """The text of EXIF's UserComment, which is in the byte order of the other notes, or not."""
    if kind != b"UNICODE\0":
        return _text(text)
    first, second = text[::2].count(0), text[1::2].count(0)
    big = big if first == second else first > second
    return text.decode("utf-16-be" if big else "utf-16-le", "replace")


def _packets(file: IO[bytes]) -> Iterator[bytes]:
    """The XMP that stands in the file as it is, in whatever format: it is made to be found so."""
    file.seek(0)
    content = file.read()
    end = 0
    for _ in range(_PACKETS):
        start = content.find(b"<rdf:RDF", end)
        end = content.find(b"</rdf:RDF>", start)
        if min(start, end) < 0:
            return
        end += len(b"</rdf:RDF>")
        yield content[start:end]


def _by_a_person(text: str) -> str:
    text = text.strip(" \t\r\n\0")
    return "" if _MACHINES.fullmatch(text) or is_data(text) else text


def is_data(description: str) -> bool:
    """Whether this is what a microscope or a program keeps there, OME-XML say, for programs."""
    return _DATA.match(description.lstrip()) is not None


def _of_xmp(packet: bytes) -> str:
    try:
        return xmp.description(packet.strip(b" \t\r\n\0"))
    except xmp.NotXmp:
        return ""


def _of_iptc(image: ImageFile) -> str:
    notes: dict[tuple[int, int], Any] = IptcImagePlugin.getiptcinfo(image) or {}
    caption = notes.get(_CAPTION, b"")
    caption = b"\n".join(caption) if isinstance(caption, list) else caption
    if notes.get(_CHARACTER_SET) == _UTF8:
        return str(caption.decode("utf-8", "replace"))
    return _text(caption)


def _text(value: Any) -> str:
    """A note as text: UTF-8 where it can be, which is what people's programs write."""
    if isinstance(value, tuple):
        value = value[0] if value else ""
    if isinstance(value, str):  # Pillow reads EXIF as Latin-1
        try:
            return value.encode("latin-1").decode()
        except UnicodeError:
            return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeError:
            return value.decode("latin-1")
    return ""
