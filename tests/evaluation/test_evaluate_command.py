"""The command from its options to its files, and what it says of bad input."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from fake_model import (
    FakeCaptioner,
    file_name,
    picture,
    write_annotations,
    write_instances,
    write_photos,
    write_results,
)
from scored_sentences import CANDIDATES, REFERENCES

from captioner import Options, captioner, cli
from captioner.datasets.captions import CaptionedPhoto, read_references
from captioner.errors import CaptionerError
from captioner.evaluation import java as java_module
from captioner.evaluation import run
from captioner.evaluation.java import Java
from captioner.evaluation.results import Candidate
from captioner.evaluation.scorers import score

Command = Callable[..., int]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCaptioner:
    model = FakeCaptioner()
    monkeypatch.setattr(captioner, "load", lambda path, device, engine: model)
    return model


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, java: Java) -> Command:
    """`captioner evaluate …` in this process, with the Java that all tests share."""
    monkeypatch.setattr(run, "Java", lambda: nullcontext(java))
    monkeypatch.setattr(run, "Scorer", lambda: nullcontext(java))
    return evaluate


def evaluate(*arguments: object) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["captioner", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
            raise SystemExit(0)
    return int(ended.value.code or 0)


def test_everything_from_photos_to_reports(
    tmp_path: Path, fake: FakeCaptioner, java: Java, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        java_module.subprocess,
        "Popen",
        lambda *arguments, **options: started.append(1) or popen(*arguments, **options),
    )
    annotations = write_annotations(tmp_path)
    shuffled = dict(zip(CANDIDATES, [*list(CANDIDATES.values())[5:], *["a"] * 5], strict=True))
    options: list[object] = ["--annotations", annotations, "--images", write_photos(tmp_path)]
    options += ["--instances", write_instances(tmp_path), "--training", annotations]
    options += ["--df", annotations, "--df-split", _split_of(tmp_path, 7), "--samples", 200]
    options += ["--against", write_results(tmp_path, shuffled), "--html", tmp_path / "r.html"]
    options += ["--write-results", tmp_path / "out.json", "--output", tmp_path / "report.json"]
    assert evaluate(*options) == 0
    assert len(started) == 1  # Java, for two systems, the training captions and the frequencies

    report = json.loads((tmp_path / "report.json").read_text())
    texts = {key: text.replace("\n", " ") for key, text in CANDIDATES.items()}
    expected = score(REFERENCES, texts, java)
    for name, value in expected.metrics.items():
        if name != "CIDEr":
            assert report["metrics"][name] == value
        low, high = report["intervals"][name]
        assert low <= report["metrics"][name] <= high
    assert report["cider_document_frequencies"] == {"from": "captions.json seven.txt", "photos": 7}
    assert report["captions"] == [{"image_id": key, "caption": text} for key, text in texts.items()]
    assert json.loads((tmp_path / "out.json").read_text()) == report["captions"]
    assert report["system"] == {"model": "fake", "beam": Options().beam, "style": "coco"}
    assert [report["by_source"][name]["photos"] for name in ("coco", "flickr8k")] == [9, 3]
    assert set(report["against"]["differences"]) == set(report["metrics"])
    assert report["where_it_looked"]["accuracy"] == 1.0  # photo 1 looks at its upper left
    assert report["what_it_made_up"]["words_made_up"] == {"zebra": 3}
    assert report["how_it_says_it"]["novel"] == pytest.approx(11 / 12)
    assert report["how_it_says_it"]["self_bleu_captions"] == Options().beam
    assert report["calibration"]["captions"] == 12
    photo = next(one for one in report["photos"] if one["image_id"] == 11)
    assert photo["made_up"] == ["zebra"] * 3 and photo["references"] == REFERENCES[11]
    assert photo["metrics"]["METEOR"] == expected.per_photo[11]["METEOR"]
    assert photo["against"]["caption"] == "a"
    assert (tmp_path / "r.html").read_text().count("data:image/jpeg") == 12
    said = capsys.readouterr().out
    assert f"{report['metrics']['METEOR']:.4f}" in said and "SPICE left out" in said


def _split_of(folder: Path, count: int) -> Path:
    path = folder / "seven.txt"
    path.write_text("".join(f"{file_name(number)}\n" for number in range(1, count + 1)))
    return path


def test_the_style_of_each_source(tmp_path: Path, fake: FakeCaptioner, command: Command) -> None:
    options = ["--annotations", write_annotations(tmp_path), "--images", write_photos(tmp_path)]
    assert command(*options, "--style", "auto", "-o", tmp_path / "r.json") == 0
    assert {number for style, number in fake.styles_asked if style == "flickr8k"} == {2, 5, 9}
    assert {number for style, number in fake.styles_asked if style == "coco"} == {*range(1, 13)} - {
        2,
        5,
        9,
    }
    everything = json.loads((tmp_path / "r.json").read_text())
    assert [one["image_id"] for one in everything["captions"]] == list(REFERENCES)
    assert command(*options, "--source", "flickr8k", "-o", tmp_path / "f.json") == 0
    alone = json.loads((tmp_path / "f.json").read_text())
    assert alone["metrics"] == everything["by_source"]["flickr8k"]["metrics"]
    assert "by_source" not in alone


def test_results_of_any_system(tmp_path: Path, command: Command, java: Java) -> None:
    results = write_results(tmp_path, CANDIDATES)
    report = tmp_path / "report.json"
    options = ["--annotations", write_annotations(tmp_path), "--results", results]
    assert command(*options, "-o", report, "--html", tmp_path / "r.html") == 0
    assert json.loads(report.read_text())["metrics"] == score(REFERENCES, CANDIDATES, java).metrics
    assert "data:image" not in (tmp_path / "r.html").read_text()
    # The report is itself a results file, and nobody is better than oneself.
    assert command(*options, "--against", report, "-o", tmp_path / "again.json") == 0
    again = json.loads((tmp_path / "again.json").read_text())["against"]["differences"]
    assert {(one["difference"], one["p"]) for one in again.values()} == {(0, 1)}


def test_captions_for_the_coco_server(tmp_path: Path, fake: FakeCaptioner) -> None:
    """No references there, so no score: only the results file."""
    content = json.loads(write_annotations(tmp_path).read_text())
    del content["annotations"]
    info = tmp_path / "image_info_test2014.json"
    info.write_text(json.dumps(content))
    results = tmp_path / "captions_test2014_fake_results.json"
    options = ["--annotations", info, "--images", write_photos(tmp_path), "--no-score"]
    assert evaluate(*options, "--write-results", results) == 0
    assert [one["image_id"] for one in json.loads(results.read_text())] == list(REFERENCES)


def test_missing_and_unreadable_photos(
    tmp_path: Path, fake: FakeCaptioner, command: Command, capsys: Any
) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for number in (1, 2, 3, 4, 6):
            content = picture(number) if number != 4 else b"no picture"
            archive.writestr(file_name(number), content)
    report = tmp_path / "report.json"
    options = ["--annotations", write_annotations(tmp_path), "--images", tmp_path / "p.zip"]
    options += ["--output", report]
    assert command(*options) == 1
    said = capsys.readouterr().err
    assert "7 of 12 photos are not in the folder: photos/005.png, photos/007.png" in said
    assert "and 2 more (--allow-missing scores the others)" in said
    assert not report.exists() and not fake.styles_asked
    assert command(*options, "--allow-missing") == 0
    content = json.loads(report.read_text())
    assert [one["image_id"] for one in content["captions"]] == [1, 2, 3, 6]
    assert "7 of 12 photos are not in the folder" in content["notes"][0]
    assert "1 of 5 photos cannot be read: photos/004.png (" in content["notes"][1]
    split = _split_of(tmp_path, 4)
    capsys.readouterr()
    assert command(*options, "--split", split, "--output", tmp_path / "none.json") == 1
    assert "1 of 4 photos cannot be read: photos/004.png" in capsys.readouterr().err
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ({**CANDIDATES, 77: "a dog"}, "1 captions are of photos that the references do not have"),
        ({1: "a dog"}, "11 of 12 photos have no caption: 2, 3, 4, 5, 6 and 6 more"),
        ({**CANDIDATES, 3: ""}, "1 captions are empty: 3"),
        ({**CANDIDATES, "photos/001.png": "again"}, "1 photos have more than one caption: 1"),
        (dict.fromkeys(CANDIDATES, "一只狗在草地上"), "do not look English"),
    ],
)
def test_bad_results(
    tmp_path: Path, command: Command, capsys: Any, captions: dict[Any, str], message: str
) -> None:
    report = tmp_path / "report.json"
    report.write_text("the last one")
    options = ["--annotations", write_annotations(tmp_path), "--output", report]
    options.append("--overwrite")
    assert command(*options, "--results", write_results(tmp_path, captions)) == 1
    said = capsys.readouterr().err.strip()
    assert message in said and len(said.splitlines()) == 1
    assert report.read_text() == "the last one"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "captions.json",
        "report.json",
        "results.json",
    ]


def test_wrong_usage(tmp_path: Path, capsys: Any) -> None:
    annotations = write_annotations(tmp_path)
    assert evaluate("--annotations", annotations) == 2
    assert "give --images" in capsys.readouterr().err
    assert evaluate("--annotations", annotations, "--images", tmp_path, "--no-score") == 2
    assert evaluate("--images", tmp_path) == 2
    results = write_results(tmp_path, CANDIDATES)
    options = ["--annotations", annotations, "--results", results]
    capsys.readouterr()
    assert evaluate(*options, "-o", tmp_path / "no folder" / "r.json") == 1
    assert "the folder" in capsys.readouterr().err
    assert evaluate("--annotations", annotations, "--images", tmp_path / "none") == 1
    assert "no such folder or archive of photos" in capsys.readouterr().err


OUTPUTS = ("--output", "--html", "--write-results", "--plot")


def own_files(folder: Path) -> list[str]:
    """Files of a person's, and the arguments that score some of them."""
    names = ("refs.json", "one.json", "two.json", "photos.txt", "notes", "folder/a.webp")
    (folder / "folder").mkdir()
    for name in names:
        (folder / name).write_text(f"My {name}.")
    return ["--annotations", "refs.json", "--results", "one.json", "--split", "photos.txt"]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("option", OUTPUTS)
