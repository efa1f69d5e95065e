"""Measurements of skdeepenc: its speed, the papers' tables, the training of its network.

    python -m benchmarks list
    python -m benchmarks run fisher ranker --rounds 5
    python -m benchmarks compare BEFORE AFTER

`speed` times us and the peers in turns in one run, `papers` reproduces what the papers report, and
`embedded` trains and exports the network that comes with the package.
"""
