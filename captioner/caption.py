"""What goes into a captioner besides the photo, and what comes out. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Options:
    """How a sentence is searched for; the defaults were chosen on the validation photos.

    With `consensus` that sentence of the beam wins which agrees most with the others (it needs
    three beams at least), otherwise the one that ranks best. `length_penalty` α ranks beams by
    log-probability / words**α. `groups` above 1 divides the beams into groups that keep away from
    one another's words, for `alternatives` that differ. `temperature` 0 searches with `beam` beams;
    above 0 it samples instead, from the `top_k` likeliest words (0: all) and of these the `top_p`
    most probable mass, with `seed`. `style` is the kind of sentence, one of the checkpoint's
    `styles` ("": its first). The sentence starts with the words of `prefix`, holds every word of
    `include` and none of `avoid`. More `alternatives` than beams widen the beam.
    """

    beam: int = 10
    length_penalty: float = 0.7
    consensus: bool = True
    max_words: int = 20
    min_words: int = 0
    alternatives: int = 0
    style: str = ""
    groups: int = 1
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    prefix: str = ""
    include: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Caption:
    """One sentence about a photo, and where the model looked for each of its T words.

    `score` is the geometric mean of the words' probabilities (0…1), `log_probability` that of the
    whole sentence with its end in nats, `probabilities` those of its words (T). `attention` is
    (T, rows, columns), each map summing to 1 and lying over the whole photo; a decoder without
    attention looks nowhere: (T, 0, 0).
    """

    text: str
    words: tuple[str, ...]
    score: float
    log_probability: float
    probabilities: tuple[float, ...]
    attention: npt.NDArray[np.float32]
    alternatives: tuple[Caption, ...] = ()
