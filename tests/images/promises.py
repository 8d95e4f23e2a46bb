"""Small files whose headers promise pictures of any size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from captioner.images import jxl
from tests.images.made import chunk, tiff
from tests.images.scene import saved

SIZES = (
    (9_459, 9_459),
    (16_383, 16_383),
    (89_478_485, 1),
    (1, 60_000),
    (65_500, 65_500),
    (2**31 - 1, 7),
)


def _fits(value: int, bits: int) -> int:
    return min(value, (1 << bits) - 1)


def _png(bits: int, kind: int, interlaced: int = 0) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
        palette = chunk(b"PLTE", bytes(3)) if kind == 3 else b""
        body = chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(bytes(1000)))
        return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")

    return make


def _jpeg(**options: Any) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        mode = options.pop("mode", "RGB")
        data = bytearray(saved(Image.new(mode, (16, 16)), "JPEG", **options))
        frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        struct.pack_into(">HH", data, frame + 5, _fits(height, 16), _fits(width, 16))
        return bytes(data)

    return make


def _gif(width: int, height: int) -> bytes:
    data = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    size = struct.pack("<HH", _fits(width, 16), _fits(height, 16))
    place = data.index(b"\x2c") + 5
    data[6:10] = data[place : place + 4] = size
    return bytes(data)


def _gif_frame(width: int, height: int) -> bytes:
    """A small screen, and a frame that is not."""
    data = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    place = data.index(b"\x2c") + 5
    data[place : place + 4] = struct.pack("<HH", _fits(width, 16), _fits(height, 16))
    return bytes(data)


def _bmp(bits: int, compression: int = 0) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        header = struct.pack(
            "<IiiHHIIiiII",
            40,
            _fits(width, 31),
            _fits(height, 31),
            1,
            bits,
            compression,
            0,
            0,
            0,
            0,
            0,
        )
        start = 54 + (4 << bits if bits <= 8 else 0)
        return (b"BM" + struct.pack("<IHHI", 0, 0, 0, start) + header).ljust(start, b"\0") + bytes(
            999
        )

    return make


def _tiff(
    samples: int, bits: int, photometric: int, more: dict[int, int]
) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        number = {8: np.uint8, 16: np.uint16, 32: np.uint32}[bits]
        data = bytearray(tiff(np.zeros((4, 4, samples), number), photometric))
        (place,) = struct.unpack_from("<I", data, 4)
        (count,) = struct.unpack_from("<H", data, place)
        new = {256: _fits(width, 32), 257: _fits(height, 32), 278: _fits(height, 32), **more}
        for entry in range(count):
            at = place + 2 + 12 * entry
            tag = struct.unpack_from("<H", data, at)[0]
            if tag in new:
                struct.pack_into("<HII", data, at + 2, 4, 1, new[tag])
        return bytes(data)

    return make


def _webp(**options: Any) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        data = bytearray(saved(Image.new("RGBA", (1, 1)), "WEBP", exact=True, **options))
        width, height = _fits(width, 14), _fits(height, 14)
        if (place := data.find(b"VP8L")) >= 0:
            (bits,) = struct.unpack_from("<I", data, place + 9)
            struct.pack_into(
                "<I", data, place + 9, bits & ~0xFFFFFFF | (width - 1) | (height - 1) << 14
            )
        if (place := data.find(b"VP8X")) >= 0:
            data[place + 12 : place + 15] = (width - 1).to_bytes(3, "little")
            data[place + 15 : place + 18] = (height - 1).to_bytes(3, "little")
        if (place := data.find(b"\x9d\x01\x2a")) >= 0:
            struct.pack_into("<HH", data, place + 3, width, height)
        return bytes(data)

    return make


def _pnm(magic: str, last: str = " 255") -> Callable[[int, int], bytes]:
    return lambda width, height: f"{magic} {width} {height}{last}\n".encode() + b"1 " * 500


def _jp2(mode: str) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        data = bytearray(saved(Image.new(mode, (16, 16)), "JPEG2000", no_jp2=True))
        place = data.index(b"\xff\x51") + 6
        struct.pack_into(">II", data, place, width, height)
        struct.pack_into(">II", data, place + 16, width, height)
        return bytes(data)

    return make


def _jxl(width: int, height: int) -> bytes:
    def side(value: int) -> tuple[int, int]:
        return 3 | (_fits(value, 30) - 1) << 2, 32

    rows, taken = side(height)
    columns, _ = side(width)
    return jxl.BARE + (rows << 1 | columns << (1 + taken + 3)).to_bytes(20, "little") + bytes(200)


PROMISES: dict[str, Callable[[int, int], bytes]] = {
    "png grey 1": _png(1, 0),
    "png grey 8": _png(8, 0),
    "png grey 16": _png(16, 0),
    "png rgb 8": _png(8, 2),
    "png rgb 16 interlaced": _png(16, 2, 1),
    "png palette": _png(8, 3),
    "png rgba 16": _png(16, 6),
    "jpeg": _jpeg(),
    "jpeg progressive": _jpeg(progressive=True, subsampling=0),
    "jpeg grey": _jpeg(mode="L"),
    "gif": _gif,
    "gif frame": _gif_frame,
    "bmp 1": _bmp(1),
    "bmp 24": _bmp(24),
    "bmp runs": _bmp(8, 1),
    "tiff grey 8": _tiff(1, 8, 1, {}),
    "tiff grey 16 lzw": _tiff(1, 16, 1, {259: 5}),
    "tiff float": _tiff(1, 32, 1, {259: 8, 339: 3}),
    "tiff rgb planes": _tiff(3, 16, 2, {284: 2}),
    "tiff fax": _tiff(1, 8, 0, {258: 1, 259: 4}),
    "tiff cmyk": _tiff(4, 8, 5, {259: 32773}),
    "webp lossless": _webp(lossless=True),
    "webp lossy": _webp(quality=50),
    "ppm": _pnm("P6"),
    "ppm plain": _pnm("P3"),
    "pbm": _pnm("P4", ""),
    "pfm": _pnm("Pf", " -1.0"),
    "jp2": _jp2("RGB"),
    "jxl": _jxl,
}
