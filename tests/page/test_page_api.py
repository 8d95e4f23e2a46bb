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
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from serve import free_port

from captioner.errors import CaptionerError
from captioner.options import Options
from captioner.page.worker import ModelWorker
from tests.waiting import wait_for

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
        ({"beam": 2.5}, "beam"),
        ({"top_p": "high"}, "top_p"),
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
        for index in range(1001):
            archive.writestr(f"{index}.jpg", b"")
    with pytest.raises(AppError, match="more than 1,000 photos"):
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


def test_only_uploaded_files_are_read_and_none_is_served(served, photos, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes((photos / "dog.jpg").read_bytes())
    inside = ROOT / "captioner" / "page" / "blocks.py"
    for path in (secret, inside, "/etc/passwd", f"{ROOT}/captioner/page/../../app.py"):
        url = f"{served.url}/gradio_api/file={path}"
        assert httpx.get(url, timeout=60).status_code == 404, path
        photo = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
        for data in (photo, {"path": str(path)}):
            asked = call(served.url, "caption", data).json()
            assert answer_of(served.url, "caption", asked["event_id"])[0] == "error", path
            asked = call(served.url, "caption_batch", [data]).json()
            assert answer_of(served.url, "caption_batch", asked["event_id"])[0] == "error"


def test_no_address_is_fetched_for_a_visitor(served):
    """Neither as a photo nor through gradio's own way of passing on what lies elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.5)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/photo.jpg"
        asked = call(served.url, "caption", {"path": address, "meta": {"_type": "gradio.FileData"}})
        kind, answer = answer_of(served.url, "caption", asked.json()["event_id"])
        assert kind == "error" and "not its address" in answer["error"]
        fetched = httpx.get(f"{served.url}/gradio_api/file={address}", timeout=60)
        assert fetched.status_code == 404
        with pytest.raises(TimeoutError):
            elsewhere.accept()


PHOTO = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
MALFORMED = [  # endpoint, data
    ("caption", []), ("caption", [None]), ("caption", [PHOTO]), ("caption", [{}]),
    ("caption", ["photo.jpg"]), ("caption", [[1, 2]]), ("caption", [PHOTO] * 3),
    ("caption", {}), ("caption", None), ("caption_with", [PHOTO]), ("caption_with", []),
    ("caption_with", [None, None]), ("caption_with", [PHOTO, {}, {}]),
]  # fmt: skip


def test_a_malformed_request_does_not_fail_those_that_wait_with_it(serve, photos, capfd):
    turns = threading.Semaphore(0)
    served = serve(FakeCaptioner(turns=turns))
    good = upload(served.url, photos / "dog.jpg")

    def ask(name, data):
        asked = httpx.post(f"{served.url}/gradio_api/call/{name}", json={"data": data}, timeout=60)
        return name, asked.json().get("event_id"), asked.status_code

    wishes = {"caption": [good], "caption_with": [good, {"beam": 3}]}
    asked = [ask("caption", [good])]
    for name, data in MALFORMED:
        asked += [ask(name, wishes[name]), ask(name, data)]
    turns.release(99)
    answers = [answer_of(served.url, name, event) if event else None for name, event, _ in asked]
    for kind, data in [answers[0], *answers[1::2]]:
        assert kind == "complete" and data[0]["words"] == SENTENCES[0].split()
    for (_, _, status), answer, (_, data) in zip(
        asked[2::2], answers[2::2], MALFORMED, strict=True
    ):
        if answer is None:
            assert status == 422, data
        else:
            kind, said = answer
            told = said["error"] if kind == "error" else said[0]["error"]
            assert any(part in told for part in ("must list", "uploaded here", "there is none"))
    assert "Traceback" not in capfd.readouterr().err


ODD = ["x", [None], [[]], {"a": [1]}, {}]


def test_a_function_that_is_not_there_makes_no_traceback(served, capfd):
    for data in ([], [None], [{}]):
        answer = call(served.url, "save_photo", *data)
        assert answer.status_code == 404 and "save_photo" in answer.json()["detail"]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["caption_batch", "caption_with"])
def test_no_request_makes_a_traceback(served, photos, name, capfd):
    good = upload(served.url, photos / "dog.jpg")
    first = [good] if name == "caption_batch" else good
    bad = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    asked = [[first, odd] for odd in ODD] + [[odd, None] for odd in ODD[3:]] + [[bad, {}], [3]]
    asked += [[{**good, "orig_name": odd}, None] for odd in ODD[:2]]
    for data in asked:
        answer = call(served.url, name, *data)
        if answer.status_code == 200:
            answer_of(served.url, name, answer.json()["event_id"])
        assert answer.status_code in (200, 422)
    assert "Traceback" not in capfd.readouterr().err


def test_requests_that_wait_are_captioned_together_and_fail_alone(photos):
    class Picky(FakeCaptioner):
        def _one(self, image, options):
            if image.width < image.height:
                raise CaptionerError("no sentence obeys these options")
            return super()._one(image, options)

    turns = threading.Semaphore(0)
    fake = Picky(turns=turns)
    worker = ModelWorker([fake])
    dog, cat = Image.new("RGB", (64, 48)), Image.new("RGB", (48, 64))
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(worker.caption, [dog], Options())
        wait_for(lambda: fake.turns._cond._waiters)  # it runs, and takes its time
        waiting = []
        for photo, options in (
            (dog, Options()), (cat, Options()), (dog, Options(seed=3)), (dog, Options()),
        ):  # fmt: skip
            waiting.append(pool.submit(worker.caption, [photo], options))
            wait_for(lambda: len(worker._waiting) == len(waiting))  # none overtakes another
        turns.release(99)
        results = [future.result()[0] for future in [first, *waiting]]
    assert [isinstance(result, CaptionerError) for result in results] == [
        False, False, True, False, False,
    ]  # fmt: skip
    # The three alike together; then, one of them being impossible, each alone.
    assert [size for size, _ in fake.batches] == [1, 3, 1, 1, 1, 1]


def test_a_full_queue_says_busy_and_the_rest_are_answered(serve, photos):
    turns = threading.Semaphore(0)
    served = serve(FakeCaptioner(turns=turns), max_size=4)
    photo = upload(served.url, photos / "dog.jpg")
    replies = [call(served.url, "caption", photo)]
    wait_for(lambda: turns._cond._waiters)  # it has left the queue
    with ThreadPoolExecutor(40) as pool:
        replies += pool.map(lambda _: call(served.url, "caption", photo), range(40))
        assert {reply.status_code for reply in replies} == {200, 503}
        turns.release(99)
        events = [reply.json()["event_id"] for reply in replies if reply.status_code == 200]
        answers = list(pool.map(lambda event: answer_of(served.url, "caption", event), events))
    assert len(answers) >= 5
    assert all(kind == "complete" and "caption" in data[0] for kind, data in answers)
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


def own_addresses():
    """This machine's, as far as it knows them by its own name: some know none."""
    try:
        return socket.gethostbyname_ex(socket.gethostname())[2]
    except OSError:
        return []


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
        example = ROOT / "captioner" / "page" / "examples" / "cat.webp"
        asked = call(url, "caption", upload(url, example)).json()
        kind, answer = answer_of(url, "caption", asked["event_id"])
        assert kind == "complete" and "cat" in answer[0]["words"]
        for address in own_addresses():
            if not address.startswith("127."):
                with pytest.raises(OSError):
                    socket.create_connection((address, port), timeout=5)
    finally:
        process.terminate()
        process.wait(30)
    assert log.read_text(encoding="utf-8").splitlines() == ["watching"]
