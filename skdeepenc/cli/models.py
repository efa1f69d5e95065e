"""`skdeepenc models`: list the models that can be given by name."""

from skdeepenc.cli.messages import print_table


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "models",
        help="list the models that are known by name",
        description="List the models that can be given by name: the embedded one, and public ones "
        "that are\nfetched when first used and verified.",
        example="skdeepenc models",
    )
    command.set_defaults(run=run)


def run(options):
    """Print a line for each model."""
    from skdeepenc.backbones import Backbone, list_models
    from skdeepenc.images.sizes import in_words

    specs = [Backbone("embedded").spec, *list_models().values()]
    rows = [(spec.name, in_words(spec.input_size), spec.licence, spec.source) for spec in specs]
    print_table(("model", "size", "licence", "source"), rows)
