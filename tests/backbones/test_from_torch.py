"""Modules of PyTorch become models that give the same numbers."""

import sys

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose

from skdeepenc.backbones import Backbone, ModelSpec, from_torch, read_spec
from skdeepenc.backbones.pytorch.exporters import export_by_dynamo, export_by_torchscript
from skdeepenc.exceptions import LayerNotFoundError, ModelError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
nn = torch.nn
# The function hides the file of the same name.
IMPLEMENTATION = sys.modules[from_torch.__module__]


@pytest.fixture(params=[export_by_torchscript, export_by_dynamo])
def one_exporter(request, monkeypatch):
    """Leave one exporter alone, so that the other does not hide what it cannot."""
    monkeypatch.setattr(IMPLEMENTATION, "EXPORTERS", (request.param,))


def small_network(*, free=True):
    """Return convolutions with names that exporters like too, the second written over in place."""
    torch.manual_seed(0)
    pool = nn.AdaptiveAvgPool2d(1) if free else nn.MaxPool2d(4)
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(inplace=True)),
        *(nn.Conv2d(6, 4, 3, padding=1), nn.ReLU(inplace=True)),
        *(pool, nn.Flatten(), nn.Linear(4 if free else 4 * 4, 2)),
    )


def inputs(model):
    """Return the declared sizes of a model's images."""
    dims = onnx.load_model_from_string(model).graph.input[0].type.tensor_type.shape.dim
    return [dim.dim_value or "free" for dim in dims]


def hooked(module, images, name):
    """Return what a part of a module gives, seen by a hook, channels last."""
    seen = []
    part = dict(module.named_modules())[name]
    handle = part.register_forward_hook(lambda *given: seen.append(given[2].clone()))
    with torch.no_grad():
        module.eval()(torch.from_numpy(images))
    handle.remove()
    return np.moveaxis(seen[-1].numpy(), 1, -1)


@pytest.mark.usefixtures("one_exporter")
def test_layers_are_named_and_equal_those_of_the_module(pixels):
    module = small_network()
    model = from_torch(module, 24, layers=["3", "4"], spec=ModelSpec("small", ("3",), 24))
    assert inputs(model) == ["free", 3, "free", "free"]
    for shape in [(3, 24, 24), (2, 40, 32)]:
        maps = Backbone(model, layers=["3", "4"]).run(pixels(*shape))
        for layer in ("3", "4"):
            assert_allclose(maps[layer], hooked(module, pixels(*shape), layer), atol=1e-5)


@pytest.mark.usefixtures("one_exporter")
def test_names_may_be_those_that_exporters_give():
    module = nn.Sequential()
    for name, part in {
        "conv2d": nn.Conv2d(3, 4, 3),
        "pixels": nn.ReLU(),
        "output": nn.ReLU(),
    }.items():
        module.add_module(name, part)
    model = onnx.load_model_from_string(
        from_torch(module, 8, layers=["conv2d", "pixels", "output"])
    )
    onnx.checker.check_model(model, full_check=True)
    made = [name for node in model.graph.node for name in node.output]
    assert {"conv2d", "pixels", "output"} <= set(made)
    assert [value.name for value in model.graph.output] == ["output_of_module"]


@pytest.mark.usefixtures("one_exporter")
def test_sides_that_a_head_fixes_stay_fixed(pixels):
    module = small_network(free=False)
    model = from_torch(module, 24, layers="4", spec=ModelSpec("small", ("4",), 24))
    assert inputs(model) == ["free", 3, 24, 24]
    assert_allclose(
        Backbone(model).run(pixels(2, 24, 24))["4"],
        hooked(module, pixels(2, 24, 24), "4"),
        atol=1e-5,
    )


def test_a_batch_that_a_module_fixes_stays_fixed():
    class OneImage(nn.Module):
        def forward(self, images):
            return images.mean(1, keepdim=True).reshape(1, 1, 8, 8)

    assert inputs(from_torch(OneImage(), 8)) == [1, 3, 8, 8]


def test_sides_need_not_be_equal_nor_colours_three():
    module = nn.Sequential(nn.Conv2d(1, 2, (4, 8)), nn.Flatten(), nn.Linear(2 * 5 * 3, 2))
    assert inputs(from_torch(module, (8, 10))) == ["free", 1, 8, 10]


def test_outputs_keep_their_names():
    class Named(nn.Module):
        def forward(self, images):
            return {"last": images * 2, "pooled": images.mean((2, 3)), "none": None}

    model = onnx.load_model_from_string(from_torch(Named(), 8))
    assert [value.name for value in model.graph.output] == ["last", "pooled"]


def test_every_part_returns_to_its_mode():
    module = small_network().train()
    module[1].eval()
    from_torch(module, 24)
    modes = [part.training for part in module]
    assert modes == [True, False, *[True] * 6]
    assert module.training


def test_half_precision_is_checked_more_loosely():
    model = from_torch(small_network().half(), 24, layers="4")
    [pixels] = onnx.load_model_from_string(model).graph.input
    assert pixels.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16


def test_the_description_goes_into_the_file():
    spec = ModelSpec("small", ("4",), 24, licence="MIT")
    model = from_torch(small_network(), 24, layers=["4"], spec=spec)
    assert read_spec(onnx.load_model_from_string(model)) == spec


def test_an_export_that_differs_is_refused(monkeypatch):
    def wrong(module, names, images, freedom):
        model = export_by_torchscript(module, names, images, freedom)
        bias = next(w for w in model.graph.initializer if list(w.dims) == [4])
        bias.CopyFrom(onnx.numpy_helper.from_array(np.full(4, 9, np.float32), bias.name))
        return model

    monkeypatch.setattr(IMPLEMENTATION, "EXPORTERS", (wrong,))
    with pytest.raises(ModelError, match=r"'3' differs by 9\S* from what the module gives"):
        from_torch(small_network(), 24, layers=["0", "3"])


@pytest.mark.parametrize(
    ("layers", "error", "reason"),
    [
        (["7", "12"], LayerNotFoundError, "'12' is not a module of Sequential; nearest"),
        ("5.unused", ModelError, "'5.unused' does not run"),
    ],
)
def test_layers_that_cannot_be_had(layers, error, reason):
    module = small_network()
    module[5].add_module("unused", nn.ReLU())
    with pytest.raises(error, match=reason):
        from_torch(module, 24, layers=layers)


def test_sizes_that_the_module_refuses_are_its_own():
    with pytest.raises(ModelError, match="Sequential does not run on images of 2 x 9: "):
        from_torch(small_network(), (2, 9))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_types_that_no_runtime_convolves_are_refused(dtype):
    with pytest.raises(ModelError, match=rf"are {dtype}; .*module\.float\(\)"):
        from_torch(small_network().to(dtype), 24)


def test_weights_beyond_two_gigabytes_are_refused_before_work():
    module = nn.Linear(30_000, 20_000, device="meta")
    with pytest.raises(ModelError, match=r"take 2\.4 GB.*external_data"):
        from_torch(module, 24)
