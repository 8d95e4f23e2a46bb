"""Where a site's pictures lie, and which of its pages are not looked into."""

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from captioner.alt.documents import Document, NoPicture, NotLookedInto, documents
from captioner.errors import CaptionerError
from tests.batch import process

LAYOUTS = {
    "Hugo": ("hugo.toml", "content/posts", "static"),
    "Hugo's bundles": ("config/_default/hugo.toml", "content/posts", "content"),
    "Hugo before 0.110": ("config.toml", "content", "static"),
    "Jekyll": ("_config.yml", "_posts", "."),
    "Docusaurus": ("docusaurus.config.ts", "docs/a", "static"),
    "Astro": ("astro.config.mjs", "src/pages", "public"),
    "Eleventy": ("eleventy.config.js", "src/posts", "src"),
    "Eleventy before 2": (".eleventy.js", "posts", "public"),
    "none": ("readme.txt", "pages", "static"),
}


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30)).save(path)
    return path


def page(path: Path, *sources: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"![](<{source}>)\n" for source in sources))
    return path


def pictures(*inputs: Path, **how: str) -> list[Path | str]:
    """What each gap's picture is, or the problem with it."""
    found: list[Path | str] = []
    for each in documents(map(str, inputs), **how):  # type: ignore[arg-type]
        assert isinstance(each, Document)
        for gap in each.gaps:
            try:
                found.append(each.picture(gap))
            except NoPicture as problem:
                found.append(str(problem))
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_root_of_a_site_is_found(tmp_path: Path, name: str) -> None:
    marker, pages, root = (tmp_path / "site" / part for part in LAYOUTS[name])
    marker.parent.mkdir(parents=True)
    marker.touch()
    where = photo(root / "images" / "a.jpg")
    post = page(pages / "post.md", "/images/a.jpg", "images/a.jpg")
    for named in (tmp_path / "site", *([] if name == "none" else [pages, post])):
        assert [os.path.realpath(found) for found in pictures(named)] == [str(where)] * 2


def test_a_site_within_the_folder_has_its_own_root_and_what_it_makes_is_passed_over(
    tmp_path: Path,
) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "docusaurus.config.js").touch()
    where = photo(tmp_path / "web" / "static" / "a.jpg")
    page(tmp_path / "web" / "docs" / "a.mdx", "/a.jpg", "@site/static/a.jpg")
    page(tmp_path / "web" / "build" / "a.html", "x")
    page(tmp_path / "build" / "b.md", "gone.jpg")
    assert pictures(tmp_path) == [tmp_path / "build" / "gone.jpg", where, where]


def test_a_root_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = photo(tmp_path / "site" / "files" / "a.jpg")
    page(tmp_path / "site" / "a.md", "/a.jpg")
    assert pictures(tmp_path / "site") == [tmp_path / "site" / "a.jpg"], "it is not there"
    assert pictures(tmp_path / "site", root="files") == [where]
    monkeypatch.chdir(tmp_path)
    assert pictures(Path("site"), root="site/files") == [Path("site/files/a.jpg")]
    with pytest.raises(CaptionerError, match="--root gone: there is no such folder"):
        pictures(Path("site"), root="gone")


def test_names_composed_or_not_and_capitals_where_they_are_clear(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "Grüße é.jpg") for form in ("NFC", "NFD"))
    one = photo(tmp_path / "nfc" / composed)
    two = photo(tmp_path / "nfd" / apart)
    three = photo(tmp_path / "IMG" / "P2.JPG")
    photo(tmp_path / "twice" / "a.jpg"), photo(tmp_path / "twice" / "A.JPG")
    page(
        tmp_path / "a.md",
        f"nfc/{apart}",
        f"nfd/{composed}",
        "img/p2.jpg",
        "/img/./p2.jpg",
        "twice/A.jpg",
        "twice/a.jpg",
        "NFC/gr%C3%BC%C3%9Fe é.jpg",
    )
    if (tmp_path / "IMG" / "p2.jpg").exists():
        pytest.skip("this file system does not care for capitals")
    found = pictures(tmp_path)
    assert found[:4] == [one, two, three, three]
    assert not Path(found[4]).exists() and found[5].name == "a.jpg"  # type: ignore[union-attr]
    assert found[6] == one


def test_what_a_page_in_mdx_imports(tmp_path: Path) -> None:
    where = photo(tmp_path / "img" / "a.jpg")
    post = tmp_path / "a.mdx"
    post.write_text(
        'import one from "./img/a.jpg"\nimport {two} from "./img/a.jpg"\n\n'
        "<img src={one} />\n\nand <img src={one.src} /> <img src={two} />\n"
    )
    made = "a template makes its address; see to it by hand"
    assert pictures(post) == [where, where, made]


def test_a_vault_finds_a_picture_by_its_name(tmp_path: Path) -> None:
    where = photo(tmp_path / "attachments" / "deep" / "a b.jpg")
    photo(tmp_path / "x" / "twice.jpg"), photo(tmp_path / "y" / "twice.jpg")
    note = tmp_path / "notes" / "a.md"
    note.parent.mkdir()
    note.write_text("![[a b.jpg]] ![[twice.jpg]] ![[../x/twice.jpg|200]]")
    missing, there = note.parent / "twice.jpg", note.parent / "../x/twice.jpg"
    assert pictures(tmp_path) == [where, missing, there]


def test_pages_of_other_kinds_are_named_and_fail_the_check(tmp_path: Path) -> None:
    site = tmp_path / "site"
    page(site / "fine.md")
    others = {
        "a.vue": "<img src=a.jpg>",
        "b.php": "<?php image('a.jpg') ?>",
        "c.adoc": "image::a.jpg[]",
        "d.rst": ".. image:: a.jpg",
        "e.pug": "img(src=x)",
        "f.jsx": "<Image src={x} />",
    }
    harmless = {"g.vue": "<p>words</p>", "h.js": "const a = 'a.jpg'", "i.txt": "<img>"}
    for name, text in (others | harmless).items():
        (site / name).write_text(text)
    found = list(documents([str(site)]))
    assert all(isinstance(each, NotLookedInto) for each in found)
    assert [str(each).split(":")[0] for each in found] == [str(site / name) for name in others]
    assert process.run(["alt", "site", "--check"], tmp_path) == 1
    said = (tmp_path / "said.txt").read_text()
    assert "site/a.vue: is not looked into, as .vue is not read here" in said
    assert process.run(["alt", "site"], tmp_path) == 0
    leave = [word for ending in ("[a-e].*", "site/x", "*.jsx") for word in ("--exclude", ending)]
    assert process.run(["alt", "site", "--check", *leave], tmp_path) == 0
    assert [str(each).split(":")[0] for each in documents([str(site)], exclude=["*.[a-u]*"])] == [
        str(site / "a.vue")
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    page(tmp_path / "a.md")
    (tmp_path / "shut").mkdir(mode=0)
    assert [str(each) for each in documents([str(tmp_path)])] == [
        f"{tmp_path / 'shut'}: cannot be read: Permission denied."
    ]


def test_a_page_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captioner.alt.documents.LARGEST", 2_000_000)
    (tmp_path / "a.md").write_bytes(b"x" * 2_000_001)
    assert [str(each) for each in documents([str(tmp_path)])] == [
        f"{tmp_path / 'a.md'}: is larger than a page may be (2 MB); split it."
    ]
