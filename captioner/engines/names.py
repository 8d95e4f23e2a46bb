"""What the engines are called, for a command line that imports none of them."""

from typing import Literal, get_args

Engine = Literal["openvino", "onnxruntime", "torch"]
ENGINES: tuple[str, ...] = get_args(Engine)
"""The engines, the quickest first."""
