"""From a person's options, in words, to the search's, in ids."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import replace

from captioner.errors import CaptionerError
from captioner.forms import forms_of
from captioner.options import Options
from captioner.search import SearchOptions
from captioner.vocabulary import Vocabulary

TO_CHOOSE_FROM = 2  # sentences a beam, where they are ranked again
WornOfStyles = Mapping[str, Mapping[str, float]]
"""Of styles the phrases that they take up too often, with the nats that each costs."""
BAD_LAST_WORDS = ("a", "an", "the", "of", "with", "and", "on", "in", "to", "at", "is", "are", ",")


def rules(vocabulary: Vocabulary) -> SearchOptions:
    """What every sentence keeps to, whatever the options: words that are never written, words that
    it does not end on, sequences that it does not repeat."""
    return SearchOptions(
        end=vocabulary.end,
        pad=vocabulary.pad,
        forbidden=vocabulary.never_written,
        not_last=tuple(vocabulary.ids[w] for w in BAD_LAST_WORDS if w in vocabulary.ids),
        no_repeat=3,
    )


def search_options(options: Options, vocabulary: Vocabulary, worn: WornOfStyles) -> SearchOptions:
    """The options in ids, with the `worn` phrases of their style. Raises CaptionerError for those
    that this vocabulary cannot follow."""
    if options.style and options.style not in vocabulary.styles:
        raise CaptionerError(
            f"style must be one of {', '.join(vocabulary.styles)}, not {options.style!r}"
        )
    beam = max(options.beam, options.alternatives + 1)
    beam += -beam % options.groups
    usual = rules(vocabulary)
    phrases = worn.get(options.style or vocabulary.styles[0], {}).items()
    banned = tuple(vocabulary.ids[word] for word in avoided(options.avoid, vocabulary))
    return replace(
        usual,
        beam=beam,
        n_best=TO_CHOOSE_FROM * beam if options.consensus else options.alternatives + 1,
        length_penalty=options.length_penalty,
        exact_stop=False,
        max_words=options.max_words,
        min_words=options.min_words,
        prefix=_known("the start of the sentence", [options.prefix], vocabulary),
        required=_known("the words to include", options.include, vocabulary),
        forbidden=(*usual.forbidden, *banned),
        groups=options.groups,
        temperature=options.temperature or 1.0,
        top_k=options.top_k,
        top_p=options.top_p,
        choices=options.choices,
        worn=tuple((tuple(vocabulary.encode(p.split())), nats) for p, nats in phrases),
    )


def avoided(texts: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """All words of the vocabulary that `Options.avoid` leaves out: those of the texts, their
    plurals and their other forms."""
    words = [word for text in texts if text for word in vocabulary.tokenize(text)]
    found = [form for word in words for form in (word, *forms_of(word, vocabulary.ids))]
    return tuple(dict.fromkeys(word for word in found if word in vocabulary.ids))


def _known(place: str, texts: Sequence[str], vocabulary: Vocabulary) -> tuple[int, ...]:
    """The ids of all words of the texts. Raises CaptionerError for an unknown word, naming its
    place and the word as it was typed: "Zwölf", not the "zw" that is left of it."""
    words = [word for text in texts if text for word in vocabulary.tokenize(text)]
    typed = {one: vocabulary.tokenize(one) for text in texts for one in text.lower().split()}
    unknown = [one for one, found in typed.items() if not found and any(map(str.isalnum, one))]
    for word in words:
        if word not in vocabulary.ids:
            unknown += [next((one for one, found in typed.items() if word in found), word)]
    if unknown:
        name = unknown[0].strip(string.punctuation)
        raise CaptionerError(f"{place}: the model does not know the word {name!r}; choose another")
    return tuple(vocabulary.encode(words))
