"""A sample of the crafted and mutated pictures; benchmarks/pictures.py opens all of them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from captioner.errors import ImageError
from captioner.images import MAX_BYTES, MAX_SECONDS, open_image
from tests.images import crafted
from tests.images.mutated import mutated

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore")  # pytest undoes what silences Pillow's


def opened(data: bytes) -> None:
    """As for a caption: a picture or the one error, in time."""
    began = time.process_time()
    try:
        picture = open_image(data, "hostile", target=288)
    except ImageError as error:
        assert error.path == "hostile" and error.reason and "\n" not in error.reason
    else:
        assert picture.mode == "RGB" and min(picture.size) >= 1
    assert time.process_time() - began <= MAX_SECONDS


def test_there_are_as_many_crafted_pictures_as_are_told_of() -> None:
    names = [name for name, _ in crafted.crafted()]
    assert len(names) == len(set(names)) >= 200


@pytest.mark.parametrize("size", crafted.SIZES, ids=str)
def test_headers_that_promise_too_much(
    size: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    for make in crafted.PROMISES.values():
        opened(make(*size))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", crafted.KNOTTED)
def test_parts_that_refer_to_each_other(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    opened(crafted.KNOTTED[name]())
    assert capfd.readouterr().err == ""


ENTANGLED = """
import resource
from captioner.errors import ImageError
from captioner.images import open_image
from tests.images import crafted
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
for name in crafted.KNOTTED:
    if name.startswith("entangled"):
        data, before = crafted.KNOTTED[name](), most()
        try: open_image(data)
        except ImageError: pass
        print(most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss is in other units")
def test_notes_that_refer_to_each_other_take_no_memory() -> None:
    """A megabyte of them took two gigabytes."""
    done = subprocess.run(
        [sys.executable, "-c", ENTANGLED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    taken = [int(line) for line in done.stdout.split()]
    assert len(taken) == 4 and max(taken) < MAX_BYTES


@pytest.mark.parametrize("begin", range(0, 1_000, 250))
def test_mutated_pictures(begin: int, capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(begin, begin + 250):
        opened(mutated(number))
    assert capfd.readouterr().err == ""
