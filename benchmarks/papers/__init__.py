"""What the papers study beside their tables, and what was made since, on real images.

The tables themselves are what `skdeepenc reproduce` measures.
"""
