"""What people wrote about photos, in every place that formats have for it: Pillow writes it."""

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from captioner.batch.descriptions import description
from tests.batch import process
from tests.batch.test_sidecars import DESCRIBED, LIGHTROOM

PACKET = (LIGHTROOM % DESCRIBED).encode()
RNG = np.random.default_rng(7)


def noise(*channels: int, dtype: Any = np.uint8) -> Image.Image:
    most = np.iinfo(dtype).max
    return Image.fromarray(RNG.integers(0, most, (30, 40, *channels), dtype, endpoint=True))


def exif(text: str, orientation: int = 1) -> Image.Exif:
    notes = Image.Exif()
    notes[0x010E], notes[0x0112] = text.encode(), orientation
    return notes


def iptc(caption: bytes, marked: bool) -> bytes:
    """A JPEG's Photoshop segment with the caption, 2:120, and perhaps the mark of UTF-8, 1:90."""
    records = [(1, 90, b"\x1b%G")] if marked else []
    notes = b"".join(
        struct.pack(">BBBH", 0x1C, record, number, len(text)) + text
        for record, number, text in [*records, (2, 120, caption)]
    )
    notes += b"\0" * (len(notes) % 2)
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(notes)) + notes
    segment = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment


def with_iptc(path: Path, caption: bytes, marked: bool = True) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:2] + iptc(caption, marked) + data[2:])


def saved(path: Path, **how: Any) -> Path:
    noise(3).save(path, **how)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_what_a_person_wrote_into_a_photo_is_found(tmp_path: Path, suffix: str) -> None:
    photo = tmp_path / f"a.{suffix}"
    packet = (LIGHTROOM % DESCRIBED).encode() + b" " * 2000
    if suffix == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        saved(photo, pnginfo=info)
    elif suffix == "tif":
        saved(photo, tiffinfo={700: packet})
    else:
        saved(photo, xmp=packet)
    assert "Rex" in description(str(photo))
    saved(photo, exif=exif("Lotte, Zürich 1987"))
    assert description(str(photo)) == "Lotte, Zürich 1987"
    saved(photo)
    assert description(str(photo)) == ""


def test_what_windows_explorer_writes_is_found(tmp_path: Path) -> None:
    notes = Image.Exif()
    notes[0x9C9C] = "Zürich 1987\0".encode("utf-16-le")  # XPComment
    assert description(str(saved(tmp_path / "a.jpg", exif=notes))) == "Zürich 1987"


def test_iptc_captions_in_any_encoding(tmp_path: Path) -> None:
    for text, encoding, marked in (
        ("Zürich", "utf-8", True),
        ("Zürich", "utf-8", False),
        ("Zürich", "latin-1", False),
    ):
        photo = saved(tmp_path / "a.jpg")
        with_iptc(photo, text.encode(encoding), marked)
        assert description(str(photo)) == text
    photo = saved(tmp_path / "a.tif", tiffinfo={33723: b"\x1c\x02\x78\0\x04Rex!"})
    assert description(str(photo)) == "Rex!"


@pytest.mark.parametrize(
    "text",
    [
        *("OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "KONICA MINOLTA DIGITAL CAMERA"),
        *("DCIM\\100GOPRO", "Exif_JPEG_PICTURE", "cof", "default"),
        *("<?xml version='1.0'?><OME/>", '{"shape": [3, 4]}'),
    ],
)
def test_what_cameras_and_programs_write_does_not_count(tmp_path: Path, text: str) -> None:
    assert description(str(saved(tmp_path / "a.jpg", exif=exif(text)))) == ""
    assert description(str(saved(tmp_path / "b.jpg", exif=exif(f"Rex and {text}")))) != ""


def test_damaged_notes_and_files_are_no_description(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe1\0\x10Exif")
    saved(tmp_path / "b.jpg", xmp=b"<x:xmpmeta cut of")
    for name in ("a.jpg", "b.jpg", "none.jpg"):
        assert description(str(tmp_path / name)) == ""


def encoded(kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    noise(3).save(file, kind, **how)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    "note",
    [
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET)),
        chunk(b"tEXt", b"Comment\0Rex at the sea"),
        chunk(b"eXIf", exif("Rex at the sea").tobytes()[6:]),
    ],
)
def test_notes_behind_the_pixels_of_a_png_count(note: bytes) -> None:
    """ExifTool writes them there."""
    png = encoded("PNG")
    assert "Rex" in description(png[:-12] + note + png[-12:])
    assert description(png) == ""


def test_xmp_is_found_in_formats_whose_notes_pillow_does_not_read() -> None:
    for photo in (
        encoded("JPEG2000") + struct.pack(">I", 24 + len(PACKET)) + b"uuid" + bytes(16) + PACKET,
        encoded("GIF")[:-1] + b"\x21\xff\x0bXMP DataXMP" + PACKET + b"\1" + bytes(258) + b"\x3b",
        encoded("AVIF", xmp=PACKET),
    ):
        assert "Rex" in description(photo)


def test_phones_photos_are_read_too() -> None:
    heif = pytest.importorskip("pillow_heif", reason="a plugin, absent here")
    for notes in ({"xmp": PACKET}, {"exif": exif("Rex at the sea").tobytes()}):
        file = io.BytesIO()
        heif.from_pillow(noise(3)).save(file, **notes)
        assert "Rex" in description(file.getvalue())


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b"ASCII\0\0\0Rex", "Rex"),
        (b"UNICODE\0" + "Zürich".encode("utf-16-le"), "Zürich"),
        (b"UNICODE\0" + "Zürich".encode("utf-16-be"), "Zürich"),
        (bytes(8) + "Zürich".encode(), "Zürich"),
        (b"ASCII\0\0\0" + b" " * 20, ""),
        (b"ASCII\0\0\0a dog, best quality\nSteps: 20, Sampler: Euler a, Seed: 1", ""),
    ],
)
def test_exif_user_comments(comment: bytes, text: str) -> None:
    for big in (False, True):
        notes = Image.Exif()
        notes.endian = ">" if big else "<"
        notes.get_ifd(0x8769)[0x9286] = comment
        assert description(encoded("JPEG", exif=notes)) == text


def test_a_description_inside_a_photo_in_an_archive_is_kept(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("mine.jpg", encoded("JPEG", xmp=PACKET))
        archive.writestr("other.jpg", encoded("JPEG"))
    arguments = ["caption", "a.zip", "--format", "xmp", "-o", "out"]
    assert process.run(arguments, tmp_path) == 0
    assert os.listdir(tmp_path / "out" / "a.zip") == ["other.jpg.xmp"]
    said = (tmp_path / "said.txt").read_text()
    assert "1 photo captioned, 1 skipped, as they have a caption" in said
    assert process.run([*arguments, "--overwrite"], tmp_path) == 0
    assert len(os.listdir(tmp_path / "out" / "a.zip")) == 2
