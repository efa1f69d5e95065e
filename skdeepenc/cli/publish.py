"""`skdeepenc publish`: write an index as a site of plain files."""


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "publish",
        help="write an index as a site of plain files",
        description="Write an index as a site that any host of files serves: visitors' browsers "
        "search, by\nonnxruntime-web. Public become images at 256 pixels, their names and sizes, "
        "their vectors,\nand the encoder with its network.",
        example="skdeepenc publish photos.index site --runtime node_modules/onnxruntime-web",
    )
    command.add_argument("index", metavar="INDEX", help="what `skdeepenc index` made")
    command.add_argument("site", metavar="SITE", help="the folder to make, or the site to replace")
    command.add_argument(
        "--runtime",
        metavar="FOLDER",
        help="the npm package onnxruntime-web, to be copied (default: visitors load it from "
        "cdn.jsdelivr.net)",
    )
    command.add_argument("--title", metavar="TEXT", help="what the site is called")
    command.set_defaults(run=run)


def run(options):
    """Publish, and say what."""
    from skdeepenc.search import publish

    summary = publish(options.index, options.site, runtime=options.runtime, title=options.title)
    print(f"{options.site}: {summary}")
    for name, reason in list(summary.left_out.items())[:10]:
        print(f"  left out {name}: {reason}")
