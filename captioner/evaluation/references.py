"""References are read by `captioner.datasets.captions`; the trainer still looks for them here."""

from captioner.datasets.captions import PhotoId, read_references

__all__ = ["PhotoId", "read_references"]
