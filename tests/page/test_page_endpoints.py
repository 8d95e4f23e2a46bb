"""What the page itself asks for: plain JSON, of files that were uploaded here."""

import json

import httpx
import pytest
from fake_captioner import SENTENCES
from test_page_api import answer_of, call, upload


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
