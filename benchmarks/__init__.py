"""Measurements of skdeepenc: its speed, the papers' tables, the training of its network.

    python -m benchmarks list
    python -m benchmarks run fisher ranker --rounds 5
    python -m benchmarks compare BEFORE AFTER

`speed` times us and the peers in turns in one run, `papers` measures on real images what the papers
study beside their tables (those are `skdeepenc reproduce`), and `embedded` trains and exports the
network that comes with the package.
"""
