"""What `skdeepenc demo` runs: the network's own feature against the recommended pipeline."""

from skdeepenc.demo.comparison import run_demo as run_demo