@pytest.mark.parametrize(
    ("output", "more", "message"),
    [
        ("refs.json", ["--overwrite"], "is also an input (refs.json); write to another file."),
        ("./one.json", ["--overwrite"], "is also an input (one.json); write to another file."),
        ("link.json", ["--overwrite"], "is also an input (refs.json); write to another file."),
        ("photos.txt", ["--overwrite"], "is also an input (photos.txt); write to another file."),
        ("notes", [], "is there already; write to another file, or replace it with --overwrite."),
        ("folder/a.webp", [], "is there already; write to another file, or replace it with"),
        ("folder", ["--overwrite"], "is a folder; name a file in it."),
    ],
)
def test_a_persons_files_are_not_overwritten_unasked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    output: str,
    more: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = own_files(tmp_path) + (["two.json"] if option == "--plot" else [])
    Path("link.json").symlink_to("refs.json")
    before = contents(tmp_path)
    assert evaluate(*arguments, option, output, *more) == 2
    said = capsys.readouterr().err
    assert f"{option} {Path(output)} " in said and message in said
    assert contents(tmp_path) == before


@pytest.mark.parametrize("given", ["against", "df", "instances", "training", "human", "model"])
def test_what_a_report_is_made_with_is_not_overwritten(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [*own_files(tmp_path), f"--{given}", "notes", "-o", "notes", "--overwrite"]
    before = contents(tmp_path)
    assert evaluate(*arguments) == 2 and contents(tmp_path) == before
    assert "--output notes is also an input (notes)" in capsys.readouterr().err


def test_two_outputs_are_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = own_files(tmp_path)
    before = contents(tmp_path)
    for more in ([], ["--overwrite"]):
        assert evaluate(*arguments, "-o", "a.json", "--html", "folder/../a.json", *more) == 2
        said = capsys.readouterr().err
        assert "--html folder/../a.json is also where --output writes; write to another" in said
    assert contents(tmp_path) == before


def test_overwrite_replaces_reports(tmp_path: Path, command: Command) -> None:
    options = ["--annotations", write_annotations(tmp_path), "--samples", "20"]
    options += ["--results", write_results(tmp_path, CANDIDATES)]
    outputs = [tmp_path / name for name in ("a.json", "a.html", "out.json")]
    written = [part for pair in zip(OUTPUTS, outputs, strict=False) for part in pair]
    outputs[0].touch()  # an empty file is nobody's work
    assert command(*options, *written) == 0
    first = [path.read_bytes() for path in outputs]
    for path in outputs:
        path.write_text("Mine.")
    assert command(*options, *written) == 2
    assert [path.read_text() for path in outputs] == ["Mine."] * 3
    assert command(*options, *written, "--overwrite") == 0
    assert [path.read_bytes() for path in outputs] == first
    assert command(*options, "-o", "/dev/null", "--html", "/dev/null") == 0


def test_every_metric_punishes_shuffled_captions(shared: Path, java: Java) -> None:
    """A system that describes other photos is worse by every metric, and significantly so."""
    from captioner.evaluation import Context, evaluate

    photos = read_references(shared / "data" / "captions_val.json", source="coco")
    texts = [photo.captions[0] for photo in photos]
    shuffled = random.Random(0).sample(texts, len(texts))
    scored = [CaptionedPhoto(photo.id, photo.file_name, photo.captions[1:]) for photo in photos]
    good, broken = (
        {photo.id: Candidate(text) for photo, text in zip(photos, captions, strict=True)}
        for captions in (texts, shuffled)
    )
    found = evaluate(scored, broken, Context(against=good), java=java).figures["against"]
    assert len(found["differences"]) == 7
    for name, one in found["differences"].items():
        assert one["difference"] < 0.75 * -found["metrics"][name] + 0.2 and one["high"] < 0, name
        assert one["p"] < 0.01, name


def test_help_needs_nothing_heavy() -> None:
    script = (
        "import sys, captioner.evaluation.command; "
        "print({'torch', 'numpy', 'rich.table', 'pycocoevalcap'} & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "set()"


def test_one_photo_says_why_its_cider_is_nothing(tmp_path: Path, command: Command) -> None:
    references = tmp_path / "refs.json"
    references.write_text(json.dumps({"1": ["A dog runs.", "The dog is running."]}))
    results = tmp_path / "r.json"
    results.write_text(json.dumps({"1": "a dog is running"}))
    report = tmp_path / "report.json"
    options = ["--annotations", references, "--results", results, "--output", report]
    assert command(*options, "--samples", "20") == 0
    figures = json.loads(report.read_text())
    assert figures["metrics"]["CIDEr"] == 0
    assert any("CIDEr is 0 whatever the caption" in note for note in figures["notes"])
    assert any("only 1 photos are too narrow" in note for note in figures["notes"])
    more = tmp_path / "df.json"
    more.write_text(json.dumps({"1": ["A dog runs."], "2": ["A cat sleeps."], "3": ["A car."]}))
    assert command(*options, "--df", more, "--samples", "20", "--overwrite") == 0
    figures = json.loads(report.read_text())
    assert figures["metrics"]["CIDEr"] > 1
    assert not any("CIDEr is 0" in note for note in figures["notes"])


def references(folder: Path) -> Path:
    """Scored sentences by id, and a field to group by."""
    path = folder / "references.jsonl"
    path.write_text(
        "\n".join(
            json.dumps(
                {"image_id": key, "captions": texts, "camera": "old" if place < 5 else "new"}
            )
            for place, (key, texts) in enumerate(REFERENCES.items())
        )
    )
    return path


def test_several_captions_groups_and_ratings(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"image_id": key, "caption": CANDIDATES[key]} for key in REFERENCES]
    rows += [{"image_id": key, "caption": texts[0]} for key, texts in REFERENCES.items()]
    results, human, report = (tmp_path / name for name in ("r.json", "human.jsonl", "report.json"))
    results.write_text(json.dumps(rows))
    human.write_text(
        "\n".join(json.dumps({**row, "rating": place % 4}) for place, row in enumerate(rows))
    )
    options = ["--annotations", references(tmp_path), "--results", results]
    assert command(*options) == 1
    assert "12 photos have more than one caption: 1, 2" in capsys.readouterr().err
    options += ["--candidates", "--group", "camera", "--human", human, "--samples", "20"]
    assert command(*options, "--output", report) == 0
    figures = json.loads(report.read_text())
    assert figures["several"]["captions_a_photo"]["most"] == 2
    assert figures["several"]["metrics"]["CIDEr"]["oracle"] > figures["metrics"]["CIDEr"]
    assert {name: one["photos"] for name, one in figures["by_group"]["camera"].items()} == {
        "new": 7,
        "old": 5,
    }
    assert figures["human"]["ratings"] == 24
    said = capsys.readouterr().out
    assert "Self_CIDEr" in said and "τ-b" in said and "camera" in said
    assert command(*options, "--group", "lens") == 1
    assert "has a field 'lens'; they have camera" in capsys.readouterr().err
    assert command("--annotations", references(tmp_path), "--human", human, "--samples", "5") == 0
    said = capsys.readouterr().out
    assert (
        "24 ratings of 12 photos" in said and "human.jsonl: intervals and p-values of only" in said
    )


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.json", "b/c.json"], ["a", "c"]),
        (["a.json", "a.csv", "b.json"], ["a.json", "a.csv", "b"]),
        (["x/run/a.json", "y/run/a.json"], ["x/run/a.json", "y/run/a.json"]),
        (["x/a.json", "y/a.json", "y/a.csv"], ["x/a.json", "y/a.json", "a.csv"]),
    ],
)
def test_systems_are_told_apart(paths: list[str], names: list[str]) -> None:
    assert run.distinct_names([Path(path) for path in paths]) == names
    with pytest.raises(CaptionerError, match=f"given twice: {paths[0]}, "):
        run.distinct_names([Path(path) for path in [*paths, "b/../" + paths[0]]])


