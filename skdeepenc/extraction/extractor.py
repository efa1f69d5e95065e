"""The estimator that turns images into feature maps."""

import os
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import Interval, StrOptions, fit_context
from skdeepenc._typing import ImageSource, PathLike, RandomState
from skdeepenc.arrays.threads import count_jobs
from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.exceptions import ImageBatchError, ImageBatchWarning
from skdeepenc.extraction._layers import layers_in_order, network_layers
from skdeepenc.extraction._projection import fit_projections, projections_digest
from skdeepenc.extraction._runner import Runner
from skdeepenc.extraction.cache import Cache
from skdeepenc.extraction.cache_folder import CacheFolder, keep_within_bounds
from skdeepenc.extraction.recipe import Recipe
from skdeepenc.extraction.sources import as_sources, row_labels
from skdeepenc.images import Preprocessing
from skdeepenc.images.views import View
from skdeepenc.maps import FeatureMaps


class ActivationExtractor(
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Turn images into the activations of a network's layers.

    Images are decoded in threads while the network runs. With `memory` every image runs through
    the network once, however often it is asked for: by folds and candidates of a grid search, by
    other processes, or by the same call again after it was killed.

    Parameters
    ----------
    model : str, path-like or bytes, default="embedded"
        The network: "embedded", the small one in the package; a name of the catalogue; one on the
        Hugging Face hub, ``hf://owner/name[@revision][/path]``; the path of an ONNX file; or the
        content of one.
    layers : str, int, or list of them, default=None
        Which layers to keep, shallow to deep: names of tensors, or positions among all layers
        (negative ones count from the end). "rgb" adds the pixels, averaged onto the grid of the
        last other layer, in [0, 1]. None takes what the model's description recommends.
    views : Whole, Pyramid, Windows or Crops, default=None
        Which parts of an image the network sees, at which sizes; None is what the model's
        description says, usually the whole image at the network's input size.
    preprocessing : Preprocessing, default=None
        What is done to pixels before; None takes the model's own.
    spec : ModelSpec, default=None
        What the model takes and offers; None asks the catalogue, the file, and a
        `preprocessor_config.json` beside it.
    n_components : int, default=None
        Project every layer's descriptors to so many principal components, learned in `fit` from a
        sample of the images; None keeps all channels. "rgb" is never projected.
    dtype : {"float32", "float16"}, default="float32"
        Type of the values that are kept.
    batch_size : int, default=32
        How many images of the network's input size run at once; fewer of larger ones.
    providers : "auto" or list, default="auto"
        Execution providers of onnxruntime, best first; "auto" takes the GPU where one runs.
    n_threads : int, default=None
        Threads of the network; None takes what this process may use.
    n_jobs : int, default=None
        Threads that decode images; None means 1, -1 one for each processor.
    memory : path-like or CacheFolder, default=None
        Folder in which to remember the maps of every image. The result is then a view of its
        files, read when asked for. A relative folder stays where it was in `fit`. An image takes
        4 bytes (2 in float16) for each channel at each position and scale; a run that writes more
        than a gigabyte says so before. ``CacheFolder("cache", limit="50 GB", max_age=30)`` keeps
        it small. None keeps everything in memory.
    on_error : {"raise", "warn"}, default="raise"
        Whether images that cannot be read raise one error that lists them, after all others are in
        the cache, or a warning, and have no descriptors.
    random_state : int, RandomState or None, default=None
        Chooses the sample that `n_components` learns from.
    verbose : int, default=0
        Show a progress bar; above 1 it stays when done.

    Attributes
    ----------
    backbone_ : Backbone
        The network, with the projections that `n_components` asked for.
    layers_ : tuple of str
        The layers that are kept, by name.

    Notes
    -----
    The cache recognises images by their content. It depends on the model's content, the layers,
    the views, the preprocessing, the type and the projection; change one and images are run again.
    With both `memory` and `n_components` give a `random_state`: another seed is another projection.

    What the file of a model does not say of itself (its preprocessing, the patches of a
    transformer, pooling that rounds down as the papers count) is written into it by
    `skdeepenc.backbones.write_spec`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.extraction import ActivationExtractor
    >>> from skdeepenc.images import Pyramid
    >>> extractor = ActivationExtractor(layers="conv5", views=Pyramid(n_scales=2, ratio=2.0))
    >>> maps = extractor.fit_transform([np.zeros((60, 80, 3)), np.ones((50, 50))])
    >>> maps.layers, len(maps), maps.n_scales
    (('conv5',), 2, 2)
    """

    _parameter_constraints: dict[str, Any] = {
        "model": [str, os.PathLike, bytes],
        "layers": [str, Integral, "array-like", None],
        "views": [View, None],
        "preprocessing": [Preprocessing, None],
        "spec": [ModelSpec, None],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "dtype": [StrOptions({"float32", "float16"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "providers": [str, "array-like"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "memory": [str, os.PathLike, None],
        "on_error": [StrOptions({"raise", "warn"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    backbone_: Backbone  # set by `_open`

    def __init__(
        self,
        model: PathLike | bytes = "embedded",
        *,
        layers: str | int | Sequence[str | int] | None = None,
        views: View | None = None,
        preprocessing: Preprocessing | None = None,
        spec: ModelSpec | None = None,
        n_components: int | None = None,
        dtype: str = "float32",
        batch_size: int = 32,
        providers: str | Sequence[str] = "auto",
        n_threads: int | None = None,
        n_jobs: int | None = None,
        memory: PathLike | None = None,
        on_error: str = "raise",
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.layers = layers
        self.views = views
        self.preprocessing = preprocessing
        self.spec = spec
        self.n_components = n_components
        self.dtype = dtype
        self.batch_size = batch_size
        self.providers = providers
        self.n_threads = n_threads
        self.n_jobs = n_jobs
        self.memory = memory
        self.on_error = on_error
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Iterable[ImageSource], y: Any = None) -> Self:
        """Open the model and find its layers; with `n_components`, learn the projections.

        Parameters
        ----------
        X : sequence of path, bytes, array or PIL.Image.Image
            Images. Without `n_components` nothing is read, and `transform` needs no `fit`.
        y : None
            Ignored.

        Returns
        -------
        ActivationExtractor
            Itself.
        """
        sources = as_sources(X)
        self._open()
        if self.n_components is not None:
            self.backbone_ = self.backbone_.projected(self._fit_projections(sources))
        return self

    def _open(self):
        """Open the model and find its layers."""
        self._folder_of = self.memory and (os.fspath(self.memory), os.path.abspath(self.memory))
        self.backbone_ = self._backbone()
        self._view().check(self.backbone_.spec.input_size)
        self.layers_ = layers_in_order(self.layers, self.backbone_.layers)

    def _opened(self):
        """Return this extractor, or an open copy of one that has nothing to learn."""
        check_is_fitted(self)
        if hasattr(self, "backbone_"):
            return self
        copy = clone(self)
        copy._validate_params()
        copy._open()
        return copy

    def fit_transform(
        self, X: Iterable[ImageSource], y: Any = None, **fit_params: Any
    ) -> FeatureMaps:
        """Open the model and return the maps of images, which an iterator gives only once.

        Parameters
        ----------
        X : sequence or iterator of path, bytes, array or PIL.Image.Image
            Images.
        y : None
            Ignored.
        **fit_params : dict
            Parameters of `fit`.

        Returns
        -------
        FeatureMaps
            The activations, one scale for each size of the views.
        """
        maps = super().fit_transform(as_sources(X), y, **fit_params)
        return maps.with_index(row_labels(X))

    def transform(self, X: Iterable[ImageSource]) -> FeatureMaps:
        """Return the maps of images; without `n_components` it needs no `fit`.

        Parameters
        ----------
        X : sequence of path, bytes, array or PIL.Image.Image
            Images: paths or contents of files, opened images, or arrays of shape (H, W),
            (H, W, 3) or (H, W, 4), bytes from 0 to 255 or floats from 0 to 1.

        Returns
        -------
        FeatureMaps
            The activations, one scale for each size of the views; labelled by the index of a
            table of pandas.

        Raises
        ------
        ImageBatchError
            If images cannot be read; it lists them all.
        NotEnoughMemoryError
            If the maps would not fit in memory.
        """
        sources = as_sources(X)
        return self._opened()._extract(sources).with_index(row_labels(X))

    def _extract(self, sources):
        runner = self._runner(self._recipe(self.dtype))
        if self.memory is None:
            maps = runner.in_memory(sources, stop_at_failure=self.on_error == "raise")
        else:
            folder = self._folder()
            maps = runner.into_cache(Cache(folder, runner.recipe), sources)
            if runner.n_runs:
                keep_within_bounds(self.memory, folder)
        self._report(runner.failures)
        return maps

    def relocate(self, model: PathLike | bytes) -> Self:
        """Read the model from another place than it was fitted with.

        Setting the parameter `model` of a fitted extractor does the same when it is next used.

        Parameters
        ----------
        model : str, path-like or bytes
            Where the model is now; it must be the same, byte for byte.

        Returns
        -------
        ActivationExtractor
            Itself.

        Raises
        ------
        ModelError
            If another model is there.
        """
        check_is_fitted(self, "backbone_")
        self.backbone_ = self.backbone_.relocated(model)
        self.model = model
        return self

    def recipe(self) -> Any:
        """Return how an image becomes maps, for code that does it elsewhere.

        Returns
        -------
        Recipe
            The network, the view, the layers and the type.
        """
        return self._opened()._recipe(self.dtype)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return a name for each channel of each layer.

        Parameters
        ----------
        input_features : None
            Ignored: images have no features.

        Returns
        -------
        ndarray of str
            The layer's name and the channel's number.
        """
        channels = self.recipe().channels
        names = [f"{layer}_{n}" for layer, count in channels.items() for n in range(count)]
        return np.asarray(names, dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing: maps are not a table, whatever container a pipeline's last step gives.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored.

        Returns
        -------
        ActivationExtractor
            Itself.
        """
        return self

    def __getstate__(self):
        """Keep paths as text: those of one system's type cannot be made on another."""
        state = super().__getstate__()
        paths = {name: state[name] for name in ("model", "memory") if state[name] is not None}
        texts = {
            name: os.fspath(path)
            for name, path in paths.items()
            if not isinstance(path, CacheFolder)  # which keeps its path as text itself
        }
        state = {**state, **texts}
        fitted = getattr(self, "backbone_", None)
        if fitted is not None and isinstance(self.model, bytes) and fitted.model == self.model:
            del state["model"]  # a file holds the content once, not once per reference
        return state

    def __setstate__(self, state):
        """Find the content of a model where the backbone keeps it."""
        super().__setstate__(state)
        if "model" not in state:
            self.model = self.backbone_.model

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.no_validation = True
        tags.requires_fit = self.n_components is not None
        return tags

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of views among them.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        ActivationExtractor
            Itself.

        Raises
        ------
        ValueError
            If there is no such parameter, or it is one of views, and these are None.
        """
        of_views = [name for name in params if name.startswith("views__")]
        if of_views and params.get("views", self.views) is None:
            raise ValueError(
                f"{of_views[0]} cannot be set, since views is None: give the extractor a view "
                "that has this parameter, such as views=Pyramid()."
            )
        return super().set_params(**params)

    def _folder(self):
        """Return the cache folder: a relative one is where it was when this was fitted."""
        given, absolute = getattr(self, "_folder_of", None) or (None, None)
        return absolute if self.memory and os.fspath(self.memory) == given else self.memory

    def _view(self):
        return self.backbone_.spec.view if self.views is None else self.views

    def _backbone(self):
        return Backbone(
            self.model,
            layers=network_layers(self.layers),
            spec=self.spec,
            preprocessing=self.preprocessing,
            providers=self.providers,
            n_threads=self.n_threads,
            # Kept memory of many image sizes adds up, and saves no time.
            arena=self.views is None or not self.views.varies_in_size(),
        )

    def _recipe(self, dtype):
        if os.fspath(self.model) != os.fspath(self.backbone_.model):
            self.relocate(self.model)
        return Recipe(self.backbone_, self.layers_, self._view(), dtype)

    def _runner(self, recipe):
        return Runner(
            recipe,
            batch_size=self.batch_size,
            n_decoders=count_jobs(self.n_jobs),
            verbose=self.verbose,
        )

    def _fit_projections(self, sources):
        """Return a projection for each layer of the network; learned ones come from the cache."""
        recipe = self._recipe("float32")
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        cache = None if self.memory is None else Cache(self._folder(), recipe)
        if cache is not None:
            digest = projections_digest(recipe, sources, self.n_components, seed, self.verbose)
            known = cache.find_projections(digest)
            if known is not None:
                return known
        runner = self._runner(recipe)
        projections = fit_projections(
            runner, sources, self.backbone_.layers, self.n_components, seed
        )
        self._report(runner.failures)
        if cache is not None:
            cache.log_run(runner.n_runs)
            cache.write_projections(digest, projections)
        return projections

    def _report(self, failures):
        if not failures:
            return
        if self.on_error == "raise":
            raise ImageBatchError(failures)
        warnings.warn(ImageBatchWarning(failures), stacklevel=4)
