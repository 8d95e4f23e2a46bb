"""The page as programs meet it: gradio_client and plain HTTP."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import httpx
import numpy as np
import pytest
from fake_captioner import SENTENCES, FakeCaptioner, blob
from gradio.media import get_image
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from serve import free_port

from captioner.errors import CaptionerError
from captioner.options import Options

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def client(served):
    return Client(served.url, verbose=False)


def upload(url, path):
    with open(path, "rb") as file:
        answer = httpx.post(f"{url}/gradio_api/upload", files={"files": file}, timeout=60)
    answer.raise_for_status()
    return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}


def call(url, name, *data):
    return httpx.post(f"{url}/gradio_api/call/{name}", json={"data": data}, timeout=60)


def answer_of(url, name, event):
    """The event stream of a call: ("complete" or "error", its data)."""
    text = httpx.get(f"{url}/gradio_api/call/{name}/{event}", timeout=120).text
    kind, data = re.findall(r"event: (complete|error)\ndata: (.*)", text)[-1]
    return kind, json.loads(data)


def test_caption(client, photos):
    answer = client.predict(handle_file(str(photos / "dog.jpg")), api_name="/caption")
    assert answer["words"] == SENTENCES[0].split()
    assert answer["caption"] == SENTENCES[0].capitalize() + "."
    assert 0 < answer["score"] < 1
    assert answer["alternatives"] == []
    expected = np.stack([blob(index, 7) for index in range(7)])
    np.testing.assert_allclose(answer["attention"], expected, atol=1e-5)


def test_options_reach_the_model(client, served, photos):
    options = {"beam": 5, "alternatives": 2, "prefix": "here", "avoid": ["green"], "seed": 7}
    photo = handle_file(str(photos / "dog.jpg"))
    answer = client.predict(photo, options, api_name="/caption_with")
    assert answer["words"][:2] == ["here", "a"] and "green" not in answer["words"]
    assert len(answer["alternatives"]) == 2
    used = served.fakes[0].batches[-1][1]
    assert (used.beam, used.seed, used.avoid) == (5, 7, ("green",))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"beam": 21}, "beam"),
        ({"beem": 3}, "beem"),
        ({"avoid": "dog"}, "avoid"),
        ({"groups": 6}, "groups"),
        ({"top_k": -1}, "top_k"),
        ({"include": ["a", "dog", "on", "grass"]}, "include"),
        ({"include": ["a dog that runs across the green grass"]}, "include"),
        ([3], "object"),
    ],
)
def test_impossible_options_are_named(client, photos, options, named):
    photo = handle_file(str(photos / "dog.jpg"))
    assert named in client.predict(photo, options, api_name="/caption_with")["error"]


@pytest.mark.parametrize("name", ["notes.txt", "broken.jpg"])
def test_what_is_no_picture_is_named(client, photos, name):
    answer = client.predict(handle_file(str(photos / name)), api_name="/caption")
    assert answer["error"].startswith(name)


def test_caption_batch(client, photos):
    names = ["dog.jpg", "notes.txt", "cat.png", "scan.tiff"]
    files = [handle_file(str(photos / name)) for name in names]
    rows = client.predict(files, api_name="/caption_batch")
    assert [row["name"] for row in rows] == names
    assert ["caption" in row for row in rows] == [True, False, True, True]
    assert rows[1]["error"] and rows[0]["words"] == SENTENCES[0].split()


def test_too_many_photos_are_refused_in_words(client, tmp_path):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for index in range(201):
            archive.writestr(f"{index}.jpg", b"")
    with pytest.raises(AppError, match="more than 200 photos"):
        client.predict([handle_file(str(tmp_path / "many.zip"))], api_name="/caption_batch")


def test_the_examples_in_the_documentation_run(served, photos):
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(python|bash)\n(.*?)```", text, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "bash"]
    printed = []
    for kind, code in blocks:
        run = [sys.executable, "-c"] if kind == "python" else ["bash", "-c"]
        done = subprocess.run(
            [*run, code.replace("http://127.0.0.1:7860", served.url)],
            cwd=photos, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert "A dog runs across the green grass." in printed[0]
    assert "grass 8 rows 8 columns" in printed[0]
    assert "notes.txt holds text" in printed[0]
    assert "event: complete" in printed[1] and SENTENCES[0].capitalize() in printed[1]


def test_the_documented_options_are_those_there_are():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = text.split("## Options")[1].split("## ")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", table, re.MULTILINE))
    given = {name: json.loads(default) for name, default in documented.items()}
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    assert given | lists == asdict(Options())


def test_only_uploaded_files_are_served_and_read(served, photos, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes((photos / "dog.jpg").read_bytes())
    inside = ROOT / "captioner" / "page" / "blocks.py"
    for path in (secret, inside, "/etc/passwd", f"{ROOT}/captioner/page/../../app.py"):
        url = f"{served.url}/gradio_api/file={path}"
        assert httpx.get(url).status_code == 403, path
        photo = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
        for data in (photo, {"path": str(path)}):
            asked = call(served.url, "caption", data).json()
            kind, answer = answer_of(served.url, "caption", asked["event_id"])
            assert kind == "error" or "error" in answer[0], path
            asked = call(served.url, "caption_batch", [data]).json()
            assert answer_of(served.url, "caption_batch", asked["event_id"])[0] == "error"
    own = upload(served.url, photos / "dog.jpg")["path"]
    assert httpx.get(f"{served.url}/gradio_api/file={own}").status_code == 200


def test_no_address_is_fetched_for_a_visitor(served):
    """Neither as a photo nor through gradio's own way of passing on what lies elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.5)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/photo.jpg"
        asked = call(served.url, "caption", {"path": address, "meta": {"_type": "gradio.FileData"}})
        kind, answer = answer_of(served.url, "caption", asked.json()["event_id"])
        assert kind == "complete" and "not its address" in answer[0]["error"]
        assert httpx.get(f"{served.url}/gradio_api/file={address}").status_code == 403
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_a_bad_request_does_not_fail_those_that_wait_with_it(serve, photos):
    turns = threading.Semaphore(0)
    served = serve(FakeCaptioner(turns=turns))
    good = upload(served.url, photos / "dog.jpg")
    bad = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    events = [call(served.url, "caption", good).json()["event_id"]]
    while len(served.blocks._queue):  # the first is being answered, and takes its time
        time.sleep(0.05)
    events += [call(served.url, "caption", it).json()["event_id"] for it in (good, bad, good)]
    turns.release(9)
    answers = [answer_of(served.url, "caption", event) for event in events]
    assert [kind for kind, _ in answers] == ["complete"] * 4
    assert ["caption" in data[0] for _, data in answers] == [True, True, False, True]
    assert [size for size, _ in served.fakes[0].batches] == [1, 2]  # the last two together


