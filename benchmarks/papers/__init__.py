"""The papers' tables on small sets: `python -m benchmarks.papers.fisher --help`, and so on."""
