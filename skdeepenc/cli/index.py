"""`skdeepenc index`: make a search engine of images."""

import sys

ENCODER_HELP = "what skdeepenc.save or `skdeepenc export` wrote"
IMAGES_HELP = "a folder, a listing (.txt), tar archives, a Parquet file, or an image"


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "index",
        help="make a search engine of images",
        description="Encode images, and keep their vectors in a folder that can be searched, "
        "updated and copied.\nImages that cannot be read are left out, and listed. After an "
        "interruption\n`skdeepenc update INDEX IMAGES` goes on.",
        example="skdeepenc index photos/ photos.index --encoder encoder.skops",
    )
    command.add_argument("images", metavar="IMAGES", help=IMAGES_HELP)
    command.add_argument("index", metavar="INDEX", help="the folder to make")
    command.add_argument("--encoder", metavar="FILE", required=True, help=ENCODER_HELP)
    command.set_defaults(run=run)


def run(options):
    """Build, and say what was left out."""
    from skdeepenc.search import ImageIndex

    index = ImageIndex.build(
        options.encoder, options.images, options.index, verbose=2 * int(sys.stderr.isatty())
    )
    print(f"{len(index):,} images in {options.index}")
    print_failures(index)


def print_failures(index):
    """List the first images that an index could not read."""
    from skdeepenc.cli.messages import one_line

    failures = index.failures
    if len(failures):
        where = index.folder / "failures-*.csv"
        print(f"{len(failures):,} could not be read, all of them listed in {where}:")
    for image, error in failures.head(10).itertuples(index=False):
        print(f"  {image}: {one_line(error)}")
