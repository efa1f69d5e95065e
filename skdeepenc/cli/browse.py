"""`skdeepenc browse`: look at an index in the browser."""


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "browse",
        help="look at an index in the browser",
        description="Show an index as a page of this machine, which nobody else can visit: drop an "
        "image to\nsearch with it or with a part of it, search on from what was found, see why two "
        "images\nmatch, list copies. It runs until it is interrupted (Ctrl+C), and nothing leaves "
        "the machine.",
        example="skdeepenc browse photos.index",
    )
    command.add_argument("index", metavar="INDEX", help="what `skdeepenc index` made")
    command.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="where to serve it (default: 8765 or any that is free)",
    )
    command.add_argument("--no-open", action="store_true", help="do not open the browser")
    command.set_defaults(run=run)


def run(options):
    """Serve the page, and say where."""
    from skdeepenc.search.web import serve

    serve(options.index, options.port, announce=_announce, is_shown=not options.no_open)


def _announce(address):
    print(f"{address} (Ctrl+C ends it)", flush=True)
