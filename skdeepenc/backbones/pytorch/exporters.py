"""PyTorch's two exporters behind one call.

The older one follows what happens to one batch (TorchScript); it is quick, and all that PyTorch had
before 2.6. The newer one reads the program (torch.export); it takes what the other cannot, and will
outlive it.
"""

import inspect
import io
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import onnx

from skdeepenc.backbones.graphs.inlining import rename
from skdeepenc.backbones.pytorch.observed_module import observe

ENTRANCE = "pixels"
# Both write these; the older ones among the runtimes that we support read them.
_TORCHSCRIPT_OPSET, _DYNAMO_OPSET = 17, 18


class Freedom(NamedTuple):
    """What an exported graph leaves open."""

    batch: bool
    sides: bool

    @classmethod
    def all(cls, *, batch, sides):
        """Return every freedom up to the one given, freest first."""
        batches, bothsides = ([True, False][not allowed :] for allowed in (batch, sides))
        return [cls(b, s) for b in batches for s in bothsides]

    @property
    def axes(self):
        """The open axes of the images, by number."""
        batch = {0: "batch"} if self.batch else {}
        return batch | ({2: "height", 3: "width"} if self.sides else {})


def export_by_torchscript(module, names, images, freedom):
    """Export what happens to one batch.

    Parameters
    ----------
    module : torch.nn.Module
        The network, in evaluation mode.
    names : sequence of str
        Parts of it whose tensors become outputs, before its own.
    images : torch.Tensor of shape (batch, channels, height, width)
        The batch.
    freedom : Freedom
        What the graph is to leave open.

    Returns
    -------
    onnx.ModelProto
        The model.
    """
    import torch

    outputs = list(observe(module, images, names))
    older = {"dynamo": False} if "dynamo" in _parameters(torch.onnx.export) else {}
    buffer = io.BytesIO()
    with _silence(torch):
        torch.onnx.export(
            _flat(module, names),
            (images,),
            buffer,
            input_names=[ENTRANCE],
            output_names=_provisional(outputs),
            dynamic_axes={ENTRANCE: freedom.axes},
            opset_version=_TORCHSCRIPT_OPSET,
            **older,
        )
    return _finished(onnx.load_model_from_string(buffer.getvalue()), outputs)


def export_by_dynamo(module, names, images, freedom):
    """Export the program that PyTorch reads in a module; parameters as in the other exporter."""
    import torch

    outputs = list(observe(module, images, names))
    with _silence(torch):
        program = torch.onnx.export(
            _flat(module, names),
            (images,),
            input_names=[ENTRANCE],
            output_names=_provisional(outputs),
            dynamic_shapes=(dict.fromkeys(freedom.axes, torch.export.Dim.DYNAMIC),),
            opset_version=_DYNAMO_OPSET,
            dynamo=True,
            verbose=False,
        )
    return _finished(program.model_proto, outputs)


EXPORTERS = (export_by_torchscript, export_by_dynamo)


@contextmanager
def _silence(torch):
    """Keep exporters from warning of what the check will find, and from printing whole graphs."""
    log = getattr(torch._C, "_jit_onnx_log", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch._C._jit_onnx_log = lambda *_texts: None
            yield
        finally:
            if log is not None:
                torch._C._jit_onnx_log = log


def _parameters(function):
    return inspect.signature(function).parameters


def _flat(module, names):
    """Wrap a module: what is observed of it becomes its outputs."""
    import torch

    class Observed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, images):
            return tuple(observe(self.module, images, names).values())

    return Observed().eval()


def _provisional(outputs):
    """Return names that no exporter gives to tensors of its own."""
    return [f"skdeepenc/{i}" for i in range(len(outputs))]


def _finished(model, outputs):
    """Name, in place, the outputs, and drop the source code that exporters note beside nodes."""
    names = {name: f"{name}/inner" for name in outputs}
    names |= dict(zip(_provisional(outputs), outputs, strict=True))
    graph = model.graph
    model.doc_string = ""
    for node in graph.node:
        rename(node, names)
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*graph.initializer, *graph.value_info, *graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
        del value.metadata_props[:]
    return model
