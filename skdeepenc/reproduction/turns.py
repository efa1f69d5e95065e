"""One turn of a measurement: one seed, its images, and what the network makes of them.

A paper says which maps it wants and which encoders; a turn gives the maps, and turns vectors or
rankings into one value per test image or query, in percent.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from skdeepenc.backbones.survey import Survey
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Pyramid, decode_image
from skdeepenc.maps import FeatureMaps
from skdeepenc.metrics import average_precision
from skdeepenc.reproduction.labelled import LabelledImages
from skdeepenc.reproduction.searched import SearchedImages

__all__ = ["ClassificationTurn", "Network", "RetrievalTurn"]

# Regularisation of the support vector machines, for kernels of unit mean diagonal.
_COST = 10
_N_AT_ONCE = 64


@dataclass(frozen=True)
class Network:
    """What extracts, and which of its layers papers are measured with.

    Parameters
    ----------
    model : str, path-like or bytes
        The network.
    layers : Survey
        Its layers.
    memory : path-like or None
        Folder that remembers maps.
    verbose : int
        Whether to show progress bars.
    """

    model: Any
    layers: Survey
    memory: Any
    verbose: int

    def maps(self, images, layers, views=None):
        """Extract the maps of images."""
        extractor = ActivationExtractor(
            self.model,
            layers=layers,
            views=views,
            dtype="float16",
            n_jobs=-1,
            memory=self.memory,
            random_state=0,
            verbose=self.verbose,
        )
        return extractor.fit_transform(images)


@dataclass(frozen=True)
class ClassificationTurn:
    """Images with classes, to be told apart by linear support vector machines.

    Machines see vectors by their products alone, so a row is a kernel: that of vectors side by side
    is the sum of theirs.

    Parameters
    ----------
    network : Network
        What extracts.
    labelled : LabelledImages
        The images.
    seed : int
        Seed of all that draws.
    quick : bool
        Whether little time is to be spent.
    """

    network: Network
    labelled: LabelledImages
    seed: int
    quick: bool

    @property
    def ids(self):
        """Which images the values are of."""
        return self.labelled.ids[self.labelled.test]

    def maps(self, layers, views=None):
        """Extract the maps of all images."""
        return self.network.maps(self.labelled.images, layers, views)

    def kernel(self, encoder, maps):
        """Return the products (n_images, n_train) of what an encoder learns of training images."""
        train = self.labelled.train
        target = self.labelled.target[train]
        learned = encoder.fit(maps[train], target).transform(maps[train])
        kernel = np.empty((len(maps), len(train)))
        kernel[train] = learned @ learned.T
        test = self.labelled.test
        for start in range(0, len(test), _N_AT_ONCE):
            some = test[start : start + _N_AT_ONCE]
            kernel[some] = encoder.transform(maps[some]) @ learned.T
        return kernel

    def correct(self, kernel):
        """Return 100 for each test image that is put into its class, else 0."""
        train, test = self.labelled.train, self.labelled.test
        target = self.labelled.target
        kernel = kernel / kernel[train].diagonal().mean()
        classifier = OneVsRestClassifier(SVC(C=_COST, kernel="precomputed"))
        predicted = classifier.fit(kernel[train], target[train]).predict(kernel[test])
        return 100.0 * (predicted == target[test])

    def accuracy(self, encoder, maps):
        """Return what is right with the vectors of an encoder."""
        return self.correct(self.kernel(encoder, maps))


@dataclass(frozen=True)
class RetrievalTurn:
    """A gallery to search, its images with their proportions kept.

    Parameters
    ----------
    network : Network
        What extracts.
    searched : SearchedImages
        The images and queries.
    seed : int
        Seed of all that draws.
    quick : bool
        Whether little time is to be spent.
    """

    network: Network
    searched: SearchedImages
    seed: int
    quick: bool

    @property
    def ids(self):
        """Which queries the values are of."""
        return self.searched.ids

    @property
    def edge(self):
        """The shorter edge of images, in pixels: twice the network's, so that parts show."""
        return 2 * self.network.layers.input_size

    def gallery(self, layers):
        """Extract the maps of the gallery."""
        return self._extract(self.searched.images, layers, self.edge)

    def learning(self, layers):
        """Extract the maps of images to learn from."""
        images = self.searched.learning
        return self.gallery(layers) if images is None else self._extract(images, layers, self.edge)

    def cropped_maps(self, gallery):
        """Return the queries' maps cut to their boxes ("crop X")."""
        boxes = self.searched.boxes[:, [1, 0, 3, 2]]
        return gallery[self.searched.queries].crop(boxes, self.searched.sizes)

    def maps_of_crops(self, layers):
        """Return the maps of the queries' images cut to their boxes ("crop I"), at equal scale.

        What would be smaller than the network takes is enlarged.
        """
        smallest = self.network.layers.input_size
        parts = []
        for crop, size in zip(self._crops(), self.searched.sizes, strict=True):
            edge = max(round(min(crop.shape[:2]) * self.edge / min(size)), smallest)
            parts.append(self._extract([crop], layers, edge))
        names = parts[0].layers
        return FeatureMaps.from_layers({name: [part[0][name] for part in parts] for name in names})

    def precisions(self, rankings):
        """Return the average precision of every query."""
        queries = zip(rankings, self.searched.positives, self.searched.junk, strict=True)
        return np.array([100 * average_precision(*query) for query in queries])

    def _crops(self):
        for query, box in zip(self.searched.queries, self.searched.boxes, strict=True):
            left, top, right, bottom = (round(side) for side in box)
            yield decode_image(self.searched.images[query])[top:bottom, left:right]

    def _extract(self, images, layers, edge):
        return self.network.maps(images, layers, Pyramid(n_scales=1, base=edge, aspect="keep"))
