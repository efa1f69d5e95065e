"""`skdeepenc export`: write a fitted pipeline as one ONNX file."""

from skdeepenc.cli.messages import print_report

PIPELINE_HELP = "a fitted pipeline, as skdeepenc.save writes it"


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "export",
        help="write a fitted pipeline as one ONNX file",
        description="Write a fitted pipeline as one ONNX file, which onnxruntime runs without "
        "Python: decoded\nimages in, vectors or classes out. With --verify both are run on a "
        "folder of images, and\nthe file is kept only if they agree.",
        example="skdeepenc export flowers.skops flowers.onnx --verify photos/",
    )
    command.add_argument("pipeline", metavar="PIPELINE", help=PIPELINE_HELP)
    command.add_argument("out", metavar="OUT.onnx", help="the file to write")
    command.add_argument("--verify", metavar="FOLDER", help="images to compare the file on")
    command.add_argument(
        "--input",
        choices=("pixels", "tensor", "maps"),
        default="pixels",
        help="what the graph is given (default: %(default)s)",
    )
    command.add_argument(
        "--outputs", nargs="+", metavar="NAME", help="what it returns (default: all it can)"
    )
    command.add_argument(
        "--tolerance",
        type=float,
        default=1e-3,
        metavar="T",
        help="how far the least cosine may be from 1 (default: %(default)s)",
    )
    command.add_argument(
        "--approximate",
        action="store_true",
        help="write methods without an exact graph approximately; --tolerance is then about the "
        "median cosine",
    )
    command.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    command.set_defaults(run=run)


def run(options):
    """Export, and say what was measured."""
    from skdeepenc import load
    from skdeepenc.datasets import find_images
    from skdeepenc.export import to_onnx

    if options.verify and options.input == "maps":
        raise ValueError("--verify compares images: export with --input pixels or tensor")
    report = to_onnx(
        load(options.pipeline),
        options.out,
        input=options.input,
        outputs=options.outputs,
        images=find_images(options.verify) if options.verify else None,
        tolerance=options.tolerance,
        approximate=options.approximate,
        overwrite=options.overwrite,
    )
    print(f"{options.out} written, {len(report.model) / 1e6:.1f} MB")
    if options.verify:
        print_report(report)
