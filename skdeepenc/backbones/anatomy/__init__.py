"""What the tensors of a graph are: shapes, the meaning of axes, codes, blocks, and the head."""
