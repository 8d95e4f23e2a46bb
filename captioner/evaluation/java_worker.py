"""The Java side of the scores: one virtual machine holding the PTB tokenizer and METEOR.

Runs in a process of its own (`java.Java` starts it), reads one JSON request a line from standard
input and answers with one JSON line each. Sentences and numbers cross into Java as objects, so
that neither the locale nor an encoding, a pipe inside Java or a writable folder matters.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jpype

from captioner.evaluation.java import packaged


def start_machine() -> None:
    """Start the Java of $JAVA_HOME in this process, with two of pycocoevalcap's archives."""
    archives = ("meteor/meteor-1.5.jar", "tokenizer/stanford-corenlp-3.4.1.jar")
    jpype.startJVM(
        "-Xmx2G",
        "-XX:+UseParallelGC",
        "-Xshare:auto",
        "-Djava.awt.headless=true",
        "--enable-native-access=ALL-UNNAMED",
        classpath=[str(packaged(archive)) for archive in archives],
    )
    locale = jpype.JClass("java.util.Locale")
    locale.setDefault(locale.US)  # METEOR reads numbers back with the default locale's comma


def tokenize(text: str) -> str:
    """Send lines through the PTB tokenizer's own command line, as pycocoevalcap calls it."""
    system = jpype.JClass("java.lang.System")
    output = jpype.JClass("java.io.ByteArrayOutputStream")()
    printer = jpype.JClass("java.io.PrintStream")
    system.setIn(jpype.JClass("java.io.ByteArrayInputStream")(text.encode()))
    system.setOut(printer(output, True, "UTF-8"))
    system.setErr(printer(jpype.JClass("java.io.OutputStream").nullOutputStream()))
    command = jpype.JClass("edu.stanford.nlp.process.PTBTokenizer")
    command.main(["-preserveLines", "-lowerCase"])
    return bytes(output.toByteArray()).decode()


class Meteor:
    """METEOR 1.5 with the options of pycocoevalcap: English, normalized."""

    def __init__(self) -> None:
        scorer = jpype.JClass("edu.cmu.meteor.scorer.MeteorScorer")
        configuration = jpype.JClass("edu.cmu.meteor.scorer.MeteorConfiguration")
        arguments = ["-", "-", "-stdio", "-l", "en", "-norm"]
        properties = jpype.JClass("Meteor").createPropertiesFromArgs(arguments, 2)
        self._scorers = [scorer(configuration(properties))]
        threads = min(os.cpu_count() or 1, 8)
        self._scorers += [scorer(self._scorers[0]) for _ in range(threads - 1)]
        self._stats = jpype.JClass("edu.cmu.meteor.scorer.MeteorStats")
        self._list = jpype.JClass("java.util.ArrayList")

    def tallies(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
        """One row for each (candidate, references): its score, then the counts METEOR adds up."""
        count = len(self._scorers)

        def share(first: int) -> list[list[float]]:
            scorer = self._scorers[first]
            return [self._tally(scorer, *pair) for pair in pairs[first::count]]

        rows: list[list[float]] = [[] for _ in pairs]
        with ThreadPoolExecutor(count) as threads:
            for first, part in enumerate(threads.map(share, range(count))):
                rows[first::count] = part
        return rows

    def _tally(self, scorer: Any, candidate: str, references: Sequence[str]) -> list[float]:
        stats = scorer.getMeteorStats(candidate, self._list(references))
        total = self._stats()  # METEOR's own addition drops the chunk of a perfect match
        total.addStats(stats)
        return [float(stats.score), *map(float, str(total.toString(" ")).split())]

    def scores(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """The METEOR score of each row of counts, such as the sum over many photos."""
        results = []
        for row in rows:
            stats = self._stats(" ".join(map(repr, row)))
            self._scorers[0].computeMetrics(stats)
            results.append(float(stats.score))
        return results


def main() -> None:
    """Answer requests until standard input ends. METEOR's tables load while the rest begins."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints by itself must not get between the answers
    start_machine()
    with ThreadPoolExecutor(1) as loader:
        meteor = loader.submit(Meteor) if "--meteor" in sys.argv else None
        for line in requests:
            task, argument = json.loads(line)
            if task == "tokenize":
                answer: Any = tokenize(argument)
            else:
                assert meteor is not None
                answer = getattr(meteor.result(), task)(argument)
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()
        os._exit(0)  # whoever asked has gone: METEOR's tables need not be loaded to the end


if __name__ == "__main__":
    main()