def test_a_full_queue_says_busy_and_the_rest_are_answered(serve, photos):
    turns = threading.Semaphore(0)
    served = serve(FakeCaptioner(turns=turns), max_size=4)
    photo = upload(served.url, photos / "dog.jpg")
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: call(served.url, "caption", photo), range(20)))
        assert {reply.status_code for reply in replies} == {200, 503}
        turns.release(99)
        events = [reply.json()["event_id"] for reply in replies if reply.status_code == 200]
        answers = list(pool.map(lambda event: answer_of(served.url, "caption", event), events))
    assert len(answers) >= 5
    assert all(kind == "complete" and "caption" in data[0] for kind, data in answers)
    assert max(size for size, _ in served.fakes[0].batches) > 1
    assert (
        answer_of(served.url, "caption", call(served.url, "caption", photo).json()["event_id"])[0]
        == "complete"
    )  # and afterwards it is not busy any more


def test_one_batch_runs_at_a_time(serve, photos):
    """However requests come in, one photo or many, the models never run side by side."""

    class Watchful(FakeCaptioner):
        def __init__(self):
            super().__init__()
            self.running = self.most = 0
            self.threads = set()

        def caption_many(self, *given, **more):
            self.threads.add(threading.current_thread().name)
            self.running += 1
            self.most = max(self.most, self.running)
            time.sleep(0.1)
            yield from super().caption_many(*given, **more)
            self.running -= 1

    fake = Watchful()
    served = serve(fake)
    photo = upload(served.url, photos / "dog.jpg")
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(call, served.url, "caption", photo) for _ in range(6)]
        asked += [pool.submit(call, served.url, "caption_batch", [photo] * 9) for _ in range(2)]
        for index, reply in enumerate(asked):
            name = "caption" if index < 6 else "caption_batch"
            kind, _ = answer_of(served.url, name, reply.result().json()["event_id"])
            assert kind == "complete"
    assert fake.most == 1 and len(fake.threads) == 1


