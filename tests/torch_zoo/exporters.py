"""PyTorch's two exporters as people call them, and which tensor of a graph is which part."""

import io
import warnings

import numpy as np
import onnx
from onnx import helper

from torch_zoo.networks import NETWORKS, build
from torch_zoo.recording import hooked, record


def exported(name, *, dynamo, free, channels_last=False):
    """Return a network's export, and what it has to give, with the names of its tensors.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.
    dynamo : bool
        The newer exporter instead of TorchScript.
    free : {"nothing", "batch", "sides"}
        What the graph leaves open; "sides" leaves the batch open too.
    channels_last : bool, default=False
        Whether the graph takes (batch, height, width, 3).

    Returns
    -------
    tuple of (onnx.ModelProto, dict of str to array)
        The model, and what `record` says, "layers" being the names of the watched tensors.
    """
    expected, module = record(name), build(name)
    images = expected["images"] if free != "nothing" else expected["images"][:1]
    outputs = hooked(module, images, NETWORKS[name].layers)
    if channels_last:
        module, images = _taking_channels_last(module), images.transpose(0, 2, 3, 1).copy()
    model = _export(module, images, free, dynamo=dynamo)
    if free != "nothing" and any(node.op_type == "Resize" for node in model.graph.node):
        expected = record(name, resamples_itself=True)
    found = tensors_of(model, images, outputs)
    return model, expected | {"layers": np.array([found[part] for part in outputs])}


def _taking_channels_last(module):
    """Wrap a module as Keras has its networks."""
    import torch

    class ChannelsLast(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, pixels):
            return self.module(pixels.permute(0, 3, 1, 2))

    return ChannelsLast().eval()


def _export(module, images, free, *, dynamo):
    import torch

    axes = {"nothing": {}, "batch": {0: "n"}, "sides": {0: "n", 2: "h", 3: "w"}}[free]
    given = (torch.from_numpy(images),)
    # Of what is frozen into the graph, and of the older exporter's age.
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if dynamo:
            shapes = (dict.fromkeys(axes, torch.export.Dim.DYNAMIC),)
            program = torch.onnx.export(
                module, given, dynamic_shapes=shapes, input_names=["pixels"], verbose=False
            )
            return _without_notes(program.model_proto)
        file = io.BytesIO()
        torch.onnx.export(
            module,
            given,
            file,
            input_names=["pixels"],
            dynamic_axes={"pixels": axes},
            opset_version=17,
            dynamo=False,
        )
        return onnx.load_model_from_string(file.getvalue())


def _without_notes(model):
    """Drop the source code beside every node: it would be most of a small file."""
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    return model


def tensors_of(model, images, outputs, tolerance=1e-4):
    """Return the names of the first tensors that hold given outputs, found by their values."""
    found = {}
    for name, value in run_everything(model, images).items():
        for part, expected in outputs.items():
            if value.shape == expected.shape and distance(value, expected) <= tolerance:
                found.setdefault(part, name)
    return found


def distance(value, expected):
    """Return the largest difference as a share of the largest value."""
    return np.abs(value - expected).max() / np.abs(expected).max()


def run_everything(model, images):
    """Return every floating tensor of a graph, as the graph is written: nothing optimised."""
    import onnxruntime

    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    names = [name for node in opened.graph.node for name in node.output if name]
    del opened.graph.output[:]
    opened.graph.output.extend(map(helper.make_empty_tensor_value_info, names))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(opened.SerializeToString(), options)
    entrance = session.get_inputs()[0]
    if entrance.type == "tensor(float16)":
        images = images.astype(np.float16)
    values = session.run(None, {entrance.name: images})
    return {n: v for n, v in zip(names, values, strict=True) if hasattr(v, "dtype")}
