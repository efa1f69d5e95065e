"""What the command line says: an error in one line, help with an example, tables in columns."""

import argparse
import sys

USAGE_FAILURE = 2
LONGEST_LINE = 1000
MODEL_HELP = "an ONNX file, a name that `skdeepenc models` lists, or hf://owner/name"


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, and whose help ends in an example."""

    def __init__(self, *, example=None, **parameters):
        super().__init__(
            epilog=example and f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **parameters,
        )

    def error(self, message):
        """Say what is wrong with the words, and where help is."""
        print_failure(f"{message} (see `{self.prog} --help`)")
        self.exit(USAGE_FAILURE)


def print_failure(message):
    """Print an error on standard error, in one line."""
    print(f"skdeepenc: error: {one_line(message)}", file=sys.stderr)


def one_line(message):
    """Return a message as one line that a terminal can hold."""
    line = " ".join(str(message).split())
    rest = len(line) - LONGEST_LINE
    return line if rest <= 0 else f"{line[:LONGEST_LINE]} ... ({rest} characters more)"


def print_table(headings, rows):
    """Print rows in columns, each as wide as its longest entry."""
    table = [headings, *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def print_report(report):
    """Print what a comparison of a graph with its pipeline measured."""
    words = {
        "n_images": "images compared",
        "min_cosine": "least cosine",
        "median_cosine": "median cosine",
        "max_abs": "largest difference",
        "class_agreement": "same class",
    }
    for name, value in report.figures.items():
        print(f"{words[name]}: {value:.7g}")
