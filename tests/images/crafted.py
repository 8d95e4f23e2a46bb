"""Two hundred pictures crafted to take memory or time, or to trip a decoder."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from tests.images.made import chunk, cmyk_profile, png, tiff
from tests.images.promises import PROMISES, SIZES
from tests.images.scene import saved

Made = Callable[[], bytes]


def crafted() -> Iterator[tuple[str, Made]]:
    """Names, and what makes the bytes."""
    for (width, height), (name, make) in itertools.product(SIZES, PROMISES.items()):
        yield f"{name} {width}x{height}", lambda make=make, w=width, h=height: make(w, h)  # type: ignore[misc]
    yield from FULL.items()
    yield from LONG.items()
    yield from KNOTTED.items()


# --- small files that hold all that they promise ------------------------------------------------


def _deflated(width: int, height: int, bits: int, kind: int, step: int = 1) -> Made:
    def make() -> bytes:
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
        row = b"\0" + bytes(-(-width * bits * channels // 8))
        packer = zlib.compressobj(step)
        pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
        header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
        palette = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256)) if kind == 3 else b""
        body = chunk(b"IHDR", header) + palette + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + body

    return make


def _flat(mode: str, size: tuple[int, int], kind: str, **options: Any) -> Made:
    return lambda: saved(Image.new(mode, size), kind, **options)


FULL: dict[str, Made] = {
    "full png grey 16": _deflated(9_459, 9_459, 16, 0),
    "full png grey 1": _deflated(9_459, 9_459, 1, 0),
    "full png transparent palette": _deflated(9_459, 9_459, 8, 3),
    "full png rgba": _deflated(8_000, 8_000, 8, 6),
    "full png rgba 16": _deflated(8_300, 8_300, 16, 6),
    "full png grey alpha": _deflated(8_000, 8_000, 8, 4),
    "full png thin": _deflated(89_000_000, 1, 8, 0),
    "full png tall": _deflated(1, 5_000_000, 8, 2),
    "full tiff float": _flat("F", (8_000, 8_000), "TIFF", compression="tiff_adobe_deflate"),
    "full tiff int": _flat("I", (8_000, 8_000), "TIFF", compression="tiff_lzw"),
    "full tiff fax": _flat("1", (9_400, 9_400), "TIFF", compression="group4"),
    "full tiff rgba": _flat("RGBA", (7_000, 7_000), "TIFF", compression="tiff_adobe_deflate"),
    "full tiff cmyk": _flat("CMYK", (7_000, 7_000), "TIFF", compression="packbits"),
    "full tiff jpeg": _flat("RGB", (8_000, 8_000), "TIFF", compression="jpeg"),
    "full gif": _flat("P", (9_000, 9_000), "GIF"),
    "full webp": _flat("RGBA", (3_500, 3_500), "WEBP", lossless=True, method=0),
    "full jpeg": _flat("RGB", (9_400, 9_400), "JPEG"),
    "full jpeg progressive": _flat("RGB", (6_900, 6_900), "JPEG", progressive=True, subsampling=0),
    "full jpeg cmyk": _flat("CMYK", (8_000, 8_000), "JPEG"),
    "full jp2": _flat("RGB", (4_000, 4_000), "JPEG2000"),
    "full bmp": _flat("1", (9_400, 9_400), "BMP"),
}


# --- small files that take long -----------------------------------------------------------------


def _scans(count: int, side: int) -> Made:
    def make() -> bytes:
        data = saved(Image.linear_gradient("L").resize((side, side)), "JPEG", progressive=True)
        last = data.rindex(b"\xff\xda")
        return data[:last] + data[last:-2] * count + data[-2:]

    return make


def _empty_scans(count: int, side: int) -> Made:
    """Scans of a few bytes, each of which goes over every block of a large picture."""

    def make() -> bytes:
        data = saved(Image.new("L", (side, side)), "JPEG", progressive=True)
        last = data.rindex(b"\xff\xda")
        return data[:last] + (data[last : last + 10] + b"\0") * count + data[-2:]

    return make


def _comments(count: int, length: int, after: bool) -> Made:
    def make() -> bytes:
        data = saved(Image.new("P", (8, 8)), "GIF")
        comment = b"\x21\xfe" + bytes([length]) + b"x" * length + b"\0"
        place = len(data) - 1 if after else data.index(b"\x2c")
        return data[:place] + comment * count + data[place:]

    return make


def _frames(kind: str, count: int, side: int, **options: Any) -> Made:
    def make() -> bytes:
        frames = [Image.new("RGB", (side, side), (i % 9, 0, 0)) for i in range(count)]
        return saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)

    return make


def _growing() -> bytes:
    """A GIF whose second frame is larger than its first, which shows nothing."""
    data = bytearray(_frames("GIF", 2, 8)())
    place = data.rindex(b"\x2c") + 5
    data[place : place + 4] = struct.pack("<HH", 9_400, 9_400)
    return bytes(data)


def _bmp_runs(side: int, run: bytes) -> Made:
    def make() -> bytes:
        runs = run * (side * side // run[0])
        header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
        file = b"BM" + struct.pack("<IHHI", 1078 + len(runs), 0, 0, 1078)
        return file + header + bytes(1024) + runs

    return make


_ONE = bytes(2)
LONG: dict[str, Made] = {
    "3000 scans": _scans(3_000, 1_500),
    "200 scans of a large jpeg": _scans(200, 5_000),
    "empty scans": _empty_scans(100_000, 8_000),
    "comments before": _comments(20_000, 255, after=False),
    "comments after": _comments(20_000, 255, after=True),
    "tiny comments": _comments(500_000, 1, after=False),
    "gif of black frames": _frames("GIF", 300, 900),
    "webp of black frames": _frames("WEBP", 60, 1_500, lossless=True, method=0),
    "png of black frames": _frames("PNG", 60, 1_500),
    "gif that grows": _growing,
    "comment in a ppm": lambda: b"P6 #" + b"x" * 20_000_000 + b"\n2 2 255\n" + bytes(12),
    "comments in a ppm": lambda: b"P6 " + b"#\n" * 5_000_000 + b"2 2 255\n" + bytes(12),
    "odd white of a ppm": lambda: b"P6 4000 4000 254\n" + bytes(48_000_000),
    "16 bits of a ppm": lambda: b"P6 3000 3000 65535\n" + bytes(54_000_000),
    "plain ppm": lambda: b"P3 2000 2000 255\n" + b"7 " * 12_000_000,
    "plain pbm": lambda: b"P1 4000 4000\n" + b"0" * 16_000_000,
    "runs of one": _bmp_runs(4_000, b"\x01\x07"),
    "runs of many": _bmp_runs(9_000, b"\xff\x07"),
    "markers": lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 4_000_000,
    "padding": lambda: b"\xff\xd8" + b"\xff" * 10_000_000,
    "no marker": lambda: b"\xff\xd8" + b"\xff\xe0\0\x10JFIF\0" + bytes(10_000_000),
    "png texts": lambda: png(1, 1, 8, 0, _ONE, chunk(b"tEXt", b"a\0b") * 900_000),
    "png packed texts": lambda: png(
        1, 1, 8, 0, _ONE, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000))) * 200
    ),
    "png late chunks": lambda: png(1, 1, 8, 0, _ONE, after=chunk(b"zzZz", b"") * 900_000),
    "png profile": lambda: png(
        1, 1, 8, 0, _ONE, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(200_000_000)))
    ),
    "png empty data": lambda: png(9, 9, 8, 0, bytes(90), chunk(b"IDAT", b"") * 900_000),
}


# --- files whose parts refer to each other, or to nothing ---------------------------------------


def entangled_notes(entries: int, size: int) -> bytes:
    """Notes (a TIFF directory) each of which refers to all the bytes there are."""
    directory = struct.pack("<H", entries)
    for number in range(entries):
        directory += struct.pack("<HHII", 1000 + number, 1, size, 8)
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + directory + bytes(4)


def _with_notes(kind: str, notes: bytes) -> Made:
    return lambda: saved(Image.new("RGB", (64, 64)), kind, exif=b"Exif\0\0" + notes)


def _jpeg_with_notes() -> bytes:
    data, notes = saved(Image.new("RGB", (64, 64)), "JPEG"), entangled_notes(5_000, 1_000_000)
    parts = (notes[place : place + 60_000] for place in range(0, len(notes), 60_000))
    segments = b"".join(
        b"\xff\xe1" + struct.pack(">H", 8 + len(part)) + b"Exif\0\0" + part for part in parts
    )
    return data[:2] + segments + data[2:]


def _ring(page_count: int) -> bytes:
    page = np.full((4, 5, 3), 7, np.uint8)
    data = bytearray(tiff([page] * page_count, 2))
    (first,) = place = struct.unpack_from("<I", data, 4)
    while place[0]:
        (count,) = struct.unpack_from("<H", data, place[0])
        link = place[0] + 2 + 12 * count
        place = struct.unpack_from("<I", data, link)
    struct.pack_into("<I", data, link, first)
    return bytes(data)


def _tags(count: int) -> bytes:
    directory = struct.pack("<H", count)
    directory += b"".join(struct.pack("<HHII", i, 4, 1, i) for i in range(count))
    return b"II*\0\x08\0\0\0" + directory + bytes(4)


KNOTTED: dict[str, Made] = {
    "entangled notes of a jpeg": _jpeg_with_notes,
    "entangled notes of a png": _with_notes("PNG", entangled_notes(2_000, 1_000_000)),
    "entangled notes of a webp": _with_notes("WEBP", entangled_notes(2_000, 1_000_000)),
    "entangled tags of a tiff": lambda: entangled_notes(2_000, 1_000_000),
    "pages in a ring": lambda: _ring(2),
    "a page that follows itself": lambda: _ring(1),
    "65535 tags": lambda: _tags(65_535),
    "a million strips": lambda: tiff(
        np.zeros((1, 1, 1), np.uint8), 1, more={273: (8,) * 60_000, 279: (1,) * 60_000}
    ),
    "profile for inks": _flat("CMYK", (2_000, 2_000), "TIFF", icc_profile=cmyk_profile(False)),
    "profile of nonsense": _flat("CMYK", (20, 20), "TIFF", icc_profile=bytes(1_000_000)),
}
