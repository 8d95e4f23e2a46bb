"""A model is taught new words on made pictures, and uses them about new ones."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import captioner
from captioner import CaptionerError, checkpoint, cli
from captioner.engines.graphs import has_graphs
from captioner.model.model import Model
from captioner.teaching import lesson as lessons
from captioner.teaching.lesson import Lesson
from captioner.teaching.pairs import Pair
from captioner.teaching.run import teach_model
from tests.training.names import NAMES, album, picture

QUICK = Lesson(steps=90, rate=0.01, hold=0.0, replay=0.2, dropout=0.0, smoothing=0.0, looks=3)


def pairs_of(folder: Path) -> list[tuple[Path, str]]:
    return [(p, p.with_suffix(".txt").read_text("utf-8")) for p in sorted(folder.glob("*.png"))]


@pytest.fixture(scope="module")
def taught(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taught")
    output = folder / "mine.safetensors"
    captioner.teach(pairs_of(album(folder / "album")), model=trained, output=output, lesson=QUICK)
    return output


def test_new_words_are_in_the_caption_of_a_new_photo(taught: Path) -> None:
    model = captioner.load(taught)
    for colour, name in NAMES.items():
        caption = model.caption(picture(colour))
        assert set(caption.words) & set(NAMES.values()) == {name}
        assert name in caption.text


def test_the_result_is_a_checkpoint_like_any_other(trained: Path, taught: Path) -> None:
    assert has_graphs(taught)
    model = captioner.load(taught)
    assert model.styles == ("mine", *captioner.load(trained).styles)
    assert "Rex" in model.caption(picture("blue"), include=("rex",), beam=5).words
    assert "Rex" not in model.caption(picture("red"), avoid=("Rex",)).words
    slow = captioner.load(taught, engine="torch")
    assert slow.caption(picture("red")).text == model.caption(picture("red")).text


def test_the_encoder_stays_and_the_old_model_too(trained: Path, taught: Path) -> None:
    old, new = checkpoint.load(trained), checkpoint.load(taught)
    for name, weight in old.encoder.state_dict().items():
        assert (new.encoder.state_dict()[name] == weight).all()
    for name, weight in old.head.state_dict().items():
        assert (new.head.state_dict()[name] - weight).abs().max() < 1e-2  # fp16


def test_replay_keeps_the_old_styles(trained: Path, tmp_path: Path) -> None:
    """What the model said in its own styles stays likelier with a replay than without."""
    pairs = pairs_of(album(tmp_path / "album"))
    before = captioner.load(trained)
    said = [before.caption(picture(c), style="coco").words for c in NAMES]
    kept = {}
    for replay in (0.0, 2.0):
        lesson = Lesson(**{**QUICK.__dict__, "replay": replay})
        output = tmp_path / f"{replay}.safetensors"
        captioner.teach(pairs, model=trained, lesson=lesson, output=output)
        kept[replay] = _log_probability(checkpoint.load(output), said)
    assert kept[2.0] > kept[0.0] + 1


def _log_probability(model: Model, said: Sequence[tuple[str, ...]]) -> float:
    """Of these sentences about the pictures, in the style coco; nats."""
    side, vocabulary, total = model.config.encoder.pixels, model.vocabulary, 0.0
    for colour, words in zip(NAMES, said, strict=True):
        square = np.array(picture(colour).convert("RGB").resize((side, side)))
        ids = vocabulary.encode(words)
        with torch.inference_mode():
            state = model.start(torch.from_numpy(square).permute(2, 0, 1)[None])
            fed = torch.tensor([[vocabulary.start("coco"), *ids]])
            scores = model.decoder.score(model.decoder(fed, state).features)[0]
        total += float(scores[range(len(ids) + 1), [*ids, vocabulary.end]].sum())
    return total


def test_a_person_ends_it_and_keeps_the_best(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = lessons.Learner.step

    def interrupted(self: Any, step: int, progress: float) -> float:
        if step == 65:
            raise KeyboardInterrupt
        return usual(self, step, progress)

    monkeypatch.setattr(lessons.Learner, "step", interrupted)
    pairs = [Pair(str(path), path, (text,)) for path, text in pairs_of(album(tmp_path))]
    taught = teach_model(checkpoint.load(trained), pairs, "mine", 2, QUICK, lambda message: None)
    assert taught.learnt.stopped
    assert set(taught.learnt.scores) == {0, 30, 60}
    assert taught.learnt.best in (30, 60) and taught.verdict.after > taught.verdict.before


def test_the_command(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder, output = album(tmp_path / "album", 12), tmp_path / "mine.safetensors"
    (folder / "000.txt").unlink()
    (folder / "stray.txt").write_text("nobody's")
    words = ["captioner", "teach", str(folder), "-o", str(output), "--model", str(trained)]
    monkeypatch.setattr(sys, "argv", [*words, "--minutes", "0.01"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capsys.readouterr()
    assert stop.value.code == 0, err
    [told] = re.findall(r"new words \(\d\): (.*)", err)
    assert set(told.split(", ")) == set(NAMES.values())
    assert "new words of your captions that it says: 0% before" in out
    assert "photos without a caption, left out (1)" in err and "000.png" in err
    assert "captions without a photo, left out (1)" in err and "stray.txt" in err
    assert "yours:" in out and "held-out photos" in out and f"--model {output}" in out
    assert captioner.load(output).styles[0] == "mine"
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1 and "--overwrite" in capsys.readouterr().err


def test_bad_lessons_are_refused_in_one_sentence(trained: Path, tmp_path: Path) -> None:
    pairs: list[Any] = pairs_of(album(tmp_path))
    for bad, said in (
        (pairs[:9], "too few"),
        ([], "no photo has a caption"),
        ([(path, "A dog.") for path, _ in pairs], "the same caption"),
        ([(path, path.name) for path, _ in pairs], "names of their files"),
        ([(pairs[0][0], text + str(n)) for n, (_, text) in enumerate(pairs)], "show the same"),
        ([(path, f"wxy{n} qrs{n}") for n, (path, _) in enumerate(pairs)], "occur fewer than 2"),
        ([1, 2], "pair 0"),
    ):
        with pytest.raises(CaptionerError, match=said) as error:
            captioner.teach(bad, model=trained, lesson=QUICK)
        assert "\n" not in str(error.value)
    with pytest.raises(CaptionerError, match="safetensors"):
        captioner.teach(pairs, model=trained, output=tmp_path / "mine.pt")
    with pytest.raises(CaptionerError, match="one word"):
        captioner.teach(pairs, model=trained, style="my own", lesson=QUICK)
