"""Turn modules of PyTorch into ONNX, checked against what PyTorch computes."""
