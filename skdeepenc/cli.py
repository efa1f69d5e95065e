"""The command `skdeepenc`: words in, one call to the package, its answer out.

What goes wrong is one line on standard error and exit code 2. Rooms are imported by the command
that needs them, so that ``--help`` answers at once.
"""

import argparse
import sys
import warnings
from pathlib import Path

from skdeepenc._version import __version__

FAILURE = 2
INTERRUPTED = 130
MODEL_HELP = "an ONNX file, or a name that `skdeepenc models` lists"


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, default=None
        The words after the command's name; None takes those that the process was given.

    Returns
    -------
    int
        The exit code: 0, or 2 where something went wrong.
    """
    options = _build_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            options.run(options)
    # Our own errors are kinds of ValueError, OSError, MemoryError or ImportError.
    except (ValueError, OSError, MemoryError, ImportError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _fail(error):
    print(f"skdeepenc: error: {_one_line(error)}", file=sys.stderr)
    return FAILURE


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"skdeepenc: warning: {_one_line(message)}", file=sys.stderr)


def _one_line(message):
    return " ".join(str(message).split())


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, and whose help ends in an example."""

    def __init__(self, *, example=None, **parameters):
        super().__init__(
            epilog=example and f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **parameters,
        )

    def error(self, message):
        self.exit(_fail(f"{message} (see `{self.prog} --help`)"))


def _build_parser():
    parser = _Parser(
        prog="skdeepenc",
        description="Image representations from the activations of any ONNX network.",
        example="skdeepenc demo",
    )
    parser.add_argument("--version", action="version", version=f"skdeepenc {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_demo, _add_layers, _add_extract, _add_models):
        add(commands)
    return parser


def _add_demo(commands):
    command = commands.add_parser(
        "demo",
        help="measure what the package gains, on drawn scenes or your own pictures",
        description="Compare a network's global feature with MOP-VLAD in classification and "
        "retrieval.\nA picture of queries and their first results needs the extra `plot`.",
        example="skdeepenc demo --images flowers/ --picture results.png",
    )
    command.add_argument(
        "--images", metavar="FOLDER", help="one subfolder of pictures a class (default: scenes)"
    )
    command.add_argument(
        "--picture",
        metavar="FILE",
        default="skdeepenc-demo.png",
        help="where to draw queries and their first results (default: %(default)s)",
    )
    command.add_argument("--quiet", action="store_true", help="show no progress bar")
    command.set_defaults(run=_run_demo)


def _run_demo(options):
    from skdeepenc.demo import run_demo

    run_demo(options.images, picture=options.picture, verbose=0 if options.quiet else 1)


def _add_layers(commands):
    command = commands.add_parser(
        "layers",
        help="list the layers of a model that can be extracted",
        description="List every tensor of a model that can be asked for, with its channels, its "
        "grid at\nthe model's own image size and the pixels from one position to the next.",
        example="skdeepenc layers model.onnx",
    )
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.set_defaults(run=_run_layers)


def _run_layers(options):
    from skdeepenc.backbones import Backbone

    backbone = Backbone(options.model)
    print(f"{backbone.spec.name}, images of {backbone.spec.input_size} pixels")
    headings = ("layer", "operator", "kind", "channels", "grid", "stride")
    _print_table(headings, map(_describe_layer, backbone.layer_info))


def _describe_layer(layer):
    grid = "-" if layer.grid is None else "x".join(map(str, layer.grid))
    return layer.name, layer.op, layer.kind, layer.channels or "-", grid, layer.stride or "-"


def _add_extract(commands):
    command = commands.add_parser(
        "extract",
        help="save the activations of pictures",
        description="Run a model over pictures and save its activations as a folder of .npy and "
        "JSON files.\nRead them with skdeepenc.FeatureMaps.load(OUT); OUT/images.txt lists the "
        "pictures in order.",
        example="skdeepenc extract model.onnx photos/ maps/ --layers conv5 fc7 --scales 3",
    )
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument("images", metavar="IMAGES", help="a picture, or a folder of them")
    command.add_argument("out", metavar="OUT", help="the folder to write")
    command.add_argument("--layers", nargs="+", metavar="LAYER", help="default: the model's own")
    command.add_argument(
        "--scales", type=int, default=1, metavar="N", help="sizes of a pyramid (default: 1)"
    )
    command.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    command.add_argument(
        "--memory", metavar="FOLDER", help="remember maps here, to go on after an interruption"
    )
    command.set_defaults(run=_run_extract)


def _run_extract(options):
    from skdeepenc.datasets import find_pictures
    from skdeepenc.extraction import ActivationExtractor
    from skdeepenc.images import Pyramid

    pictures = find_pictures(options.images)
    extractor = ActivationExtractor(
        options.model,
        layers=options.layers,
        views=Pyramid(n_scales=options.scales),
        dtype=options.dtype,
        n_jobs=-1,
        memory=options.memory,
        verbose=int(sys.stderr.isatty()),  # a log keeps no bar, and an error its one line
    )
    maps = extractor.fit_transform(pictures)
    maps.save(options.out)
    names = "".join(f"{picture}\n" for picture in pictures)
    Path(options.out, "images.txt").write_text(names, encoding="utf-8")
    print(f"{maps} in {options.out}")


def _add_models(commands):
    command = commands.add_parser(
        "models",
        help="list the models that are known by name",
        description="List the models that can be given by name: the embedded one, and public ones "
        "that are\nfetched when first used and verified.",
        example="skdeepenc models",
    )
    command.set_defaults(run=_run_models)


def _run_models(options):
    from skdeepenc.backbones import Backbone, list_models

    specs = [Backbone("embedded").spec, *list_models().values()]
    rows = [(spec.name, spec.input_size, spec.licence, spec.source) for spec in specs]
    _print_table(("model", "side", "licence", "source"), rows)


def _print_table(headings, rows):
    """Print rows in columns, each as wide as its longest entry."""
    table = [headings, *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
