"""A model is taught new words on made pictures, and uses them about new ones."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
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
from captioner.teaching.run import check_output, teach_model, unfinished_file
from tests.training.names import NAMES, album, picture

QUICK = Lesson(steps=90, rate=0.01, dropout=0.0, smoothing=0.0, looks=3)


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


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
def test_the_styles_of_before_are_untouched(trained: Path, taught: Path, engine: str) -> None:
    """By construction nothing is forgotten: the sentences of all old styles are the same, and so
    are their probabilities, on every engine."""
    pytest.importorskip(engine)
    before = captioner.load(trained, engine="torch", dtype="float32")
    after = captioner.load(taught, engine=engine, dtype="float32")
    for style in before.styles:
        for colour in NAMES:
            old = before.caption(picture(colour), style=style, beam=4, alternatives=3)
            new = after.caption(picture(colour), style=style, beam=4, alternatives=3)
            assert new.words == old.words
            assert [each.words for each in new.alternatives] == [
                each.words for each in old.alternatives
            ]
            assert new.log_probability == pytest.approx(old.log_probability, abs=2e-2)


def test_what_old_styles_compute_is_the_same_to_the_last_bit(trained: Path, tmp_path: Path) -> None:
    """Also of a style that was taught before; only the sum over a larger vocabulary may round."""
    pairs = [Pair(str(path), path, (text,)) for path, text in pairs_of(album(tmp_path))]
    start, short = checkpoint.load(trained), replace(QUICK, steps=10)
    once = teach_model(start, pairs, "mine", 2, short, lambda message: None).model
    again = [replace(p, captions=(p.captions[0].replace("Rex", "Bello"),)) for p in pairs]
    twice = teach_model(once, again, "yours", 2, short, lambda message: None).model
    assert twice.vocabulary.styles == ("yours", "mine", *start.vocabulary.styles)
    assert {"Rex", "Bello"} <= set(twice.vocabulary.words)
    for older, newer in ((start, once), (start, twice), (once, twice)):
        for style in older.vocabulary.styles:
            (features, scores), (same, near) = (_said(m, older, style) for m in (older, newer))
            assert torch.equal(features, same)
            torch.testing.assert_close(scores, near, atol=1e-3, rtol=0)
            assert torch.allclose(scores.exp().sum(1), near.exp().sum(1), atol=1e-4)
    assert not torch.allclose(_said(twice, once, "yours")[1], _said(once, once, "mine")[1])


def _said(model: Model, of: Model, style: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (T, E), and log-probabilities (T, V) of `of`'s words, along a sentence."""
    side, vocabulary = model.config.encoder.pixels, model.vocabulary
    words = [word for word in of.vocabulary.words if word in vocabulary.ids]
    square = np.array(picture("blue").convert("RGB").resize((side, side)))
    fed = [f"<{style}>", "a", "square", "that", "is"]
    with torch.inference_mode():
        state = model.start(torch.from_numpy(square).permute(2, 0, 1)[None])
        taught = model.decoder(torch.tensor([vocabulary.encode(fed)]), state)
        scores = model.decoder.score(taught.features)[0][:, vocabulary.encode(words)]
    return taught.features[0, :, : model.config.decoder.size], scores


def test_a_person_ends_it_and_keeps_the_best(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = lessons.Learner.learn_batch

    def interrupted(self: Any, step: int, progress: float) -> float:
        if step == 25:
            raise KeyboardInterrupt
        return usual(self, step, progress)

    monkeypatch.setattr(lessons.Learner, "learn_batch", interrupted)
    pairs = [Pair(str(path), path, (text,)) for path, text in pairs_of(album(tmp_path / "album"))]
    start, output = checkpoint.load(trained), tmp_path / "mine.safetensors"
    short = replace(QUICK, steps=30)
    lesson: Any = (start, pairs, "mine", 2, short, lambda message: None)
    taught = teach_model(*lesson, output=output)
    assert taught.learnt.stopped
    assert set(taught.learnt.scores) == {0, 10, 20}
    assert taught.learnt.best in (10, 20) and taught.verdict.after > taught.verdict.before
    assert unfinished_file(output).exists()
    monkeypatch.setattr(lessons.Learner, "learn_batch", usual)
    resumed = teach_model(*lesson, output=output, resume=True)
    whole = teach_model(*lesson)
    assert set(resumed.learnt.scores) == {0, 10, 20, 30}
    assert resumed.learnt.scores == whole.learnt.scores
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], weight), name
    other = [replace(pair, captions=("another " + pair.captions[0],)) for pair in pairs]
    with pytest.raises(CaptionerError, match="other photos, captions or options"):
        teach_model(start, other, *lesson[2:], output=output, resume=True)
    with pytest.raises(CaptionerError, match="no lesson to go on with"):
        teach_model(*lesson, output=tmp_path / "never.safetensors", resume=True)


