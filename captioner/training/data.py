"""What training reads: captions of photos, sentences without photos, and the photos' pixels."""

from __future__ import annotations

import lzma
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from captioner.datasets.captions import read_references
from captioner.errors import CaptionerError, ImageError
from captioner.images import open_image
from captioner.training.recipe import DataConfig
from captioner.training.stopwords import STOP_WORDS
from captioner.vocabulary import Vocabulary, tokenize

MANY = 20_000  # sentences, so many that all cores tokenize them


@dataclass(frozen=True)
class Example:
    """A photo with its tokenized captions; `raw` are the captions as they were written. A photo
    that has labels at most has no captions."""

    file_name: str
    style: str
    captions: tuple[tuple[str, ...], ...]
    raw: tuple[str, ...]
    id: int | str = ""

    @cached_property
    def flips(self) -> bool:
        """Whether the mirrored photo is still told truly: no caption speaks of left or right.

        Nor of anything left-handed or rightmost; "leftover" is not worth a list of exceptions.
        """
        words = (word for caption in self.captions for word in caption)
        return not any(word.startswith(("left", "right")) for word in words)


@dataclass(frozen=True)
class StyledSentence:
    """A tokenized sentence that has no photo."""

    style: str
    words: tuple[str, ...]


@cache
def read_examples(
    file: Path, styles: tuple[str, ...], splits: tuple[str, ...], captions: bool = True
) -> list[Example]:
    """The photos of a captions file in any format; their style is their source (the first else).

    Where the file names splits, as Karpathy's does, only those of `splits`. With `captions` False
    photos without any are kept. Read once for all stages of a run.
    """
    photos = read_references(file, need_captions=captions)
    if any(photo.split for photo in photos):
        photos = [photo for photo in photos if photo.split in splits]
        if not photos:
            raise CaptionerError(f"{file}: no photo is of the split {' or '.join(splits)}")
    return [
        Example(
            photo.file_name,
            photo.source if photo.source in styles else styles[0],
            tuple(tuple(tokenize(caption)) for caption in photo.captions),
            photo.captions,
            photo.id,
        )
        for photo in photos
    ]


def read_sentences(files: Mapping[str, Path]) -> list[StyledSentence]:
    """One sentence a line, from plain or xz-compressed text. Raises CaptionerError."""
    return [sentence for style, file in files.items() for sentence in _sentences(style, file)]


@cache
def _sentences(style: str, file: Path) -> list[StyledSentence]:
    """Read once for all stages of a run."""
    try:
        with lzma.open(file, "rt") if file.suffix == ".xz" else file.open() as opened:
            lines = list(opened)
    except (OSError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise CaptionerError(f"{file}: cannot be read as sentences ({error})") from None
    if len(lines) < MANY:
        return [StyledSentence(style, tuple(tokenize(line))) for line in lines]
    with ProcessPoolExecutor(mp_context=get_context("fork")) as tokenizers:
        told = tokenizers.map(tokenize, lines, chunksize=2000)
        return [StyledSentence(style, tuple(words)) for words in told]


def choose_words(
    config: DataConfig, count: int, examples: Sequence[Example], sentences: Sequence[StyledSentence]
) -> tuple[Vocabulary, tuple[str, ...]]:
    """The vocabulary, and the `count` attribute words that most photos' captions hold."""
    captions = [caption for example in examples for caption in example.captions]
    texts = [sentence.words for sentence in sentences]
    vocabulary = Vocabulary.build([*captions, *texts], config.styles, config.minimum_count)
    photos = Counter(word for e in examples for word in {w for c in e.captions for w in c})
    content = [
        word
        for word, n in photos.items()
        if n >= config.attribute_minimum and word in vocabulary.ids and word not in STOP_WORDS
    ]
    content.sort(key=lambda word: (-photos[word], word))
    return vocabulary, tuple(content[:count])


def word_rarity(examples: Sequence[Example], vocabulary: Vocabulary) -> npt.NDArray[np.float32]:
    """(V,): the logarithm of how many photos there are to one whose captions hold the word."""
    photos = Counter(word for e in examples for word in {w for c in e.captions for w in c})
    told = sum(bool(example.captions) for example in examples)
    holding = np.array([max(1, photos[word]) for word in vocabulary.words], np.float32)
    return np.log(np.float32(told) / holding)


def attribute_targets(
    examples: Sequence[Example], attributes: Sequence[str]
) -> npt.NDArray[np.float32]:
    """(photos, A): the share of a photo's captions that hold each attribute word."""
    index = {word: i for i, word in enumerate(attributes)}
    targets = np.zeros((len(examples), len(attributes)), np.float32)
    for row, example in zip(targets, examples, strict=True):
        for caption in example.captions:
            for word in set(caption) & index.keys():
                row[index[word]] += 1 / len(example.captions)
    return targets


class PhotoFiles:
    """Finds photos by name in folders and tar files."""

    def __init__(self, places: Iterable[Path]) -> None:
        """Raises CaptionerError for a place that is neither a folder nor a readable tar file."""
        self.folders: list[Path] = []
        self.members: dict[str, tuple[Path, int, int]] = {}
        for place in places:
            if place.is_dir():
                self.folders.append(place)
                for tar in sorted(place.glob("*.tar")):
                    self._index(tar)
            else:
                self._index(place)

    def _index(self, tar: Path) -> None:
        try:
            with tarfile.open(tar, "r:") as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    if member.islnk():  # what it stands for came before
                        there = self.members.get(member.linkname.removeprefix("./"))
                        self.members |= {} if there is None else {name: there}
                    else:
                        self.members[name] = (tar, member.offset_data, member.size)
        except (OSError, tarfile.TarError) as error:
            raise CaptionerError(f"{tar}: is no folder and no plain tar file ({error})") from None

    def stamp(self, name: str) -> tuple[int, ...]:
        """What changes when another photo takes the name. Raises ImageError."""
        if name in self.members:
            tar, *place = self.members[name]
            return (*place, tar.stat().st_mtime_ns)
        state = self._file(name).stat()
        return state.st_size, state.st_mtime_ns

    def read(self, name: str, pixels: int) -> npt.NDArray[np.uint8]:
        """The photo squeezed to a square: (pixels, pixels, 3). Raises ImageError."""
        image = open_image(self._find(name), name)
        return np.asarray(image.resize((pixels, pixels), Image.Resampling.BICUBIC))

    def _find(self, name: str) -> Path | bytes:
        if name in self.members:
            tar, start, size = self.members[name]
            with tar.open("rb") as file:
                file.seek(start)
                return file.read(size)
        return self._file(name)

    def _file(self, name: str) -> Path:
        for folder in self.folders:
            if (folder / name).is_file():
                return folder / name
        raise ImageError(name, "is in none of the folders and tar files of data.photos")


@cache
def photo_files(places: tuple[Path, ...]) -> PhotoFiles:
    """Looked through once for all stages of a run."""
    return PhotoFiles(places)
