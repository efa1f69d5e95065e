"""`skdeepenc duplicates`: find images that are copies of one another."""

from skdeepenc.cli.messages import print_table


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "duplicates",
        help="find copies of images",
        description="List groups of images of an index that are copies of one another, or nearly "
        "so: resized,\ncompressed, cropped a little.",
        example="skdeepenc duplicates photos.index",
    )
    command.add_argument("index", metavar="INDEX", help="what `skdeepenc index` made")
    command.add_argument(
        "--threshold",
        type=float,
        metavar="S",
        help="least similarity of copies (default: what the collection suggests)",
    )
    command.set_defaults(run=run)


def run(options):
    """Look for copies, and print a table."""
    from skdeepenc.search import ImageIndex

    threshold = "auto" if options.threshold is None else options.threshold
    found = ImageIndex.open(options.index).duplicates(threshold)
    rows = [
        (group, f"{similarity:.4f}", image)
        for group, image, similarity in found.itertuples(index=False)
    ]
    print_table(("group", "similarity", "image"), rows)
