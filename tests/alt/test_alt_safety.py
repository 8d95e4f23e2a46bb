"""What `alt` must not do to files, its own or others', whatever a page says."""

import errno
import os
import random
import stat
from pathlib import Path

import pytest
from PIL import Image

from captioner import files
from captioner.alt.documents import Document, NoPicture, documents
from captioner.files import rewrite
from tests.alt import mutated
from tests.batch import process


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    Image.new("RGB", (4, 3)).save(tmp_path / "site" / "a.jpg")
    Image.new("RGB", (8, 6)).save(tmp_path / "secret.jpg")
    return tmp_path / "site"


def write(site: Path) -> tuple[int | None, str]:
    code = process.run(["alt", "site", "--write"], site.parent)
    return code, (site.parent / "said.txt").read_text()


def test_a_link_out_of_the_site_is_not_followed_to_write(site: Path) -> None:
    outside = site.parent / "outside.html"
    outside.write_text("<img src=a.jpg>")
    (site / "page.html").symlink_to(outside)
    (site / "within.html").write_text("<img src=a.jpg>")
    (site / "other.html").symlink_to("within.html")
    code, said = write(site)
    assert code == 1 and "site/page.html: is a link to a file outside of the site" in said
    assert outside.read_text() == "<img src=a.jpg>" and (site / "page.html").is_symlink()
    assert (site / "within.html").read_text() == '<img alt="A photo 4 by 3." src=a.jpg>'
    assert (site / "other.html").is_symlink()


def test_pictures_above_the_site_are_not_read(site: Path) -> None:
    (site / "deep").mkdir()
    (site / "link.jpg").symlink_to("../secret.jpg")
    (site / "folder").symlink_to("..")
    sources = ["../secret.jpg", "%2e%2e/secret.jpg", "/../secret.jpg", "link.jpg"]
    sources += ["deep/../../secret.jpg", "folder/secret.jpg", "..\\secret.jpg", "a\0b.jpg"]
    sources += ["file:///etc/passwd", str(site.parent / "secret.jpg"), "a%00.jpg", "a" * 5000]
    sources += ["../site/a.jpg", "deep/../a.jpg", "/a.jpg"]
    tags = "".join(f'<img src="{source}">' for source in sources)
    (site / "page.html").write_text(tags + "![](../secret.jpg)")
    (site / "page.md").write_text("![](../secret.jpg) ![[../secret.jpg]] ![[secret.jpg]]")
    code, said = write(site)
    assert code == 1 and "A photo 8 by 6." not in said and "Traceback" not in said
    assert said.count("lies outside of the site; name the folder of all of it") == 9
    assert said.count("A photo 4 by 3.") == 3


def test_a_page_keeps_its_other_names_owner_and_mode(site: Path) -> None:
    page, other = site / "page.html", site.parent / "other.html"
    page.write_text("<img src=a.jpg>")
    page.chmod(0o604)
    os.link(page, other)
    before = page.stat()
    assert write(site)[0] == 0
    assert other.read_text() == page.read_text() == '<img alt="A photo 4 by 3." src=a.jpg>'
    after = page.stat()
    assert (after.st_ino, after.st_nlink, after.st_uid) == (before.st_ino, 2, before.st_uid)
    assert stat.S_IMODE(after.st_mode) == 0o604
    assert not list(site.glob(".*"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_page_of_another_owner_stays_theirs(site: Path) -> None:
    page = site / "page.html"
    page.write_text("<img src=a.jpg>")
    os.chown(page, 1234, 4321)
    page.chmod(0o640)
    assert write(site)[0] == 0
    status = page.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o640)
    assert "alt=" in page.read_text()


def test_an_owner_that_cannot_be_given_is_kept_by_writing_in_place(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refused)
    page = site / "page.html"
    page.write_text("longer than what follows")
    number = page.stat().st_ino
    rewrite(page, b"short")
    assert page.read_bytes() == b"short" and page.stat().st_ino == number
    assert not list(site.glob(".*"))


@pytest.mark.parametrize("edited", [False, True])
def test_a_page_half_written_in_its_place_is_finished_by_the_next_run(
    site: Path, monkeypatch: pytest.MonkeyPatch, edited: bool
) -> None:
    page, other = site / "page.html", site.parent / "other.html"
    old, new = b"<img src=a.jpg>" * 1000, b'<img alt="A photo 4 by 3." src=a.jpg>' * 1000
    page.write_bytes(old)
    os.link(page, other)

    def killed(target: Path, data: bytes) -> None:
        with open(target, "r+b") as file:
            file.write(data[:1000])
        os._exit(9)

    child = os.fork()
    if not child:
        monkeypatch.setattr("captioner.files._overwrite", killed)
        rewrite(page, new)
    os.waitpid(child, 0)
    assert page.read_bytes() not in (old, new)
    if edited:
        page.write_bytes(b"edited by hand")
    files._clear_away.cache_clear()
    assert not list(documents([str(page)]))
    assert page.read_bytes() == other.read_bytes() == (b"edited by hand" if edited else new)
    assert not list(site.glob(".*"))


def test_a_full_disk_is_met_before_the_first_byte_of_a_page_in_its_place(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    page = site / "page.html"
    page.write_text("old")
    with pytest.raises(OSError, match="No space left"):
        files._overwrite(page, b"longer than the old")
    assert page.read_text() == "old"


@pytest.mark.skipif(not hasattr(os, "listxattr"), reason="extended attributes are Linux's")
def test_extended_attributes_stay(site: Path) -> None:
    page = site / "page.html"
    page.write_text("x")
    try:
        os.setxattr(page, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    rewrite(page, b"y")
    assert os.getxattr(page, "user.note") == b"mine"


def test_what_is_written_into_mutated_pages_only_adds(site: Path) -> None:
    """A sample of benchmarks/alt_mutated_pages.py, which tries thousands."""
    for number in range(200):
        name, data = mutated.page(random.Random(number))
        mutated.check(site, name, data)


def test_a_picture_that_is_no_file_is_not_waited_for(site: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("named pipes are Unix's")
    os.mkfifo(site / "pipe.jpg")
    (site / "page.html").write_text("<img src=pipe.jpg><img src=.>")
    (page,) = documents([str(site)])
    assert isinstance(page, Document)
    for gap in page.gaps:
        with pytest.raises(NoPicture, match="is no file"):
            page.picture(gap)
