"""Checkpoints: what is saved comes back, what is broken is named, nothing is unpickled."""

import json
import math
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import captioner
from captioner import CaptionerError, checkpoint
from captioner.model.model import Model
from captioner.notes import read_notes
from captioner.options import Options
from captioner.rules import search_options
from tests.tiny import STYLES, WORDS, tiny_model


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model()


@pytest.fixture(scope="module")
def saved(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    checkpoint.save(model, file)
    return file


def notes(saved: Path, **changes: str | None) -> dict[str, str]:
    """A good checkpoint's metadata, some of it changed, or absent where None."""
    merged = {**checkpoint.read(saved)[1], **changes}
    return {key: value for key, value in merged.items() if value is not None}


def refused(file: Path) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(CaptionerError) as error:
        captioner.load(file)
    message = str(error.value)
    assert message.startswith(f"{file}: ") and "\n" not in message
    return message.removeprefix(f"{file}: ")


def test_what_is_saved_comes_back(model: Model, saved: Path) -> None:
    loaded = checkpoint.load(saved)
    assert loaded.config == model.config
    assert loaded.vocabulary.words == model.vocabulary.words
    assert (loaded.vocabulary.styles, loaded.attributes) == (STYLES, WORDS[2:7])
    assert not loaded.training
    weights = loaded.state_dict()
    assert weights.keys() == model.state_dict().keys()
    for name, weight in model.state_dict().items():
        assert weights[name].dtype == weight.dtype == torch.float32
        if weight.dim() > 1:
            torch.testing.assert_close(weights[name], weight, atol=1e-7, rtol=2**-11)
        else:
            assert torch.equal(weights[name], weight), name


def test_saving_what_was_loaded_changes_nothing(saved: Path, tmp_path: Path) -> None:
    checkpoint.save(checkpoint.load(saved), tmp_path / "again.safetensors")
    first, second = load_file(saved), load_file(tmp_path / "again.safetensors")
    assert first.keys() == second.keys()
    for name, weight in first.items():
        torch.testing.assert_close(second[name].float(), weight.float(), atol=0, rtol=1e-5)


def test_kernels_that_came_from_int8_go_back_to_it() -> None:
    draw = torch.Generator().manual_seed(0)
    steps = torch.randint(-127, 128, (5, 4, 3, 3), generator=draw)
    steps[:, 0, 0, 0] = torch.tensor([127, -127, 127, 127, -127])
    scale = torch.rand(5, 1, 1, 1, generator=draw) + 0.1
    kernel = (steps * scale).half().float()
    packed = checkpoint.pack({"kernel": kernel, "trained": kernel + 0.3 * scale})
    assert packed["kernel"].dtype == torch.int8 and packed["trained"].dtype == torch.float16
    assert torch.equal(packed["kernel"], steps.to(torch.int8))
    assert packed.keys() == {"kernel", "kernel.scale", "trained"}
    unpacked = checkpoint.unpack(packed)
    torch.testing.assert_close(unpacked["kernel"], kernel, atol=0, rtol=1e-3)
    torch.testing.assert_close(unpacked["trained"], kernel + 0.3 * scale, atol=0, rtol=1e-3)


def test_a_kernel_of_zeros_is_no_division_by_zero() -> None:
    weights = {"zero": torch.zeros(2, 1, 3, 3), "other": torch.ones(4)}
    assert torch.equal(checkpoint.unpack(checkpoint.pack(weights))["zero"], weights["zero"])


def test_the_file_is_small_and_names_the_format(model: Model, saved: Path) -> None:
    parameters = sum(weight.numel() for weight in model.state_dict().values())
    assert saved.stat().st_size < 2.1 * parameters
    header = saved.read_bytes()[8:4000].decode("ascii", "ignore")
    assert '"format":"captioner"' in header and '"version":"1"' in header


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.safetensors") == "there is no such checkpoint file"
    with pytest.raises(CaptionerError, match=r"captioner\.safetensors: there is no such"):
        captioner.load(tmp_path)


@pytest.mark.parametrize("part", [0, 5, 100, 4000, 0.5, -1])
def test_truncated(saved: Path, tmp_path: Path, part: float) -> None:
    whole = saved.read_bytes()
    end = int(part * len(whole)) if isinstance(part, float) else part
    file = tmp_path / "cut.safetensors"
    file.write_bytes(whole[:end])
    assert refused(file).startswith("is not a checkpoint, or is cut off")


class Bomb:
    """A pickle that would leave a trace if it were opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def test_other_kinds_of_file(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": torch.zeros(3), "bomb": Bomb()}, "torch.pt")
    Path("plain.pkl").write_bytes(pickle.dumps(Bomb()))
    Path("text.safetensors").write_text("These are not the weights you are looking for.\n" * 50)
    for name in ("torch.pt", "plain.pkl", "text.safetensors"):
        assert refused(Path(name)).startswith("is not a checkpoint, or is cut off")
    save_file({"a": torch.zeros(2)}, "other.safetensors")
    assert refused(Path("other.safetensors")).endswith("but not a captioner checkpoint")
    assert not Path("exploded").exists()


def test_nothing_is_unpickled(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("unpickled")

    for name in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load"):
        monkeypatch.setattr(name, explode)
    assert captioner.load(saved).styles == STYLES


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": "2"}, "has checkpoint format 2, this captioner reads up to 1; please upgrade"),
        ({"version": "two"}, "damaged .it has no format version"),
        ({"version": ""}, "damaged .it has no format version"),
        ({"version": "-1"}, "damaged .it has no format version"),
        ({"version": None}, "damaged .it has no format version"),
        ({"config": None}, "damaged .config: "),
        ({"config": "{"}, "damaged .config: "),
        ({"config": '{"encoder": {"pixels": "many"}}'}, r"encoder\.pixels: .*'many'"),
        ({"config": '{"decoder": {"kind": "poet"}}'}, r"decoder\.kind: .*'attention'"),
        ({"config": '{"encoder": {"name": "eye"}}'}, "'eye' is neither efficientnet_lite3"),
        ({"config": '{"decoder": {"hidden": 1000000000000}}'}, "makes no model"),
        ({"vocabulary": None}, "damaged .vocabulary: "),
        ({"vocabulary": "[]"}, "damaged .vocabulary: "),
        ({"vocabulary": '{"words": 3, "styles": ["coco"], "attributes": []}'}, "words: "),
        ({"vocabulary": '{"words": ["a"], "styles": [], "attributes": []}'}, "styles: "),
        ({"vocabulary": '{"words": ["a"], "styles": ["coco"]}'}, "attributes: is missing"),
    ],
)
def test_damaged_metadata(
    saved: Path, tmp_path: Path, changes: dict[str, str | None], reason: str
) -> None:
    file = tmp_path / "odd.safetensors"
    save_file({"a": torch.zeros(2)}, file, notes(saved, **changes))
    message = refused(file)
    assert re.search(reason, message), message


def words_like(**changes: Any) -> dict[str, str | None]:
    tree = {"words": ["a", "b"], "styles": ["coco"], "attributes": ["a"]} | changes
    return {"vocabulary": json.dumps(tree)}


HOSTILE: list[tuple[dict[str, str | None], str]] = [
    ({"version": "1" * 5000}, "has checkpoint format 111111111…"),
    ({"version": "¹"}, "damaged .it has no format version"),
    ({"config": "[" * 100_000}, "damaged .config: "),
    ({"vocabulary": "[" * 100_000}, "damaged .vocabulary: "),
    ({"config": '{"encoder": {"pixels": true}}'}, "pixels"),
    ({"config": '{"decoder": {"hard": 1}}'}, "decoder.hard is 1"),
    (words_like(words=["a", "a"]), "words: 'a' is there twice"),
    (words_like(words=["a", "<end>"]), "words: '<end>' is there twice"),
    (words_like(words=["a", "<coco>"]), "words: '<coco>' is there twice"),
    (words_like(styles=["coco", "unk"]), "styles: 'unk' is there twice"),
    ({"config": '{"encoder": {"pixels": "' + "9" * 9000 + '"}}'}, "pixels: .{,300}$"),
    (words_like(words=["a", ""]), "words: '' cannot be written"),
    (words_like(words=["a", "b\x07"]), "words: 'b.x07' cannot be written"),
    (words_like(words=["a", 7]), "words: 7 is no word"),
    (words_like(words="ab"), "words: is no list"),
    (words_like(attributes=["c"]), "attributes: 'c' is none of the words"),
]


@pytest.mark.parametrize(("changes", "reason"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_metadata_is_refused_on_every_engine(
    saved: Path, tmp_path: Path, changes: dict[str, str | None], reason: str
) -> None:
    file = tmp_path / "odd.safetensors"
    save_file(load_file(saved), file, notes(saved, **changes))
    assert re.search(reason, refused(file)), refused(file)
    if "config" not in changes:  # the other engines read no more of it than the side of the square
        with pytest.raises(CaptionerError, match=reason):
            read_notes(file)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"decoder.bias": math.nan}, "decoder.bias holds numbers that are not finite"),
        ({"rarity": math.inf}, "rarity holds numbers that are not finite"),
        ({"decoder.output.weight": math.nan}, "decoder.output.weight holds numbers that are not"),
        ({"decoder.bias.scale": 1.0}, "decoder.bias.scale has no int8 weight"),
        ({"decoder.output.weight": torch.int8}, "decoder.output.weight is int8 without its scale"),
        ({"decoder.output.weight": torch.int16}, "decoder.output.weight is of type I16"),
        ({"decoder.output.weight": torch.float64}, "decoder.output.weight is of type F64"),
    ],
)
def test_weights_that_would_make_a_wrong_model(
    saved: Path, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    weights, file = load_file(saved), tmp_path / "odd.safetensors"
    for name, value in change.items():
        old = weights.get(name, weights["decoder.bias"])
        if isinstance(value, torch.dtype):
            weights[name] = old.to(value)
        else:
            weights[name] = old.clone()
            weights[name].flatten()[-1:] = value
    save_file(weights, file, notes(saved))
    assert reason in refused(file)
    with pytest.raises(CaptionerError, match=re.escape(reason)):
        read_notes(file)


@pytest.mark.parametrize(
    "worn",
    [
        "[]", "3", "{", '{"coco": 3}', '{"coco": {"a dog": "1"}}', '{"coco": {"a dog": -1}}',
        '{"coco": {"a dog": NaN}}', '{"coco": {"": 1}}', '{"coco": {"a zebu": 1}}',
        '{"x": {"a": 1}}', '{"coco": [["a", 1]]}', '{"coco": {"a  dog": 1}}', '[[]]',
    ],
)  # fmt: skip
def test_damaged_prices_of_worn_phrases(saved: Path, tmp_path: Path, worn: str) -> None:
    file = tmp_path / "odd.safetensors"
    save_file(load_file(saved), file, notes(saved, worn=worn))
    for read in (captioner.load, checkpoint.load):
        with pytest.raises(CaptionerError, match=r"its metadata is damaged \(worn: ") as error:
            read(file)
        assert "\n" not in str(error.value)


def test_prices_of_worn_phrases_are_those_of_the_style(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "worn.safetensors"
    first, *_, last = STYLES
    noted = {last: {"a dog": 1.5}}
    save_file(load_file(saved), file, notes(saved, worn=json.dumps(noted)))
    read = read_notes(file)
    assert read.worn == noted
    checkpoint.save(checkpoint.load(file), file)
    assert read_notes(file).worn == noted
    phrase = tuple(read.vocabulary.encode(["a", "dog"]))
    assert search_options(Options(style=last), read.vocabulary, read.worn).worn == ((phrase, 1.5),)
    assert search_options(Options(style=first), read.vocabulary, read.worn).worn == ()


def test_sizes_and_nesting_beyond_reason(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "odd.safetensors"
    whole = saved.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    for shape, offsets in (
        ([2**63], [0, 2**63]),
        ([True], [0, 4]),
        ([-1], [0, 4]),
        ([10**4000], [0, 4]),
        ([3, "x"], [0, 12]),
        ([25], [0, 96]),
    ):
        name = "decoder.bias"
        place = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        text = json.dumps(header | {name: place}).encode()
        file.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + size :])
        assert refused(file).startswith("is not a checkpoint, or is cut off")
    for text in (b"[" * 200_000, b'{"a":' * 200_000, b"\xff" * 50, b"null", b"{}"):
        file.write_bytes(len(text).to_bytes(8, "little") + text)
        refused(file)
    file.write_bytes((2**63).to_bytes(8, "little") + b"{}")
    assert refused(file).startswith("is not a checkpoint, or is cut off")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_mutated_checkpoints_load_or_are_refused_in_one_sentence(
    saved: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """benchmarks/mutated_checkpoints.py tries ten thousand."""
    whole = bytearray(saved.read_bytes())
    header = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, header - 1))
        whole[place] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    file.write_bytes(whole)
    for read in (captioner.load, read_notes):
        with suppress(CaptionerError):
            read(file)


def test_weights_that_do_not_fit(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "odd.safetensors"
    good = load_file(saved)
    without = {name: weight for name, weight in good.items() if name != "decoder.bias"}
    shape = {**good, "decoder.bias": torch.zeros(3)}
    scale = {**good, "decoder.embedding.weight.scale": torch.ones(7, 1, 1, 1)}
    for weights in (without, {**good, "extra": torch.zeros(1)}, shape, scale):
        save_file(weights, file, notes(saved))
        assert refused(file).startswith("its weights do not fit its configuration (")
    words = json.dumps({"words": ["a"], "styles": ["coco"], "attributes": ["a"]})
    save_file(good, file, notes(saved, vocabulary=words))
    assert refused(file).startswith("its weights do not fit its configuration (")


def test_writing_replaces_the_file_in_one_step(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "folder" / "model.safetensors"
    checkpoint.write(file, {"a": torch.ones(3)}, {"format": "captioner", "version": "1"})
    before = file.read_bytes()

    def full(tensors: Any, partial: Path, notes: Any) -> None:
        partial.write_bytes(b"half")
        raise OSError("no space left on device")

    def stuck(*args: Any) -> None:
        raise OSError("no space left on device")

    for room, step, fails in ((checkpoint, "save_file", full), (os, "replace", stuck)):
        with monkeypatch.context() as patch:
            patch.setattr(room, step, fails)
            with pytest.raises(
                CaptionerError, match=r"model\.safetensors: cannot be written.*no space"
            ):
                checkpoint.save(model, file)
        assert file.read_bytes() == before
        assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_folder_that_cannot_be_made(model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CaptionerError, match="cannot be written"):
        checkpoint.save(model, tmp_path / "file" / "model.safetensors")


def test_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    """A process that writes without end is killed: what is there is whole."""
    file = tmp_path / "model.safetensors"
    program = f"""
        from pathlib import Path
        import torch
        from captioner import checkpoint
        while True:
            notes = {{"format": "captioner", "version": "1"}}
            checkpoint.write(Path({str(file)!r}), {{"a": torch.ones(300_000)}}, notes)
            print("written", flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    weights, _ = checkpoint.read(file)
    assert torch.equal(weights["a"], torch.ones(300_000))
