"""The backbone as a whole: names, kinds of layers, projections, descriptions, copies."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper

from skdeepenc.backbones import Backbone, ModelSpec, write_spec
from skdeepenc.exceptions import LayerNotFoundError, ModelError, ModelWarning
from skdeepenc.images import Preprocessing

SPEC = ModelSpec("tiny", ("relu2", "fc2"), 16)


@pytest.fixture
def content(tiny_network):
    return tiny_network.SerializeToString()


def test_layers_by_name_and_position(content):
    assert Backbone(content, spec=SPEC).layers == ("relu2", "fc2")
    assert Backbone(content, spec=SPEC, layers="conv1").layers == ("conv1",)
    assert Backbone(content, spec=SPEC, layers=[0, -2]).layers == ("conv1", "fc2")
    assert Backbone(content, spec=SPEC, layers=np.int64(-1)).layers == ("prob",)


def test_layers_say_channels_and_strides(content):
    layers = {layer.name: layer for layer in Backbone(content, spec=SPEC).layer_info}
    assert list(layers) == [
        *("conv1", "relu1", "conv2", "relu2", "pool", "flat"),
        *("fc1", "relu3", "dropped", "fc2", "prob"),
    ]
    assert (layers["relu2"].channels, layers["relu2"].grid, layers["relu2"].stride) == (
        5,
        (6, 6),
        2,
    )
    assert (layers["fc2"].channels, layers["fc2"].grid, layers["fc2"].stride) == (6, (1, 1), 4)
    assert layers["flat"].kind == "vector"


@pytest.mark.parametrize(
    ("layer", "nearest"), [("rellu2", "relu2"), (99, "there are 11"), (-12, "")]
)
def test_unknown_layers_get_the_nearest(layer, nearest, content):
    with pytest.raises(LayerNotFoundError, match=f"{nearest}.*skdeepenc layers"):
        _ = Backbone(content, spec=SPEC, layers=[layer]).layers


def test_maps_and_vectors_are_grids(content, pixels):
    maps = Backbone(content, spec=SPEC).run(pixels(3, 20, 24))
    assert {layer: array.shape for layer, array in maps.items()} == {
        "relu2": (3, 8, 10, 5),
        "fc2": (3, 2, 3, 6),
    }
    assert all(a.dtype == np.float32 and a.flags.c_contiguous for a in maps.values())


def test_batches_equal_single_images(content, pixels):
    backbone, images = Backbone(content, spec=SPEC), pixels(4, 16, 16)
    together = backbone.run(images)
    for i in range(4):
        for layer, alone in backbone.run(images[i : i + 1]).items():
            assert_allclose(together[layer][i], alone[0], rtol=1e-5, atol=1e-6)


def test_a_flattened_map_is_for_its_own_size(content, pixels):
    backbone = Backbone(content, spec=SPEC, layers="flat")
    assert backbone.run(pixels(2, 16, 16))["flat"].shape == (2, 1, 1, 45)
    with pytest.raises(ModelError, match="does not run on images of 20 x 20"):
        backbone.run(pixels(2, 20, 20))


def test_upright_images(make_model, pixels):
    """Persons are 256 pixels high and 128 wide; the head takes them, and larger ones, at once."""
    nodes = [
        helper.make_node("Conv", ["pixels", "w"], ["conv"], strides=[4, 4]),
        helper.make_node("Flatten", ["conv"], ["flat"]),
        helper.make_node("Gemm", ["flat", "fc"], ["embedding"]),
    ]
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(2, 3, 4, 4)), "fc": rng.normal(size=(2 * 16 * 8, 5))}
    weights = {name: weight.astype(np.float32) for name, weight in weights.items()}
    model = make_model(nodes, weights, input_shape=(1, 3, 64, 32), output=("embedding", 2))
    backbone = Backbone(model.SerializeToString(), layers=["conv", "embedding"])
    with pytest.warns(ModelWarning, match="size 64 x 32"):
        assert backbone.spec.input_size == (64, 32)
    grids = {layer.name: (layer.grid, layer.stride) for layer in backbone.layer_info}
    assert grids == {"conv": ((16, 8), 4), "flat": ((1, 1), None), "embedding": ((1, 1), 4)}
    images = pixels(2, 64, 40)
    maps = backbone.run(images)
    assert maps["embedding"].shape == (2, 1, 3, 5)
    last = backbone.run(images[..., 8:])
    assert_allclose(maps["embedding"][:, 0, 2], last["embedding"][:, 0, 0], rtol=1e-4, atol=1e-4)


def test_small_images_are_refused(content, pixels):
    with pytest.raises(ModelError, match=r"images of 8 x 8 \(its own size is 16\)"):
        Backbone(content, spec=SPEC).run(pixels(1, 8, 8))


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 16, 16, 3), (0, 3, 16, 16)])
def test_only_batches_of_pixels_are_taken(shape, content):
    with pytest.raises(ModelError, match=r"\(batch, 3, height, width\)"):
        Backbone(content, spec=SPEC).run(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("side", [16, 22])
def test_projections_are_folded_in(side, content, pixels):
    rng = np.random.default_rng(0)
    plain = Backbone(content, spec=SPEC)
    projections = {
        layer: (rng.normal(size=width), rng.normal(size=(3, width)))
        for layer, width in {"relu2": 5, "fc2": 6}.items()
    }
    folded = Backbone(content, spec=SPEC, projections=projections)
    images = pixels(2, side, side)
    for layer, maps in plain.run(images).items():
        mean, components = projections[layer]
        assert_allclose(folded.run(images)[layer], (maps - mean) @ components.T, atol=1e-4)
    assert folded.digest != plain.digest


def test_a_projection_must_fit(content, pixels):
    wrong = {"relu2": (np.zeros(4), np.zeros((2, 4)))}
    with pytest.raises(ModelError, match="is for 4 channels; it has 5"):
        Backbone(content, spec=SPEC, projections=wrong).run(pixels(1, 16, 16))


def test_the_digest_tells_models_and_surgery_apart(content, make_model):
    plain = Backbone(content, spec=SPEC)
    assert plain.digest == Backbone(content, spec=SPEC, layers="conv1", n_threads=1).digest
    assert plain.digest != Backbone(content, spec=replace(SPEC, floor_pooling=True)).digest
    other = make_model([helper.make_node("Relu", ["pixels"], ["relu2"])])
    assert plain.digest != Backbone(other.SerializeToString(), spec=SPEC).digest


def test_a_path_and_its_content_are_one_model(content, tmp_path, pixels):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(content)
    by_path, by_content = Backbone(path, spec=SPEC), Backbone(content, spec=SPEC)
    assert by_path.digest == by_content.digest
    images = pixels(1, 16, 16)
    assert_array_equal(by_path.run(images)["fc2"], by_content.run(images)["fc2"])


def test_copies_run(content, pixels):
    backbone = Backbone(content, spec=SPEC)
    images = pixels(1, 16, 16)
    expected = backbone.run(images)["fc2"]
    assert_array_equal(copy.deepcopy(backbone).run(images)["fc2"], expected)


def test_a_model_nobody_described_runs_with_one_warning(content, pixels):
    backbone = Backbone(content)
    with pytest.warns(ModelWarning, match=r"size 16.*'pool'.*preprocessing=") as warned:
        maps = backbone.run(pixels(1, 16, 16))
    assert len(warned) == 1
    assert list(maps) == ["pool"]
    assert backbone.spec.preprocessing == Preprocessing()


def test_a_file_describes_itself(tiny_network):
    described = type(tiny_network)()
    described.CopyFrom(tiny_network)
    write_spec(described, SPEC)
    backbone = Backbone(described.SerializeToString())
    assert backbone.spec == SPEC
    gray = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)
    given = Backbone(described.SerializeToString(), preprocessing=gray)
    assert given.spec.preprocessing == gray
    assert given.spec.layers == SPEC.layers


def test_networks_of_half_precision(make_model, pixels):
    """Pixels are cast on the way in, activations on the way out."""
    weight = np.random.default_rng(0).normal(size=(4, 3, 2, 2)).astype(np.float16)
    model = make_model([helper.make_node("Conv", ["pixels", "w"], ["map"])], {"w": weight})
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    mean, components = np.ones(4), np.eye(2, 4)
    spec, images = ModelSpec("m", ("map",), 8), pixels(1, 8, 8)
    plain = Backbone(model.SerializeToString(), spec=spec).run(images)["map"]
    assert plain.dtype == np.float32
    folded = Backbone(model.SerializeToString(), spec=spec, projections={"map": (mean, components)})
    assert_allclose(folded.run(images)["map"], (plain - mean) @ components.T, atol=1e-2)


def test_a_description_may_prefer_another_size(content, pixels):
    """The head is converted for the size of the graph, not for that of the description."""
    images = pixels(1, 20, 20)
    expected = Backbone(content, spec=SPEC).run(images)["fc2"]
    other = Backbone(content, spec=ModelSpec("tiny", ("fc2",), 20))
    assert_array_equal(other.run(images)["fc2"], expected)
    assert other.layer_info[-2].grid == (2, 2)


def test_floor_pooling_gives_the_counts_of_the_paper(light_graph, pixels):
    """MOP's 1, 9, 64, 196, 484 descriptors, on images of AlexNet's own side and larger."""
    spec = ModelSpec("alexnet", ("r16",), 224, floor_pooling=True)
    backbone = Backbone(light_graph("bvlc_alexnet").SerializeToString(), spec=spec, arena=False)
    sides = [int(np.ceil(227 * 2 ** (s / 2))) for s in range(5)]
    counts = [np.prod(backbone.run(pixels(1, side, side))["r16"].shape[1:3]) for side in sides]
    assert counts == [1, 9, 64, 196, 484]
    (larger,) = ({layer.name: layer for layer in backbone.layer_info}[name] for name in ["r16"])
    assert larger.stride == 32


@pytest.mark.parametrize(("s", "count"), list(enumerate([1, 9, 64, 196, 484, 1156, 2500])))
def test_the_papers_counts_follow_from_sizes_alone(s, count):
    """All seven scales, by the arithmetic of AlexNet's layers rounded down."""
    side = int(np.ceil(227 * 2 ** (s / 2)))
    for kernel, stride, padding in [(11, 4, 0), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 2, 0)]:
        side = (side + 2 * padding - kernel) // stride + 1
    assert (side - 6 + 1) ** 2 == count


