"""`skdeepenc fit`: learn an encoder from a sample of images, and save it."""

import sys

from skdeepenc.cli.messages import MODEL_HELP

_CLASSIFY = "classification"
TASKS = (_CLASSIFY, "instance-retrieval", "category-retrieval", "duplicates")
#: More images than these teach an encoder nothing new, and their maps fill a disk.
MOST_IMAGES = 50_000


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "fit",
        help="learn an encoder from a sample of images",
        description="Make the pipeline that measured best for a task, fit it on a sample of "
        "images, and save\nit. For classification IMAGES has a folder for each class, all of it is "
        "used, and the\nclassifier is saved as well.",
        example="skdeepenc fit photos/ encoder.skops --task duplicates",
    )
    command.add_argument(
        "images", metavar="IMAGES", help="a folder, a listing, archives, as `skdeepenc encode`"
    )
    command.add_argument("encoder", metavar="ENCODER", help="the file to write, *.skops")
    command.add_argument("--task", choices=TASKS, default="category-retrieval")
    command.add_argument("--model", default="embedded", metavar="MODEL", help=MODEL_HELP)
    command.add_argument("--size", choices=("fast", "default", "best"), default="default")
    command.add_argument(
        "--max-images",
        type=int,
        default=MOST_IMAGES,
        metavar="N",
        help="how many images to learn from (default: %(default)s)",
    )
    command.add_argument("--memory", metavar="FOLDER", help="keep maps here, not in memory")
    command.add_argument("--seed", type=int, default=0, help="draws the sample (default: 0)")
    command.add_argument(
        "--include-model", action="store_true", help="put the network into the file, too"
    )
    command.set_defaults(run=run)


def run(options):
    """Fit, save, and say what is in the file."""
    import skdeepenc

    pipeline = _pipeline(options)
    extractor = pipeline.steps[0][1].set_params(
        on_error="warn", n_jobs=-1, verbose=int(sys.stderr.isatty())
    )
    n_images = _fit(pipeline, options)
    # What the sample could do without, later images may not: as the package's own default.
    extractor.set_params(on_error="raise", verbose=0, memory=None)
    skdeepenc.save(pipeline, options.encoder, include_model=options.include_model)
    print(f"{options.encoder}: {' + '.join(_names(pipeline))}, fitted on {n_images:,} images")


def _pipeline(options):
    """Return the pipeline of a task; for retrieval without the ranker, which keeps a gallery."""
    from skdeepenc import NearestNeighborRanker, image_pipeline

    ranker = None if options.task == _CLASSIFY else NearestNeighborRanker()
    pipeline = image_pipeline(
        options.task,
        options.model,
        estimator=ranker,
        size=options.size,
        memory=options.memory,
        random_state=options.seed,
    )
    return pipeline if ranker is None else pipeline[:-1]


def _fit(pipeline, options):
    """Fit a pipeline; return on how many images."""
    from skdeepenc.datasets import load_image_folder
    from skdeepenc.search.sampling import sampled_images

    if options.task == _CLASSIFY:
        images = load_image_folder(options.images)
        pipeline.fit(images.paths, [images.target_names[number] for number in images.target])
        return len(images.paths)
    if options.max_images < 1:
        raise ValueError("--max-images must be at least 1")
    with sampled_images(options.images, options.max_images, options.seed) as images:
        pipeline.fit(images)
        return len(images)


def _names(pipeline):
    return [type(step).__name__ for _, step in pipeline.steps]
