"""What rankers around another ranker share: its gallery is theirs.

The ranker inside lets images in, keeps them, and finds out which one a query is. So whatever it
takes, vectors, words, layers or maps, can be ranked again by what the gallery's images say about
one another.
"""

from typing import Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdeepenc._sklearn import HasMethods
from skdeepenc._typing import Items
from skdeepenc.retrieval._gallery import Images
from skdeepenc.retrieval.base import Ranker
from skdeepenc.retrieval.ranker import NearestNeighborRanker


class Reranker(Ranker):
    """Base of rankers around a ranker, or around a pipeline that ends in one.

    A subclass has the parameters `ranker`, None for `NearestNeighborRanker`, `n_neighbors` and
    `n_jobs`, and implements ``_similarities(queries)``. What it learns from the gallery it makes in
    ``_learn()``, which is called in `fit`, and when it is next needed after the gallery changed.
    """

    _parameter_constraints: dict[str, Any] = {
        **Ranker._parameter_constraints,
        "ranker": [HasMethods(["fit", "rank"]), HasMethods(["fit", "steps"]), None],
    }

    def fit(self, X: Images, y: ArrayLike | None = None, *, names: Items | None = None) -> Self:
        """Keep the gallery, and learn from it.

        Parameters
        ----------
        X : array-like, or what else the ranker inside takes, of length n_gallery
            The images.
        y : array-like of shape (n_gallery,), default=None
            Labels of the images, for `score`; or their names, for `metrics.retrieval_scorer`.
        names : array-like of shape (n_gallery,), default=None
            What the images are called, such as paths, for ``rank(return_names=True)``.

        Returns
        -------
        Ranker
            The ranker itself.
        """
        self._validate_params()
        self.ranker_ = clone(self._unfitted()).fit(X, y)
        super().fit(X, y, names=names)
        self._prepare()
        return self

    @property
    def labels_(self) -> NDArray[Any] | None:
        """The labels of the gallery, or None."""
        return self._inside.labels_

    @labels_.setter
    def labels_(self, labels):
        self._inside.labels_ = labels

    @property
    def names_(self) -> NDArray[Any] | None:
        """The names of the gallery, or None."""
        return self._inside.names_

    @names_.setter
    def names_(self, names):
        self._inside.names_ = names

    @property
    def _inside(self):
        return self.ranker_[-1] if isinstance(self.ranker_, Pipeline) else self.ranker_

    def _check_images(self, X, *, reset):
        if reset:
            self._copy_features()
            return self._inside._gallery
        if isinstance(self.ranker_, Pipeline) and len(self.ranker_) > 1:
            X = self.ranker_[:-1].transform(X)
        return self._inside._check_images(X, reset=False)

    def _copy_features(self):
        """Have the features of the ranker inside, as far as it says them."""
        for attribute in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(attribute, None)
            if hasattr(self.ranker_, attribute):
                setattr(self, attribute, getattr(self.ranker_, attribute))

    def _default_ranker(self):
        return NearestNeighborRanker()

    def _unfitted(self):
        return self._default_ranker() if self.ranker is None else self.ranker

    def _keep(self, images):
        if images is not self._inside._gallery:  # as it is in `fit`
            self._inside._keep(images)
        self._gallery = self._inside._gallery
        self._learned = False

    def _join(self, gallery, images):
        return self._inside._join(gallery, images)

    def _prepare(self):
        self._inside._prepare()
        if not self._learned:
            self._learn()
            self._learned = True

    def _learn(self):
        """Learn from the gallery."""

    def _blocks(self, images):
        return self._inside._blocks(images)

    def _find_themselves(self, queries, y):
        return self._inside._find_themselves(queries, y)

    def _bytes_per_query(self, n_kept):
        return self._inside._bytes_per_query(n_kept) + super()._bytes_per_query(n_kept)

    def __sklearn_tags__(self):
        """Say what the ranker inside says about sparse input."""
        tags = super().__sklearn_tags__()
        tags.input_tags = self._unfitted().__sklearn_tags__().input_tags
        return tags
