"""Photos from afar: a web server on this machine, and fsspec's file system in memory."""

import errno
import json
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from captioner.batch.run import prepared
from captioner.datasets.photos import remote
from captioner.datasets.photos.sources import files
from captioner.datasets.photos.stream import photos
from captioner.errors import CaptionerError, ImageError
from captioner.extras import how_to_install
from tests.datasets.packed import PICTURES, jpeg, pack
from tests.datasets.test_tables import write_table


class Server:
    """Serves a folder, and remembers what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, list[str]()
        self.troubles: dict[str, list[int]] = {}
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if troubles := outer.troubles.get(self.path):
                    self.send_error(troubles.pop(0))
                else:
                    super().do_GET()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Handler, directory=str(folder))
        )
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "site"
    (folder / "sub folder").mkdir(parents=True)
    for name, data in {"a.jpg": jpeg(1), "sub folder/b.jpg": jpeg(2), "notes.txt": b"x"}.items():
        (folder / name).write_bytes(data)
    server = Server(folder)
    yield server
    server.close()


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def fetched(*inputs: str, column: str | None = None) -> dict[str, bytes | str]:
    """Name and content, or the reason why there is none."""
    items = prepared(photos(files(inputs), column))
    return {i.path: i.reason if isinstance(i, ImageError) else i.content for i in items}  # type: ignore[misc]


def test_files_on_the_web(server: Server) -> None:
    a, b = f"{server.address}/a.jpg", f"{server.address}/sub%20folder/b.jpg?size=full"
    assert fetched(a, b) == {a: jpeg(1), b: jpeg(2)}
    assert sorted(server.asked) == ["/a.jpg", "/sub%20folder/b.jpg?size=full"]


def test_a_folder_on_the_web_is_searched(server: Server) -> None:
    assert fetched(f"{server.address}/") == {
        f"{server.address}/a.jpg": jpeg(1),
        f"{server.address}/sub%20folder/b.jpg": jpeg(2),
    }


def test_what_is_not_there_is_a_row_with_the_reason(server: Server) -> None:
    (server.folder / "empty.jpg").touch()
    server.troubles = {"/b.jpg": [403] * 9, "/c.jpg": [500] * 9, "/a.jpg": [503, 503]}
    rows = fetched(*(f"{server.address}/{name}.jpg" for name in ("gone", "b", "c", "a", "empty")))
    gone, forbidden, broken, good, empty = rows.values()
    assert "no such file" in str(gone)
    assert "403" in str(forbidden) and server.asked.count("/b.jpg") == 1
    assert "500" in str(broken) and server.asked.count("/c.jpg") == 3
    assert good == jpeg(1), "it answers at the third attempt"
    assert empty == b""


def test_no_server_at_all(server: Server) -> None:
    server.close()
    (reason,) = fetched(f"{server.address}/a.jpg").values()
    assert "cannot be fetched" in str(reason)


def test_too_large_is_not_read_to_the_end(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/a.jpg", bytes(2000))
    monkeypatch.setattr(remote, "MAX_BYTES", 1000)
    (reason,) = fetched("memory://a.jpg").values()
    assert "MiB" in str(reason)


def test_a_store_of_objects(memory: Any, tmp_path: Path) -> None:
    for name in ("x/b.jpg", "x/a.png", "x/deep/er/c.webp", "x/.hidden/d.jpg", "x/notes.txt"):
        memory.pipe(f"/{name}", name.encode())
    expected = ["x/a.png", "x/b.jpg", "x/deep/er/c.webp"]
    for address in ("memory://x", "memory://x/", "memory://x/**"):
        rows = fetched(address)
        assert list(rows.values()) == [name.encode() for name in expected], address
    assert list(fetched("memory://x/*.jpg").values()) == [b"x/b.jpg"]
    assert list(fetched("memory://none/").values()) != []
    assert all(isinstance(reason, str) for reason in fetched("memory://none/").values())


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_archives_and_shards_from_afar(server: Server, memory: Any, name: str) -> None:
    pack(server.folder / name, PICTURES)
    memory.pipe(f"/{name}", (server.folder / name).read_bytes())
    for root in (server.address, "memory:/"):
        address = f"{root}/{name}"
        assert fetched(address) == {f"{address}/{n}": data for n, data in PICTURES.items()}


def test_tables_and_lists_from_afar(server: Server) -> None:
    for name in ("t.csv", "t.jsonl", "t.parquet"):
        write_table(server.folder / name, [{"path": "a.jpg"}])
        assert fetched(f"{server.address}/{name}") == {f"{server.address}/a.jpg": jpeg(1)}
    (server.folder / "list.txt").write_text(f"{server.address}/a.jpg\n{server.address}/no.jpg\n")
    good, bad = fetched(f"{server.address}/list.txt").values()
    assert good == jpeg(1) and "no such file" in str(bad)


def test_addresses_that_nothing_here_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    (reason,) = fetched("nonsense://x/a.jpg").values()
    assert "nonsense" in str(reason)

    def not_installed(*_: object, **__: object) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", not_installed)
    (reason,) = fetched("s3://bucket/a.jpg").values()
    assert reason == f"to read from s3://, install its package: {how_to_install('remote')}"
    with pytest.raises(CaptionerError, match="pip install"):
        remote.opened("s3://bucket/list.txt")


def test_the_command_reads_from_the_web(server: Server, tmp_path: Path) -> None:
    from tests.batch import process

    arguments = ["caption", f"{server.address}/", f"{server.address}/gone.jpg"]
    arguments += ["--format", "jsonl", "--fields", "caption,bytes,error", "-o", "rows.jsonl"]
    assert process.run(arguments, tmp_path) == 1
    a, b, gone = map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())
    assert a == {
        "path": f"{server.address}/a.jpg",
        "caption": "A photo 9 by 8.",
        "bytes": os.path.getsize(server.folder / "a.jpg"),
        "error": "",
    }
    assert b["caption"] == "A photo 10 by 8."
    assert "no such file" in gone["error"]


def test_an_empty_file_on_s3_is_read_as_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """s3fs has an OSError where a web server answers 416."""

    def refuse(*_: object, **__: object) -> bytes:
        raise OSError(errno.EINVAL, "The requested range is not satisfiable")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", refuse)
    assert remote.read("memory://photos/empty.jpg") == b""