ENDLESS = """
from functools import partial
from captioner import cli
from captioner.teaching import lesson
many = 1_000_000
lesson.Lesson = partial(lesson.Lesson, steps=many, looks=many // 15, patience=many)
cli.main()
"""


def test_ctrl_c_ends_it_and_the_best_is_written(trained: Path, tmp_path: Path) -> None:
    """A real signal to a real process, once the first look at the held-out photos is kept. The
    lesson has no end of its own, which it could come to before the signal does."""
    output = tmp_path / "mine.safetensors"
    words = [
        "teach",
        str(album(tmp_path / "album", 24)),
        "-o",
        str(output),
        "--model",
        str(trained),
    ]
    child = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # a shell's background jobs ignore Ctrl-C, and so would what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 200
        while not unfinished_file(output).exists() and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=300)
    finally:
        child.kill()
    assert child.returncode == 0, err
    assert "stopped; the best so far is kept, and --resume goes on" in err
    assert "Traceback" not in err and "held-out photos" in out
    assert captioner.load(output).styles[0] == "mine" and unfinished_file(output).exists()


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
    assert not unfinished_file(output).exists()
    page = (tmp_path / "mine.before-after.html").read_text("utf-8")
    assert page.count("data:image/jpeg") == page.count("<dt>after") == out.count("  after:") == 4
    assert " → ".join(re.findall(r"CIDEr (.*) → (.*) on", out)[-1]) in page
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1 and "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("mine.safetensors", "--overwrite"),
        ("mine.unfinished.safetensors", "--resume to go on"),
        ("mine.before-after.html", "--overwrite"),
        ("mine.start.onnx", "--overwrite"),
        ("mine.step.onnx", "--overwrite"),
    ],
)
def test_nothing_that_lies_there_is_lost_unasked(
    trained: Path, tmp_path: Path, name: str, way: str
) -> None:
    there = tmp_path / name
    there.write_text("mine")
    with pytest.raises(CaptionerError, match=rf"{name}: .*{way}"):
        check_output(tmp_path / "mine.safetensors", trained, overwrite=False)
    assert there.read_text() == "mine"
    check_output(tmp_path / "mine.safetensors", trained, overwrite=True)


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
    for style, said in (("my own", "one word"), ("coco", "built in")):
        with pytest.raises(CaptionerError, match=said):
            captioner.teach(pairs, model=trained, style=style, lesson=QUICK)


def test_a_full_disk_is_said_before_and_costs_no_step_after(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, output = album(tmp_path / "album", 12), tmp_path / "mine.safetensors"
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=1 << 20))
        with pytest.raises(CaptionerError, match="there is room for 1 MB there"):
            captioner.teach(pairs_of(folder), model=trained, output=output)
    short, usual = replace(QUICK, steps=3), checkpoint.write

    def full(file: Path, *rest: Any) -> None:
        if file == output:
            raise CaptionerError(f"{file}: cannot be written (No space left on device)")
        usual(file, *rest)

    monkeypatch.setattr(checkpoint, "write", full)
    with pytest.raises(CaptionerError, match=r"No space left.*--resume: no step is lost") as error:
        captioner.teach(pairs_of(folder), model=trained, output=output, lesson=short)
    assert "\n" not in str(error.value)
    assert not output.exists() and unfinished_file(output).exists()
