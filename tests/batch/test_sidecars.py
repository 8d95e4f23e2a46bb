"""Sidecars as others read them: exiv2, which photo managers use, and plain eyes."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from captioner.batch import xmp
from captioner.batch.places import TextSidecar
from captioner.batch.sidecars import Sidecars
from tests.batch import process
from tests.datasets.packed import jpeg, pack

LIGHTROOM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<!-- made by hand -->
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/" xmp:Rating="4" darktable:history_end="3">
   <dc:subject xmlns:dc="http://purl.org/dc/elements/1.1/">
    <rdf:Bag><rdf:li>holiday</rdf:li><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>
   %s
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
DUBLIN_CORE = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
DESCRIBED = """<dc:description xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt>
 <rdf:li xml:lang="x-default">Rex</rdf:li><rdf:li xml:lang="de-DE">Rex am Meer</rdf:li>
</rdf:Alt></dc:description>"""


def read(sidecar: Path) -> dict[str, object]:
    exiv2 = pytest.importorskip("exiv2", reason="has no package for this system")
    image = exiv2.ImageFactory.open(str(sidecar))
    image.readMetadata()
    found = {}
    for datum in image.xmpData():
        value = datum.getValue()
        found[datum.key()] = dict(value) if isinstance(value, exiv2.LangAltValue) else str(value)
    return found


@pytest.fixture
def album(tmp_path: Path) -> Path:
    (tmp_path / "album" / "sub").mkdir(parents=True)
    for name in ("a.jpg", "sub/b.png"):
        Image.new("RGB", (4, 5)).save(tmp_path / "album" / name)
    (tmp_path / "album" / "bad.jpg").touch()
    return tmp_path


def caption(album: Path, *arguments: object) -> tuple[int | None, str]:
    code = process.run(["caption", *arguments], album)
    return code, (album / "said.txt").read_text()


def test_a_text_beside_each_photo(album: Path) -> None:
    code, said = caption(album, "album", "--format", "sidecar", "--before", "dog, ")
    assert code == 1 and "2 photos captioned, 1 failed" in said
    assert (album / "album" / "a.txt").read_text() == "dog, A photo 4 by 5.\n"
    assert (album / "album" / "sub" / "b.txt").exists()
    assert sorted(os.listdir(album / "album")) == ["a.jpg", "a.txt", "bad.jpg", "sub"]
    assert sorted(os.listdir(album)) == ["album", "said.txt"]


def test_what_has_a_caption_keeps_it_unless_told_otherwise(album: Path) -> None:
    sidecar = album / "album" / "a.txt"
    sidecar.write_text("Mine.")
    for more in ([], ["--skip-existing"]):
        (album / "album" / "sub" / "b.txt").unlink(missing_ok=True)
        _, said = caption(album, "album", "--format", "sidecar", *more)
        assert "1 photo captioned, 1 failed, 1 skipped" in said
        assert sidecar.read_text() == "Mine."
    caption(album, "album", "--format", "sidecar", "--overwrite")
    assert sidecar.read_text() == "A photo 4 by 5.\n"
    sidecar.write_text(" \n")  # nobody's caption
    caption(album, "album", "--format", "sidecar")
    assert sidecar.read_text() == "A photo 4 by 5.\n"


def test_xmp_is_what_photo_managers_read(album: Path) -> None:
    text = 'A <b> & "c" ü. A photo 4 by 5.'
    caption(album, "album", "--format", "xmp", "--before", text[:-15])
    found = read(album / "album" / "a.jpg.xmp")
    assert found == {
        "Xmp.dc.description": {"x-default": text},
        "Xmp.iptc.AltTextAccessibility": {"x-default": text},
    }
    tree = ElementTree.parse(album / "album" / "sub" / "b.png.xmp")
    assert tree.getroot().tag == "{adobe:ns:meta/}xmpmeta"


def test_what_else_is_in_a_sidecar_stays(album: Path) -> None:
    sidecar = album / "album" / "a.jpg.xmp"
    sidecar.write_text(LIGHTROOM % "")
    before = read(sidecar)
    assert before["Xmp.xmp.Rating"] == "4"
    caption(album, "album", "--format", "xmp")
    after = read(sidecar)
    assert after.pop("Xmp.dc.description") == {"x-default": "A photo 4 by 5."}
    assert after.pop("Xmp.iptc.AltTextAccessibility") == {"x-default": "A photo 4 by 5."}
    assert after == before
    assert b"made by hand" in sidecar.read_bytes()


def test_a_description_is_kept_or_replaced_and_other_languages_stay(album: Path) -> None:
    sidecar = album / "album" / "a.jpg.xmp"
    sidecar.write_text(LIGHTROOM % DESCRIBED)
    before = sidecar.read_bytes()
    _, said = caption(album, "album", "--format", "xmp")
    assert "1 skipped" in said and sidecar.read_bytes() == before
    caption(album, "album", "--format", "xmp", "--overwrite")
    assert read(sidecar)["Xmp.dc.description"] == {
        "x-default": "A photo 4 by 5.",
        "de-DE": "Rex am Meer",
    }
    once = sidecar.read_bytes()
    caption(album, "album", "--format", "xmp", "--overwrite")
    assert sidecar.read_bytes() == once


@pytest.mark.parametrize(
    "content", ["no xml", "<x:xmpmeta cut of", "<a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"]
)
def test_a_sidecar_that_is_no_xmp_is_left_alone(album: Path, content: str) -> None:
    sidecar = album / "album" / "a.jpg.xmp"
    sidecar.write_text(content)
    for more in ([], ["--overwrite"]):
        _, said = caption(album, "album", "--format", "xmp", *more)
        assert "a.jpg: its sidecar album/a.jpg.xmp is no XMP; move it away" in said
        assert ", 2 failed" in said
        assert sidecar.read_text() == content


def test_an_empty_sidecar_is_nobodys_caption(album: Path) -> None:
    sidecar = album / "album" / "a.jpg.xmp"
    sidecar.write_text(" \n")
    caption(album, "album/a.jpg", "--format", "xmp")
    assert read(sidecar)["Xmp.dc.description"] == {"x-default": "A photo 4 by 5."}


@pytest.mark.parametrize("namespaces", ["", 'xmlns:d="http://purl.org/dc/elements/1.1/"'])
def test_a_description_as_an_attribute_is_one(album: Path, namespaces: str) -> None:
    sidecar = album / "album" / "a.jpg.xmp"
    prefix = "d" if namespaces else "dc"
    written = LIGHTROOM % ""
    sidecar.write_text(written)
    before = read(sidecar)
    written = written.replace(
        'rdf:about=""',
        f'rdf:about="" {namespaces or DUBLIN_CORE} {prefix}:description="Lotte 1987"',
    )
    sidecar.write_text(written)
    _, said = caption(album, "album", "--format", "xmp")
    assert "1 skipped" in said and sidecar.read_text() == written
    caption(album, "album", "--format", "xmp", "--overwrite")
    after = read(sidecar)  # exiv2 refuses a property that is there twice
    assert after.pop("Xmp.dc.description") == {"x-default": "A photo 4 by 5."}
    after.pop("Xmp.iptc.AltTextAccessibility")
    assert after == before


def test_a_text_in_another_language_alone_stays(album: Path) -> None:
    sidecar = album / "album" / "a.jpg.xmp"
    german = DESCRIBED.replace('<rdf:li xml:lang="x-default">Rex</rdf:li>', "")
    sidecar.write_text(LIGHTROOM % german)
    caption(album, "album/a.jpg", "--format", "xmp", "--overwrite")
    assert read(sidecar)["Xmp.dc.description"] == {
        "x-default": "A photo 4 by 5.",
        "de-DE": "Rex am Meer",
    }


def test_lightrooms_sidecar_is_seen_and_can_be_written(album: Path) -> None:
    lightroom = album / "album" / "a.xmp"
    lightroom.write_text(LIGHTROOM % DESCRIBED)
    _, said = caption(album, "album/a.jpg", "--format", "xmp")
    assert "1 skipped" in said and not (album / "album" / "a.jpg.xmp").exists()
    lightroom.write_text(LIGHTROOM % "")
    caption(album, "album/a.jpg", "--format", "xmp", "--sidecar-name", "photo.xmp")
    assert read(lightroom)["Xmp.dc.description"] == {"x-default": "A photo 4 by 5."}
    assert read(lightroom)["Xmp.xmp.Rating"] == "4"
    Image.new("RGB", (4, 5)).save(album / "album" / "a.png")
    code, said = caption(album, "album", "--format", "xmp", "--sidecar-name", "photo.xmp")
    assert code == 1 and "or take --sidecar-name photo.jpg.xmp" in said
    assert caption(album, "album", "--sidecar-name", "photo.xmp")[0] == 2


def test_control_characters_do_not_break_the_xml() -> None:
    assert ElementTree.fromstring(xmp.merged(b"", "a\x00b\x1b\tc")) is not None


def test_below_a_folder_the_photos_folders_are_made_again(album: Path) -> None:
    pack(album / "shard.tar", {"x/1.jpg": jpeg(1), "../../2.jpg": jpeg(2)})
    code, _ = caption(
        album, "album", "shard.tar", "album/**/b.png", "--format", "sidecar", "-o", "texts"
    )
    assert code == 1
    texts = album / "texts"
    assert sorted(str(path.relative_to(texts)) for path in texts.rglob("*.txt")) == [
        "a.txt",
        "shard.tar/2.txt",
        "shard.tar/x/1.txt",
        "sub/b.txt",
    ]
    assert not (album / "album" / "a.txt").exists()
    assert sorted(os.listdir(texts)) == ["a.txt", "shard.tar", "sub"]


def test_two_photos_with_one_sidecar_are_named_before_anything_is_written(album: Path) -> None:
    Image.new("RGB", (4, 5)).save(album / "album" / "a.png")
    code, said = caption(album, "album", "--format", "sidecar")
    assert code == 1
    assert "album/a.jpg and album/a.png → album/a.txt" in said
    assert not list((album / "album").rglob("*.txt"))
    assert caption(album, "album", "album/a.jpg", "--format", "xmp")[0] == 1  # bad.jpg alone
    assert (album / "album" / "a.png.xmp").exists()
    (album / "other").mkdir()
    Image.new("RGB", (4, 5)).save(album / "other" / "a.jpg")
    code, said = caption(album, "album", "other", "--format", "xmp", "-o", "texts")
    assert code == 1 and "album/a.jpg and other/a.jpg → texts/a.jpg.xmp" in said


def test_a_photo_named_twice_is_no_conflict(album: Path) -> None:
    arguments = ["album/a.jpg", "album/a.jpg", "album/sub", "--format", "sidecar"]
    code, said = caption(album, *arguments)
    assert code == 0, said


def test_what_has_no_beside_needs_a_folder(album: Path) -> None:
    pack(album / "shard.zip", {"1.jpg": jpeg(1)})
    code, said = caption(album, "album", "shard.zip", "--format", "sidecar")
    assert code == 1 and "shard.zip/1.jpg" in said and "--output" in said
    assert not (album / "album" / "a.txt").exists()


def test_folders_that_cannot_be_written_are_said_first(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not bind root, so the refusal is put on."""
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: not str(path).endswith("sub") and access(path, mode)
    )
    monkeypatch.chdir(album)
    sidecars = Sidecars(TextSidecar(), ["album"], None, overwrite=False)
    from captioner.datasets.photos.sources import files
    from captioner.datasets.photos.stream import photos
    from captioner.errors import CaptionerError

    with pytest.raises(CaptionerError, match="album/sub: sidecars cannot be written there"):
        sidecars.check(lambda: photos(files(["album"])))
    (album / "file").touch()
    code, said = caption(album, "album", "--format", "sidecar", "-o", "file/texts")
    assert code == 1 and "file/texts" in said and "Traceback" not in said


