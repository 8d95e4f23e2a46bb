"""The embedded model, and small decoders to compare it with."""

from pathlib import Path

EMBEDDED = Path(__file__).with_name("captioner.safetensors")
