"""`skdeepenc convert`: rewrite ground truth that was published as a pickle."""


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "convert",
        help="rewrite the pickled ground truth of revisited Oxford or Paris",
        description="Write what gnd_roxford5k.pkl or gnd_rparis6k.pkl holds as JSON beside it, "
        "which the\nloaders of the data sets read. Nothing that a pickle asks for is run.",
        example="skdeepenc convert revisited/gnd_roxford5k.pkl",
    )
    command.add_argument("file", metavar="FILE", help="the pickle, as published")
    command.set_defaults(run=run)


def run(options):
    """Convert the file, and say where the result is."""
    from skdeepenc.datasets import convert_revisited

    print(convert_revisited(options.file))
