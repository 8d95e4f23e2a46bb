"""SPICE's program called as it wants to be, with a stand-in for it: its models are half a GB."""

from __future__ import annotations

import stat
import sys
import zipfile
from pathlib import Path

import pytest

from captioner.errors import CaptionerError
from captioner.evaluation import spice
from captioner.evaluation.scorers import Tokens

PROGRAM = """#!{python}
import json, sys
jar = sys.argv.index("-jar")
program, given, *options = sys.argv[jar + 1:]
assert program == "spice-1.0.jar" and "-Xmx8G" in sys.argv[:jar]
assert options[0] == "-cache" and options[2] == "-out" and options[4:] == ["-subset", "-silent"]
entries = json.load(open(given))
if entries[0]["test"] == "fail":
    sys.exit("Caused by: no memory left\\n\\tat Spice.main\\n\\t... 3 more")
scores = [
    {{"image_id": one["image_id"], "scores": {{"All": {{"f": len(one["refs"]) / 10}}}}}}
    for one in entries
]
json.dump(scores[::-1], open(options[3], "w"))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lib").mkdir()
    monkeypatch.setattr(spice, "spice_folder", lambda: tmp_path)
    path = tmp_path / "java"
    path.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_scores_come_back_in_order(program: Path) -> None:
    tokens = Tokens({7: ["a"], "b": ["a", "b"], 3: ["a"] * 5}, {7: ["x"], "b": ["y"], 3: ["z"]})
    total, each = spice.spice_scores(tokens, program)
    assert each.tolist() == [0.1, 0.2, 0.5]
    assert total == pytest.approx(0.8 / 3)


def test_failure_is_told(program: Path) -> None:
    with pytest.raises(
        CaptionerError, match="SPICE failed: Caused by: no memory left; where its models"
    ):
        spice.spice_scores(Tokens({1: ["a"]}, {1: ["fail"]}), program)


def archive(folder: Path, *names: str) -> Path:
    path = folder / "corenlp.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(f"stanford-corenlp-full-2015-12-09/{name}", name * 1000)
    return path


def test_the_archive_is_unpacked_once_into_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    package = spice.spice_folder()
    before = sorted(path.name for path in package.rglob("*.jar"))
    for bad, message in (
        (
            archive(tmp_path, spice.MODELS[0], "readme.txt"),
            "holds no stanford-corenlp-3.6.0-models",
        ),
        (Path(__file__), "is cut off or damaged, or no ZIP archive"),
        (tmp_path / "none.zip", "No such file"),
    ):
        with pytest.raises(CaptionerError, match=message):
            spice.unpack_spice(bad)
        assert spice.spice_folder() == package
    spice.unpack_spice(archive(tmp_path, *spice.MODELS))
    unpacked = tmp_path / "cache" / "captioner" / "spice"
    assert spice.spice_folder() == unpacked and spice.spice_missing() == ""
    assert (unpacked / "lib" / spice.MODELS[1]).read_text() == spice.MODELS[1] * 1000
    assert (unpacked / "spice-1.0.jar").is_file()
    assert sorted(path.name for path in package.rglob("*.jar")) == before
    spice.unpack_spice(tmp_path / "none.zip")  # it is there: the archive is not needed again


def test_one_sentence_until_both_models_are_there(program: Path) -> None:
    library = program.parent / "lib"
    for name in ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar"):
        sentence = spice.spice_missing()
        assert sentence.startswith("SPICE left out") and name in sentence
        (library / name).touch()
    assert spice.spice_missing() == ""
