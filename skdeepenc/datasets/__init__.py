"""Folders, standard benchmarks and synthetic scenes."""
