"""TIFF and PNG files written by hand, for what Pillow itself cannot write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_SHORT, _LONG = 3, 4


def tiff(
    pages: Array | Sequence[Array],
    photometric: int,
    *,
    planar: int = 1,
    order: str = "<",
    sample_format: int | None = None,
    extra: Sequence[int] = (),
    subfiles: Sequence[int] = (),
    more: dict[int, tuple[int, ...]] | None = None,
) -> bytes:
    """Uncompressed pages (H, W, samples), one strip each, or one for each plane (planar 2).

    `more` are further tags, of 16-bit numbers; `subfiles` the NewSubfileType of each page.
    """
    pages = [pages] if isinstance(pages, np.ndarray) else pages
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    link = 4  # where the place of the next directory is to be written
    for number, page in enumerate(pages):
        height, width, samples = page.shape
        data = page.astype(page.dtype.newbyteorder(order))
        planes = [data[..., i] for i in range(samples)] if planar == 2 else [data]
        strips = [plane.tobytes() for plane in planes]
        places = []
        for strip in strips:
            places.append(len(out))
            out += strip + bytes(len(strip) % 2)
        tags: dict[int, tuple[str, tuple[int, ...]]] = {
            256: ("I", (width,)),
            257: ("I", (height,)),
            258: ("H", (page.dtype.itemsize * 8,) * samples),
            259: ("H", (1,)),
            262: ("H", (photometric,)),
            273: ("I", tuple(places)),
            277: ("H", (samples,)),
            278: ("I", (height,)),
            279: ("I", tuple(map(len, strips))),
            284: ("H", (planar,)),
        }
        if subfiles:
            tags[254] = ("I", (subfiles[number],))
        if extra:
            tags[338] = ("H", tuple(extra))
        if sample_format:
            tags[339] = ("H", (sample_format,) * samples)
        tags |= {tag: ("H", values) for tag, values in (more or {}).items()}
        struct.pack_into(order + "I", out, link, len(out))
        link = len(out) + 2 + 12 * len(tags)
        out += _directory(tags, order, len(out))
    return bytes(out)


def _directory(tags: dict[int, tuple[str, tuple[int, ...]]], order: str, place: int) -> bytes:
    entries, values = struct.pack(order + "H", len(tags)), b""
    behind = place + 2 + 12 * len(tags) + 4
    for tag, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        if len(packed) > 4:
            packed, values = struct.pack(order + "I", behind + len(values)), values + packed
        number_type = _SHORT if kind == "H" else _LONG
        entries += struct.pack(order + "HHI", tag, number_type, len(numbers)) + packed.ljust(
            4, b"\0"
        )
    return entries + bytes(4) + values + bytes(len(values) % 2)


def png(
    width: int,
    height: int,
    bits: int,
    kind: int,
    rows: bytes,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG of those rows, each of which its filter's number (0) begins; chunks around the pixels.

    `kind` is 0 for grey, 2 for RGB, 3 for a palette, 4 for grey and 6 for RGB with alpha.
    """
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    body = chunk(b"IHDR", header) + before + pixels + after + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def cmyk_profile(inverted: bool) -> bytes:
    """An ICC profile of inks that are plain (Lab lightness falls with ink), or the other way round.

    Its one table (lut8, ICC.1:2001-04, 6.5.7) maps CMYK to Lab with two points a channel.
    """
    table = b""
    for point in range(16):  # the last channel varies fastest
        inks = [(point >> shift) & 1 for shift in (3, 2, 1, 0)]
        light = sum(inks) == 4 if inverted else sum(inks) == 0
        table += bytes([255 if light else 0, 128, 128])
    matrix = struct.pack(">9I", *(65_536 if i % 4 == 0 else 0 for i in range(9)))
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + table + ramp * 3
    lut += bytes(-len(lut) % 4)
    white = b"XYZ \0\0\0\0" + struct.pack(">3I", 63_190, 65_536, 54_061)
    parts = {b"A2B0": lut, b"wtpt": white}
    place = 128 + 4 + 12 * len(parts)
    index, body = struct.pack(">I", len(parts)), b""
    for name, part in parts.items():
        index += name + struct.pack(">II", place + len(body), len(part))
        body += part
    size = struct.pack(">I", 128 + len(index) + len(body))
    head = size + b"lcms" + b"\x02\x40\0\0" + b"prtr" + b"CMYK" + b"Lab " + bytes(12) + b"acsp"
    head = head.ljust(68, b"\0") + struct.pack(">3I", 63_190, 65_536, 54_061)
    return head.ljust(128, b"\0") + index + body


ADOBE_RGB = np.array(  # red, green and blue in columns, as XYZ at D50 (Adobe RGB 1998, annex C)
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
SRGB = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])


def rgb_profile(primaries: npt.NDArray[np.float64], gamma: float) -> bytes:
    """A colour profile (ICC.1:2001-04) of three primaries and one gamma."""

    def xyz(*numbers: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(x * 65_536)) for x in numbers)

    white, curve = xyz(0.9642, 1, 0.8249), struct.pack(">8xIHxx", 1, round(gamma * 256))
    tags = {b"wtpt": white} | {
        name + b"XYZ": xyz(*column)
        for name, column in zip((b"r", b"g", b"b"), primaries.T, strict=True)
    }
    tags |= {name + b"TRC": b"curv" + curve[4:] for name in (b"r", b"g", b"b")}
    tags[b"desc"] = b"desc" + struct.pack(">4xI", 5) + b"made\0" + bytes(79)
    tags[b"cprt"] = b"text\0\0\0\0made\0\0\0\0"
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(content))
        data += content
    length = 128 + len(table) + len(data)
    header = struct.pack(">I4xI", length, 0x0210_0000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    return header.ljust(68, b"\0") + white[8:] + bytes(48) + table + data
