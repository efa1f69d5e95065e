"""Transformers at other sizes than the exported one, against what PyTorch gave for them.

The exports are small vision transformers of timm with random weights: registers and class token
(TorchScript, a batch of one), a class token (dynamo), none (TorchScript, with attention pooling).
Their values at other sizes are timm's own, with `img_size` set to them.
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from onnx import helper

from skdeepenc.backbones import Backbone, ModelSpec, network
from skdeepenc.backbones.running import batching
from skdeepenc.backbones.running import session as sessions
from skdeepenc.backbones.transformers.shape_walk import ShapeWalk
from skdeepenc.exceptions import LayerNotFoundError, ModelError

EXPORTS = Path(__file__).parent / "exports"
SIZES = {"own": (32, 32), "larger": (48, 48), "wide": (32, 56), "smaller": (24, 16)}
SIDE, PATCH = 32, 8


@pytest.fixture(params=["registers", "class_token", "no_class"])
def export(request):
    with np.load(EXPORTS / f"{request.param}.npz") as expected:
        return EXPORTS / f"{request.param}.onnx", dict(expected)


def backbone_of(model, *layers):
    return Backbone(model, spec=ModelSpec("vit", (), SIDE), layers=list(layers))


def with_free_sides(path):
    """Say of an export that its images may have any size, as optimum does, though they may not."""
    model = onnx.load(path)
    for size, name in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], "hw", strict=True):
        size.dim_param = name
    return model.SerializeToString()


@pytest.mark.parametrize("size", SIZES)
def test_equals_pytorch_at_every_size(size, export, pixels):
    path, recorded = export
    layer, n_prefixes, expected = str(recorded["layer"]), recorded["prefix"], recorded[size]
    height, width = SIZES[size]
    names = [layer, f"{layer}[cls]"] if n_prefixes else [layer]
    maps = backbone_of(path, *names).run(pixels(2, height, width))
    rows, columns = height // PATCH, width // PATCH
    patches = expected[:, n_prefixes:].reshape(2, rows, columns, -1)
    assert_allclose(maps[layer], patches, atol=1e-4)
    if n_prefixes:
        assert_allclose(maps[f"{layer}[cls]"][:, 0, 0], expected[:, 0], atol=1e-4)


def test_the_size_of_positions_is_found_where_the_input_is_free(export, pixels):
    path, recorded = export
    layer = str(recorded["layer"])
    # The description's own size is another than that of the positions.
    free = Backbone(with_free_sides(path), spec=ModelSpec("vit", (), 64), layers=layer)
    for size in ("own", "larger"):
        images = pixels(2, *SIZES[size])
        expected = backbone_of(path, layer).run(images)[layer]
        assert_allclose(free.run(images)[layer], expected, atol=1e-5)


def test_one_session_serves_all_other_sizes(export, pixels):
    path, recorded = export
    backbone = backbone_of(path, str(recorded["layer"]))
    backbone.run(pixels(1, 32, 32))
    before = len(sessions._TABLE.sessions)
    for side in (40, 48, 56):
        backbone.run(pixels(1, side, 64))
    assert len(sessions._TABLE.sessions) <= before + 1


def test_a_try_of_batches_counts_for_its_own_form_alone(export, pixels, monkeypatch):
    """What is fed at other sizes may hold one image at a time, though the graph itself does not."""
    tried = []

    def one_at_a_time(run, n_images, image_shape):
        tried.append(image_shape)
        return False

    monkeypatch.setattr(batching, "_TRIED", OrderedDict())
    monkeypatch.setattr(network, "takes_any_number", one_at_a_time)
    path, recorded = export
    backbone = backbone_of(path, str(recorded["layer"]))
    for side in (SIDE, 48, SIDE, 48):
        backbone.run(pixels(3, side, side))
    assert tried == [(SIDE, SIDE), (48, 48)]


def test_patches_are_found_without_a_description(export):
    path, recorded = export
    backbone = backbone_of(path, str(recorded["layer"]))
    assert backbone.patch_size == PATCH
    assert backbone.spec.patch_size is None


def test_sides_between_two_patches_are_refused(export, pixels):
    path, recorded = export
    with pytest.raises(ModelError, match="not a multiple of its patches of 8 x 8"):
        backbone_of(path, str(recorded["layer"])).run(pixels(1, 36, 36))


def test_no_class_token_is_said():
    with pytest.raises(LayerNotFoundError, match="no class token; no layer does"):
        _ = backbone_of(EXPORTS / "no_class.onnx", "/blocks/blocks.0/Add_1_output_0[cls]").layers


def test_projections_hold_at_every_size(pixels):
    path, rng = EXPORTS / "registers.onnx", np.random.default_rng(0)
    layer = "/blocks/blocks.0/Add_1_output_0"
    mean, components = rng.normal(size=16), rng.normal(size=(3, 16))
    spec, projections = ModelSpec("vit", (), SIDE), {layer: (mean, components)}
    folded = Backbone(path, spec=spec, layers=layer, projections=projections)
    for side in (32, 48):
        plain = backbone_of(path, layer).run(pixels(1, side, side))[layer]
        projected = folded.run(pixels(1, side, side))[layer]
        assert_allclose(projected, (plain - mean) @ components.T, atol=1e-4)


def test_weights_beside_the_file_are_found(tmp_path, pixels):
    path, layer = EXPORTS / "registers.onnx", "/blocks/blocks.0/Add_1_output_0"
    onnx.save(
        onnx.load(path),
        tmp_path / "vit.onnx",
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    expected = backbone_of(path, layer).run(pixels(1, 48, 48))[layer]
    actual = backbone_of(tmp_path / "vit.onnx", layer).run(pixels(1, 48, 48))[layer]
    assert_allclose(actual, expected)


@pytest.mark.parametrize(
    ("operator", "shape", "reason"),
    [("Mul", (1, 16, 4), "rotary"), ("Add", (1, 16, 16), "relative positions")],
)
def test_what_cannot_follow_is_named_and_works_at_its_own_size(
    operator, shape, reason, make_model, pixels
):
    node = helper.make_node
    nodes = [
        node("Conv", ["pixels", "w"], ["patches"], strides=[8, 8]),
        node("Reshape", ["patches", "rows"], ["flat"]),
        node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
        node("MatMul", ["tokens", "flat"], ["scores"]),
        node(operator, ["tokens" if operator == "Mul" else "scores", "frozen"], ["placed"]),
        node("MatMul", ["scores" if operator == "Mul" else "placed", "tokens"], ["mixed"]),
        node("Add", ["mixed", "placed" if operator == "Mul" else "tokens"], ["block"]),
    ]
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(4, 3, 8, 8)).astype(np.float32),
        "rows": np.array([-1, 4, 16]),
        "frozen": rng.normal(size=shape).astype(np.float32),
    }
    model = make_model(nodes, weights, ("n", 3, 32, 32), output=("block", 3)).SerializeToString()
    backbone = backbone_of(model, "block")
    assert backbone.run(pixels(2, 32, 32))["block"].shape == (2, 4, 4, 4)
    with pytest.raises(ModelError, match=rf"48 x 48 \(its own size is 32\).*{reason}"):
        backbone.run(pixels(2, 48, 48))
    # What comes before it needs no positions.
    assert backbone_of(model, "tokens").run(pixels(2, 48, 48))["tokens"].shape == (2, 6, 6, 4)


@pytest.mark.parametrize("expanded", [True, False])
def test_masks_that_mask_nothing_are_left_out(expanded, make_model, pixels):
    """transformers writes a mask of all tokens with the dynamo exporter, in one form or another."""
    node, rng = helper.make_node, np.random.default_rng(0)
    shape = (1, 16, 1) if expanded else (1, 16, 16)
    mask = [
        node("Shape", ["tokens"], ["n_images"], start=0, end=1),
        node("Concat", ["n_images", "square"], ["mask_shape"], axis=0),
        node("Expand", ["allowed", "mask_shape"], ["wide"]),
        node("Where", ["wide", "zero", "never"], ["added"]),
    ]
    nodes = [
        node("Conv", ["pixels", "w"], ["patches"], strides=[8, 8]),
        node("Reshape", ["patches", "rows"], ["flat"]),
        node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
        node("MatMul", ["tokens", "flat"], ["scores"]),
        *(mask if expanded else [node("Where", ["allowed", "zero", "never"], ["added"])]),
        node("Add", ["scores", "added"], ["masked"]),
        node("MatMul", ["masked", "tokens"], ["block"]),
    ]
    weights = {
        "w": rng.normal(size=(4, 3, 8, 8)).astype(np.float32),
        "rows": np.array([-1, 4, 16]),
        "square": np.array([16, 16]),
        "zero": np.float32(0),
        "never": np.float32(-1e30),
    }
    images, spec = pixels(2, 48, 40), {"input_shape": ("n", 3, 32, 32), "output": ("block", 3)}
    for allowed in (True, False):
        mask_values = {"allowed": np.full(shape, allowed)}
        model = make_model(nodes, weights | mask_values, **spec).SerializeToString()
        if not allowed:
            with pytest.raises(ModelError, match="relative positions, or masks"):
                backbone_of(model, "block").run(images)
            continue
        maps = backbone_of(model, "block", "tokens").run(images)
        tokens = maps["tokens"].reshape(2, 30, 4)
        expected = tokens @ tokens.swapaxes(1, 2) @ tokens
        assert_allclose(maps["block"].reshape(2, 30, 4), expected, rtol=1e-3)


def test_masks_that_only_sizes_decide_are_left_out(make_model, pixels):
    """The dynamo exporter writes "is every token's number at least 0?", of square images."""
    node, rng = helper.make_node, np.random.default_rng(0)
    nodes = [
        node("Conv", ["pixels", "w"], ["patches"], strides=[8, 8]),
        node("Reshape", ["patches", "rows"], ["flat"]),
        node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
        node("Shape", ["patches"], ["side"], start=2, end=3),
        node("Mul", ["side", "side"], ["squared"]),
        node("Squeeze", ["squared"], ["n_tokens"]),
        node("Range", ["zero", "n_tokens", "one"], ["numbers"]),
        node("GreaterOrEqual", ["numbers", "zero"], ["allowed"]),
        node("Where", ["allowed", "nothing", "never"], ["added"]),
        node("MatMul", ["tokens", "flat"], ["scores"]),
        node("Add", ["scores", "added"], ["masked"]),
        node("MatMul", ["masked", "tokens"], ["block"]),
    ]
    weights = {
        "w": rng.normal(size=(4, 3, 8, 8)).astype(np.float32),
        "rows": np.array([-1, 4, 16]),
        "zero": np.int64(0),
        "one": np.int64(1),
        "nothing": np.float32(0),
        "never": np.float32(-1e30),
    }
    model = make_model(nodes, weights, ("n", 3, 32, 32), output=("block", 3)).SerializeToString()
    maps = backbone_of(model, "block", "tokens").run(pixels(2, 48, 40))
    tokens = maps["tokens"].reshape(2, 30, 4)
    expected = tokens @ tokens.swapaxes(1, 2) @ tokens
    assert_allclose(maps["block"].reshape(2, 30, 4), expected, rtol=1e-3)


def test_splits_that_follow_the_image_are_left_alone(make_model, pixels):
    """What the graph computes of the size already must not be frozen on the way."""
    node, rng = helper.make_node, np.random.default_rng(0)
    nodes = [
        node("Conv", ["pixels", "w"], ["patches"], strides=[8, 8]),
        node("Shape", ["patches"], ["n_images"], start=0, end=1),
        node("Concat", ["n_images", "rows"], ["target"], axis=0),
        node("Reshape", ["patches", "target"], ["flat"]),
        node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
        node("MatMul", ["tokens", "flat"], ["scores"]),
        node("MatMul", ["scores", "tokens"], ["mixed"]),
        node("Shape", ["mixed"], ["n_tokens"], start=1, end=2),
        node("Sub", ["n_tokens", "one"], ["others"]),
        node("Concat", ["one", "others"], ["parts"], axis=0),
        node("Split", ["mixed", "parts"], ["first", "rest"], axis=1),
        node("Concat", ["first", "rest"], ["block"], axis=1),
    ]
    weights = {
        "w": rng.normal(size=(4, 3, 8, 8)).astype(np.float32),
        "rows": np.array([4, -1]),
        "one": np.array([1]),
    }
    model = make_model(nodes, weights, output=("block", 3)).SerializeToString()
    maps = backbone_of(model, "block", "mixed").run(pixels(2, 48, 40))
    assert_allclose(maps["block"], maps["mixed"])


def test_branches_that_the_size_decides_are_walked(make_model):
    """A squeeze that TorchScript guards by the size of an axis, which it knew all along."""
    node, empty = helper.make_node, helper.make_empty_tensor_value_info
    branches = {
        "then_branch": helper.make_graph(
            [node("Squeeze", ["pooled", "last"], ["squeezed"])], "then", [], [empty("squeezed")]
        ),
        "else_branch": helper.make_graph(
            [node("Identity", ["pooled"], ["kept"])], "else", [], [empty("kept")]
        ),
    }
    nodes = [
        node("ReduceMean", ["pixels"], ["pooled"], axes=[3], keepdims=1),
        node("Shape", ["pooled"], ["size"], start=3, end=4),
        node("Equal", ["size", "one"], ["is_one"]),
        node("If", ["is_one"], ["columns"], **branches),
        node("Relu", ["columns"], ["out"]),
    ]
    model = make_model(nodes, {"last": np.array([3]), "one": np.array([1])}, output=("out", 3))
    walk = ShapeWalk(model, (2, 3, 32, 24)).run(model.graph.node)
    assert walk.shape("out") == (2, 3, 32)


def test_pixels_may_be_cut_into_patches_by_reshaping(make_model, pixels):
    """A linear embedding of reshaped patches, as einops writes it, equals the convolution."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(6, 3, 8, 8)).astype(np.float32)
    node = helper.make_node
    attention = [
        node("Add", ["embedded", "positions"], ["placed"]),
        node("Transpose", ["placed"], ["columns"], perm=[0, 2, 1]),
        node("MatMul", ["placed", "columns"], ["scores"]),
        node("MatMul", ["scores", "placed"], ["block"]),
    ]
    reshaped = [
        node("Reshape", ["pixels", "cut"], ["cells"]),
        node("Transpose", ["cells"], ["ordered"], perm=[0, 2, 4, 1, 3, 5]),
        node("Reshape", ["ordered", "rows"], ["flat"]),
        node("MatMul", ["flat", "matrix"], ["embedded"]),
    ]
    convolved = [
        node("Conv", ["pixels", "kernel"], ["map"], strides=[8, 8]),
        node("Reshape", ["map", "flatten"], ["flat"]),
        node("Transpose", ["flat"], ["embedded"], perm=[0, 2, 1]),
    ]
    positions = rng.normal(size=(1, 16, 6)).astype(np.float32)
    cut = {
        "cut": np.array([-1, 3, 4, 8, 4, 8]),
        "rows": np.array([-1, 16, 192]),
        "matrix": kernel.reshape(6, -1).T.copy(),
        "positions": positions,
    }
    slid = {"kernel": kernel, "flatten": np.array([-1, 6, 16]), "positions": positions}
    maps = []
    for nodes, weights in ((reshaped, cut), (convolved, slid)):
        model = make_model([*nodes, *attention], weights, ("n", 3, 32, 32), output=("block", 3))
        backbone = backbone_of(model.SerializeToString(), "block")
        assert backbone.patch_size == 8
        maps.append(backbone.run(pixels(2, 48, 40))["block"])
    assert_allclose(*maps, rtol=1e-3)
