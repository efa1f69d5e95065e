"""`skdeepenc encode`: turn images into files of vectors, or one worker's share of them."""

import re
import sys

_SHARD = re.compile(r"(\d+)/(\d+)")


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "encode",
        help="turn images into files of vectors",
        description="Encode images into OUT/vectors-*.npy, with their names, digests, sizes and "
        "errors in\nOUT/images-*.parquet. Run it again to go on after an interruption. Many "
        "workers share the\nwork where each is given another --shard.",
        example="skdeepenc encode photos/ vectors/ --encoder encoder.skops --shard 0/8",
    )
    command.add_argument(
        "images",
        nargs="+",
        metavar="IMAGES",
        help="a folder, a listing (*.txt), tar archives, Parquet files, or images",
    )
    command.add_argument("out", metavar="OUT", help="the folder to write, or its URL")
    command.add_argument(
        "--encoder",
        required=True,
        metavar="FILE",
        help="what `skdeepenc fit`, `skdeepenc export` or skdeepenc.save wrote",
    )
    command.add_argument(
        "--shard",
        default="0/1",
        metavar="I/N",
        help="which of how many workers this is, from 0/N (default: %(default)s)",
    )
    command.add_argument("--dtype", choices=("float16", "float32"), default="float16")
    command.add_argument(
        "--shard-size",
        type=int,
        default=10_000,
        metavar="N",
        help="images in a pair of files (default: %(default)s)",
    )
    command.add_argument("--again", action="store_true", help="write again what is there")
    command.set_defaults(run=run)


def run(options):
    """Encode, and say what it came to and where failures are listed."""
    from skdeepenc.search import encode

    shard, n_shards = _shard(options.shard)
    summary = encode(
        options.encoder,
        options.images[0] if len(options.images) == 1 else options.images,
        options.out,
        shard=shard,
        n_shards=n_shards,
        dtype=options.dtype,
        shard_size=options.shard_size,
        resume=not options.again,
        verbose=2 * int(sys.stderr.isatty()),
    )
    print(summary)
    if summary.n_failures:
        print(f"what failed, and why, is listed in {options.out}/failures-*.csv")


def _shard(text):
    """Return the two numbers of ``3/8``."""
    match = _SHARD.fullmatch(text)
    if match is None:
        raise ValueError(f"--shard {text} is not of the form I/N, such as 0/8, 1/8, ... 7/8")
    return int(match[1]), int(match[2])
