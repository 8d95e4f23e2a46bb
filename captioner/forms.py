"""The other forms of an English word: plurals, and verbs with -s, -ed and -ing.

Rules make every form that could be; a vocabulary says which are words. Irregular nouns and verbs
are listed: those that captions hold.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator

_IRREGULAR_NOUNS = """
man men|woman women|person people|child children|foot feet|tooth teeth|goose geese|mouse mice|
knife knives|leaf leaves|shelf shelves|loaf loaves|half halves|wolf wolves|calf calves|
scarf scarves|life lives|wife wives|hoof hooves|snowman snowmen|fireman firemen|
policeman policemen|fisherman fishermen|cowboy cowboys
"""
_IRREGULAR_VERBS = """
sit sits sitting sat|stand stands standing stood|lie lies lying lay lain|lay lays laying laid|
ride rides riding rode ridden|eat eats eating ate eaten|run runs running ran|
fly flies flying flew flown|hold holds holding held|take takes taking took taken|
throw throws throwing threw thrown|catch catches catching caught|wear wears wearing wore worn|
drive drives driving drove driven|swim swims swimming swam swum|hang hangs hanging hung|
hit hits hitting|cut cuts cutting|put puts putting|
get gets getting got|give gives giving gave given|
make makes making made|go goes going went gone|come comes coming came|see sees seeing saw seen|
fall falls falling fell fallen|sleep sleeps sleeping slept|
feed feeds feeding fed|build builds building built|break breaks breaking broke broken|
blow blows blowing blew blown|draw draws drawing drew drawn|drink drinks drinking drank drunk|
bend bends bending bent|bite bites biting bit bitten|leave leaves leaving left|
read reads reading|ski skis skiing skied|be is are was were been being|have has had having|
do does did done doing
"""


def _groups(listed: str) -> list[list[str]]:
    return [group.split() for group in listed.replace("\n", "").split("|")]


_PLURALS = dict(_groups(_IRREGULAR_NOUNS))
_GROUPS = [*map(set, _groups(_IRREGULAR_NOUNS)), *map(set, _groups(_IRREGULAR_VERBS))]
_TWO_NAMES = _groups(
    "tv television|bike bicycle|plane airplane|donut doughnut|couch sofa|motorcycle motorbike"
    "|racket racquet"
)
_SINGLE = frozenset(
    ("news", "evening", "morning", "during", "wedding", "nothing", "something", "anything")
)
# They look like plurals, and name something else than one of them would be.
_OWN_THINGS = frozenset(
    _groups(
        "shorts glasses jeans goods tights woods plains watches skis electronics thats besides"
        " towards peoples"
    )[0]
)
_SHORTEST = 3
_VOWELS = "aeiou"


def forms_of(word: str, known: Container[str]) -> tuple[str, ...]:
    """The other forms of `word` that are `known`, in alphabetical order.

    A noun that is also a verb gives the forms of both: "surf" surfs, surfed, surfing.
    """
    forms = {other for group in _GROUPS if word in group for other in group}
    for stem in {word, *_stems(word)}:
        if stem == word or stem in known:
            forms |= {stem, *_endings(stem)}
    return tuple(sorted(form for form in forms if form != word and form in known))


def same_things(known: Collection[str]) -> dict[str, str]:
    """Of the `known` words those that name what another one names, and that one: of plurals the
    singular, of two usual names the first ("dogs" is "dog", "bicycles" is "bike").

    So is "sits" of "sit": the ending alone does not tell a noun.
    """
    names = {other: one for one, other in _TWO_NAMES if one in known}
    found = {other: one for other, one in names.items() if other in known}
    plain = set(known) - _SINGLE - _OWN_THINGS
    for word in known:
        plurals = {form for form in _endings(word) if form.endswith("s")} & plain
        found |= dict.fromkeys(plurals, names.get(word, word))
    return found | {p: one for one, p in _PLURALS.items() if one in known and p in plain}


def _endings(stem: str) -> Iterator[str]:
    """What regular endings make of a word: plurals, -s, -ed, -ing."""
    if len(stem) < _SHORTEST or stem in _SINGLE or not stem.isalpha():
        return
    if stem.endswith(("s", "x", "z", "ch", "sh", "o")):
        yield f"{stem}es"
    if stem.endswith("y") and stem[-2] not in _VOWELS:
        yield from (f"{stem[:-1]}ies", f"{stem[:-1]}ied")
    elif not stem.endswith("s"):
        yield f"{stem}s"
    base = stem[:-1] if stem.endswith("e") else stem
    yield from (f"{base}ed", f"{base}ing")
    if stem.endswith("ee"):
        yield f"{stem}ing"
    if stem[-1] not in "aeiouwxys" and stem[-2] in _VOWELS:
        yield from (f"{stem}{stem[-1]}ed", f"{stem}{stem[-1]}ing")


def _stems(word: str) -> Iterator[str]:
    """What the word may be a regular form of."""
    if word in _SINGLE or not word.isalpha():
        return
    for ending, instead in (("ies", "y"), ("ied", "y"), ("es", ""), ("s", "")):
        if word.endswith(ending) and not word.endswith(("ss", "us", "is")):
            yield from _long(word.removesuffix(ending) + instead)
    for ending in ("ed", "ing"):
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            yield from _long(stem)
            yield from _long(f"{stem}e")
            if len(stem) > 2 and stem[-1] == stem[-2]:
                yield from _long(stem[:-1])


def _long(stem: str) -> Iterator[str]:
    if len(stem) >= _SHORTEST:
        yield stem
