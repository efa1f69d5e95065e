"""`skdeepenc update`: bring a search engine to the state of its images."""

import sys

from skdeepenc.cli.index import IMAGES_HELP, print_failures


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "update",
        help="bring a search engine to the state of its images",
        description="Encode images that are new or changed, and remove those that are not there "
        "any more. Images\nare known by their content: renamed ones are not encoded again. Give "
        "them as when the\nindex was made, since an absolute path and a relative one are two "
        "names.",
        example="skdeepenc update photos.index photos/",
    )
    command.add_argument("index", metavar="INDEX", help="what `skdeepenc index` made")
    command.add_argument("images", metavar="IMAGES", help=IMAGES_HELP)
    command.add_argument(
        "--reread", action="store_true", help="compare contents also where files seem unchanged"
    )
    command.set_defaults(run=run)


def run(options):
    """Update, and say what was done."""
    from skdeepenc.search import ImageIndex

    index = ImageIndex.open(options.index)
    verbose = 2 * int(sys.stderr.isatty())
    print(index.update(options.images, reread=options.reread, verbose=verbose))
    print_failures(index)
