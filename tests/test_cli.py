"""The command line as a user meets it: arguments in; rows, messages and an exit code out."""

import json
import os
import re
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

import captioner
from captioner import CaptionerError, Options, cli
from tests.batch.fakes import FakeCaptioner

ASSETS = Path(captioner.__file__).parent / "assets"
needs_model = pytest.mark.skipif(
    not list(ASSETS.glob("*.safetensors")), reason="needs the embedded model"
)


class Command:
    """Runs the command inside this process with a captioner that needs no model."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.captioner = FakeCaptioner()
        self.loaded: list[dict[str, Any]] = []
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def load(self, path: Any = None, **wish: Any) -> FakeCaptioner:
        self.loaded.append({"path": path, **wish})
        return self.captioner

    def __call__(self, *arguments: object) -> int:
        self._monkeypatch.setattr("captioner.captioner.load", self.load)
        self._monkeypatch.setattr(sys, "argv", ["captioner", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return int(stop.value.code or 0)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three photos, one of them in a folder of its own."""
    folder = tmp_path / "album"
    (folder / "more").mkdir(parents=True)
    for name, size in {"a.jpg": (40, 30), "b.png": (20, 50), "more/c.webp": (8, 9)}.items():
        Image.new("RGB", size, "teal").save(folder / name)
    return folder


def expected_rows(album: Path) -> list[str]:
    captions = {"a.jpg": "40 by 30", "b.png": "20 by 50", "more/c.webp": "8 by 9"}
    return [f"{album / name}\tA photo {size}." for name, size in captions.items()]


def test_what_was_kept_at_ctrl_c_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = pytest.importorskip("captioner.training.chain")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt("stopped after step 3; --resume goes on")

    monkeypatch.setattr(chain, "train_chain", stopped)
    recipe = Path(__file__).parents[1] / "configs" / "words.json"
    assert command("train", "--config", recipe) == 130
    assert command.err == "captioner: stopped after step 3; --resume goes on\n"


def test_text_is_a_row_a_photo(command: Command, album: Path) -> None:
    assert command("caption", album) == 0
    assert command.out.splitlines() == expected_rows(album)
    assert command.err == ""


def test_files_and_folders_in_the_order_given(command: Command, album: Path) -> None:
    assert command("caption", album / "more", album / "a.jpg") == 0
    a, _, c = expected_rows(album)
    assert command.out.splitlines() == [c, a]


def test_json_lines(command: Command, album: Path) -> None:
    assert command("caption", album / "a.jpg", album / "gone.jpg", "--format", "jsonl") == 1
    good, bad = map(json.loads, command.out.splitlines())
    assert good == {
        "path": str(album / "a.jpg"),
        "caption": "A photo 40 by 30.",
        "score": 0.5,
        "words": ["a", "photo", "40", "by", "30"],
        "error": "",
    }
    assert bad == {
        **dict.fromkeys(good),
        "path": str(album / "gone.jpg"),
        "error": "there is no such file; check the name",
    }


@pytest.mark.parametrize("format", ["text", "jsonl"])
def test_a_bad_input_is_named_and_the_rest_is_captioned(
    command: Command, album: Path, tmp_path: Path, format: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("Dear")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "cut.jpg").write_bytes((album / "a.jpg").read_bytes()[:150])
    bad = [tmp_path / name for name in ("gone.jpg", "empty", "letters", "text.jpg", "cut.jpg")]
    assert command("caption", *bad, album, "--format", format) == 1
    *messages, total, gone, empty, text, cut, left_out = command.err.splitlines()
    for path, message in zip(bad, messages, strict=True):
        assert re.fullmatch(rf"captioner: {re.escape(str(path))}: .{{5,}}", message)
    assert total.startswith("captioner: 3 photos captioned, 3 failed, 2 inputs without pictures; ")
    assert gone.split() == ["captioner:", "2", "no", "pictures", "in", "this", "folder"]
    assert [line.split()[1] for line in (empty, text, cut)] == ["1", "1", "1"]
    assert left_out == "captioner: left out: 1 .txt"
    if format == "text":
        assert command.out.splitlines() == expected_rows(album)
    else:
        rows = [json.loads(line) for line in command.out.splitlines()]
        assert [bool(row.get("error")) for row in rows] == [True] * 5 + [False] * 3
        assert all((row["caption"] is None) == bool(row["error"]) for row in rows)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(command: Command, album: Path) -> None:
    (album / "a.jpg").chmod(0)
    assert command("caption", album) == 1
    assert command.out.splitlines() == expected_rows(album)[1:]
    assert str(album / "a.jpg") in command.err


