"""A small vision transformer, as exporters write one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import helper

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.tokens import tokens_to_grid
from skdeepenc.exceptions import ModelError, ModelWarning

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


def test_layers_say_that_they_are_tokens(transformer):
    layers = {layer.name: layer for layer in Backbone(transformer, spec=spec()).layer_info}
    assert (layers["block1"].kind, layers["block1"].channels) == ("tokens", WIDTH)
    assert layers["block1"].grid == (1, N_TOKENS)


def test_tokens_can_be_projected(transformer, pixels):
    rng = np.random.default_rng(1)
    mean, components = rng.normal(size=WIDTH), rng.normal(size=(2, WIDTH))
    images = pixels(2, SIDE, SIDE)
    folded = Backbone(transformer, spec=spec(), projections={"block1": (mean, components)})
    plain = Backbone(transformer, spec=spec()).run(images)["block1"]
    assert_allclose(folded.run(images)["block1"], (plain - mean) @ components.T, atol=1e-5)


def test_a_transformer_nobody_described_gives_what_its_head_reads(transformer, pixels):
    backbone = Backbone(transformer)
    with pytest.warns(ModelWarning, match="'feature'.*patch_size"):
        assert backbone.run(pixels(2, SIDE, SIDE))["feature"].shape == (2, 1, 1, WIDTH)


def test_a_described_transformer_gives_its_last_tokens(transformer):
    described = ModelSpec("vit", (), SIDE, patch_size=PATCH)
    assert Backbone(transformer, spec=described).layers == ("block1",)


def test_a_patch_size_is_never_guessed(transformer, pixels):
    with (
        pytest.warns(ModelWarning, match="patch_size"),
        pytest.raises(ModelError, match=r"patch is.*patch_size=\.\.\."),
    ):
        Backbone(transformer, layers="block1").run(pixels(1, SIDE, SIDE))


def test_other_sizes_are_refused(transformer, pixels):
    with pytest.raises(ModelError, match="does not run on images of 32 x 32"):
        Backbone(transformer, spec=spec()).run(pixels(1, 32, 32))


def test_prefixes_are_dropped_and_rows_come_first():
    tokens = np.arange(9, dtype=np.float32)[None, :, None]  # three prefixes, 2 x 3 patches
    grid = tokens_to_grid(tokens, (8, 12), 4)
    assert grid[0, :, :, 0].tolist() == [[3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize(
    ("shape", "patch_size", "reason"),
    [
        ((8, 10), 4, "no multiple"),
        ((16, 16), 4, "fewer than the 4 x 4"),
        ((8, 8), None, "how large"),
    ],
)
def test_what_does_not_fit_is_said(shape, patch_size, reason):
    with pytest.raises(ModelError, match=reason):
        tokens_to_grid(np.zeros((1, 9, 2)), shape, patch_size)
