"""Words ⇄ ids: tokenizing captions, counting them, and putting a sentence back together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from nltk.tokenize import TreebankWordTokenizer
from nltk.tokenize.treebank import TreebankWordDetokenizer

PAD, END, UNKNOWN = "<pad>", "<end>", "<unk>"
SPECIAL = (PAD, END, UNKNOWN)
_KEPT_PUNCTUATION = {","}
_tokenizer = TreebankWordTokenizer()
_detokenizer = TreebankWordDetokenizer()


def tokenize(sentence: str) -> list[str]:
    """Lower-case Penn Treebank tokens; of the punctuation only commas inside the sentence stay."""
    plain = re.sub(r"[^\x20-\x7e]+", " ", sentence.lower().replace("’", "'"))
    tokens = _tokenizer.tokenize(re.sub(r"[.!?;:\"()\[\]`_/\\]+", " ", plain))
    words = [t for t in tokens if t in _KEPT_PUNCTUATION or re.search(r"[a-z0-9]", t)]
    while words and words[-1] in _KEPT_PUNCTUATION:
        words.pop()
    return words


def detokenize(words: Sequence[str]) -> str:
    """A readable sentence: capital letter, full stop, no space before punctuation."""
    sentence = str(_detokenizer.detokenize(list(words)))
    return sentence[:1].upper() + sentence[1:] + "." if sentence else ""


class Vocabulary:
    """V words with ids 0…V−1: `<pad>`, `<end>`, `<unk>`, one start word a style, then words.

    A style is a kind of sentence ("coco", "flickr8k"): its start word, `<coco>` say, tells the
    decoder which kind to write.
    """

    def __init__(self, words: Sequence[str], styles: Sequence[str]) -> None:
        self.styles = tuple(styles)
        self.words = (*SPECIAL, *(f"<{style}>" for style in styles), *words)
        self.ids = {word: i for i, word in enumerate(self.words)}
        self.pad, self.end, self.unknown = (self.ids[word] for word in SPECIAL)

    @classmethod
    def build(
        cls, sentences: Iterable[Sequence[str]], styles: Sequence[str], minimum: int
    ) -> Vocabulary:
        """The words that occur at least `minimum` times in tokenized sentences, commonest first."""
        counts = Counter(word for sentence in sentences for word in sentence)
        kept = [word for word, n in counts.items() if n >= minimum]
        return cls(sorted(kept, key=lambda word: (-counts[word], word)), styles)

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def never_written(self) -> tuple[int, ...]:
        """Ids that no caption may contain: padding, the unknown word, the start words."""
        return (self.pad, self.unknown, *(self.start(style) for style in self.styles))

    def start(self, style: str) -> int:
        """The id of a style's start word; KeyError for a style the vocabulary lacks."""
        return self.ids[f"<{style}>"]

    def encode(self, words: Iterable[str]) -> list[int]:
        """Ids of tokenized words, `<unk>` for those not in the vocabulary."""
        return [self.ids.get(word, self.unknown) for word in words]

    def decode(self, ids: Iterable[int]) -> list[str]:
        return [self.words[i] for i in ids]
