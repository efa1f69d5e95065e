"""ONNX graphs: what they hold, how they are cut and run."""
