"""Captions inside photos: Pillow reads what Exiv2 wrote."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageSequence, IptcImagePlugin

from captioner.batch.descriptions import description, is_described
from tests.batch import process
from tests.batch.test_descriptions import exif, noise, saved, with_iptc
from tests.batch.test_sidecars import DESCRIBED, LIGHTROOM

pytest.importorskip("exiv2", reason="has no package for this system")

COLOURS = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SENTENCE = "A photo 40 by 30."


def caption(folder: Path, *arguments: object) -> tuple[int | None, str]:
    code = process.run(["caption", *arguments], folder)
    return code, (folder / "said.txt").read_text()


@pytest.mark.parametrize("format", ["xmp", "embed"])
def test_a_photo_that_a_person_described_is_left_alone(tmp_path: Path, format: str) -> None:
    photo = saved(tmp_path / "a.jpg", exif=exif("Our giraffe Lotte"))
    before = photo.read_bytes()
    code, said = caption(tmp_path, "a.jpg", "--format", format)
    assert code == 0 and "1 skipped" in said
    assert photo.read_bytes() == before and sorted(os.listdir(tmp_path)) == ["a.jpg", "said.txt"]
    (tmp_path / "b.jpg.xmp").write_text(LIGHTROOM % DESCRIBED)
    saved(tmp_path / "b.jpg")
    assert "1 skipped" in caption(tmp_path, "b.jpg", "--format", format)[1]


def frames(photo: bytes) -> list[Any]:
    with Image.open(io.BytesIO(photo)) as image:
        return [
            (frame.mode, frame.size, frame.tobytes(), frame.info.get("icc_profile"))
            for frame in ImageSequence.Iterator(image)
        ]


def photos() -> dict[str, Image.Image | tuple[Image.Image, dict[str, Any]]]:
    others = {"save_all": True, "append_images": [noise(3), noise(3)]}
    return {
        "plain.jpg": noise(3),
        "progressive.jpg": (noise(3), {"progressive": True, "icc_profile": COLOURS}),
        "cmyk.jpg": noise(4).convert("CMYK"),
        "turned.jpg": (noise(3), {"exif": exif("OLYMPUS DIGITAL CAMERA", 6)}),
        "grey16.png": noise(dtype=np.uint16),
        "palette.png": noise(3).quantize(16),
        "moves.png": (noise(3), others),
        "lossless.webp": (noise(4), {"lossless": True}),
        "lossy.webp": noise(3),
        "moves.webp": (noise(3), {**others, "lossless": True}),
        "packed.tif": (noise(3), {"compression": "tiff_lzw"}),
        "grey16.tif": noise(dtype=np.uint16),
        "pages.tif": (noise(3), others),
        "data.tif": (noise(3), {"description": '{"shape": [30, 40, 3]}'}),
    }


def test_no_pixel_changes_and_others_read_the_caption(tmp_path: Path) -> None:
    before = {}
    for name, photo in photos().items():
        image, how = photo if isinstance(photo, tuple) else (photo, {})
        image.save(tmp_path / name, **how)
        before[name] = (tmp_path / name).read_bytes()
    (tmp_path / "plain.jpg").chmod(0o640)
    code, said = caption(tmp_path, *before, "--format", "embed", "--before", "Zoo: ")
    assert code == 0, said
    for name, photo in before.items():
        after = (tmp_path / name).read_bytes()
        assert after != photo and frames(after) == frames(photo), name
        with Image.open(tmp_path / name) as image:
            size = "30 by 40" if name == "turned.jpg" else "40 by 30"
            text = f"Zoo: A photo {size}."
            assert text in image.info["xmp"].decode() if "xmp" in image.info else False, name
            told = image.getexif()
            assert told.get(0x0112, 1) == (6 if name == "turned.jpg" else 1)
            if name == "data.tif":
                assert told[0x010E] == '{"shape": [30, 40, 3]}'
            else:
                assert told[0x010E] == text, name
        assert is_described(str(tmp_path / name))
    assert (tmp_path / "plain.jpg").stat().st_mode & 0o777 == 0o640
    _, said = caption(tmp_path, *before, "--format", "embed")
    assert f"{len(before)} skipped" in said
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "said.txt"])


def test_overwriting_a_caption_replaces_it_wherever_it_stands(tmp_path: Path) -> None:
    photo = saved(
        tmp_path / "a.jpg", exif=exif("Lotte"), xmp=(LIGHTROOM % DESCRIBED).encode(), quality=90
    )
    with_iptc(photo, b"Lotte")
    before = frames(photo.read_bytes())
    assert caption(tmp_path, "a.jpg", "--format", "embed", "--overwrite")[0] == 0
    with Image.open(photo) as image:
        assert image.getexif()[0x010E] == SENTENCE
        notes = IptcImagePlugin.getiptcinfo(image)
        assert notes is not None and notes[(2, 120)] == SENTENCE.encode()
        packet = image.info["xmp"].decode()
    assert "Lotte" not in packet and "Rex am Meer" in packet and "holiday" in packet
    assert SENTENCE in packet and frames(photo.read_bytes()) == before


def test_what_holds_no_caption_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    saved(tmp_path / "a.gif")
    before = (tmp_path / "a.gif").read_bytes()
    code, said = caption(tmp_path, "a.gif", "--format", "embed")
    assert code == 1 and "a.gif: is GIF; a caption goes into JPEG, PNG, WebP and TIFF" in said
    assert (tmp_path / "a.gif").read_bytes() == before
    code, said = caption(tmp_path, "a.gif", "--format", "embed", "-o", "out")
    assert code == 2 and "leave out --output" in said


def test_a_photo_that_would_show_other_pixels_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from captioner.batch import embedding
    from captioner.errors import ImageError

    photo = saved(tmp_path / "a.png").read_bytes()
    other = saved(tmp_path / "b.png").read_bytes()
    assert frames(embedding.embedded("a.png", photo, "Rex.")) == frames(photo)
    real = embedding.exiv2()

    class Careless:
        def __getattr__(self, name: str) -> Any:
            return self if name == "ImageFactory" else getattr(real, name)

        def open(self, _: bytes) -> Any:
            return real.ImageFactory.open(other)

    monkeypatch.setattr(embedding, "exiv2", Careless)
    with pytest.raises(ImageError, match="without changing its pixels"):
        embedding.embedded("a.png", photo, "Rex.")


def test_a_photo_with_two_names_keeps_them(tmp_path: Path) -> None:
    photo = saved(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").hardlink_to(photo)
    assert caption(tmp_path, "a.jpg", "--format", "embed")[0] == 0
    assert (tmp_path / "b.jpg").samefile(photo) and description(str(tmp_path / "b.jpg")) == SENTENCE
    assert "1 skipped" in caption(tmp_path, "b.jpg", "--format", "embed")[1]
