"""`skdeepenc verify`: compare an exported file with the pipeline that it was made of."""

from skdeepenc.cli.export import PIPELINE_HELP
from skdeepenc.cli.messages import print_report


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "verify",
        help="compare an exported file with its pipeline",
        description="Run an exported file and the pipeline that it was made of on a folder of "
        "images, and say\nhow far they are apart. Exits with 2 if that is more than the "
        "tolerance, or if more\nthan one class in ten differs.",
        example="skdeepenc verify flowers.skops flowers.onnx photos/",
    )
    command.add_argument("pipeline", metavar="PIPELINE", help=PIPELINE_HELP)
    command.add_argument("file", metavar="OUT.onnx", help="what `skdeepenc export` wrote")
    command.add_argument("images", metavar="FOLDER", help="an image, or a folder of them")
    command.add_argument(
        "--tolerance",
        type=float,
        default=1e-3,
        metavar="T",
        help="how far the least cosine may be from 1; of an approximate file the median "
        "(default: %(default)s)",
    )
    command.set_defaults(run=run)


def run(options):
    """Compare, and say what was measured."""
    from skdeepenc import load
    from skdeepenc.datasets import find_images
    from skdeepenc.exceptions import ExportError
    from skdeepenc.export import verify
    from skdeepenc.export.comparison import is_within

    report = verify(load(options.pipeline), options.file, find_images(options.images))
    print_report(report)
    if not is_within(report, options.tolerance):
        raise ExportError(
            f"{options.file} differs from {options.pipeline} by more than --tolerance "
            f"{options.tolerance:g}: export it again."
        )