def test_a_model_is_warned_of_once(content):
    """Clones and copies of an estimator open it again, and say nothing new."""
    with pytest.warns(ModelWarning, match="Nothing says how"):
        Backbone(content).layers  # noqa: B018
    assert Backbone(content).layers == ("pool",)


def test_the_warning_names_only_what_is_supposed(content):
    with pytest.warns(ModelWarning, match=r"taking the layer 'pool'\. .* give layers=\[...\] or"):
        Backbone(content, preprocessing=Preprocessing()).spec  # noqa: B018
    with pytest.warns(ModelWarning, match=r"deviation, size 16\. .* give preprocessing=") as said:
        Backbone(content, layers="fc1").spec  # noqa: B018
    assert "layers=" not in str(said[0].message)


def test_who_says_preprocessing_and_layers_is_not_warned(content, pixels):
    backbone = Backbone(content, preprocessing=Preprocessing(), layers="fc1")
    assert backbone.run(pixels(1, 16, 16))["fc1"].shape == (1, 1, 1, 7)


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_backbone_of_bytes_keeps_them_whether_opened_or_not(is_opened):
    backbone = Backbone(Backbone("embedded").content())
    if is_opened:
        assert backbone.digest
    copy = pickle.loads(pickle.dumps(backbone))
    assert copy.model == backbone.model
    assert copy.digest == backbone.digest
