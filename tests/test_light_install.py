"""The wheel with its base dependencies, in an environment that holds nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
LIMIT = 400_000_000  # bytes on disk


def requirements(lines: list[str]) -> Iterator[str]:
    """The names that hold here without an extra."""
    from packaging.requirements import Requirement

    for line in lines:
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield re.sub(r"[-_.]+", "-", wanted.name).lower()


def closure(lines: list[str]) -> list[Distribution]:
    """The distributions that the requirements need, and what those need."""
    found: dict[str, Distribution] = {}
    waiting = [*requirements(lines)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:
                pytest.skip(f"{name} is not installed here: run make test")
            waiting += requirements(found[name].requires or [])
    return list(found.values())


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as pip makes it from the wheel: what it needs lies there as links."""
    folder = tmp_path_factory.mktemp("light")
    source = folder / "source"
    shutil.copytree(ROOT / "captioner", source / "captioner")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*build, "-w", str(folder), str(source)], check=True)
    [wheel] = folder.glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    [metadata] = site.glob("*.dist-info/METADATA")
    lines = re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(encoding="utf-8"), re.M)
    size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file())
    for each in closure(lines):
        for file in each.files or ():
            place = Path(str(each.locate_file(file)))
            if ".." in file.parts or not place.is_file():
                continue
            size += place.stat().st_size
            (site / file.parts[0]).exists() or (site / file.parts[0]).symlink_to(
                Path(str(each.locate_file(file.parts[0])))
            )
    (folder / "size").write_text(str(size))
    return folder


def run(environment: Path, *command: str) -> subprocess.CompletedProcess[str]:
    script = "sys.argv[0] = 'captioner'\nfrom captioner.cli import main; main()"
    return run_python(environment, script, *command)


def run_python(environment: Path, script: str, *given: str) -> subprocess.CompletedProcess[str]:
    path = f"import sys; sys.path.append({str(environment / 'site')!r})\n"
    return subprocess.run(
        [sys.executable, "-S", "-c", path + script, *given],
        capture_output=True,
        text=True,
        cwd=environment,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )


def test_it_captions_a_photo(environment: Path) -> None:
    photo = environment / "photo.jpg"
    Image.fromarray(np.full((60, 80, 3), 128, np.uint8)).save(photo)
    done = run(environment, "caption", str(photo), "--prefix", "a photo", "--before", ": ")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{photo}\t: A photo") and done.stderr == ""
    rows = run(environment, "caption", str(photo), "-o", "rows.csv", "--top", "3")
    assert rows.returncode == 0 and (environment / "rows.csv").read_text().count("\n") >= 2
    page = environment / "page.html"
    page.write_text("<img src=photo.jpg>")
    assert run(environment, "alt", str(page), "--write", "--min-confidence", "0").returncode == 0
    assert "alt=" in page.read_text()


def test_what_is_not_there_is_told_in_a_sentence(environment: Path) -> None:
    for command in (
        ["evaluate", "--annotations", "a.json", "--results", "b.json"],
        ["train", "--config", "recipe.json"],
        ["export", "--output", "out"],
    ):
        done = run(environment, *command)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
        assert re.match(r"captioner: this needs the package \w+: pip install", done.stderr)
        assert ("onnx" in done.stderr) == (command[0] != "evaluate")  # all that the command needs


def test_python_shows_what_is_there_and_says_what_is_not(environment: Path) -> None:
    script = (
        "import captioner, pydoc\npydoc.help(captioner)\n"
        "for absent in (captioner.evaluate, captioner.teach):\n"
        "    try: absent('photos')\n"
        "    except captioner.CaptionerError as error: print('told:', error)"
    )
    done = run_python(environment, script)
    assert done.returncode == 0, done.stderr
    for name in ("class Caption(", "class Captioner(", "class Options(", "load(", "teach("):
        assert name in done.stdout
    told = re.findall(r"^told: this needs the package (\w+): pip install", done.stdout, re.M)
    assert told == ["pycocoevalcap", "torch"]


def test_it_is_small(environment: Path) -> None:
    assert int((environment / "size").read_text()) < LIMIT