@pytest.mark.parametrize("size", ["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("route", ["call/caption", "queue/join", "component_server"])
def test_requests_too_large_are_refused_before_they_are_read(served, route, size):
    host, port = served.url.removeprefix("http://").split(":")
    head = f"POST /gradio_api/{route} HTTP/1.1\r\nHost: {host}\r\n{size}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(head.encode())
        assert b" 413 " in raw.recv(200)


def test_an_upload_too_large_is_refused(serve, photos):
    served = serve(FakeCaptioner())
    served.blocks.max_file_size = 1000
    with pytest.raises(httpx.HTTPStatusError, match="413"):
        upload(served.url, photos / "dog.jpg")


def test_the_api_is_described(client):
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(described) == {"/caption", "/caption_with", "/caption_batch"}
    names = {
        endpoint: [parameter["parameter_name"] for parameter in described[endpoint]["parameters"]]
        for endpoint in described
    }
    assert names == {
        "/caption": ["photo"],
        "/caption_with": ["photo", "options"],
        "/caption_batch": ["photos"],
    }


WATCHED = """
import os, runpy
from serve import watch_network
watch_network(os.environ["WATCH_NETWORK"])
runpy.run_path("app.py", run_name="__main__")
"""


def test_the_app_itself_on_the_port_it_is_given_and_nothing_leaves_the_machine(tmp_path):
    """With the model that comes along; every look-up and connection it makes is written down."""
    from captioner.checkpoint import EMBEDDED

    if not EMBEDDED.exists():
        pytest.skip(f"needs the model that comes along ({EMBEDDED.name}), absent here")
    port, log = free_port(), tmp_path / "network.txt"
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "WATCH_NETWORK": str(log)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED], env=environment, cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        url = f"http://127.0.0.1:{port}"
        assert url.encode() in process.stdout.readline()
        asked = call(url, "caption", upload(url, get_image("tower.jpg"))).json()
        kind, answer = answer_of(url, "caption", asked["event_id"])
        assert kind == "complete" and "tower" in answer[0]["words"]
        for address in socket.gethostbyname_ex(socket.gethostname())[2]:
            if not address.startswith("127."):
                with pytest.raises(OSError):
                    socket.create_connection((address, port), timeout=5)
    finally:
        process.terminate()
        process.wait(30)
    assert log.read_text(encoding="utf-8").splitlines() == ["watching"]


def test_a_port_that_is_taken_is_said_in_words(served):
    from captioner.page import build, launch

    port = int(served.url.rsplit(":", 1)[1])
    with pytest.raises(CaptionerError, match=f"cannot be started.*{port}"):
        launch(build([FakeCaptioner()]), wait=False, server_port=port)


def test_app_says_what_is_wrong_with_a_model(tmp_path):
    missing = tmp_path / "missing.safetensors"
    done = subprocess.run(
        [sys.executable, "app.py", "--model", str(missing)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(missing) in done.stderr and "Traceback" not in done.stderr
