"""`skdeepenc demo`: measure what the package gains, on drawn scenes or your own images."""


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "demo",
        help="measure what the package gains, on drawn scenes or your own images",
        description="Classify by a network's global feature and by the recommended pipeline, and "
        "say what\nthat gains. A picture of it needs the extra `plot`.",
        example="skdeepenc demo --images flowers/ --figure results.png",
    )
    command.add_argument(
        "--images", metavar="FOLDER", help="one subfolder of images per class (default: scenes)"
    )
    command.add_argument(
        "--figure",
        metavar="FILE",
        default="skdeepenc-demo.png",
        help="where to draw what was gained (default: %(default)s)",
    )
    command.add_argument("--quiet", action="store_true", help="show no progress bar")
    command.set_defaults(run=run)


def run(options):
    """Run the demo."""
    from skdeepenc.demo import run_demo

    run_demo(options.images, figure=options.figure, verbose=0 if options.quiet else 1)
