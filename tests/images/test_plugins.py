"""HEIC and JPEG XL: read by plugins of Pillow, named where these are not installed."""

from __future__ import annotations

import io
import struct
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captioner.errors import ImageError
from captioner.images import Allowed, jxl, open_image, picture_size


def scene() -> Image.Image:
    pixels = np.full((96, 160, 3), (200, 40, 60), np.uint8)
    pixels[:32] = (20, 90, 220)
    pixels[:, :48] = (250, 220, 30)
    return Image.fromarray(pixels)


def saved(kind: str, **options: Any) -> bytes:
    pytest.importorskip(
        {"HEIF": "pillow_heif", "JXL": "pillow_jxl"}[kind], reason="a plugin, absent here"
    )
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    scene().save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["HEIF", "JXL"])
def test_the_picture_comes_out(kind: str) -> None:
    data = saved(kind, quality=95)
    for source in (data, Image.open(io.BytesIO(data))):
        found = np.asarray(open_image(source, target=50), float)
        assert np.abs(found[8::16, 8::16] - np.asarray(scene(), float)[8::16, 8::16]).max() < 12
    assert picture_size(data) == (160, 96)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_heic_is_upright_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    once = open_image(saved("HEIF", quality=95, exif=exif.tobytes()))
    assert once.size == ((160, 96) if orientation <= 4 else (96, 160))
    as_png = io.BytesIO()
    scene().save(as_png, "PNG", exif=exif)
    upright = np.asarray(open_image(as_png.getvalue()), float)  # what test_upright.py vouches for
    assert np.abs(np.asarray(once, float)[8::16, 8::16] - upright[8::16, 8::16]).max() < 12
    assert np.array_equal(np.asarray(open_image(once)), np.asarray(once))


def test_of_an_heic_that_is_too_large_the_thumbnail_will_do() -> None:
    file = io.BytesIO()
    saved("HEIF")
    scene().resize((1600, 960)).save(file, "HEIF", quality=90, thumbnails=[640])
    small = Allowed(bytes=12_000_000)
    whole = open_image(file.getvalue(), target=300)
    assert whole.size == (1600, 960)
    few = open_image(file.getvalue(), target=300, allowed=small)
    assert few.size == (640, 384)
    expected = np.asarray(whole.resize(few.size, Image.Resampling.BOX), float)
    assert np.abs(np.asarray(few) - expected).mean() < 4
    with pytest.raises(ImageError, match="memory"):  # it has too few pixels
        open_image(file.getvalue(), target=500, allowed=small)


@pytest.mark.parametrize("lossless", [False, True])
def test_the_size_of_a_jpeg_xl_is_told_from_its_header(lossless: bool) -> None:
    pytest.importorskip("pillow_jxl", reason="a plugin, absent here")
    for size in [(8, 8), (16, 256), (40, 30), (1000, 3), (301, 517), (1600, 900), (9000, 2)]:
        for box in (False, True):
            file = io.BytesIO()
            Image.new("RGB", size).save(file, "JXL", lossless=lossless, use_container=box, effort=1)
            assert jxl.size(file) == size


def test_a_jpeg_xl_is_measured_before_it_is_decoded() -> None:
    bits = 0b00 | 3 << 1 | (2**30 - 1) << 3 | 1 << 33  # not in eights, 2**30 rows, a square
    bomb = jxl.BARE + bits.to_bytes(14, "little")
    assert jxl.size(io.BytesIO(bomb)) == (2**30, 2**30)
    with pytest.raises(ImageError, match="pixels allowed"):
        open_image(bomb)
    with pytest.raises(ImageError, match="memory"):
        open_image(saved("JXL"), allowed=Allowed(bytes=1000))


SIGNED = {
    "pillow_heif": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99),
    "pillow_jxl": jxl.BOXED + struct.pack(">I4s", 14, b"jxlc") + jxl.BARE + bytes(20),
}


@pytest.mark.parametrize("package", SIGNED)
def test_where_a_plugin_is_missing_it_is_named(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    wanted = {"pillow_heif": "pillow-heif", "pillow_jxl": "pillow-jxl-plugin"}[package]
    with pytest.raises(ImageError, match=f"needs the package {wanted}: pip install {wanted}"):
        open_image(SIGNED[package])


@pytest.mark.parametrize("package", SIGNED)
def test_a_damaged_one_is_called_so(package: str) -> None:
    pytest.importorskip(package, reason="a plugin, absent here")
    with pytest.raises(ImageError, match="cut off or damaged"):
        open_image(SIGNED[package])