def test_output_goes_to_the_file_alone(command: Command, album: Path, tmp_path: Path) -> None:
    assert command("caption", album, "--output", tmp_path / "rows.txt") == 0
    assert command.out == ""
    assert (tmp_path / "rows.txt").read_text().splitlines() == expected_rows(album)
    assert sorted(os.listdir(tmp_path)) == ["album", "rows.txt"]


def test_output_is_tried_before_any_photo(command: Command, album: Path, tmp_path: Path) -> None:
    assert command("caption", album, "--output", tmp_path / "no" / "rows.txt") == 1
    assert command.err.startswith("captioner: ") and "cannot be written" in command.err
    assert command.loaded == []


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--min-confidence", 3), "'--min-confidence': must be at most 1, not 3."),
        (("--top", 0), "'--top': must be at least 1, not 0."),
        (("--batch-size", "x"), "'--batch-size': must be a whole number, not 'x'."),
        (("--temperature", "x"), "'--temperature': must be a number, not 'x'."),
    ],
)
def test_what_a_number_must_be_is_said_in_words(
    command: Command, album: Path, option: tuple[object, ...], said: str
) -> None:
    assert command("caption", album, *option) == 2
    assert f"Error: Invalid value for {said}" in command.err


def test_output_never_takes_a_photos_name(command: Command, album: Path) -> None:
    before = (album / "a.jpg").read_bytes()
    assert command("caption", album, "-o", album / "a.jpg") == 2
    assert (album / "a.jpg").read_bytes() == before


