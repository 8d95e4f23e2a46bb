"""Searches for sentences: greedy, beam, diverse beam, sampling. They see only a step function."""

from captioner.search.beam import beam_search
from captioner.search.consensus import agreement, by_consensus, support
from captioner.search.options import SearchOptions
from captioner.search.sampling import sample, sample_ids
from captioner.search.types import Hypothesis, SearchState, Step

__all__ = [
    "Hypothesis",
    "SearchOptions",
    "SearchState",
    "Step",
    "agreement",
    "beam_search",
    "by_consensus",
    "sample",
    "sample_ids",
    "support",
]
