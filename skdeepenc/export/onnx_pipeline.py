"""A pipeline from images to vectors that runs as one session: network and encoder together."""

from collections.abc import Iterable, Sequence
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import Interval, StrOptions
from skdeepenc._typing import ImageSource
from skdeepenc.arrays.threads import count_jobs
from skdeepenc.backbones.running.session import run_there
from skdeepenc.export.entrances import steps_of
from skdeepenc.export.graph_transformer import GraphTransformer
from skdeepenc.export.graphs import write_graph
from skdeepenc.export.image_entrances import recipe_of
from skdeepenc.export.piece_entrance import PieceEntrance, piece_input
from skdeepenc.export.written import session_of
from skdeepenc.extraction.pieces import piece_batches
from skdeepenc.extraction.sources import as_sources

__all__ = ["OnnxPipeline"]

_VECTOR = "vector"


class OnnxPipeline(GraphTransformer):
    """Turn images into vectors by one graph: on a GPU, maps never leave its memory.

    Images are decoded and cut in threads, as the extractor of the pipeline does. Network, encoder
    and what follows it are one session, which is given bytes and returns vectors. The graph is
    written, and opened, when it is first used; copies and pickles hold the pipeline alone.

    Parameters
    ----------
    pipeline : Pipeline
        Begins with an `ActivationExtractor`. One that is fitted needs no further `fit`.
    providers : "auto", str or list, default="auto"
        Where onnxruntime runs, best first; "auto" takes CUDA where it works, else the processor.
    batch_size : int, default=32
        How many images of the network's input size run at once; fewer of larger ones.
    n_jobs : int or None, default=None
        Threads that decode images; None means 1, -1 one for each processor.

    Attributes
    ----------
    pipeline_ : Pipeline
        A fitted clone of `pipeline`, after `fit`.

    See Also
    --------
    skdeepenc.export.OnnxEncoder : An encoder alone, from feature maps on.
    skdeepenc.export.to_onnx : The graph as a file, which resamples images too.

    Notes
    -----
    Images whose pieces have one size at every scale run together. Where the view follows the
    proportions of the image, as ``Pyramid(aspect="keep")`` does, they are few.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdeepenc import ActivationExtractor, GlobalPooler
    >>> from skdeepenc.datasets import make_scenes
    >>> from skdeepenc.export import OnnxPipeline
    >>> scenes = make_scenes(4, image_size=96, random_state=0).images
    >>> pipeline = make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler()).fit(scenes)
    >>> vectors = OnnxPipeline(pipeline).transform(scenes)
    >>> np.allclose(vectors, pipeline.transform(scenes), atol=1e-4)
    True
    """

    _wraps = "pipeline"
    _parameter_constraints: dict[str, Any] = {
        "pipeline": [Pipeline],
        "providers": [StrOptions({"auto"}), str, list],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        pipeline: Pipeline,
        providers: str | Sequence[Any] = "auto",
        batch_size: int = 32,
        n_jobs: int | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.providers = providers
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def transform(self, X: Iterable[ImageSource]) -> Any:
        """Encode images by the graph.

        Parameters
        ----------
        X : sequence of path, bytes, array or PIL.Image.Image
            Images, as the extractor takes them.

        Returns
        -------
        ndarray of float32 of shape (n_images, n_features_out)
            What the pipeline's last transformer gives; a predictor behind it is left out.

        Raises
        ------
        ExportError
            If the pipeline does not begin with an extractor, or a step has no graph.
        ImageBatchError
            If images cannot be read; it lists them all.
        """
        check_is_fitted(self)
        entrance, sources = PieceEntrance(), as_sources(X)
        steps = entrance.steps(self._fitted)
        write = partial(write_graph, self._fitted, steps, entrance, [_VECTOR], False)
        session = session_of(self, list(_estimators_of(self._fitted)), write, self.providers)
        vectors: list[Any] = [None] * len(sources)
        batches = piece_batches(
            recipe_of(steps),
            sources,
            batch_size=self.batch_size,
            n_decoders=count_jobs(self.n_jobs),
        )
        for positions, stacks in batches:
            feeds = {piece_input(scale): stack for scale, stack in enumerate(stacks)}
            (encoded,) = run_there(session, feeds, [_VECTOR])
            for position, vector in zip(positions, encoded, strict=True):
                vectors[position] = vector
        return np.stack(vectors)


def _estimators_of(estimator):
    """Yield every estimator whose attributes decide what a pipeline computes."""
    yield estimator
    for _, step in steps_of(estimator) if isinstance(estimator, Pipeline) else ():
        yield from _estimators_of(step)
    for _, part in estimator.transformer_list if isinstance(estimator, FeatureUnion) else ():
        if part not in ("drop", "passthrough"):
            yield from _estimators_of(part)
