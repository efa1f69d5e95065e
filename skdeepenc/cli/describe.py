"""`skdeepenc describe`: write into an ONNX file how its images are made and what to extract."""

from dataclasses import replace
from pathlib import Path


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "describe",
        help="write into an ONNX file how its images are made",
        description="Put a description into the metadata of an ONNX file, so that it needs no "
        "other: the\npreprocessing and the size of its images, and the layers to extract. Without "
        "--preprocessor\nit is what the file, the catalogue or a preprocessor_config.json beside "
        "it says already.",
        example="skdeepenc describe model.onnx --preprocessor preprocessor_config.json",
    )
    command.add_argument("model", metavar="MODEL", help="an ONNX file, which is rewritten")
    command.add_argument(
        "--preprocessor",
        metavar="FILE",
        help="a preprocessor_config.json, a configuration of timm, or a description as JSON",
    )
    command.add_argument("--layers", nargs="+", metavar="LAYER", help="what to extract by default")
    command.set_defaults(run=run)


def run(options):
    """Find out what is to be said, write it, and say what it was."""
    from skdeepenc.backbones.describing.metadata import describe_file

    spec = _spec(options)
    before, after = describe_file(options.model, spec)
    print(spec.to_json())
    if before == after:
        print(f"{options.model} said so already.")
    else:
        print(
            f"written to {options.model}; its digest was {before[:12]} and is {after[:12]}, so "
            "maps in a memory folder are computed again."
        )


def _spec(options):
    """Return the description; layers are checked against the graph."""
    from skdeepenc.backbones import Backbone
    from skdeepenc.backbones.describing.preprocessor_file import read_description
    from skdeepenc.exceptions import ModelError

    path = Path(options.model)
    if not path.is_file():
        raise ModelError(f"{path} is not a file; only a file of your own can be described.")
    given = options.preprocessor
    known = None if given is None else replace(read_description(given), name=path.name)
    backbone = Backbone(path, spec=known, layers=options.layers)
    known = known or backbone.known_spec
    if known is None:
        raise ModelError(
            f"Nothing is known of {path}: give --preprocessor FILE, such as the "
            "preprocessor_config.json that its authors published."
        )
    layers = known.layers if options.layers is None else backbone.layers
    return replace(known, layers=layers, sha256=None)  # the digest of what it was
