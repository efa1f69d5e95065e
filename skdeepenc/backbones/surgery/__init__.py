"""Change graphs: their entrance, their heads, and what leaves them."""
