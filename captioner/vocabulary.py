"""Words ⇄ ids: tokenizing captions, counting them, and putting a sentence back together."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from typing import Any

PAD, END, UNKNOWN = "<pad>", "<end>", "<unk>"
SPECIAL = (PAD, END, UNKNOWN)
_KEPT_PUNCTUATION = {","}
# What nltk's TreebankWordDetokenizer does, as far as the tokens of a caption can meet it: they are
# lower-case, hold a letter or a digit, and their only punctuation of its own is the comma. Its
# import takes longer than a caption.
_JOINED = tuple(
    (re.compile(pattern), joined)
    for pattern, joined in (
        (r" ('t) (is|was)\b", r"\1\2"),
        (r"\b(can) (not)\b", r"\1\2"),
        (r"\b(d) ('ye)\b", r"\1\2"),
        (r"\b(gim|lem) (me)\b", r"\1\2"),
        (r"\b(gon) (na)\b", r"\1\2"),
        (r"\b(got) (ta)\b", r"\1\2"),
        (r"\b(more) ('n)\b", r"\1\2"),
        (r"\b(wan) (na)(?= )", r"\1\2"),
        (r"([^' ]) ('ll|'re|'ve|n't) ", r"\1\2 "),
        (r"([^' ]) ('[smd]) ", r"\1\2 "),
        (r" ,", ","),
    )
)


_BREAKS = re.compile(r"[.!?;:\"()\[\]`_/\\]+")
_IN_NUMBER = r"(?<=\d)[.:/](?=\d)"  # 19.99, 10:30, 1/2
_BREAKS_OF_WHOLE = re.compile(rf"(?:(?!{_IN_NUMBER}){_BREAKS.pattern[:-1]})+")


@cache
def _tokenizer() -> Any:
    from nltk.tokenize import TreebankWordTokenizer

    return TreebankWordTokenizer()


def tokenize(sentence: str) -> list[str]:
    """Lower-case Penn Treebank tokens; of the punctuation only commas inside the sentence stay."""
    return _tokens(re.sub(r"[^\x20-\x7e]+", " ", sentence.lower().replace("’", "'")), _BREAKS)


def tokenize_whole(sentence: str) -> list[str]:
    """As `tokenize`, but capitals stay, the letters and digits of every language, and numbers as
    they are written (19.99, 10:30)."""
    text = unicodedata.normalize("NFC", sentence).replace("’", "'")
    kept = (c if " " <= c <= "~" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return _tokens("".join(kept), _BREAKS_OF_WHOLE)


def _tokens(text: str, breaks: re.Pattern[str]) -> list[str]:
    tokens = _tokenizer().tokenize(breaks.sub(" ", text))
    words = [t for t in tokens if t in _KEPT_PUNCTUATION or any(map(str.isalnum, t))]
    while words and words[-1] in _KEPT_PUNCTUATION:
        words.pop()
    return words


def detokenize(words: Sequence[str]) -> str:
    """A readable sentence: capital letter, full stop, no space before punctuation."""
    text = f" {' '.join(words)} "
    for pattern, joined in _JOINED:
        text = pattern.sub(joined, text)
    text = text.strip()
    return text[:1].upper() + text[1:] + "." if text else ""


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

    @cached_property
    def _spelled(self) -> dict[str, str]:
        """The words that `tokenize` would change, by their lower-case form: those with capitals,
        with letters beyond a…z, and numbers with a point."""
        words = self.words[len(SPECIAL) + len(self.styles) :]
        plain = (w.isascii() and w == w.lower() and not re.search(_IN_NUMBER, w) for w in words)
        return {w.lower(): w for w, is_plain in zip(words, plain, strict=True) if not is_plain}

    def tokenize(self, sentence: str) -> list[str]:
        """The words of a sentence as this vocabulary spells them ("REX" is its "Rex"); those that
        it lacks as the function `tokenize` has them."""
        if not self._spelled:
            return tokenize(sentence)
        return [word for token in tokenize_whole(sentence) for word in self._spellings(token)]

    def _spellings(self, token: str) -> list[str]:
        low = token.lower()
        for word in (token, low, self._spelled.get(low)):
            if word in self.ids:
                return [word]
        return tokenize(token)

    def encode(self, words: Iterable[str]) -> list[int]:
        """Ids of tokenized words, `<unk>` for those not in the vocabulary."""
        return [self.ids.get(word, self.unknown) for word in words]

    def decode(self, ids: Iterable[int]) -> list[str]:
        return [self.words[i] for i in ids]