def test_an_error_in_the_middle_leaves_the_old_output(
    command: Command, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Any:
        raise CaptionerError("The style is none of the model's.")
        yield

    monkeypatch.setattr(command.captioner, "caption_many", fails)
    (tmp_path / "rows.txt").write_text("old")
    over = ("-o", tmp_path / "rows.txt", "--overwrite")
    assert command("caption", album, *over) == 1
    assert command.err == "captioner: The style is none of the model's.\n"
    assert command("caption", album / "gone.jpg", album, *over) == 1
    assert (tmp_path / "rows.txt").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["album", "rows.txt"]


def test_options_reach_the_captioner(command: Command, album: Path) -> None:
    arguments = ["--beam", 5, "--style", "flickr8k", "--batch-size", 2, "--model", "other"]
    arguments += ["--runtime", "torch", "--device", "cuda"]
    assert command("caption", album, *arguments) == 0
    assert command.loaded == [{"path": Path("other"), "engine": "torch", "device": "cuda"}]
    options = command.captioner.options
    assert options is not None
    assert (options.beam, options.style, options.alternatives) == (5, "flickr8k", 0)
    assert [len(batch) for batch in command.captioner.batches] == [2, 1]


def test_the_format_follows_from_the_output(command: Command, album: Path, tmp_path: Path) -> None:
    for name, first in (("a.jsonl", '{"path": '), ("a.csv", "path,"), ("a.txt", str(album))):
        assert command("caption", album, "--output", tmp_path / name) == 0
        assert (tmp_path / name).read_text().startswith(first)
    assert command("caption", album, "--output", tmp_path / "b.csv", "--format", "jsonl") == 0
    assert (tmp_path / "b.csv").read_text().startswith('{"path": ')


def test_the_command_without_its_packages_says_so() -> None:
    code = "import sys; sys.modules['typer'] = None; import captioner.cli"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("captioner: the command needs its dep")
    assert "Traceback" not in done.stderr


def test_what_a_sentence_may_hold_and_how_it_is_found(command: Command, album: Path) -> None:
    rules = ["--prefix", "a photo of", "--include", "dog", "--include", "ball", "--avoid", "cat"]
    assert command("caption", album, *rules) == 0
    usual = Options(prefix="a photo of", include=("dog", "ball"), avoid=("cat",))
    assert command.captioner.options == usual
    listed = ["--prefix", "a photo of", "--include", "dog, ball", "--avoid", "cat,"]
    assert command("caption", album, *listed) == 0 and command.captioner.options == usual
    assert command("caption", album, "--top", 4, "--groups", 4) == 0
    assert command.captioner.options == Options(alternatives=3, groups=4)
    drawn = ["--temperature", 0.8, "--top-k", 50, "--top-p", 0.9, "--seed", 7]
    assert command("caption", album, *drawn) == 0
    assert command.captioner.options == Options(temperature=0.8, top_k=50, top_p=0.9, seed=7)
    assert command("caption", album, "--length-penalty", 1.5, "--no-consensus") == 0
    assert command.captioner.options == Options(length_penalty=1.5, consensus=False)


def test_top_gives_the_best_and_the_next(command: Command, album: Path) -> None:
    assert command("caption", album / "a.jpg", "--top", 4) == 0
    options = command.captioner.options
    assert options is not None and options.alternatives == 3 and options.beam >= 4
    table = zip(*(row.split("\t") for row in command.out.splitlines()), strict=True)
    paths, ranks, scores, captions = table
    assert ranks == ("1", "2", "3", "4") and set(scores) == {"0.5"}
    assert set(paths) == {str(album / "a.jpg")} and len(set(captions)) == 4
    assert command("caption", album / "a.jpg", "--top", 4, "--format", "jsonl") == 0
    row = json.loads(command.out)
    assert [row["caption"], *(other["caption"] for other in row["alternatives"])] == list(captions)


@needs_model
def test_words_that_the_model_does_not_know_are_named_with_their_option(
    command: Command, album: Path
) -> None:
    for option, text in (("--prefix", "A dog zzzq"), ("--include", "zzzq"), ("--prefix", "zzzq")):
        assert command("caption", album, option, text, "--before", "xyzw ") == 2
        said = " ".join(command.err.split())
        assert f"{option}: the model does not know the word 'zzzq'; choose another." in said
    assert command("caption", album, "--avoid", "zzzq", "--prefix", "A dog's") == 0
    assert command("caption", album, "--model", "other", "--prefix", "zzzq") == 0
    assert len(command.loaded) == 2  # a file that cannot be read is told of as it is loaded


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["caption"], "INPUT"),
        (["caption", "a.jpg", "--format", "xml"], "'text', 'jsonl'"),
        (["caption", "a.jpg", "--beam", "0"], "--beam"),
        (["caption", "a.jpg", "--beam", "three"], "--beam"),
        (["caption", "a.jpg", "--batch-size", "0"], "--batch-size"),
        (["caption", "a.jpg", "--top", "4", "--beam", "3"], "--top 4"),
        (["caption", "a.jpg", "--beams", "3"], "--beams"),
        (["caption", "a.jpg", "--top-k", "5"], "--top-k is for drawing sentences"),
        (["caption", "a.jpg", "--temperature", "1", "--include", "dog"], "leave out --include"),
        (["caption", "a.jpg", "--temperature", "1", "--groups", "2"], "leave out --groups"),
        (["caption", "a.jpg", "--temperature", "1", "--beam", "3"], "leave out --beam"),
        (["caption", "a.jpg", "--groups", "2", "--include", "dog"], "cannot be searched together"),
        (["caption", "a.jpg", "--temperature", "-1"], "--temperature"),
        (["caption", "a.jpg", "--min-words", "9", "--max-words", "5"], "--min-words must not exc"),
        (["caption", "a.jpg", "--avoid", "dog", "--include", "dog"], "--include and --avoid both"),
        (["caption", "a.jpg", "--prefix", "photo of "], "--before 'photo of '"),
        (["caption", "a.jpg", "--prefix", "Photo:"], "--before 'Photo:'"),
        (["caption", "a.jpg", "--suffix", ", 4k"], "--after ', 4k'"),
        (["caption", "a.jpg", "--start", "a dog"], "--prefix 'a dog'"),
        (["alt", "a.html", "--prefix", "Photo: "], "--before 'Photo: '"),
        (["alt", "a.html", "--suffix", "!"], "--after '!'"),
        (["describe", "a.jpg"], "describe"),
    ],
)
def test_wrong_usage(command: Command, arguments: list[str], message: str) -> None:
    assert command(*arguments) == 2
    assert message in " ".join(command.err.split())
    assert command.loaded == []


