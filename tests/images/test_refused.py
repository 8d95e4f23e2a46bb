"""What is no picture, is damaged or takes too much is named with its reason."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import AvifImagePlugin, Image, ImageFile, features

from captioner.errors import CaptionerError, ImageError
from captioner.images import IMAGE_SUFFIXES, MAX_PIXELS, Allowed, open_image, opening
from captioner.images import kinds as kinds_of_files
from tests.images.scene import (
    pixels_of,
    png,
    saved,
    scene,
    turned,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")


HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)


HEIC_BY_ANOTHER_BRAND = b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic" + bytes(200)


BROKEN = {
    "empty.jpg": (b"", "is empty"),
    "text.jpg": (b"This is no picture.\nReally not.\n", "holds text"),
    "page.png": (b"<!doctype html><html><body>404 Not Found</body></html>", "holds text"),
    "drawing.png": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "plain.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "print.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
    "phone.heic": (HEIC, "cut off"),
    "other.heic": (HEIC_BY_ANOTHER_BRAND, "cut off"),
    "film.jpg": (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(99), "film"),
    "noise.png": (bytes(range(256)) * 9, "not a kind of picture"),
    "head.jpg": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "cut off"),
    "head.png": (b"\x89PNG\r\n\x1a\n\x00\x00", "cut off"),
    "head.gif": (b"GIF89a\x01", "cut off"),
    "head.webp": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "cut off"),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "holds text"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_picture_is_named_with_its_reason(tmp_path: Path, name: str) -> None:
    data, says = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    for source in (path, str(path)):
        with pytest.raises(ImageError) as caught:
            open_image(source)
        assert caught.value.path == str(path)
        assert says in caught.value.reason
        assert str(caught.value) == f"{path}: {caught.value.reason}"
        assert "\n" not in str(caught.value) and isinstance(caught.value, CaptionerError)
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
    with pytest.raises(ImageError, match=r"^upload: ") as caught:
        open_image(data, "upload")
    assert says in caught.value.reason


def test_an_avif_is_refused_by_name_where_pillow_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1" + bytes(200)
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    monkeypatch.setattr(features, "check", lambda feature: False)
    with pytest.raises(ImageError, match="AVIF"):
        open_image(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "JPEG2000", "AVIF"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_truncated_files(tmp_path: Path, kind: str, kept: float) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ImageError, match="cut off or damaged") as caught:
        open_image(path)
    assert caught.value.path == str(path)
    with pytest.raises(ImageError) as caught:
        open_image(path, "upload", target=20)
    assert caught.value.path == "upload"


def test_a_picture_opened_elsewhere_and_truncated(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = tmp_path / "cut.png"
    path.write_bytes(saved(Image.fromarray(noise))[:5000])
    with Image.open(path) as image, pytest.raises(ImageError, match="cut off") as caught:
        open_image(image)
    assert caught.value.path == str(path)


def test_places_without_a_file(tmp_path: Path) -> None:
    def reason(source: Any) -> str:
        with pytest.raises(ImageError) as caught:
            open_image(source)
        assert caught.value.path == str(source)
        return caught.value.reason

    assert "no such file" in reason(tmp_path / "missing.jpg")
    assert "folder" in reason(tmp_path)
    assert "web address" in reason("https://example.org/photo.jpg")
    assert reason("a\0b.jpg") and reason("n" * 5000 + ".jpg") and reason("")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "no file" in reason(tmp_path / "pipe.jpg")
    if Path("/dev/null").exists():
        assert "no file" in reason("/dev/null")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(saved(Image.fromarray(scene())))

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opening, "open", refuse, raising=False)
    with pytest.raises(ImageError, match="permissions"):
        open_image(path)


@pytest.mark.parametrize("source", [None, 7, ["photo.jpg"], io.BytesIO()])
def test_things_that_are_no_source(source: Any) -> None:
    with pytest.raises(ImageError, match="a picture is a path, bytes, a PIL image or an array"):
        open_image(source)


def bombs() -> dict[str, bytes]:
    jpeg = bytearray(saved(Image.new("RGB", (8, 8)), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    gif = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    gif[6:10] = struct.pack("<HH", 60_000, 60_000)
    bmp = bytearray(saved(Image.new("RGB", (8, 8)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)
    return {
        "beyond PIL's warning": png(10_000, 10_000, None),
        "beyond PIL's error": png(100_000, 100_000, None),
        "one pixel too many": png(MAX_PIXELS + 1, 1, None),
        "jpeg": bytes(jpeg),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
    }


@pytest.mark.parametrize("kind", bombs())
@pytest.mark.parametrize("warns", ["default", "error", "ignore"])
def test_a_bomb_is_refused_before_it_is_decoded(
    kind: str, warns: Any, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    import warnings

    def decode(*args: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    warnings.simplefilter(warns)
    for target in (None, *([100] if kind != "jpeg" else [])):  # of a JPEG an eighth is decoded
        with pytest.raises(ImageError, match=f"more than the {MAX_PIXELS:,} pixels") as caught:
            open_image(bombs()[kind], "bomb", target=target)
        assert caught.value.path == "bomb"


def test_the_largest_picture_allowed() -> None:
    few = Allowed(pixels=200)
    assert open_image(saved(Image.new("RGB", (20, 10))), allowed=few).size == (20, 10)
    for source in (saved(Image.new("RGB", (67, 3))), Image.new("RGB", (67, 3))):
        with pytest.raises(ImageError, match="more than the 200 pixels allowed"):
            open_image(source, allowed=few)


def test_threads_neither_disturb_each_other_nor_pils_settings() -> None:
    bomb, good = bombs()["beyond PIL's warning"], saved(Image.fromarray(scene()), "PNG")
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES

    def once(index: int) -> bool:
        if index % 2:
            return np.array_equal(pixels_of(good), scene())
        with pytest.raises(ImageError, match="pixels allowed"):
            open_image(bomb)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(once, range(200)))
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_nothing_but_the_error_is_said(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bombs()["beyond PIL's warning"])
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x05\x01\x12"
    (tmp_path / "notes.jpg").write_bytes(saved(Image.new("RGB", (9, 9)), "JPEG", exif=exif))
    grain = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    tiff = bytearray(saved(Image.fromarray(grain), "TIFF", compression="tiff_lzw"))
    tiff[200:400] = b"\xff" * 200
    (tmp_path / "libtiff.tif").write_bytes(tiff)
    program = (
        "import sys\n"
        "from captioner.errors import ImageError\n"
        "from captioner.images import open_image\n"
        "for path in sys.argv[1:]:\n"
        "    try: print(open_image(path).size)\n"
        "    except ImageError as error: print(error.reason)\n"
    )
    paths = [str(tmp_path / name) for name in ("bomb.png", "notes.jpg", "libtiff.tif")]
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "pixels allowed" in done.stdout and "(9, 9)" in done.stdout
    assert "cut off or damaged" in done.stdout


def test_too_little_memory_is_no_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*args: object) -> None:
        raise MemoryError

    for source in (saved(Image.new("RGB", (9, 9))), Image.open(io.BytesIO(SAMPLES["GIF"]))):
        with monkeypatch.context() as patch, pytest.raises(ImageError, match="than there is"):
            patch.setattr(ImageFile.ImageFile, "load", none_left)
            open_image(source)


KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000")


SAMPLES = {kind: saved(Image.fromarray(scene()), kind, exif=turned(6)) for kind in KINDS}


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    kept=st.floats(0, 1),
)
def test_damage_of_any_kind_gives_a_picture_or_an_image_error(
    kind: str, changes: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(SAMPLES[kind])
    for place, value in changes:
        data[int(place * len(data))] = value
    start = bytes(data[: int(kept * len(data)) + 1])
    try:
        image = open_image(start, "damaged", target=8, allowed=Allowed(pixels=1_000_000))
    except ImageError as error:
        assert error.path == "damaged" and error.reason
    else:
        assert image.mode == "RGB" and min(image.size) >= 1


def test_suffixes_are_those_of_the_kinds_that_are_tried() -> None:
    extensions = Image.registered_extensions()
    kinds = {*kinds_of_files.FORMATS, "MPO"}
    assert {extensions[suffix] for suffix in IMAGE_SUFFIXES if suffix in extensions} <= kinds
    unknown = {suffix for suffix in IMAGE_SUFFIXES if suffix not in extensions}
    assert unknown <= {".heic", ".heif", ".hif", ".jxl", ".jif"}  # plugins', and old names of JPEG
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in IMAGE_SUFFIXES)
