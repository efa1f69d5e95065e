"""Pipelines from images to answers, with the settings that measured best where they were measured.

Which encoder, which layers and which sizes of images a task wants was measured with several
networks and data sets (`benchmarks/papers/recipes.py`, docs/guide/recipes.md); here it is as code.
A recipe is a plain pipeline of this package's estimators: print it to see what it is made of, and
set any of it.
"""

import math
import os
from typing import Any, NamedTuple

from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

from skdeepenc._sklearn import HasMethods, StrOptions, validate_params
from skdeepenc._typing import PathLike, RandomState
from skdeepenc.backbones.survey import survey
from skdeepenc.encoders import CrossLayerPooler, GlobalPooler, MOPVLADEncoder
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Pyramid
from skdeepenc.images.views import View
from skdeepenc.retrieval import (
    AdaptiveChannelRanker,
    NearestNeighborRanker,
    make_retrieval_pipeline,
)

__all__ = ["image_pipeline"]

# Scales of the pyramid, and visual words, of MOP-VLAD for classification.
_VLAD = {"fast": (1, 64), "default": (3, 64), "best": (4, 128)}
_VLAD_COMPONENTS = 128
# Principal components of the features that are pooled for instance retrieval.
_FEATURE_COMPONENTS = 64
_COMPARED_CHANNELS = 50
# How much the average counts beside those channels, by which whole images find one another.
_AVERAGE_BESIDE_CHANNELS = 0.1
# The shorter edge of images of places and things, by the side of the network: smaller things show.
_CLOSER = {"fast": 1.0, "default": 2**0.5, "best": 2.0}
_ANYLOC: dict[str, Any] = {
    "n_components": None,
    "n_clusters": 32,
    "n_neighbors": 1,
    "power": 1.0,
    "n_output_components": None,
    "normalize_descriptors": True,
    "intra_normalize": True,
}


class _Plan(NamedTuple):
    """The parts of a pipeline; `alone` encodes, if need be, where another last step is given."""

    layers: list[str]
    views: View | None
    encoder: Any
    last: Any
    alone: Any = None