def test_attention_writes_a_picture_a_photo(command: Command, album: Path, tmp_path: Path) -> None:
    folder = tmp_path / "where"
    assert command("caption", album, album / "gone.jpg", "--attention", folder) == 1
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a.attention.png", "b.attention.png", "c.attention.png"]
    with Image.open(folder / "a.attention.png") as picture:
        picture.load()
        assert picture.width > 40 and picture.height > 30


def test_paths_that_are_not_utf_8_survive(command: Command, tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        Image.new("RGB", (5, 6)).save(os.fsdecode(raw))
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    for format in ("text", "jsonl"):
        assert command("caption", tmp_path, "--format", format, "-o", tmp_path / format) == 0
    assert (tmp_path / "text").read_bytes() == raw + b"\tA photo 5 by 6.\n"
    row = json.loads((tmp_path / "jsonl").read_text(encoding="utf-8"))
    assert os.fsencode(row["path"]) == raw


def test_a_closed_pipe_ends_quietly(
    command: Command, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `captioner caption album | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = open(writing, "w")  # noqa: SIM115, closing it breaks once more
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert command("caption", album) == 1
    assert command.err == ""
    with suppress(BrokenPipeError):
        stream.close()


def test_what_load_complains_of_is_one_sentence(
    command: Command, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(path: Any = None, **wish: Any) -> Any:
        raise CaptionerError(f"{path}: this is not a captioner model.")

    monkeypatch.setattr(command, "load", load)
    assert command("caption", album, "--model", "notes.txt") == 1
    assert command.err == "captioner: notes.txt: this is not a captioner model.\n"
    assert command.out == ""


@pytest.mark.parametrize("name", ["evaluate", "train"])
def test_commands_of_other_rooms_are_taken_from_there(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def function(config: Path, resume: bool = False) -> None:
        print(config, resume)

    module = ModuleType(cli.ELSEWHERE[name][0])
    setattr(module, name, function)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert command(name, "recipe.toml", "--resume") == 0
    assert command.out == "recipe.toml True\n"
    assert command(name, "--help") == 0
    assert f"captioner {name}" in command.out and "--resume" in command.out


def test_help_imports_nothing_heavy_and_answers_at_once() -> None:
    program = (
        "import sys; from captioner.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'PIL', 'gradio', 'nltk'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    seconds = []
    for arguments in (["--help"], ["caption", "--help"], []):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        assert "Usage: captioner" in done.stdout + done.stderr
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.5


def test_module_and_console_script_are_one_command() -> None:
    script = Path(sys.executable).with_name("captioner")
    ways = [[sys.executable, "-m", "captioner"]] + ([[str(script)]] if script.exists() else [])
    for way in ways:
        done = subprocess.run([*way, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == captioner.__version__


@needs_model
def test_the_real_model_says_here_what_it_says_in_python(album: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "captioner", "caption", album, "--format", "jsonl"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    captions = captioner.load().caption_many([row["path"] for row in rows])
    assert len(rows) == 3
    for row, caption in zip(rows, captions, strict=True):
        assert (row["caption"], row["words"]) == (caption.text, list(caption.words))
        assert row["score"] == pytest.approx(caption.score, rel=1e-3)
        assert 0 < row["score"] <= 1
