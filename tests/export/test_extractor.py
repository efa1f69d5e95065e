"""The extractor in a graph gives the maps that it gives in Python."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from export.test_resampling import smooth_image
from numpy.testing import assert_allclose

from skdeepenc.backbones import ModelSpec, write_spec
from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.extractor import Images
from skdeepenc.export.registry import convert
from skdeepenc.export.writer import GraphWriter
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Crops, Preprocessing, Pyramid, Whole, Windows

EXPORTS = Path(__file__).parents[1] / "backbones" / "exports"
TOKENS = "/blocks/blocks.0/Add_1_output_0"
# Small enough that no resampling differs: 64 x 64 is what the embedded model takes.
OWN_SIZE = [smooth_image(64, 64, seed) for seed in range(2)]


def model_of(extractor):
    g = GraphWriter()
    maps = convert(g, extractor, Images(g.input("images", np.uint8, ["N", "H", "W", 3])))
    for layer, scales in maps.layers.items():
        for number, scale in enumerate(scales):
            sides = [f"{layer} {number} {side}" for side in "nhwd"]
            g.output(f"{layer}|{number}", scale, sides)
    return g.model()


def assert_same_maps(extractor, images, atol):
    expected = extractor.fit_transform(list(images))
    outputs = iter(run_apart(model_of(extractor).SerializeToString(), np.stack(images)))
    for layer in expected.layers:
        for scale in range(expected.n_scales):
            maps = np.stack([image[layer][scale] for image in expected])
            largest = np.abs(maps).max()
            assert_allclose(next(outputs) / largest, maps / largest, atol=atol)


@pytest.mark.parametrize(
    "parameters",
    [
        {"layers": ["conv4", "fc7"]},
        {"layers": ["conv5", "rgb"]},
        {"layers": "conv5", "dtype": "float16"},
        {"layers": "conv5", "preprocessing": Preprocessing(channel_order="BGR", mean=(0, 0, 0))},
        {"layers": "conv5", "n_components": 5, "random_state": 0},
    ],
    ids=str,
)
def test_maps_are_equal_where_nothing_is_resampled(parameters):
    assert_same_maps(ActivationExtractor(**parameters), OWN_SIZE, atol=1e-3)


@pytest.mark.parametrize(
    "views",
    [
        Whole(96, fit="pad"),
        Pyramid(n_scales=2),
        Pyramid(n_scales=2, aspect="keep"),
        Windows(image_size=96, sizes=(96, 48), stride=24, pool="max"),
        Crops(n=5, image_size=80),
    ],
    ids=str,
)
def test_every_view_gives_the_maps_of_python(views):
    images = [smooth_image(100, 120, seed) for seed in range(2)]
    extractor = ActivationExtractor(layers=["conv5", "fc7", "rgb"], views=views)
    assert_same_maps(extractor, images, atol=0.05)


@pytest.fixture
def transformer(tmp_path):
    model = onnx.load(EXPORTS / "registers.onnx")
    write_spec(model, ModelSpec("vit", (TOKENS,), 32, Preprocessing()))
    onnx.save(model, tmp_path / "vit.onnx")
    return str(tmp_path / "vit.onnx")


def test_tokens_become_maps_and_a_class_token(transformer):
    images = [smooth_image(64, 64, seed) for seed in range(2)]
    extractor = ActivationExtractor(transformer, layers=[f"{TOKENS}[cls]", TOKENS], views=Whole(64))
    assert_same_maps(extractor, images, atol=1e-3)


def test_position_embeddings_want_one_size(transformer):
    extractor = ActivationExtractor(transformer, views=Pyramid(n_scales=1, aspect="keep"))
    with pytest.raises(ExportError, match=r"position embeddings.*aspect='warp'"):
        model_of(extractor.fit(OWN_SIZE))


def test_weights_are_there_once_for_all_sizes():
    one, three = (
        model_of(ActivationExtractor(layers="conv5", views=Pyramid(n_scales=n)).fit(OWN_SIZE))
        for n in (1, 3)
    )
    assert three.ByteSize() < 1.05 * one.ByteSize()


def test_windows_of_all_sizes_run_through_one_network():
    one, three = (
        model_of(ActivationExtractor(layers="conv5", views=view).fit(OWN_SIZE))
        for view in (Whole(), Windows(image_size=96, sizes=(96, 64, 48)))
    )
    n_convolutions = [
        sum(node.op_type == "Conv" for node in model.graph.node) for model in (one, three)
    ]
    assert n_convolutions[0] == n_convolutions[1]


def test_networks_in_older_and_newer_opsets_are_brought_to_ours(transformer):
    newer = model_of(ActivationExtractor(transformer).fit(OWN_SIZE))
    older = model_of(ActivationExtractor(layers="conv5").fit(OWN_SIZE))
    assert older.opset_import[0].version == 18
    assert older.ir_version == 8
    onnx.checker.check_model(newer)


def test_a_network_that_takes_one_image_at_a_time_runs_in_a_loop(tmp_path):
    model = one_image_at_a_time()
    path = tmp_path / "one.onnx"
    onnx.save(model, path)
    assert_same_maps(ActivationExtractor(str(path), layers=["sums", "means"]), OWN_SIZE, atol=1e-5)


def one_image_at_a_time():
    """A network that subtracts the mean of its whole batch, exported for one image."""
    helper = onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=1),
            helper.make_node("Sub", ["x", "mean"], ["centred"]),
            helper.make_node("MaxPool", ["centred"], ["sums"], kernel_shape=[4, 4], strides=[4, 4]),
            helper.make_node("AveragePool", ["sums"], ["means"], kernel_shape=[2, 2]),
        ],
        "one",
        [helper.make_tensor_value_info("x", 1, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("means", 1, [1, 3, 3, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_spec(model, ModelSpec("one", ("means",), 16, Preprocessing()))
    return model


def test_an_extractor_stands_first():
    extractor = ActivationExtractor(layers="conv5").fit(OWN_SIZE)
    g = GraphWriter()
    with pytest.raises(ExportError, match="stands first"):
        convert(g, extractor, g.input("x", np.float32, ["N", 3]))


def test_images_of_a_batch_do_not_change_each_other():
    model = model_of(ActivationExtractor(layers="fc7", views=Crops(image_size=80)).fit(OWN_SIZE))
    content = model.SerializeToString()
    together = run_apart(content, np.stack(OWN_SIZE))[0]
    alone = [run_apart(content, image[None])[0] for image in OWN_SIZE]
    assert_allclose(together, np.concatenate(alone), atol=1e-5)
