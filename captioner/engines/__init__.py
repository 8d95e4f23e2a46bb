"""What computes a model: torch, ONNX Runtime or OpenVINO, behind one small interface."""
