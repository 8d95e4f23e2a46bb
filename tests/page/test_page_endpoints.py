"""What the page itself asks for: plain JSON, of files that were uploaded here."""

import gzip
import json
import tarfile
import time
import zipfile
from collections import Counter

import anyio.from_thread
import httpx
import pytest
from fake_captioner import SENTENCES, FakeCaptioner
from test_page_api import answer_of, call, upload

from captioner.errors import CaptionerError
from captioner.page import endpoints, uploads
from captioner.page.saving import _text_name, as_texts, save_album


def ask(served, name, files=(), request=None):
    body = {"files": list(files), "request": request}
    return httpx.post(f"{served.url}/page/ask/{name}", json=body, timeout=60)


def test_a_caption_is_the_one_that_programs_get(served, photos):
    sent = upload(served.url, photos / "dog.jpg")
    wish = {"beam": 4, "alternatives": 1, "choices": 3}
    event = call(served.url, "caption_with", sent, wish).json()["event_id"]
    assert (
        ask(served, "caption", [sent], wish).json()
        == answer_of(served.url, "caption_with", event)[1][0]
    )


def test_an_album_comes_line_by_line_and_says_where_it_ends_early(served, photos):
    files = [upload(served.url, photos / name) for name in ("dog.jpg", "notes.txt")]
    files[1]["orig_name"] = "notes.txt"
    said = [json.loads(line) for line in ask(served, "album", files).text.splitlines()]
    assert [one["total"] for one in said] == [2, 2]
    assert said[1]["rows"][0]["caption"] == SENTENCES[0].capitalize() + "."
    assert said[1]["rows"][1]["path"] == "notes.txt" and said[1]["rows"][1]["error"]
    for given, wish in (([], None), (files, {"prefix": "zzz"}), (files, {"beam": 99})):
        *_, last = ask(served, "album", given, wish).text.splitlines()
        assert set(json.loads(last)) == {"detail"}


def test_a_file_to_save_keeps_its_name(served, photos):
    sent = upload(served.url, photos / "dog.jpg") | {"orig_name": "Zoë & 犬 50%.jpg"}
    wish = {"kind": "panels", "caption": "A.", "words": ["a"], "attention": [[[1.0]]]}
    answer = ask(served, "save_photo", [sent], wish | {"strength": 0.5})
    assert answer.content.startswith(b"\x89PNG") and answer.headers["content-type"] == "image/png"
    name = answer.headers["content-disposition"].partition("filename*=UTF-8''")[2]
    assert httpx.URL(f"http://x/{name}").path == "/Zoë & 犬 50%.attention.png"


