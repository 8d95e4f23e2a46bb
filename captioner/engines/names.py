"""What the engines are called, for a command line that imports none of them."""

ENGINES = ("openvino", "onnxruntime", "torch")
"""The engines, the quickest first."""
