"""Who may ask the page, for what, and how much they may leave here."""

import json
import os
import socket
import time
from pathlib import Path

import httpx
import pytest
from fake_captioner import FakeCaptioner

from captioner.page.guard import hosts_allowed
from captioner.page.storage import UploadFolder, own_folder

HERE = {"host": "localhost"}


def post(served, path, content=b'{"data": []}', **headers):
    headers = {"content-type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return httpx.post(f"{served.url}{path}", content=content, headers=headers, timeout=60)


def get(url, **headers):
    return httpx.get(url, headers=headers, timeout=60)


def upload(served, content, name="dog.jpg"):
    files = {"files": (name, content)}
    return httpx.post(f"{served.url}/gradio_api/upload", files=files, timeout=60)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7860", "localhost.evil.example", "192.168.1.9", "", "[::2]:80"],
)
def test_a_foreign_name_is_refused(served, host):
    """DNS rebinding: a stranger's name that leads to this machine."""
    for path in ("/", "/config", "/page/main.js"):
        answer = get(f"{served.url}{path}", host=host)
        assert answer.status_code == 421 and "CAPTIONER_HOSTS" in answer.text
    assert post(served, "/gradio_api/upload", host=host).status_code == 421


@pytest.mark.parametrize(
    "host", ["localhost:1", "LOCALHOST", "127.0.0.1:80", "127.0.0.9", "[::1]:7860"]
)
def test_names_of_this_machine_are_known(served, host):
    assert get(f"{served.url}/", host=host).status_code == 200


def test_more_names_can_be_given(serve, monkeypatch):
    monkeypatch.setenv("CAPTIONER_HOSTS", "photos.example, Other.Example:8080")
    served = serve(FakeCaptioner())
    for host, status in (("photos.example", 200), ("other.example", 200), ("evil.example", 421)):
        assert get(f"{served.url}/", host=host).status_code == status
    proxied = {"host": "127.0.0.1", "origin": "https://photos.example"}
    assert post(served, "/gradio_api/cancel", **proxied).status_code != 403


def test_a_space_is_reached_through_its_proxy_under_any_name(monkeypatch):
    monkeypatch.delenv("CAPTIONER_HOSTS", raising=False)
    monkeypatch.setenv("SPACE_HOST", "me-captioner.hf.space")
    assert hosts_allowed() == {"me-captioner.hf.space", "*"}
    monkeypatch.delenv("SPACE_HOST")
    assert hosts_allowed() == frozenset()


OWN = "../page/ask/caption"


@pytest.mark.parametrize("path", ["upload", "call/caption", "queue/join", "cancel", OWN])
def test_another_sites_page_may_send_nothing(served, path):
    place = served.url.removeprefix("http://")
    for headers in (
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:1"},
        {"origin": f"http://{place}.evil.example"}, {"sec_fetch_site": "cross-site"},
        {"origin": "http://["}, {"origin": f"http://{place}@evil.example"}, {"origin": ""},
    ):  # fmt: skip
        assert post(served, f"/gradio_api/{path}", **headers).status_code == 403
    assert post(served, f"/gradio_api/{path}", origin=f"http://{place}").status_code != 403


@pytest.mark.parametrize(
    "path",
    ["file=/etc/passwd", "file=http://a/b", f"call/caption/{99 * 'x'}", "proxy=http://a/b",
     "stream/1", "component_server", "process_recording", "vibe-edit", "runs",
     "deep_link", "login", "monitoring", "custom_component/1/client/component/index.js"],
)  # fmt: skip
def test_what_the_page_does_not_need_is_not_there(served, path):
    for start in ("/gradio_api/", "/"):
        assert get(served.url + start + path).status_code == 404
        assert post(served, start + path).status_code == 404


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{}," * 200_000, 413),
        (b'{"data": [' + b"{}," * 11_000 + b"{}]}", 413),
        (b'{"data": [' + b"1," * 60_000 + b"1]}", 413),
        (b"[" * 5000 + b"]" * 5000, 400),
        (b'{"data": ' + b"[" * 17 + b"]" * 17 + b"}", 400),
        (b'{"data": [', 400),
        (b"\xff\xfe{}", 400),
    ],
)
@pytest.mark.parametrize("path", ["call/caption", "queue/join", OWN])
def test_json_that_would_stall_the_page_is_refused(served, path, content, status):
    began = time.process_time()  # the page's, too: it is served in this process
    answer = post(served, f"/gradio_api/{path}", content)
    assert answer.status_code == status and answer.json()["detail"]
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("size", "status"),
    [
        ("Content-Length: 1000000000", b" 413 "),
        ("Transfer-Encoding: chunked", b" 411 "),
        ("X: y", b" 411 "),
    ],
)
@pytest.mark.parametrize("route", ["call/caption", "queue/join", "upload", "ask"])
def test_requests_of_no_size_or_too_large_are_refused_before_they_are_read(
    served, route, size, status
):
    host, port = served.url.removeprefix("http://").split(":")
    place = "/page/ask/caption" if route == "ask" else f"/gradio_api/{route}"
    head = f"POST {place} HTTP/1.1\r\nHost: {host}\r\n{size}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(head.encode())
        assert status in raw.recv(200)


def test_an_upload_too_large_is_refused(serve):
    served = serve(FakeCaptioner())
    served.blocks.max_file_size = 1000
    for size in (2000, 700_000):
        answer = upload(served, bytes(size))
        assert answer.status_code == 413


