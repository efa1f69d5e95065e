"""What is timed, one topic per file; `python -m benchmarks list` names them all."""
