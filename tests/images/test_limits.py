"""What a picture may take: refused by its header, or in time; and what is large yet can be read."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from captioner.errors import ImageError
from captioner.images import MAX_BYTES, Allowed, open_image, picture_size
from tests.images.made import chunk, png

SIDE = 9459  # SIDE² is just below the pixels allowed


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def ramp(width: int, height: int) -> Image.Image:
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


def webp_of(width: int, height: int) -> bytes:
    """A lossless WebP of one colour: the size of its 34 bytes is written over."""
    data = bytearray(saved(Image.new("RGBA", (1, 1)), "WEBP", lossless=True))
    place = data.index(b"\x2f", 12) + 1
    (bits,) = struct.unpack_from("<I", data, place)
    bits = bits & ~0xFFFFFFF | (width - 1) | (height - 1) << 14
    struct.pack_into("<I", data, place, bits)
    return bytes(data)


def grey16_of(side: int) -> bytes:
    packer, row = zlib.compressobj(1), bytes(2 * side + 1)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


MEMORY = """
import resource, sys
from captioner.errors import ImageError
from captioner.images import open_image
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
open_image(sys.argv[1])
before = most()
for path in sys.argv[2:]:
    for target in (288, None):
        try: open_image(path, target=target)
        except ImageError: pass
        print(path, target, most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss is in other units")
def test_no_picture_takes_more_memory_than_is_allowed(tmp_path: Path) -> None:
    """Each of these took 1.6 to 2.4 GB."""
    floats = Image.new("F", (SIDE, SIDE))
    pictures = {
        "small.png": saved(ramp(40, 30), "PNG"),
        "grey16.png": grey16_of(SIDE),
        "bare.webp": webp_of(SIDE, SIDE),
        "float.tif": saved(floats, "TIFF", compression="tiff_adobe_deflate"),
        "flat.jp2": saved(Image.new("RGB", (4096, 4096)), "JPEG2000"),
        "progressive.jpg": saved(
            Image.new("RGB", (6000, 7000)), "JPEG", progressive=True, subsampling=0
        ),
    }
    del floats
    for name, data in pictures.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in pictures]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *paths], capture_output=True, text=True, check=True
    )
    taken = [int(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(taken) == 2 * (len(pictures) - 1) and done.stderr == ""
    assert max(taken) <= MAX_BYTES, done.stdout


@pytest.mark.parametrize(
    "data",
    [webp_of(SIDE, SIDE), webp_of(16_000, 5_000)],
    ids=["square", "wide"],
)
def test_what_would_take_too_much_is_refused_before_it_is_decoded(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*args: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    for source in (data, Image.open(io.BytesIO(data))):
        with pytest.raises(ImageError, match=r"would take [\d,]+ MB of memory, more than the 300"):
            open_image(source, target=288)


def test_a_large_picture_is_made_smaller_where_the_whole_would_take_too_much() -> None:
    pixels = np.linspace(0, 65_535, 1800 * 1200).reshape(1200, 1800).astype(np.uint16)
    data = saved(Image.fromarray(pixels), "PNG")
    few = Allowed(bytes=24_000_000 + 8_000_000)  # what converting takes, and less than the result
    small = open_image(data, target=300, allowed=few)
    assert small.size == (450, 300)
    squares = pixels.reshape(300, 4, 450, 4).mean((1, 3)) / 257
    assert np.abs(np.asarray(small)[..., 0] - squares).max() <= 1
    assert open_image(data, target=300).size == (1800, 1200)
    with pytest.raises(ImageError, match="of memory"):
        open_image(data, allowed=few)
    assert open_image(data, allowed=Allowed(bytes=40_000_000)).size == (1800, 1200)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr"])
def test_large_pictures_of_every_mode_come_out_as_small_ones_do(mode: str) -> None:
    """They are converted band by band."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (8, 10, 4), dtype=np.uint8)
    few = Image.fromarray(small, "RGBA")
    if mode in ("I;16", "I", "F"):
        few = Image.fromarray(
            (small[..., 0] * 1.0).astype({"I;16": "u2", "I": "i4", "F": "f4"}[mode])
        )
    else:
        few = few.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr") else few.convert(mode)
    many = few.resize((1250, 1000), Image.Resampling.NEAREST)
    expected = np.asarray(open_image(few)).repeat(125, 0).repeat(125, 1)
    assert np.array_equal(np.asarray(open_image(many)), expected)


def test_jpeg_2000_is_decoded_at_a_fraction() -> None:
    data = saved(ramp(1001, 757), "JPEG2000")
    whole = open_image(data)
    for target, size in ((94, (126, 95)), (95, (126, 95)), (190, (251, 190)), (400, (1001, 757))):
        picture = open_image(data, target=target)
        assert picture.size == size
        expected = np.asarray(whole.resize(size, Image.Resampling.BOX), float)
        assert np.abs(np.asarray(picture) - expected).mean() < 3


def test_a_jpeg_of_more_pixels_than_allowed_is_decoded_at_an_eighth() -> None:
    data = saved(ramp(16_000, 12_000), "JPEG", quality=50)  # PIL's own limit is 179 million
    assert open_image(data, target=288).size == (2_000, 1_500)
    assert picture_size(data) == (16_000, 12_000)
    with pytest.raises(ImageError, match="more than the 89,478,485 pixels allowed"):
        open_image(data)
    scan = png(100_000, 1_000, 1, 0, b"\0" * 12_501 * 1_000)  # newspapers are like that
    with pytest.raises(ImageError, match="pixels allowed"):
        open_image(scan, target=288)
    assert open_image(scan, target=288, allowed=Allowed(pixels=100_000_000)).size[1] >= 288


# --- what takes long ----------------------------------------------------------------------------


def gif_with_comments(count: int, after: bool) -> bytes:
    data = saved(Image.new("P", (8, 8)), "GIF")
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) + b"\0"
    place = len(data) - 1 if after else data.index(b"\x2c")
    return data[:place] + comment * count + data[place:]


def jpeg_with_scans(count: int) -> bytes:
    data = saved(ramp(1500, 1500), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def bmp_of_runs(side: int) -> bytes:
    runs = b"\x01\x07" * (side * side)
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + 40 + 1024
    return (
        b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + bytes(1024) + runs
    )


SLOW = {
    "comments before the picture of a GIF": gif_with_comments(20_000, after=False),
    "a comment in a PPM": b"P6 #" + b"x" * 9_000_000 + b"\n2 2 255\n" + bytes(12),
    "scans of a JPEG": jpeg_with_scans(3_000),
    "runs of a BMP": bmp_of_runs(3_000),
    "numbers of a plain PPM": b"P3 1000 1000 255\n" + b"7 " * 3_000_000,
    "markers of a JPEG": b"\xff\xd8" + b"\xff\xfe\0\2" * 2_000_000,
    "texts in a PNG": png(1, 1, 8, 0, b"\0\0", chunk(b"tEXt", b"a\0b") * 600_000),
}


@pytest.mark.parametrize("kind", SLOW)
def test_what_takes_too_long_is_given_up(kind: str) -> None:
    """With a tenth of the time, that the test be quick; what is refused late costs no more."""
    allowed = Allowed(seconds=0.2)
    with pytest.raises(ImageError, match="would take more than"):
        open_image(SLOW[kind], target=288, allowed=allowed)


@pytest.mark.parametrize("white", [1, 7, 254, 256, 1023, 65_535])
@pytest.mark.parametrize("magic", ["P5", "P6"])
def test_a_pnm_of_any_white_is_quick(magic: str, white: int) -> None:
    """Pillow took 18 seconds for twelve megapixels of 16 bits."""
    shape = (1500, 2000, {"P5": 1, "P6": 3}[magic])
    samples = np.random.default_rng(0).integers(0, white + 1, shape)
    header = f"{magic} 2000 1500 {white}\n".encode()
    data = header + samples.astype("u1" if white < 256 else ">u2").tobytes()
    picture = np.asarray(open_image(data, allowed=Allowed(seconds=1)))
    assert np.abs(picture - samples * (255 / white)).max() <= 0.5 + 1e-3
    with pytest.raises(ImageError, match="cut off or damaged"):
        open_image(data[: len(data) // 2])


def test_a_gif_that_grows_is_its_first_frame() -> None:
    from tests.images.crafted import LONG

    assert open_image(LONG["gif that grows"]()).size == (8, 8)


def test_what_stands_behind_the_picture_costs_nothing() -> None:
    picture = open_image(gif_with_comments(20_000, after=True), allowed=Allowed(seconds=0.2))
    assert picture.size == (8, 8)


def test_pages_that_are_linked_in_a_ring_end() -> None:
    from tests.images.made import tiff

    page = np.full((4, 5, 3), 7, np.uint8)
    data = bytearray(tiff([page, page], 2))
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    second = struct.unpack_from("<I", data, first + 2 + 12 * count)[0]
    struct.pack_into("<I", data, second + 2 + 12 * count, first)
    assert np.array_equal(np.asarray(open_image(bytes(data))), page)


# --- a JPEG without its end ---------------------------------------------------------------------


def test_a_jpeg_without_its_last_bytes_may_be_wanted_all_the_same(tmp_path: Path) -> None:
    picture = ramp(320, 240)
    data = saved(picture, "JPEG", quality=95)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: len(data) * 9 // 10])
    with pytest.raises(ImageError, match="cut off or damaged"):
        open_image(path)
    for source in (path, path.read_bytes()):
        shown = np.asarray(open_image(source, allowed=Allowed(truncated=True)), float)
        assert np.abs(shown[:200] - np.asarray(picture, float)[:200]).max() < 6
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    other = saved(picture, "PNG")
    with pytest.raises(ImageError, match="cut off or damaged"):
        open_image(other[: len(other) // 2], allowed=Allowed(truncated=True))
