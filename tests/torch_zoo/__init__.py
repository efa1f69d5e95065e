"""Small networks with random weights, exported as people export theirs, and what PyTorch computes.

PyTorch, timm and transformers are imported where they are needed.
"""
