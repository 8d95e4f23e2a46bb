"""Captions of photos, references and results alike, read from every shape the field keeps them in.

COCO `captions_*.json` and its kin (nocaps, VizWiz, TextCaps), Karpathy's `dataset_*.json`, the
token files of Flickr8k and Flickr30k, tables with a header, JSON lines, the lists and dictionaries
of LAVIS and BLIP, Hugging Face's `metadata` files, Parquet. No torch here.
"""

from captioner.datasets.captions.columns import cell, whole_caption
from captioner.datasets.captions.entries import Captioned, read_captioned
from captioner.datasets.captions.files import json_rows, read_json
from captioner.datasets.captions.names import Names, PhotoId, brief, first_few, photo_id
from captioner.datasets.captions.references import CaptionedPhoto, read_references

__all__ = [
    "Captioned",
    "CaptionedPhoto",
    "Names",
    "PhotoId",
    "brief",
    "cell",
    "first_few",
    "json_rows",
    "photo_id",
    "read_captioned",
    "read_json",
    "read_references",
    "whole_caption",
]
