"""The Ray engine on a cluster of this machine's, with a captioner that needs no model."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from captioner.batch.columns import Columns
from captioner.batch.formats import FORMATS
from captioner.batch.job import Job, run
from captioner.batch.ray_engine import Cluster, run_on_ray
from captioner.batch.run import Wording
from captioner.errors import CaptionerError
from tests.datasets.packed import jpeg, pack

ray = pytest.importorskip("ray", reason='needs Ray: pip install ".[ray]"')


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"})
    warnings.simplefilter("ignore", DeprecationWarning)  # Ray's, about itself
    paths = f"{Path(__file__).parents[2]}:{os.environ.get('PYTHONPATH', '')}"
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100 << 20,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},
    )
    yield
    ray.shutdown()


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """120 photos, every twentieth broken, and a shard of five more."""
    (tmp_path / "album").mkdir()
    for number in range(120):
        path = tmp_path / "album" / f"{number:03}.bmp"
        Image.new("RGB", (1 + number, 3)).save(path)
        if number % 20 == 7:
            path.write_bytes(b"BM")
    pack(tmp_path / "shard.tar", {f"{number}.jpg": jpeg(number) for number in range(5)})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def job(album: Path, output: str, **more: Any) -> Job:
    """`loads.txt` has a line for each model that was loaded: the process that did it."""

    def load() -> Any:
        from tests.batch.fakes import FakeCaptioner

        with open(album / "loads.txt", "a") as file:
            file.write(f"{os.getpid()}\n")
        return FakeCaptioner()

    inputs = tuple(str(album / name) for name in ("album", "gone.jpg", "shard.tar"))
    fields = more.pop("fields", FORMATS[more.get("format", "jsonl")].default)
    return Job(
        **{
            "inputs": inputs,
            "load": load,
            "model": "fake@1",
            "columns": Columns(fields),
            "format": "jsonl",
            "output": album / output,
            **more,
        }
    )


def loads(album: Path) -> list[int]:
    return [int(line) for line in (album / "loads.txt").read_text().split()]


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("part-*"))


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (line for name in parts(folder) for line in (folder / name).read_text().splitlines())
    return [json.loads(line) for line in lines]


@pytest.fixture
def local(album: Path) -> list[dict[str, Any]]:
    assert run(job(album, "local.jsonl")) == 1
    (album / "loads.txt").unlink()
    return [json.loads(line) for line in (album / "local.jsonl").read_text().splitlines()]


def test_the_parts_together_are_what_one_machine_writes(
    cluster: None, album: Path, local: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    fields = {"fields": ("caption", "size", "model", "error")}
    assert run_on_ray(job(album, "parts"), Cluster(part_size=20, max_workers=2)) == 1
    assert rows(album / "parts") == local
    assert len(local) == 126 and sum(row["error"] != "" for row in local) == 7
    assert len(parts(album / "parts")) == 8  # six of the folder, the lost one, the shard
    assert 1 <= len(loads(album)) == len(set(loads(album))) <= 2  # once an actor
    said = capfd.readouterr().err
    assert "119 photos captioned, 7 failed" in said and "gone.jpg: there is no such file" in said
    assert run_on_ray(job(album, "parts", resume=True), Cluster(part_size=20)) == 0
    assert run_on_ray(job(album, "more", **fields), Cluster(part_size=50, max_workers=1)) == 1
    assert rows(album / "more")[0]["size"] == [1, 3]
    assert rows(album / "more")[0]["model"] == "fake@1"


def test_a_killed_actor_costs_nothing(cluster: None, album: Path, local: list[Any]) -> None:
    """Killed in the middle of its second part; so is the one that takes its place, further on."""
    (album / "killed").mkdir()
    at = ["017.bmp", "066.bmp"]

    def load() -> Any:
        from tests.batch.fakes import KilledCaptioner

        return KilledCaptioner(at, album / "killed")

    assert run_on_ray(job(album, "parts", load=load), Cluster(part_size=12, max_workers=1)) == 1
    assert sorted(path.name for path in (album / "killed").iterdir()) == at
    assert rows(album / "parts") == local
    assert not list((album / "parts").glob(".part-*"))


def test_a_photo_that_ends_its_process_does_not_end_the_run(cluster: None, album: Path) -> None:
    def load() -> Any:
        from tests.batch.fakes import DeadlyCaptioner

        return DeadlyCaptioner("033.bmp")

    more = Cluster(part_size=20, max_workers=1)
    assert run_on_ray(job(album, "parts", load=load), more) == 1
    assert len(parts(album / "parts")) == 7 and "part-00001.jsonl" not in parts(album / "parts")
    assert run_on_ray(job(album, "parts", resume=True), more) == 1
    assert len(rows(album / "parts")) == 126


def test_a_run_goes_on_with_the_parts_that_are_missing(
    cluster: None, album: Path, local: list[Any]
) -> None:
    assert run_on_ray(job(album, "parts"), Cluster(part_size=20, max_workers=1)) == 1
    kept = parts(album / "parts")
    before = {name: (album / "parts" / name).stat().st_mtime_ns for name in kept}
    for name in kept[1::2]:
        (album / "parts" / name).unlink()
    with pytest.raises(CaptionerError, match="--resume"):
        run_on_ray(job(album, "parts"), Cluster())
    with pytest.raises(CaptionerError, match="other settings"):
        run_on_ray(job(album, "parts", resume=True, wording=Wording("x")), Cluster())
    run_on_ray(job(album, "parts", resume=True), Cluster(max_workers=1))
    assert rows(album / "parts") == local
    for name in kept[::2]:
        assert (album / "parts" / name).stat().st_mtime_ns == before[name]


def test_a_resumed_run_counts_what_earlier_ones_did(
    cluster: None, album: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    more = {"fields": ("caption",), "resume": True}
    assert run_on_ray(job(album, "parts", **more), Cluster(part_size=60, max_workers=1)) == 1
    (album / "parts" / "part-00003.jsonl").unlink()  # the shard's, in which nothing fails
    assert run_on_ray(job(album, "parts", **more), Cluster(max_workers=1)) == 1
    said = capfd.readouterr().err
    assert "119 photos captioned, 7 failed, 121 of them by earlier runs" in said


def test_to_continue_a_run_with_overwrite_keeps_its_parts(cluster: None, album: Path) -> None:
    """Its line says --overwrite, and --resume after it; done, it makes all anew."""
    more = Cluster(part_size=60, max_workers=1)
    anew = {"overwrite": True, "resume": True}
    assert run_on_ray(job(album, "parts"), more) == 1
    first, second = (album / "parts" / f"part-0000{number}.jsonl" for number in range(2))
    before = first.stat().st_mtime_ns
    second.unlink()
    assert run_on_ray(job(album, "parts", **anew), more) == 1
    assert first.stat().st_mtime_ns == before and second.exists()
    assert run_on_ray(job(album, "parts", **anew), more) == 1
    assert first.stat().st_mtime_ns > before


@pytest.mark.parametrize("more", [{}, {"overwrite": True}, {"resume": True}])
def test_parts_of_others_are_left_alone(cluster: None, album: Path, more: Any) -> None:
    (album / "data").mkdir()
    (album / "data" / "part-00000-c000.jsonl").write_text("mine")
    with pytest.raises(CaptionerError, match="choose another folder"):
        run_on_ray(job(album, "data", **more), Cluster(max_workers=1))
    assert os.listdir(album / "data") == ["part-00000-c000.jsonl"]


def test_parquet_parts_are_one_data_set(cluster: None, album: Path, local: list[Any]) -> None:
    import pyarrow.dataset

    run_on_ray(job(album, "parts", format="parquet"), Cluster(part_size=50, max_workers=2))
    table = pyarrow.dataset.dataset(album / "parts", format="parquet").to_table()
    assert table["path"].to_pylist() == [row["path"] for row in local]
    assert table["caption"].to_pylist() == [row.get("caption") for row in local]


def test_a_captioner_that_refuses_ends_the_run_with_its_sentence(
    cluster: None, album: Path
) -> None:
    def load() -> Any:
        from tests.batch.fakes import RefusingCaptioner

        return RefusingCaptioner()

    with pytest.raises(CaptionerError, match="style must be one of coco"):
        run_on_ray(job(album, "parts", load=load), Cluster(max_workers=1))


def test_without_ray_one_sentence_says_what_to_install(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CaptionerError, match=r"pip install .*ray"):
        run_on_ray(job(album, "parts"), Cluster())
    assert not (album / "parts").exists()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "no Ray cluster is there"),
        ("ray://[::1]:1", "no Ray cluster is there"),
        ("a..b:99999", "no Ray cluster is there"),
        ("127.0.0.1", "HOST:PORT is"),
    ],
)
def test_an_address_without_a_cluster_is_said_at_once(
    album: Path, address: str, message: str
) -> None:
    with pytest.raises(CaptionerError, match=message):
        run_on_ray(job(album, "parts"), Cluster(address))
    assert not (album / "parts").exists()


def test_sigterm_ends_a_run_in_a_sentence_and_the_next_goes_on(album: Path, tmp_path: Path) -> None:
    """In a process of its own: Ray there has handlers of its own for signals."""
    script = tmp_path / "terminated.py"
    script.write_text(TERMINATED)
    arguments = [sys.executable, str(script), "caption", "album", "--engine", "ray"]
    arguments += ["--format", "jsonl", "-o", "parts", "--part-size", "10", "--max-workers", "1"]
    paths = f"{Path(__file__).parents[2]}:{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        arguments, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode == 130, done.stderr
    assert "captioner: stopped; to continue: captioner caption album" in done.stderr
    assert "Traceback" not in done.stderr and "SIGTERM received" not in done.stderr
    assert 1 <= len(parts(album / "parts")) < 12


TERMINATED = """
import os, signal, threading, time
from pathlib import Path
import captioner.batch.command as command
from captioner import cli


class Load:
    def __call__(self):
        from tests.batch.fakes import SlowCaptioner
        return SlowCaptioner(0.05)


def end_it():
    while not list(Path("parts").glob("part-*")):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)


command.load_model = lambda *args: Load()()
threading.Thread(target=end_it, daemon=True).start()
cli.main()
"""
