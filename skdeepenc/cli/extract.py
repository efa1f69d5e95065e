"""`skdeepenc extract`: save the activations of images as a folder."""

import sys
import warnings
from pathlib import Path

from skdeepenc.cli.messages import MODEL_HELP, one_line

_LISTED = 10


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "extract",
        help="save the activations of images",
        description="Run a model over images and save its activations as a folder of .npy and "
        "JSON files.\nRead them with skdeepenc.FeatureMaps.load(OUT); OUT/images.txt lists the "
        "images in order,\nOUT/left_out.txt those that could not be read, and why.",
        example="skdeepenc extract model.onnx photos/ maps/ --layers conv5 fc7 --scales 3",
    )
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.add_argument("images", metavar="IMAGES", help="an image, or a folder of them")
    command.add_argument("out", metavar="OUT", help="the folder to write")
    command.add_argument("--layers", nargs="+", metavar="LAYER", help="default: the model's own")
    command.add_argument(
        "--scales", type=int, metavar="N", help="sizes of a pyramid (default: the model's one size)"
    )
    command.add_argument(
        "--spec", metavar="FILE", help="what the model takes, where its file does not say it: JSON"
    )
    command.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    command.add_argument(
        "--memory", metavar="FOLDER", help="remember maps here, to go on after an interruption"
    )
    command.add_argument(
        "--cache-limit", metavar="SIZE", help='most to keep in --memory, such as "50 GB"'
    )
    command.add_argument(
        "--cache-age", metavar="DAYS", type=float, help="remove what is unused longer from --memory"
    )
    command.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what to do about images that cannot be read (default: %(default)s)",
    )
    command.set_defaults(run=run)


def run(options):
    """Extract, save, and say what was left out."""
    from skdeepenc.datasets import find_images
    from skdeepenc.exceptions import ImageBatchError, ImageError

    images = find_images(options.images)
    try:
        maps, failures = _extract(options, images)
    except ImageBatchError as error:
        raise ImageError(
            f"{_count(error.failures)} of {len(images)} could not be read (--on-error skip leaves "
            "them out, --memory FOLDER keeps what was done for the others): "
            f"{_list(error.failures)}"
        ) from error
    kept = [index for index, image in enumerate(images) if image not in failures]
    if not kept:
        raise ImageError(f"None of {_count(images)} could be read: {_list(failures)}")
    _save(maps[kept] if failures else maps, [images[index] for index in kept], failures, options)


def _extract(options, images):
    """Return the maps of all images, and why some of them have none."""
    from skdeepenc.backbones.describing.preprocessor_file import read_description
    from skdeepenc.exceptions import ImageBatchWarning
    from skdeepenc.extraction import ActivationExtractor
    from skdeepenc.images import Pyramid

    failures = {}
    extractor = ActivationExtractor(
        options.model,
        layers=options.layers,
        views=None if options.scales is None else Pyramid(n_scales=options.scales),
        spec=None if options.spec is None else read_description(options.spec),
        dtype=options.dtype,
        n_jobs=-1,
        memory=_cache(options),
        on_error="raise" if options.on_error == "stop" else "warn",
        verbose=int(sys.stderr.isatty()),  # a log keeps no bar, and an error its one line
    )
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def show(message, *details):
            if isinstance(message, ImageBatchWarning):
                failures.update(message.failures)  # said later, in words of the command line
            else:
                show_others(message, *details)

        warnings.showwarning = show
        warnings.simplefilter("always", ImageBatchWarning)
        return extractor.fit_transform(images), failures


def _cache(options):
    """Return the folder to remember maps in, with the bounds that it was given."""
    from skdeepenc.extraction import CacheFolder

    if options.cache_limit is None and options.cache_age is None:
        return options.memory
    if options.memory is None:
        raise ValueError("--cache-limit and --cache-age say how much to keep in --memory FOLDER")
    return CacheFolder(options.memory, limit=options.cache_limit, max_age=options.cache_age)


def _save(maps, images, failures, options):
    """Write the maps, which images they are of, and which ones are missing."""
    maps.save(options.out)
    _write_lines(Path(options.out, "images.txt"), images)
    print(f"{maps} in {options.out}")
    if failures:
        left_out = Path(options.out, "left_out.txt")
        _write_lines(left_out, [f"{name}\t{one_line(why)}" for name, why in failures.items()])
        print(f"left out {_count(failures)}, listed in {left_out}: {_list(failures)}")


def _write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _count(items):
    return f"{len(items)} image{'s' * (len(items) != 1)}"


def _list(failures):
    """Name the first failures and their reasons; a screen holds no more."""
    named = [f"{name}: {why}" for name, why in list(failures.items())[:_LISTED]]
    n_others = len(failures) - len(named)
    return "; ".join(named) + (f"; and {n_others} more" if n_others else "")
