"""A fitted pipeline as one graph: its inputs, its steps one after the other, its outputs."""

from skdeepenc.export.outputs import OUTPUTS, choose_outputs, output_sides
from skdeepenc.export.registry import convert, vectors_of
from skdeepenc.export.writer import GraphWriter

__all__ = ["write_graph"]


def write_graph(pipeline, steps, entrance, outputs, approximate):
    """Return the model of a pipeline, without a description."""
    g = GraphWriter()
    made, before = entrance.open(g, pipeline, approximate), ""
    for name, step in steps:
        with g.scope(name):
            given = vectors_of(made, before)
            made, before = convert(g, step, given), name
    available = {**made, "vector": given} if isinstance(made, dict) else {"vector": made}
    for name in choose_outputs(available, outputs):
        g.output(name, available[name], output_sides(name, steps), OUTPUTS[name])
    return g.model()