def files_in(folder):
    """Also while some of them go."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def test_the_page_leaves_only_the_uploads_and_only_for_a_while(served, photos):
    """After an answer there is the photo that was sent, and no other file."""
    folder = os.environ["GRADIO_TEMP_DIR"]
    before = set(files_in(folder))
    content = (photos / "dog.jpg").read_bytes() + os.urandom(8)
    sent = upload(served, content).json()[0]
    photo = {"path": sent, "meta": {"_type": "gradio.FileData"}}
    asked = post(served, "/gradio_api/call/caption", json.dumps({"data": [photo]})).json()
    httpx.get(f"{served.url}/gradio_api/call/caption/{asked['event_id']}", timeout=60)
    assert set(files_in(folder)) - before == {Path(sent)}


def test_old_uploads_make_room_and_young_ones_do_not(tmp_path, monkeypatch):
    import captioner.page.storage as storage

    folder = UploadFolder(tmp_path, quota=1000)
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo.jpg").write_bytes(bytes(300))
        time.sleep(0.02)
    assert not folder.reserve(101)  # all of them are young
    assert folder.reserve(100)  # 1000 in all
    now = time.time
    monkeypatch.setattr(storage.time, "time", lambda: now() + storage.YOUNG + 1)
    assert folder.reserve(500)
    assert [path.parent.name for path in files_in(tmp_path)] == ["third"]
    assert not (tmp_path / "first").exists()
    assert folder.reserve(200)  # what came since counts: 1000 again
    assert folder.reserve(1000)  # nothing came of it: the next look finds the folder empty
    (tmp_path / "stray.tmp").write_bytes(b"x")
    monkeypatch.setattr(storage.time, "time", lambda: now() + storage.KEPT + 1)
    assert folder.reserve(1) and files_in(tmp_path) == []


def test_a_full_folder_is_said_in_words(serve, monkeypatch):
    served = serve(FakeCaptioner())
    monkeypatch.setattr(UploadFolder, "reserve", lambda self, size: False)
    answer = upload(served, b"x")
    assert answer.status_code == 507 and "Try again" in answer.json()["detail"]


def raw(served, *parts):
    """A connection on which these bytes were sent."""
    host, port = served.url.removeprefix("http://").split(":")
    sent = socket.create_connection((host, int(port)), timeout=60)
    sent.sendall(b"".join(parts))
    return sent


def head(path, size, kind):
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {size}\r\n\r\n"
    ).encode()


UPLOAD = head("/gradio_api/upload", 200_000_000, "multipart/form-data; boundary=b")
PART = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'


def test_what_is_announced_and_does_not_come_takes_no_room(served):
    """Eleven uploads of 200 MB are more than the quota."""
    waiting = [raw(served, UPLOAD, PART, b"x" * 1000) for _ in range(11)]
    assert upload(served, b"x").status_code == 200
    for each in waiting:
        each.close()


def test_an_upload_that_is_cut_off_leaves_no_file(served, capfd):
    folder = os.environ["GRADIO_TEMP_DIR"]
    before = set(files_in(folder))
    sent = raw(served, UPLOAD, PART, b"x" * 100_000)
    until = time.monotonic() + 60
    while not set(files_in(folder)) - before and time.monotonic() < until:  # others may go
        time.sleep(0.01)
    assert set(files_in(folder)) - before
    sent.close()
    while set(files_in(folder)) - before and time.monotonic() < until:
        time.sleep(0.01)
    assert not set(files_in(folder)) - before
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["upload", "json"])
def test_a_request_that_stops_coming_is_ended(served, kind, monkeypatch):
    import captioner.page.guard as guard

    monkeypatch.setattr(guard, "SILENCE", 0.2)
    begun = [UPLOAD, PART] if kind == "upload" else [head("/page/ask/caption", 90, "text/json")]
    with raw(served, *begun) as sent:
        assert b" 408 " in sent.recv(100)


def test_a_folder_that_fills_up_ends_the_upload(served, monkeypatch):
    monkeypatch.setattr(UploadFolder, "reserve", lambda self, size: size < 1000)
    content = os.urandom(300_000)
    answer = upload(served, content)
    assert answer.status_code == 507 and "Try again" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/gradio_api/call/caption", rb'{"data": ["\ud800"]}'),
        ("/gradio_api/call/caption", b'{"data": [null], "session_hash": ""}'),
        ("/gradio_api/queue/join", rb'{"data": [null], "fn_index": 0, "session_hash": "\ud800"}'),
        ("/gradio_api/queue/join", b'{"data": [null], "fn_index": -1, "session_hash": "x"}'),
        ("/gradio_api/queue/join", b'{"data": [null], "fn_index": 99, "session_hash": "x"}'),
        ("/gradio_api/reset", rb'"\udfff"'),
        ("/page/ask/caption", rb'{"files": [{"path": "\ud800"}]}'),
        ("/page/ask/caption", rb'{"files": [{"path": "x", "orig_name": "\udc00"}]}'),
    ],
)
def test_what_gradio_trips_over_is_refused_without_a_traceback(served, path, content, capfd):
    answer = post(served, path, content)
    assert answer.status_code == 400 and answer.json()["detail"]
    assert "Traceback" not in capfd.readouterr().err


def test_parts_that_gradio_trips_over_are_refused_without_a_traceback(served, capfd):
    text = b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nx\r\n--b--\r\n'
    for boundary in ("b", "b" * 5000):
        kind = {"content_type": f"multipart/form-data; boundary={boundary}"}
        assert post(served, "/gradio_api/upload", text, **kind).status_code == 400
    assert "Traceback" not in capfd.readouterr().err


def test_folders_of_killed_runs_are_swept(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    alive = tmp_path / f"captioner-page-{os.getppid()}-x"
    dead = tmp_path / "captioner-page-999999999-x"
    for path in (alive, dead):
        path.mkdir()
    own = own_folder().path
    assert own.parent == tmp_path and own.is_dir()
    assert alive.exists() and not dead.exists()
