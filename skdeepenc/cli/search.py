"""`skdeepenc search`: find the images that are most similar to some others."""

from skdeepenc.cli.messages import print_table


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "search",
        help="find similar images",
        description="List the images of an index that are most similar to each query.",
        example="skdeepenc search photos.index query.jpg --n-neighbors 5 --plot found.png",
    )
    command.add_argument("index", metavar="INDEX", help="what `skdeepenc index` made")
    command.add_argument("images", metavar="IMAGE", nargs="+", help="the queries")
    command.add_argument(
        "--n-neighbors", type=int, default=10, metavar="N", help="default: %(default)s"
    )
    command.add_argument(
        "--where", metavar="PATTERN", help='of the names of what may be found, as "*/roofs/*"'
    )
    command.add_argument("--plot", metavar="FILE", help="draw queries and results, as a PNG or PDF")
    command.set_defaults(run=run)


def run(options):
    """Search, print a table, and draw it if asked to."""
    from skdeepenc.search import ImageIndex

    index = ImageIndex.open(options.index)
    found = index.search(options.images, options.n_neighbors, where=options.where)
    rows = [
        (query, rank, f"{similarity:.4f}", image)
        for query, rank, image, similarity in found.itertuples(index=False)
    ]
    print_table(("query", "rank", "similarity", "image"), rows)
    if options.plot:
        _plot(found, len(options.images), options.plot)


def _plot(found, n_queries, path):
    """Draw a row per query."""
    import numpy as np

    from skdeepenc.inspection import RankingDisplay

    n_found = len(found) // n_queries
    display = RankingDisplay.from_predictions(
        np.arange(len(found)).reshape(n_queries, n_found),
        query_images=found["query"].tolist()[::n_found],
        gallery_images=found["image"].tolist(),
        similarities=found["similarity"].to_numpy().reshape(n_queries, n_found),
        n_results=n_found,
    )
    display.figure_.savefig(path)
