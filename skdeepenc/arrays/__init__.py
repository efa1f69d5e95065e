"""Array tools that no paper describes, and that the papers' functions are computed with.

Each is imported from its own module: `floats`, `nearest`, `segments`, `threads`, `tiles`, `top_k`.
"""
