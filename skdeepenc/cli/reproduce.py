"""`skdeepenc reproduce`: measure a paper's table again, and say which of its claims hold."""

import sys
from pathlib import Path

from skdeepenc.cli.messages import MODEL_HELP, print_table


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "reproduce",
        help="measure a paper's table again",
        description="Measure the rows of a paper's table and print them beside its own numbers, "
        "with the\n95 % interval of each difference that it claims. Without PAPER, list the "
        "papers. What\nthe network gave is kept in OUT, so that an interrupted run goes on.",
        example="skdeepenc reproduce mop-cnn --data indoor67/ --model alexnet.onnx",
    )
    command.add_argument("paper", nargs="?", metavar="PAPER", help="its name (default: list them)")
    command.add_argument(
        "--data",
        metavar="FOLDER",
        help="a standard data set, or one subfolder of images per class (default: drawn images)",
    )
    command.add_argument("--model", default="embedded", metavar="MODEL", help=MODEL_HELP)
    command.add_argument(
        "--quick", action="store_true", help="few images and small settings: under a minute"
    )
    command.add_argument("--seeds", type=int, default=3, metavar="N", help="turns (default: 3)")
    command.add_argument(
        "--out",
        default="skdeepenc-reproduced",
        metavar="FOLDER",
        help="where to write the tables, PAPER.md and PAPER.json (default: %(default)s)",
    )
    command.set_defaults(run=run)


def run(options):
    """Print the table and write it, or list the papers."""
    from skdeepenc.reproduction import PAPERS, reproduce

    if options.paper is None:
        rows = [(name, paper.task, paper.title) for name, paper in PAPERS.items()]
        print_table(("paper", "task", "title"), rows)
        return
    if options.paper not in PAPERS:
        raise ValueError(f"{options.paper!r} is none of the papers: {', '.join(PAPERS)}")
    if options.seeds < 1:
        raise ValueError("--seeds must be at least 1")
    result = reproduce(
        options.paper,
        options.data,
        model=options.model,
        quick=options.quick,
        n_seeds=options.seeds,
        memory=Path(options.out, "activations"),
        verbose=int(sys.stderr.isatty()),
    )
    print(result.to_markdown())
    print(f"\nWritten to {' and '.join(map(str, result.save(options.out)))}.")
