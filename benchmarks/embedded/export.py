"""Write the network that `benchmarks.embedded.train` trained as one ONNX file, and check it.

Batch normalisation is folded into the convolutions. Weights are stored in half precision and cast
when a session opens, so the file is small and the network runs in single precision::

    python -m benchmarks.embedded.export STATE skdeepenc/backbones/embedded/model.onnx
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from benchmarks.embedded.network import EmbeddedNet
from benchmarks.embedded.train import MEAN, SIDE, STD, read_images
from skdeepenc.backbones import ModelSpec, write_spec
from skdeepenc.images import Preprocessing

OPSET = 17  # read by every onnxruntime since 1.13
SOURCE = "benchmarks/embedded/train.py of skdeepenc, trained on 64,000 images of Tiny ImageNet"
LICENCE = "BSD-3-Clause; see MODEL_CARD.md on the training images"


def fold(block):
    """Merge a convolution with the batch normalisation behind it: weight and bias."""
    norm = block.norm
    gain = block.gain / torch.sqrt(norm.running_var + norm.eps)
    weight = block.linear.weight * gain.view(-1, 1, 1, 1)
    return weight.detach().numpy(), (norm.bias - norm.running_mean * gain).detach().numpy()


class GraphBuilder:
    """Collects the nodes and weights of a chain of layers."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def add(self, kind, inputs, output, **attributes):
        """Append a node with one output, and return that output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, values, name):
        """Store a weight in half precision; the session casts it back once, when it opens."""
        self.weights.append(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        return self.add("Cast", [f"{name}.half"], name, to=TensorProto.FLOAT)

    def convolve(self, source, weight, bias, output, convolution):
        """Append a convolution with the stride and the padding of PyTorch's."""
        names = [self.constant(weight, f"{output}.weight"), self.constant(bias, f"{output}.bias")]
        return self.add(
            "Conv",
            [source, *names],
            output,
            kernel_shape=weight.shape[2:],
            strides=convolution.stride,
            pads=convolution.padding * 2,
        )

    def layer(self, source, block, name):
        """Append a convolution and its rectification."""
        linear = self.convolve(source, *fold(block), f"{name}.linear", block.linear)
        return self.add("Relu", [linear], name)

    def refined_layer(self, source, block, refinement, name):
        """Append a layer and a second convolution, added to the layer before it is rectified."""
        x = self.layer(source, block, f"{name}.coarse")
        linear = self.convolve(x, *fold(refinement), f"{name}.linear", refinement.linear)
        return self.add("Relu", [self.add("Add", [x, linear], f"{name}.sum")], name)

    def pool(self, source, name):
        """Append a maximum over squares of 2 x 2."""
        return self.add("MaxPool", [source], name, kernel_shape=[2, 2], strides=[2, 2])


def plain(convolution):
    """Give the weight and the bias of a convolution without normalisation."""
    return convolution.weight.detach().numpy(), convolution.bias.detach().numpy()


def build_model(net):
    """Turn the trained network into an ONNX model that takes any batch, height and width."""
    graph = GraphBuilder()
    x = graph.convolve("data", *plain(net.stem), "stem.linear", net.stem)
    x = graph.layer(graph.add("Relu", [x], "stem"), net.conv1, "conv1")
    x = graph.pool(x, "pool1")
    x = graph.refined_layer(x, net.conv2, net.conv2_refined, "conv2")
    x = graph.pool(graph.layer(x, net.conv3, "conv3"), "pool3")
    x = graph.refined_layer(x, net.conv4, net.conv4_refined, "conv4")
    x = graph.pool(graph.layer(x, net.conv5, "conv5"), "pool5")
    x = graph.layer(graph.layer(x, net.fc6, "fc6"), net.fc7, "fc7")
    graph.convolve(x, *plain(net.head), "logits", net.head)
    data = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, "H", "W"])
    n_classes = net.head.out_channels
    logits = helper.make_tensor_value_info(
        "logits", TensorProto.FLOAT, ["N", n_classes, "rows", "columns"]
    )
    body = helper.make_graph(graph.nodes, "embedded", [data], [logits], graph.weights)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="skdeepenc"
    )
    model.ir_version = 8
    return model


def describe(model, record):
    """Say in the file what the network is, takes and was trained for."""
    mean, std = (MEAN.flatten() / 255).tolist(), (STD.flatten() / 255).tolist()
    preprocessing = Preprocessing([round(m, 6) for m in mean], [round(s, 6) for s in std])
    write_spec(
        model,
        ModelSpec("embedded", ("fc7",), SIDE, preprocessing, source=SOURCE, licence=LICENCE),
    )
    model.metadata_props.add(key="classes", value=json.dumps(record["classes"]))


def top1(model, images, labels, preprocessing):
    """Share of images whose highest score is their class, by onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    hits = 0
    for start in range(0, len(images), 500):
        batch = preprocessing.to_tensor(images[start : start + 500])
        scores = session.run(["logits"], {"data": batch})[0][:, :, 0, 0]
        hits += (scores.argmax(1) == labels[start : start + 500]).sum()
    return hits / len(images)


def main():
    """Export the state of a run; with --data also measure the file's accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path, help="folder that benchmarks.embedded.train filled")
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, help="folder of the zip files, to measure accuracy")
    options = parser.parse_args()
    state = torch.load(options.work / "state.pt")
    net = EmbeddedNet(len(state["record"]["classes"]))
    weights = {k: v for k, v in state["average"].items() if not k.startswith("teacher_head")}
    net.load_state_dict(weights)
    model = build_model(net.eval())
    describe(model, state["record"])
    onnx.checker.check_model(model, full_check=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")
    if options.data:
        archive = options.data / "tiny_imagenet_val.zip"
        images, labels, _ = read_images(archive, options.work / "val.npy")
        accuracy = top1(model, images.numpy(), labels.numpy(), Preprocessing())
        print(f"{accuracy:.2%} top-1 on {len(images)} images held out")


if __name__ == "__main__":
    main()