@validate_params(
    {
        "task": [
            StrOptions({"classification", "instance-retrieval", "category-retrieval", "duplicates"})
        ],
        "model": [str, os.PathLike, bytes],
        "estimator": [HasMethods("fit"), None],
        "memory": [str, os.PathLike, None],
        "size": [StrOptions({"fast", "default", "best"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def image_pipeline(
    task: str = "classification",
    model: PathLike | bytes = "embedded",
    *,
    estimator: Any = None,
    memory: PathLike | None = None,
    size: str = "default",
    random_state: RandomState = None,
) -> Pipeline:
    """Make a pipeline from images to answers, with the settings that measured best.

    The settings depend on the task, on what may be spent, and on what the network is, which its
    graph tells: convolutional, with fully connected layers behind the convolutions or not, or a
    transformer. Convolutional networks were measured, for classification and retrieval; what
    transformers get, and the task "duplicates", were not.

    Parameters
    ----------
    task : str, default="classification"
        "classification", by a linear support vector machine; "instance-retrieval", which finds
        images of the same object or building; "category-retrieval", images of the same kind of
        thing; or "duplicates", copies of an image that were resized, cropped or compressed.
        Retrieval ends in a ranker.
    model : str, path-like or bytes, default="embedded"
        The network, as `ActivationExtractor` takes it. It is opened here.
    estimator : estimator, default=None
        Takes the place of the last step: a classifier, a regressor, a clustering or a ranker of
        vectors.
    memory : path-like, default=None
        Folder in which the extractor remembers the maps of every image; see `ActivationExtractor`.
    size : {"fast", "default", "best"}, default="default"
        What may be spent: "fast" runs the network once per image, at its own size; "best" on larger
        images still than "default", with longer vectors.
    random_state : int, RandomState or None, default=None
        Seed of all steps that draw.

    Returns
    -------
    Pipeline
        An `ActivationExtractor`, an encoder, and a classifier or a ranker. One that ends in a
        ranker is a `RetrievalPipeline`, which can `rank` as well.

    Raises
    ------
    ModelError
        If the model cannot be opened.
    ValueError
        If a parameter is none of the above.

    See Also
    --------
    RetrievalPipeline : What the pipelines that retrieve can do.

    Notes
    -----
    For classification MOP-VLAD [1]_ of a convolutional map of the image at three sizes, beside the
    average at the smallest; for instances cross-layer pooling [2]_, compared in the 50 channels
    that a query activates most and by their average activations, and plain averages where
    `estimator` ranks; for categories and duplicates plain averages.
    Transformers get their class token beside the average of their patches for classification and
    categories, the VLAD of AnyLoc for instances, as the literature has it. Networks that run at
    their own size alone get that size.

    Maps are kept in float32; ``set_params(activationextractor__dtype="float16")`` takes half the
    memory, and what is in docs/guide/recipes.md was measured so.

    References
    ----------
    .. [1] Y. Gong, L. Wang, R. Guo, S. Lazebnik, "Multi-scale Orderless Pooling of Deep
       Convolutional Activation Features", ECCV 2014.
    .. [2] L. Liu, C. Shen, A. van den Hengel, "Cross-Convolutional-Layer Pooling for Image
       Recognition", TPAMI 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc import image_pipeline
    >>> images = [np.full((40, 60, 3), shade, dtype=np.uint8) for shade in range(0, 250, 10)]
    >>> pipeline = image_pipeline(size="fast", random_state=0)
    >>> list(pipeline.named_steps)
    ['activationextractor', 'featureunion', 'linearsvc']
    >>> pipeline.fit(images, ["dark"] * 12 + ["light"] * 13).predict(images[:2]).tolist()
    ['dark', 'dark']
    >>> image_pipeline("duplicates").fit(images).rank(images[:2], 1)
    array([[0],
           [1]])
    """
    found = survey(model)
    plan = _PLANS[task](found, size, random_state)
    extractor = ActivationExtractor(model, layers=plan.layers, views=plan.views, memory=memory)
    encoder, last = plan.encoder, plan.last
    if estimator is not None:
        encoder, last = plan.alone or encoder, estimator
    make = make_retrieval_pipeline if hasattr(last, "rank") else make_pipeline
    return make(extractor, encoder, last)


def _classify(found, size, seed):
    last = LinearSVC(C=10, random_state=seed)
    if found.map is None:
        return _average(found, last)
    n_scales, n_clusters = _VLAD[size]
    n_scales = n_scales if found.takes_larger else 1
    vlad = MOPVLADEncoder(
        n_components=_VLAD_COMPONENTS,
        n_clusters=n_clusters,
        n_output_components=None,
        random_state=seed,
    )
    encoder = make_union(vlad, GlobalPooler(scales=[0]))
    views = Pyramid(n_scales=n_scales) if found.takes_larger else None
    # With few images per class the average is the safer of the two. It is made as long as the VLAD,
    # whose every scale has unit length.
    encoder.set_params(transformer_weights={"globalpooler": math.sqrt(n_scales)})
    return _Plan([found.map], views, encoder, last)


def _find_instances(found, size, seed):
    views = None
    if found.takes_larger:
        edge = math.ceil(_CLOSER[size] * found.input_size)
        views = Pyramid(n_scales=1, base=edge, aspect="keep")
    if found.kind == "transformer":
        encoder = MOPVLADEncoder(**_ANYLOC, random_state=seed)
        return _Plan([found.layer], views, encoder, NearestNeighborRanker())
    if found.map is None:
        return _average(found, NearestNeighborRanker())
    pooled = CrossLayerPooler(
        feature_layer=found.before,
        guidance_layer=found.map,
        n_components=_FEATURE_COMPONENTS,
        normalize=True,
        random_state=seed,
    )
    ranker = AdaptiveChannelRanker(
        n_channels=_COMPARED_CHANNELS,
        n_guidance_channels=found.n_channels,
        quantize=None,
        average_weight=_AVERAGE_BESIDE_CHANNELS,
    )
    return _Plan(
        list(dict.fromkeys([found.before, found.map])),
        views,
        make_union(pooled, GlobalPooler(layer=found.map, normalize=False)),
        ranker,
        alone=GlobalPooler(layer=found.map),
    )


def _find_alike(found, size, seed):
    return _average(found, NearestNeighborRanker())


def _average(found, last):
    """Return plain averages of the map, or of the patches beside the class token."""
    if found.class_token is None:
        return _Plan([found.map or found.layer], None, GlobalPooler(), last)
    pooler = GlobalPooler(method=["cls", "avg"])
    return _Plan([found.layer, found.class_token], None, pooler, last)


_PLANS = {
    "classification": _classify,
    "instance-retrieval": _find_instances,
    "category-retrieval": _find_alike,
    "duplicates": _find_alike,
}
