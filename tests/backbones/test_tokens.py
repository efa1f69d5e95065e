"""A small vision transformer, as exporters write one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import helper

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.transformers.tokens import TokenLayout, supposed_layout, tokens_to_grid
from skdeepenc.exceptions import LayerNotFoundError, ModelError, ModelWarning

WIDTH, PATCH, SIDE, PREFIXES = 8, 4, 16, 1
N_TOKENS = PREFIXES + (SIDE // PATCH) ** 2


@pytest.fixture(scope="module")
def transformer(make_model):
    """Patches, a class token, a position embedding, one head of attention, a classifier."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)

    node = helper.make_node
    nodes = [
        node("Conv", ["pixels", "w_patch"], ["patches"], strides=[PATCH, PATCH]),
        # The batch of one that the exporter saw stands in the shape.
        node("Reshape", ["patches", "rows"], ["columns"]),
        node("Transpose", ["columns"], ["embedded"], perm=[0, 2, 1]),
        node("Shape", ["embedded"], ["batch"], start=0, end=1),
        node("Concat", ["batch", "one_token"], ["cls_shape"], axis=0),
        node("Expand", ["cls", "cls_shape"], ["cls_tokens"]),
        node("Concat", ["cls_tokens", "embedded"], ["with_cls"], axis=1),
        node("Add", ["with_cls", "positions"], ["block0"]),
        *(node("MatMul", ["block0", f"w_{part}"], [part]) for part in "qkv"),
        node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], ["scores"]),
        node("Softmax", ["scores"], ["attention"], axis=-1),
        node("MatMul", ["attention", "v"], ["mixed"]),
        node("Add", ["block0", "mixed"], ["block1"]),
        node("Gather", ["block1", "first"], ["feature"], axis=1),
        node("MatMul", ["feature", "w_head"], ["logits"]),
    ]
    weights = {
        "w_patch": normal(WIDTH, 3, PATCH, PATCH),
        "rows": np.array([1, WIDTH, N_TOKENS - PREFIXES]),
        "one_token": np.array([1, WIDTH]),
        "cls": normal(1, 1, WIDTH),
        "positions": normal(1, N_TOKENS, WIDTH),
        **{f"w_{part}": normal(WIDTH, WIDTH) for part in "qkv"},
        "first": np.array(0),
        "w_head": normal(WIDTH, 3),
    }
    return make_model(nodes, weights, (1, 3, SIDE, SIDE), output=("logits", 2)).SerializeToString()


def spec(patch_size=PATCH):
    return ModelSpec("vit", ("block1",), SIDE, patch_size=patch_size)


def test_tokens_become_a_grid_for_any_batch(transformer, pixels):
    backbone = Backbone(transformer, spec=spec(), layers=["patches", "block0", "block1", "logits"])
    images = pixels(3, SIDE, SIDE)
    maps = backbone.run(images)
    assert maps["block1"].shape == (3, 4, 4, WIDTH)
    assert maps["logits"].shape == (3, 1, 1, 3)
    # Without its position embedding a token is its patch, which tells the order of the grid.
    offsets = maps["block0"] - maps["patches"]
    assert_allclose(offsets[0], offsets[2], atol=1e-5)
    assert_allclose(maps["block1"][1:2], backbone.run(images[1:2])["block1"], atol=1e-5)


def test_layers_say_what_grid_their_patches_make(transformer):
    layers = {layer.name: layer for layer in Backbone(transformer, spec=spec()).layer_info}
    tokens, token = layers["block1"], layers["block1[cls]"]
    assert (tokens.kind, tokens.channels, tokens.grid, tokens.stride) == (
        *("tokens", WIDTH),
        *((4, 4), PATCH),
    )
    assert (token.kind, token.channels, token.grid) == ("class token", WIDTH, (1, 1))


