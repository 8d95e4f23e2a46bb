"""The words people use for what an instances file calls by its category names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Singulars; plurals are made below. A word under several categories may mean any of them. Words
# that mean other things as often ("glass", "bag", "orange", "watch") are left out on purpose.
_WORDS = {
    "person": "man, woman, boy, girl, child, kid, baby, toddler, infant, guy, lady, gentleman, "
    "adult, teenager, teen, human, someone, somebody, people, crowd, couple, family, mother, "
    "father, mom, dad, son, daughter, friend, male, female, player, batter, pitcher, catcher, "
    "umpire, goalie, athlete, runner, skier, snowboarder, surfer, skateboarder, skater, swimmer, "
    "rider, cyclist, bicyclist, biker, motorcyclist, driver, passenger, pedestrian, spectator, "
    "tourist, student, teacher, worker, officer, policeman, fireman, firefighter, soldier, chef, "
    "waiter, waitress, vendor, bride, groom, dancer, singer, musician, guitarist, performer, "
    "clown, cowboy, jockey, climber, hiker, fisherman, bystander, shopper, businessman",
    "bicycle": "bike, cycle, tricycle, tandem",
    "car": "automobile, sedan, taxi, cab, suv, convertible, minivan, van, vehicle",
    "motorcycle": "motorbike, motor bike, moped, scooter, bike",
    "airplane": "plane, aeroplane, airliner, aircraft, biplane, jet, jetliner, seaplane",
    "bus": "double decker, school bus, trolley, vehicle",
    "train": "locomotive, tram, streetcar, trolley",
    "truck": "pickup, lorry, firetruck, semi, van, vehicle",
    "boat": "ship, sailboat, canoe, kayak, ferry, yacht, rowboat, speedboat, gondola, vessel",
    "traffic light": "traffic signal, stop light, stoplight",
    "fire hydrant": "hydrant",
    "bird": "duck, goose, gull, seagull, pigeon, parrot, owl, eagle, hawk, penguin, swan, rooster, "
    "pelican, sparrow, crow, flamingo, peacock, ostrich, heron, duckling",
    "cat": "kitten, kitty",
    "dog": "puppy, pup, doggy, terrier, poodle, bulldog, retriever, greyhound, collie",
    "horse": "pony, foal, colt, mare, stallion",
    "sheep": "lamb, ram, ewe",
    "cow": "calf, bull, cattle, ox, steer",
    "bear": "cub",
    "backpack": "back pack, rucksack, bookbag, knapsack",
    "umbrella": "parasol",
    "handbag": "purse, hand bag",
    "tie": "necktie, neck tie, bow tie, bowtie",
    "suitcase": "luggage, briefcase",
    "skis": "ski",
    "snowboard": "snow board, board",
    "sports ball": "ball",
    "baseball bat": "bat",
    "baseball glove": "mitt, catchers mitt",
    "skateboard": "skate board, board",
    "surfboard": "surf board, boogie board, board",
    "tennis racket": "racket, racquet, tennis racquet",
    "wine glass": "glass of wine, wineglass",
    "cup": "mug, teacup",
    "sandwich": "burger, hamburger, cheeseburger",
    "hot dog": "hotdog",
    "donut": "doughnut",
    "cake": "cupcake",
    "chair": "armchair, stool, recliner",
    "couch": "sofa, loveseat",
    "potted plant": "houseplant, house plant",
    "dining table": "table",
    "tv": "television, monitor",
    "laptop": "computer",
    "keyboard": "computer",
    "remote": "remote control, controller",
    "cell phone": "cellphone, phone, smartphone, telephone",
    "oven": "stove",
    "refrigerator": "fridge",
    "teddy bear": "teddy, stuffed bear, stuffed animal",
    "hair drier": "hair dryer, blow dryer, hairdryer",
    "toothbrush": "tooth brush",
}
# Phrases in which a word of the list above names no such thing.
_NO_THINGS = (
    "train track, train station, train platform, bus stop, bus station, car seat, boat dock, "
    "dog house, dog bed, dog park, dog bowl, cat food, bird house, bird cage, bird bath, "
    "chair lift, ski lift, ski slope, ski pole, ski resort, ski lodge, orange juice, apple juice, "
    "toilet paper, toilet seat, table cloth, table lamp, table tennis, phone booth, phone call, "
    "couple of, pizza box, pizza oven, cake pan, book shelf, horse drawn, remote controlled, "
    "bed spread, sink drain, clock tower, bear statue, bird feeder, pitcher of, cd player, "
    "dvd player, record player, music player"
)
_NOT_REAL = frozenset(["toy", "model", "fake", "pretend", "statue"])
_YOUNG = ("baby", "mother", "father", "adult", "male", "female")  # "baby elephant": no person
_ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe")
_IRREGULAR = (
    "man men, woman women, child children, gentleman gentlemen, policeman policemen, "
    "fireman firemen, fisherman fishermen, businessman businessmen, person persons, goose geese, "
    "calf calves, ox oxen, sheep sheep, mouse mice, knife knives, skis skis, scissors scissors, "
    "broccoli broccoli"
)
_PLURALS = dict(pair.split() for pair in _IRREGULAR.split(", "))


@dataclass(frozen=True)
class Mention:
    """Words `start` to `stop` of a caption, which name one of some categories."""

    categories: tuple[str, ...]
    start: int
    stop: int


class CategoryWords:
    """Finds the words of a caption that name one of the categories.

    Beside the words above, every category goes by its own name and that name's plural, so that
    the categories of any instances file are found.
    """

    def __init__(self, categories: Iterable[str]) -> None:
        self._phrases: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.categories = names = tuple(categories)
        for name in names:
            for phrase in [name, *_WORDS.get(name, "").split(", ")]:
                # "orange" is mostly a colour
                forms = [plural(phrase)] if phrase == "orange" else [phrase, plural(phrase)]
                for words in (tuple(form.split()) for form in forms if form):
                    known = self._phrases.get(words, ())
                    self._phrases[words] = known if name in known else (*known, name)
        for animal in set(names).intersection(_ANIMALS):
            for word in [animal, *_WORDS.get(animal, "").split(", ")]:
                for young in _YOUNG:
                    self._phrases[young, word] = (animal,)
        for phrase in _NO_THINGS.split(", "):
            for form in (phrase, plural(phrase)):
                self._phrases[tuple(form.split())] = ()
        self._longest = max(map(len, self._phrases))

    def mentions(self, words: Sequence[str]) -> list[Mention]:
        """What the caption names, longest phrase first: "hot dog" is no dog."""
        lowered = [word.lower() for word in words]
        found, place = [], 0
        while place < len(lowered):
            longer = range(self._longest, 1, -1)
            known = (n for n in longer if tuple(lowered[place : place + n]) in self._phrases)
            length = next(known, 1)
            categories = self._phrases.get(tuple(lowered[place : place + length]), ())
            real = place == 0 or lowered[place - 1] not in _NOT_REAL
            if categories and real:
                found.append(Mention(categories, place, place + length))
            place += length
        return found


def plural(phrase: str) -> str:
    """The plural of an English noun phrase, by its last word."""
    *before, last = phrase.split() or [""]
    if last in _PLURALS:
        last = _PLURALS[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    elif last:
        last += "s"
    return " ".join([*before, last])