def test_only_uploaded_files_are_read(served, photos, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes((photos / "dog.jpg").read_bytes())
    own = upload(served.url, photos / "dog.jpg")["path"]
    around = f"{own}/../../../{secret.name}"
    for path in (str(secret), "/etc/passwd", "app.py", around, "", "a\0b", 3, None):
        for name in ("caption", "compare", "album", "packed_photo", "save_photo"):
            answer = ask(served, name, [{"path": path}])
            assert answer.status_code == 400 and "caption" not in answer.text
            assert str(tmp_path) not in answer.json()["detail"]


KEEPSAKE = {"kind": "panels", "caption": "A.", "words": ["a"], "strength": 0.5}
NUMBERS = [[[[]]], [[]], [], [[[float("nan")]]], [[[float("inf")]]], [[[1e300]]], [[[-1]]]]


@pytest.mark.parametrize("attention", NUMBERS, ids=str)
def test_attention_that_is_none_is_refused(served, photos, attention, capfd):
    good = upload(served.url, photos / "dog.jpg")
    body = json.dumps({"files": [good], "request": KEEPSAKE | {"attention": attention}})
    answer = httpx.post(f"{served.url}/page/ask/save_photo", content=body, timeout=60)
    assert answer.status_code == 400 and "cannot be saved" in answer.text
    assert "Warning" not in capfd.readouterr().err


def test_thousands_of_photos_of_one_name_are_saved_at_once():
    """Each found its number by counting from two: 9,000 took 7 s."""
    names = Counter(_text_name("a.jpg", taken) for taken in [Counter()] for _ in range(3))
    assert [*names] == ["a.txt", "a-2.txt", "a-3.txt"]
    taken = Counter({"b-2.txt": 1})
    assert [_text_name("b.jpg", taken) for _ in range(3)] == ["b.txt", "b-3.txt", "b-4.txt"]
    began = time.process_time()
    as_texts([{"path": "a", "caption": "b"}] * 9000)
    assert time.process_time() - began < 3
    rows = [{"path": "x" * 70_000, "caption": "b"}]
    with pytest.raises(CaptionerError, match="cannot be saved"):
        save_album({"format": "text", "rows": rows})


def test_an_album_that_nobody_reads_is_ended(monkeypatch):
    """Eight of them kept everybody else from being answered, for as long as they liked."""
    monkeypatch.setattr(endpoints, "UNREAD", 0.1)
    sent, ended = [], []

    async def lines():
        try:
            while True:
                yield "{}\n"
        finally:
            ended.append(True)

    async def full(message):
        sent.append(message)
        if len(sent) > 3:
            await anyio.sleep_forever()

    async def silent():
        await anyio.sleep_forever()

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    with anyio.from_thread.start_blocking_portal() as portal:
        portal.start_task_soon(endpoints.AlbumResponse(lines()), scope, silent, full).result(60)
    assert len(sent) == 4 and ended == [True]


def test_many_albums_leave_the_other_visitors_alone(serve, photos, monkeypatch):
    monkeypatch.setattr(endpoints, "ALBUMS", 0)
    served = serve(FakeCaptioner())
    sent = upload(served.url, photos / "dog.jpg")
    assert ask(served, "album", [sent]).status_code == 503
    assert ask(served, "caption", [sent]).json()["caption"]


def test_archives_that_take_too_long_to_go_through_are_refused(tmp_path, monkeypatch):
    """A ZIP with a long list of files, and a tar of headers packed to a thousandth."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(2000):
            archive.writestr(f"{number}.txt", b"")
    with gzip.open(tmp_path / "a.tar.gz", "wb") as packed:
        packed.write(tarfile.TarInfo("a.txt").tobuf() * 20_000)
    monkeypatch.setattr(uploads, "MAX_DIRECTORY", 100_000)
    monkeypatch.setattr(uploads, "SECONDS", 0.1)
    for name in ("a.zip", "a.tar.gz"):
        with pytest.raises(CaptionerError, match=f"{name}: holds too much"):
            uploads.count([uploads.Upload(str(tmp_path / name), name)])


ODD = ["x", 3, [None], [[]], {"a": [1]}, {}, None]


@pytest.mark.parametrize(
    "name", ["caption", "compare", "album", "packed_photo", "save_photo", "save_album"]
)
def test_no_request_makes_a_traceback(served, photos, name, capfd):
    good = upload(served.url, photos / "dog.jpg")
    for odd in ODD:
        for body in (odd, {"files": odd}, {"files": [odd]}, {"files": [good], "request": odd}):
            answer = httpx.post(f"{served.url}/page/ask/{name}", json=body, timeout=60)
            assert answer.status_code in (200, 400) and answer.text
    assert ask(served, "nothing").status_code == 404
    assert "Traceback" not in capfd.readouterr().err


def test_a_packed_tar_with_links_and_a_name_like_bzip2s_sign_is_read(photos, tmp_path):
    """What was unpacked for the page was unpacked once more, and could not go back for a link."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(photos / "dog.jpg", "BZh.jpg")
        link = tarfile.TarInfo("other.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "BZh.jpg"
        archive.addfile(link)
    sent = uploads.Upload(str(tmp_path / "a.tar.gz"), "a.tar.gz")
    read = [(photo.path, photo.content()) for photo in uploads.unpack([sent])]
    content = (photos / "dog.jpg").read_bytes()
    assert read == [("a.tar.gz/BZh.jpg", content), ("a.tar.gz/other.jpg", content)]
