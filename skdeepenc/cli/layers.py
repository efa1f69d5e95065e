"""`skdeepenc layers`: list what can be asked of a model."""

from skdeepenc.cli.messages import MODEL_HELP, print_table


def add(commands):
    """Say which words the command takes."""
    command = commands.add_parser(
        "layers",
        help="list the layers of a model that can be extracted",
        description="List every tensor of a model that can be asked for, with its channels, its "
        "grid at\nthe model's own image size and the pixels from one position to the next.",
        example="skdeepenc layers model.onnx",
    )
    command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    command.set_defaults(run=run)


def run(options):
    """Print a line for each layer."""
    from skdeepenc.backbones import Backbone
    from skdeepenc.images.sizes import in_words

    backbone = Backbone(options.model)
    print(f"{backbone.spec.name}, images of {in_words(backbone.spec.input_size)} pixels")
    headings = ("layer", "operator", "kind", "channels", "grid", "stride")
    print_table(headings, map(_describe_layer, backbone.layer_info))


def _describe_layer(layer):
    grid = "-" if layer.grid is None else "x".join(map(str, layer.grid))
    return layer.name, layer.op, layer.kind, layer.channels or "-", grid, layer.stride or "-"