def test_many_systems(tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "results.json")
    good = [{"image_id": key, "caption": text} for key, text in CANDIDATES.items()]
    paths[0].write_text(json.dumps(good))
    paths[1].write_text(json.dumps([{**row, "caption": "a [dog] on grass"} for row in good][1:]))
    report, plot = tmp_path / "report.json", tmp_path / "cd.svg"
    options = ["--annotations", references(tmp_path), "--results", *paths, "--samples", "50"]
    assert command(*options, "--group", "camera", "--output", report, "--plot", plot) == 0
    assert "CIDEr by camera" in capsys.readouterr().out
    figures = json.loads(report.read_text())
    assert [one["by_group"]["camera"]["old"]["photos"] for one in figures["systems"]] == [4, 4]
    assert [one["name"] for one in figures["systems"]] == ["one/results.json", "two/results.json"]
    assert figures["photos_scored"] == 11
    assert "11 of 12 photos that every system has a caption of" in " ".join(figures["notes"])
    assert plot.read_text().startswith("<svg")
    assert command(*options, "--table", "latex") == 0
    said = capsys.readouterr()
    assert said.out.startswith("\\begin{tabular}{lrrrrrrrrr}") and "note" not in said.out
    assert "note: scored are the 11 of 12 photos that every system has" in said.err
    for option in ("--html", "--embeddings", "--instances"):  # one system's
        assert command(*options, option, tmp_path / "no") == 2
    assert command(*options[:2], "--results", paths[0], paths[0]) == 1
    assert "the same results are given twice" in capsys.readouterr().err
    assert command(*options[:2], "--results", paths[0], "--table", "word") == 2