def test_tokens_can_be_projected(transformer, pixels):
    rng = np.random.default_rng(1)
    mean, components = rng.normal(size=WIDTH), rng.normal(size=(2, WIDTH))
    images = pixels(2, SIDE, SIDE)
    folded = Backbone(transformer, spec=spec(), projections={"block1": (mean, components)})
    plain = Backbone(transformer, spec=spec()).run(images)["block1"]
    assert_allclose(folded.run(images)["block1"], (plain - mean) @ components.T, atol=1e-5)


def test_a_transformer_nobody_described_gives_its_last_tokens(transformer, pixels):
    backbone = Backbone(transformer)
    with pytest.warns(ModelWarning, match="'block1'"):
        assert backbone.run(pixels(2, SIDE, SIDE))["block1"].shape == (2, 4, 4, WIDTH)
    assert backbone.patch_size == PATCH


def test_a_described_transformer_gives_its_last_tokens(transformer):
    assert Backbone(transformer, spec=ModelSpec("vit", (), SIDE)).layers == ("block1",)


def test_patches_and_class_token_come_from_one_session(transformer, pixels):
    together = Backbone(transformer, spec=spec(), layers=["block1[cls]", "block1", "block0[cls]"])
    maps = together.run(pixels(2, SIDE, SIDE))
    assert list(maps) == ["block1[cls]", "block1", "block0[cls]"]
    assert maps["block1[cls]"].shape == (2, 1, 1, WIDTH)
    logits = Backbone(transformer, spec=spec(), layers="feature").run(pixels(2, SIDE, SIDE))
    assert_allclose(maps["block1[cls]"], logits["feature"], atol=1e-6)


def test_class_tokens_can_be_projected(transformer, pixels):
    rng = np.random.default_rng(2)
    mean, components = rng.normal(size=WIDTH), rng.normal(size=(2, WIDTH))
    name, images = "block1[cls]", pixels(2, SIDE, SIDE)
    plain = Backbone(transformer, spec=spec(), layers=name).run(images)[name]
    projections = {name: (mean, components)}
    folded = Backbone(transformer, spec=spec(), layers=name, projections=projections)
    assert_allclose(folded.run(images)[name], (plain - mean) @ components.T, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [("patches[cls]", "'patches' holds no class token.*'?block"), ("nothing[cls]", "nearest")],
)
def test_a_class_token_that_is_not_there_is_said(layer, reason, transformer):
    with pytest.raises(LayerNotFoundError, match=reason):
        _ = Backbone(transformer, spec=spec(), layers=layer).layers


def test_positions_count_tensors_not_class_tokens(transformer):
    layers = Backbone(transformer, spec=spec(), layers=[-1, -2, -3]).layers
    assert layers == ("logits", "feature", "block1")


def test_prefixes_are_dropped_and_rows_come_first():
    tokens = np.arange(9, dtype=np.float32)[None, :, None]  # three prefixes, 2 x 3 patches
    grid = tokens_to_grid(tokens, (8, 12), TokenLayout(1, (4, 4), 3, False))
    assert grid[0, :, :, 0].tolist() == [[3, 4, 5], [6, 7, 8]]


def test_tokens_after_the_patches_are_dropped_too():
    tokens = np.arange(8, dtype=np.float32)[None, None, :]  # tokens on the last axis
    grid = tokens_to_grid(tokens, (8, 12), TokenLayout(2, (4, 4), 1, True))
    assert grid[0, :, :, 0].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("shape", "reason"), [((8, 10), "not a multiple"), ((16, 16), "fewer than the 4 x 4")]
)
def test_what_does_not_fit_is_said(shape, reason):
    with pytest.raises(ModelError, match=reason):
        tokens_to_grid(np.zeros((1, 9, 2)), shape, TokenLayout(1, (4, 4), 1, False))


def test_without_a_patch_size_tokens_stay_unknown():
    assert supposed_layout(9, (8, 12), 4) == TokenLayout(1, (4, 4), 3, False)
    with pytest.raises(ModelError, match="how large a patch is"):
        supposed_layout(9, (8, 12), None)
