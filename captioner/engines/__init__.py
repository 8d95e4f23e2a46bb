"""What computes a model: torch, ONNX Runtime or OpenVINO, behind one small interface."""

from captioner.engines.engine import Engine, Started
from captioner.engines.opening import ENGINES, open_engine

__all__ = ["ENGINES", "Engine", "Started", "open_engine"]
