"""`skdeepenc models`: list the models that can be given by name."""

from skdeepenc.cli.messages import print_table


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "models",
        help="list the models that are known by name",
        description="List the models that can be given by name: the embedded one, and public ones "
        "that are\nfetched when first used. Those with a digest are verified; those on the hub "
        "(hf://...) are\nwhat it holds today; those that are linked come under terms of their own, "
        "which are yours\nto accept. Any other model of the hub is given as hf://owner/name.",
        example="skdeepenc models",
    )
    command.set_defaults(run=run)


def run(options):
    """Print a line for each model."""
    from skdeepenc.backbones import Backbone, list_models

    specs = [Backbone("embedded").spec, *list_models().values()]
    headings = ("model", "size", "licence", "fetched", "source")
    print_table(headings, map(_describe_model, specs))


def _describe_model(spec):
    from skdeepenc.images.sizes import in_words

    size = in_words(spec.input_size)
    return spec.name, size, spec.licence, _how_fetched(spec), spec.source


def _how_fetched(spec):
    """Say what is promised of the file that the name stands for."""
    if spec.source is None or not spec.source.startswith(("https:", "hf:")):
        return "-"
    if spec.source.startswith("hf:"):
        return "hub"
    return "linked" if spec.sha256 is None else "verified"
