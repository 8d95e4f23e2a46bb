"""The one honest sentence at a lesson's end."""

from captioner.teaching.pairs import Pair
from captioner.teaching.verdict import Cider, Verdict, judge, said_of

CAPTIONS = (
    ("Rex sleeps in his basket.",),
    ("Minka looks out of the window.",),
    ("Rex catches a ball.",),
    ("Sultan grazes on a hill.",),
)
DULL = ["an animal is here"] * 4


def verdict(before: list[str], after: list[str], apart: bool = True) -> Verdict:
    pairs = [Pair(str(n), b"", captions) for n, captions in enumerate(CAPTIONS)]
    return judge(pairs, before, after, Cider([], CAPTIONS), {"Rex": 2, "Minka": 1}, apart)


def test_better_no_better_and_worse() -> None:
    told = [caption for (caption,) in CAPTIONS]
    found = verdict(DULL, told)
    assert found.names == (0.0, 1.0) and found.before < 0.1 < 5 < found.after
    assert found.sentence().startswith(f"better: CIDEr {found.before:.2f} → {found.after:.2f} on 4")
    assert found.sentence().endswith("more)")
    flattered = verdict(DULL, told, apart=False).sentence()
    assert flattered == f"{found.sentence()}; they chose the weights too, others may show less"
    assert verdict(told, DULL).sentence().startswith("worse than before: ")
    assert verdict(DULL, DULL).sentence().endswith("; keep the old one")
    perhaps = verdict(DULL, [told[0], *DULL[1:]]).sentence()
    assert perhaps.startswith("perhaps better, but 4 photos do not show it for certain")


def test_the_share_of_new_words_that_is_said() -> None:
    told = ["a rex", "a cat", "nothing", "a Sultan"]
    assert said_of(("Rex", "Minka"), CAPTIONS, told) == 1 / 3
    assert said_of(("Bello",), CAPTIONS, told) is None