def test_a_list_on_standard_input_is_checked_as_well(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (album / "list.txt").write_text("album/a.jpg\nalbum/sub\n")
    code, _ = caption(album, "list.txt", "--format", "sidecar")
    assert code == 0
    assert (album / "album" / "sub" / "b.txt").exists()


@pytest.mark.parametrize(
    ("format", "long", "too_long"), [("sidecar", 251, None), ("xmp", 251, 252)]
)
def test_long_names_end_no_run(album: Path, format: str, long: int, too_long: int | None) -> None:
    """A name has 255 bytes at most, and a sidecar's is longer than its photo's."""
    lengths = [length for length in (long, too_long) if length]
    for length in lengths:
        Image.new("RGB", (4, 5)).save(album / "album" / f"{'x' * (length - 4)}.jpg")
    (album / "album" / "bad.jpg").unlink()
    code, said = caption(album, "album", "--format", format, "--resume")
    assert ("1 failed" in said) == (too_long is not None) and code == (too_long is not None)
    assert "3 photos captioned" in said and "Traceback" not in said
    if too_long:
        assert "its sidecar cannot be written (File name too long)" in said
    assert len(list((album / "album").glob("x*"))) == 1 + len(lengths)
    assert not list(album.rglob("*.tmp")) and not list(album.rglob("*.progress"))


def test_a_long_folder_in_an_archive_ends_no_run(album: Path) -> None:
    pack(album / "shard.tar", {f"{'x' * 300}/1.jpg": jpeg(1), "2.jpg": jpeg(2)})
    code, said = caption(album, "shard.tar", "--format", "sidecar", "-o", "texts")
    assert code == 1 and "1 photo captioned, 1 failed" in said
    assert (album / "texts" / "shard.tar" / "2.txt").exists()


def test_texts_for_trainers(album: Path) -> None:
    more = ["--extension", ".caption", "--lower", "--no-full-stop"]
    around = ["--before", "sks woman, ", "--after", ", masterpiece"]
    caption(album, "album/a.jpg", "--format", "sidecar", *more, *around)
    text = (album / "album" / "a.caption").read_text()
    assert text == "sks woman, a photo 4 by 5, masterpiece\n"
    assert caption(album, "album", "--format", "sidecar", "--extension", "png")[0] == 2
    assert caption(album, "album", "--extension", ".caption", "-o", "x.csv")[0] == 2


def test_appending_puts_the_sentence_behind_what_is_there_once(album: Path) -> None:
    sidecar = album / "album" / "a.txt"
    arguments = ["album/a.jpg", "album/sub", "--format", "sidecar", "--append"]
    for there, expected in (
        ("sks woman\n", "sks woman, A photo 4 by 5.\n"),
        ("Mine.\nYours.", "Mine.\nYours. A photo 4 by 5.\n"),
        ("", "A photo 4 by 5.\n"),
    ):
        sidecar.write_text(there)
        for _ in range(2):  # as a run does that was killed just after
            assert caption(album, *arguments)[0] == 0
            assert sidecar.read_text() == expected
    assert (album / "album" / "sub" / "b.txt").read_text() == "A photo 4 by 5.\n"
    assert caption(album, *arguments[:-1], "--format", "xmp", "--append")[0] == 2
