"""Words for things, boxes, where the attention lies and what was made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captioner.datasets.captions import read_references
from captioner.errors import CaptionerError
from captioner.evaluation.categories import CategoryWords
from captioner.evaluation.hallucination import Named, chair_figures, judge, judge_all
from captioner.evaluation.instances import Boxed, Instances, read_instances
from captioner.evaluation.pointing import coverage, inside, point, point_all, pointing_figures
from captioner.evaluation.results import Candidate


def split(text: str) -> list[str]:
    return text.split()


CATEGORIES = split(
    "person dog cat bear car truck bus bicycle motorcycle train elephant orange skateboard "
    "surfboard snowboard sheep knife mouse"
)
NAMES = CategoryWords(
    [*CATEGORIES, "hot dog", "teddy bear", "fire hydrant", "dining table", "cell phone", "cup"]
)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("two men and a puppy", ["person", "dog"]),
        ("A Woman eats a hot dog", ["person", "hot dog"]),
        ("a teddy bear beside two hot dogs", ["teddy bear", "hot dog"]),
        ("a hydrant near parked buses", ["fire hydrant", "bus"]),
        ("a baby elephant and its mother elephant", ["elephant", "elephant"]),
        ("a baby with a toy train on the train tracks", ["person"]),
        ("a couple of dogs", ["dog"]),
        ("a couple sits at a table", ["person", "dining table"]),
        ("an orange shirt and three oranges", ["orange"]),
        ("a bike", ["bicycle|motorcycle"]),
        ("a person on a board", ["person", "snowboard|skateboard|surfboard"]),
        ("sheep knives mice phones", ["sheep", "knife", "mouse", "cell phone"]),
        ("the surfing park glass light", []),
        ("", []),
    ],
)
def test_words_for_things(caption: str, expected: list[str]) -> None:
    found = ["|".join(mention.categories) for mention in NAMES.mentions(caption.split())]
    assert [set(one.split("|")) for one in found] == [set(one.split("|")) for one in expected]


def test_categories_that_nobody_foresaw() -> None:
    names = CategoryWords(["wombat", "sea cucumber"])
    words = split("three wombats and a sea cucumber by a man")
    assert [(m.categories, m.start, m.stop) for m in names.mentions(words)] == [
        (("wombat",), 1, 2),
        (("sea cucumber",), 4, 6),
    ]


def test_human_captions_seldom_make_things_up(shared: Path) -> None:
    """People describe what is there: words wrongly taken for things would show here."""
    instances = read_instances(shared / "data" / "instances_val.json")
    photos = read_references(shared / "data" / "captions_val.json", source="coco")
    names = CategoryWords(instances.categories)
    named = judge_all(
        {photo.id: photo.captions[0].lower().rstrip(".").split() for photo in photos},
        {photo.id: [text.lower().split() for text in photo.captions[1:]] for photo in photos},
        instances,
        names,
    )
    figures = chair_figures(named)
    assert figures["photos"] == 281 and figures["words"] > 250
    assert figures["CHAIRi"] < 0.03
    assert figures["completely_boxed"]["CHAIRi"] < 0.08


BOXES = np.array([[0.1, 0.2, 0.5, 0.6], [0.4, 0.5, 0.9, 0.7]])


def test_coverage_beside_random_points() -> None:
    points = np.random.default_rng(0).random((40_000, 2))
    hits = np.array([inside((x, y), BOXES) for x, y in points])
    covered = coverage(BOXES, (4, 5))
    cells = (points[:, 1] * 4).astype(int) * 5 + (points[:, 0] * 5).astype(int)
    for cell in range(20):
        assert covered.flat[cell] == pytest.approx(hits[cells == cell].mean(), abs=0.06)
    assert covered.mean() == pytest.approx(0.4 * 0.4 + 0.5 * 0.2 - 0.1 * 0.1, abs=0.01)


def attention(*peaks: tuple[int, int], spread: float = 0.0) -> np.ndarray:
    """(T, 4, 4): all attention on one cell a word, but for `spread` of it."""
    maps = np.full((len(peaks), 4, 4), spread / 16, np.float32)
    for word, (row, column) in enumerate(peaks):
        maps[word, row, column] += 1 - spread
    return maps


def test_pointing_at_the_right_and_the_wrong_place() -> None:
    top_right = np.array([[0.5, 0.0, 1.0, 0.5]])
    boxed = Boxed({"dog": top_right, "person": np.array([[0, 0.75, 1, 1]])}, frozenset(CATEGORIES))
    words = ("a", "dog", "a", "man", "a", "dog", "a", "cat")
    peaks = [(0, 0), (0, 3), (0, 0), (1, 1), (0, 0), (3, 3), (0, 0), (0, 3)]
    maps = attention(*peaks, spread=0.5)
    found = point(Candidate("", None, words, (), maps), boxed, NAMES)
    assert [(one.word, one.category, one.hit) for one in found] == [
        ("dog", "dog", True),
        ("man", "person", False),
        ("dog", "dog", False),
    ]
    assert [one.area for one in found] == pytest.approx([0.25, 0.25, 0.25])
    assert [one.mass for one in found] == pytest.approx([0.625, 0.125, 0.125])
    assert [one.centre for one in found] == [True, False, True]  # the corner counts as inside
    figures = pointing_figures({1: found, 2: []})
    assert figures["photos"] == 2 and figures["words"] == 3
    assert figures["accuracy"] == pytest.approx(1 / 3)
    assert figures["accuracy_of_centre"] == pytest.approx(2 / 3)
    assert figures["attention_mass"] == pytest.approx(0.875 / 3)
    assert figures["by_category"]["dog"]["accuracy"] == 0.5


def test_two_words_have_one_map() -> None:
    boxed = Boxed({"hot dog": np.array([[0, 0, 0.25, 0.25]])}, frozenset())
    candidate = Candidate("", None, ("a", "hot", "dog"), (), attention((3, 3), (0, 0), (0, 1)))
    (found,) = point(candidate, boxed, NAMES)
    assert found.word == "hot dog" and found.mass == pytest.approx(0.5)


def test_even_attention_scores_like_chance() -> None:
    """With attention drawn at random, hits and mass come out at the area of the boxes."""
    random = np.random.default_rng(2)
    candidates, photos = {}, {}
    for number in range(600):
        left, top = random.uniform(0, 0.5, 2)
        box = np.array([[left, top, left + 0.4, top + 0.3]])
        photos[str(number)] = Boxed({"dog": box}, frozenset(["dog"]))
        maps = random.dirichlet(np.ones(144), size=1).reshape(1, 12, 12).astype(np.float32)
        candidates[number] = Candidate("dog", None, ("dog",), (), maps)
    pointed = point_all(candidates, Instances(("dog",), photos), CategoryWords(["dog"]))
    figures = pointing_figures(pointed)
    assert figures["accuracy_of_chance"] == pytest.approx(0.12, abs=0.005)
    assert figures["accuracy"] == pytest.approx(0.12, abs=0.04)
    assert figures["attention_mass"] == pytest.approx(0.12, abs=0.01)
    low, high = figures["accuracy_interval"]
    error = np.sqrt(0.12 * 0.88 / 600)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.25)


def test_chair_by_hand() -> None:
    everything = Boxed({"dog": BOXES}, frozenset(NAMES.categories))
    people_only = Boxed({}, frozenset(["person"]))
    told = [split("the boy walks his dog")]
    caption = split("a man and a dog with two cats beside a car")
    assert judge(caption, told, everything, NAMES) == Named(4, ("cats", "car"), True)
    assert judge(caption, [[]], people_only, NAMES) == Named(1, ("man",), False)
    assert judge(["bike"], [[]], everything, NAMES) == Named(1, ("bike",), True)
    figures = chair_figures(
        {1: Named(4, ("cats", "car"), True), 2: Named(2, (), True), 3: Named(1, ("man",), False)}
    )
    assert (figures["CHAIRs"], figures["CHAIRi"]) == pytest.approx((2 / 3, 3 / 7))
    complete = figures["completely_boxed"]
    assert (complete["CHAIRs"], complete["CHAIRi"]) == pytest.approx((1 / 2, 1 / 3))
    assert chair_figures({})["CHAIRi"] is None


def instances_file(folder: Path, content: Any) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_instances_file(tmp_path: Path) -> None:
    content = {
        "images": [
            {"id": 5, "width": 200, "height": 100},
            {"id": 6, "width": 10, "height": 10, "categories": ["dog"]},
        ],
        "annotations": [{"image_id": 5, "category_id": 3, "bbox": [20, 10, 100, 50], "iscrowd": 0}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
    }
    instances = read_instances(instances_file(tmp_path, content))
    first, second = instances.of(5), instances.of("6")
    assert first is not None and second is not None and instances.of(7) is None
    assert first.boxes["cat"].tolist() == pytest.approx(np.array([[0.1, 0.1, 0.6, 0.6]]))
    assert first.judges(["cat", "dog"]) and first.has(["dog", "cat"]) and not first.has(["dog"])
    assert second.judges(["dog"]) and not second.judges(["dog", "cat"])


@pytest.mark.parametrize(
    "content", [{}, [], {"images": [], "annotations": [{"image_id": 1}], "categories": []}]
)
def test_other_files_than_instances(tmp_path: Path, content: Any) -> None:
    with pytest.raises(CaptionerError, match="not a COCO instances file"):
        read_instances(instances_file(tmp_path, content))


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ({"image_id": 1, "category_id": 9, "bbox": [0, 0, 1, 1]}, "a box is of category 9, which"),
        ({"image_id": 1, "category_id": 1, "bbox": None}, "a name, size or box that is none"),
        ({"image_id": 1, "category_id": 1, "bbox": [0, 0]}, "a name, size or box that is none"),
        ({"image_id": 1, "category_id": 1}, "an entry lacks its 'bbox'"),
    ],
)
def test_boxes_that_fit_nothing(tmp_path: Path, box: Any, message: str) -> None:
    content = {
        "images": [{"id": "1", "width": 4, "height": 3}],
        "annotations": [box],
        "categories": [{"id": 1, "name": "dog"}],
    }
    with pytest.raises(CaptionerError) as raised:
        read_instances(instances_file(tmp_path, content))
    assert message in str(raised.value)


def test_a_stray_box_is_named_and_left_out(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 1, "width": 4, "height": 3}],
        "annotations": [
            {"image_id": 77, "category_id": 99, "bbox": [0, 0, 1, 1]},
            {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 3]},
        ],
        "categories": [{"id": 1, "name": "dog"}],
    }
    instances = read_instances(instances_file(tmp_path, content))
    boxed = instances.of(1)
    assert boxed is not None and boxed.boxes["dog"].tolist() == [[0, 0, 0.5, 1]]
    assert instances.notes[0].endswith("(1), of photos that it does not list: 77")
