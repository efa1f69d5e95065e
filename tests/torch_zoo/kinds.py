"""What people do to an exported model: quantise it, halve it, let onnxruntime fuse it."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from torch_zoo.exporters import distance, exported, run_everything
from torch_zoo.networks import NETWORKS, build
from torch_zoo.recording import hooked, laid_out


def quantised_dynamically(model, _images):
    """Quantise weights beforehand, activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    return _through_files(model, quantize_dynamic, weight_type=QuantType.QUInt8)


def quantised_in_pairs(model, images):
    """Put pairs of QuantizeLinear and DequantizeLinear around operators."""
    return _quantised(model, images, "QDQ")


def quantised_in_operators(model, images):
    """Replace operators by those of integers."""
    return _quantised(model, images, "QOperator")


def _quantised(model, images, layout):
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Images(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"pixels": image[None]} for image in images])

        def get_next(self):
            return next(self.feeds, None)

    return _through_files(
        model,
        lambda source, target: quantize_static(
            source,
            target,
            Images(),
            quant_format=QuantFormat[layout],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QUInt8,  # signed ones saturate on some processors
        ),
    )


def optimised(model, _images):
    """Let onnxruntime fuse what it can, and save that."""
    import onnxruntime

    def optimise(source, target):
        options = onnxruntime.SessionOptions()
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.graph_optimization_level = level
        options.optimized_model_filepath = target
        options.log_severity_level = 3
        onnxruntime.InferenceSession(source, options)

    return _through_files(model, optimise)


def fused(model, _images):
    """Let onnxruntime's tool for transformers fuse attention and norms."""
    from onnxruntime.transformers.optimizer import optimize_model

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.onnx"
        onnx.save(model, source)
        options = {"num_heads": 2, "hidden_size": 16, "opt_level": 0}
        return optimize_model(str(source), model_type="vit", **options).model


def halved(model, _images):
    """Store and compute in float16."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(model)


def _through_files(model, change, **options):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        onnx.save(model, source)
        change(str(source), str(target), **options)
        return onnx.load(target)


def changed(name, change, *, approximation, tolerance, **how):
    """Export a network, change it, and return it with what it then has to give.

    What quantisation does to the numbers is not judged here: where `approximation` allows more than
    `tolerance`, the changed graph's own values are taken, image by image, and checked to be near.
    """
    model, expected = exported(name, **how)
    images = expected["images"]
    model = change(model, images)
    values = _one_by_one(model, images)
    network = NETWORKS[name]
    outputs = hooked(build(name), images, network.layers)
    nearest = {part: _nearest(values, output) for part, output in outputs.items()}
    apart = max(distance(values[nearest[part]], output) for part, output in outputs.items())
    if apart > approximation:
        raise ValueError(f"{name} after {change.__name__} differs by {apart:.2g}.")
    if approximation > tolerance:
        own = {part: values[tensor] for part, tensor in nearest.items()}
        kept = {key: value for key, value in expected.items() if not key.startswith("larger")}
        expected = kept | laid_out(network, own, (network.side,) * 2, "own")
    layers = np.array(list(nearest.values()))
    return model, expected | {"layers": layers, "tolerance": np.array(tolerance)}


def _nearest(values, expected):
    """Return the name of the first tensor that is nearest to an output."""
    distances = {n: distance(v, expected) for n, v in values.items() if v.shape == expected.shape}
    return min(distances, key=distances.get)


def _one_by_one(model, images):
    """Return every tensor of as many rows as images, integers multiplied out."""
    runs = [run_everything(model, image[None]) for image in images]
    joined = {
        name: np.concatenate([run[name] for run in runs])
        for name, value in runs[0].items()
        if value.ndim > 1 and len(value) == 1
    }
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return {
        name: value
        for name, array in joined.items()
        if (value := _floats(name, array, weights)) is not None
    }


def _floats(name, array, weights):
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    stem = name.removesuffix("_quantized")
    known = [weights.get(f"{stem}_{part}") for part in ("scale", "zero_point")]
    if None in known:
        return None
    scale, zero_point = map(numpy_helper.to_array, known)
    return (array.astype(np.float32) - zero_point) * scale
