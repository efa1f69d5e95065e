"""
What resembles a query
======================

Scenes show an object among clutter. They are ranked by cross-layer pooling of the two deepest
layers: one vector per image, compared by cosine. A solid frame marks a result that shows the object
of the query.
"""

from skdeepenc import (
    ActivationExtractor,
    CrossLayerPooler,
    NearestNeighborRanker,
    make_retrieval_pipeline,
)
from skdeepenc.datasets import make_scenes
from skdeepenc.inspection import RankingDisplay

scenes = make_scenes(100, n_classes=5, random_state=0)
queries, gallery = scenes.images[:4], scenes.images[5:]

ranker = make_retrieval_pipeline(
    ActivationExtractor(layers=["conv4", "conv5"]),
    CrossLayerPooler(n_components=32, random_state=0),
    NearestNeighborRanker(),
).fit(gallery, scenes.target[5:])

RankingDisplay.from_estimator(
    ranker, queries, scenes.target[:4], query_images=queries, gallery_images=gallery
)
