"""Read and copy ONNX graphs: nodes, constants, shapes, bounds."""
