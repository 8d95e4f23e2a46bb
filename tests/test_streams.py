"""Standard streams that are closed, full or left, and memory that does not suffice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

SHELL = "/bin/bash"
pytestmark = pytest.mark.skipif(not Path(SHELL).exists(), reason="needs bash")

# A command whose captioner needs no model, so that what is seen is the streams alone.
COMMAND = """
import sys
from types import ModuleType
from tests.batch.fakes import FakeCaptioner
stub = ModuleType("captioner.captioner")
stub.load = lambda path=None, **wish: FakeCaptioner()
sys.modules[stub.__name__] = stub
from captioner import cli
cli.main()
"""


@pytest.fixture
def album(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 5)).save(tmp_path / "in" / name)
    (tmp_path / "command.py").write_text(COMMAND)
    return tmp_path


def shell(folder: Path, line: str) -> tuple[int, str]:
    """Exit code and what was said, of a line of bash where $c is the command."""
    repository = Path(__file__).parents[1]
    done = subprocess.run(
        [SHELL, "-c", line],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(repository),
            "c": f"{sys.executable} command.py",
            "PATH": "/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr, done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("$c caption in >/dev/full", 1, "standard output: cannot be written: No space left"),
        ("$c caption in --format csv >&-", 1, "standard output: cannot be written: it is closed"),
        ("$c --help >/dev/full", 1, "standard output: cannot be written: No space left"),
        ("$c --version >&-", 1, "standard output: cannot be written: it is closed"),
        ("$c caption in -o rows.csv >&-", 0, "2 photos captioned"),
        ("$c caption in -o rows.csv <&- >&-", 0, "2 photos captioned"),
        ("$c caption - <&-", 1, "standard input is closed"),
        ("$c caption in none.png -o rows.csv 2>&-", 1, ""),
        ("$c caption in none.png -o rows.csv 2>/dev/full", 1, ""),
        ("$c caption in none.png -o rows.csv 2> >(exec 0<&-); sleep 0.1", 0, ""),
        ("(ulimit -v 600000; exec $c caption in)", 1, "585 MB of memory, and 900 MB are needed"),
    ],
)
def test_a_sentence_and_an_exit_code_whatever_becomes_of_the_streams(
    album: Path, line: str, code: int, said: str
) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    found, message = shell(album, line)
    assert found == code and said in message
    if "rows.csv" in line:
        rows = (album / "rows.csv").read_text().splitlines()
        assert rows[0] == "path,caption,score,error" and len(rows) == 3 + ("none" in line)
        assert sorted(path.name for path in album.iterdir()) == ["command.py", "in", "rows.csv"]


def test_who_has_read_enough_ends_the_run_without_a_word(album: Path) -> None:
    _, said = shell(album, "$c caption in in in in | head -c 1 >/dev/null")
    assert said == ""


def test_names_cannot_steer_a_terminal(album: Path) -> None:
    name = "a\x1b]0;owned\x07\x9b2J.png"
    (album / name).touch()
    _, said = shell(album, f"$c caption '{name}'")
    assert said.startswith("captioner: a\\x1b]0;owned\\x07\\x9b2J.png: is empty")
