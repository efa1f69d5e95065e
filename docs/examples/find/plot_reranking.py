"""
Results that agree with one another
===================================

The first results of a query are looked at twice: an image whose own neighbours are those of the
query moves up, one that nobody else knows moves down. See :doc:`/guide/reranking`.
"""

import matplotlib.pyplot as plt

from skdeepenc import (
    ActivationExtractor,
    CrossLayerPooler,
    KReciprocalRanker,
    NearestNeighborRanker,
    PowerLawWhitening,
    Whole,
    make_retrieval_pipeline,
)
from skdeepenc.datasets import make_scenes
from skdeepenc.inspection import RankingDisplay

scenes = make_scenes(160, image_size=96, n_classes=5, random_state=0)
queries, kinds = scenes.images[:40], scenes.target[:40]
gallery, labels = scenes.images[40:], scenes.target[40:]
encoder = make_retrieval_pipeline(
    ActivationExtractor(layers=["conv4", "conv5"], views=Whole(96)),
    CrossLayerPooler(n_components=32, random_state=0),
    PowerLawWhitening(64),
    NearestNeighborRanker(),
).fit(gallery)[:-1]
vectors, asked = encoder.transform(gallery), encoder.transform(queries)

# %%
# Solid frames are around scenes of the query's kind.

figure = plt.figure(figsize=(6.2, 7.6))
rankers = {"nearest neighbours": NearestNeighborRanker(), "re-ranked": KReciprocalRanker()}
for part, (name, ranker) in zip(figure.subfigures(2, 1), rankers.items(), strict=True):
    ranker.fit(vectors, labels)
    names = [scenes.target_names[kind] for kind in kinds[:3]]
    shown = {"query_images": queries[:3], "gallery_images": gallery, "query_names": names}
    RankingDisplay.from_estimator(ranker, asked[:3], kinds[:3], figure=part, **shown)
    part.suptitle(f"{name}: {100 * ranker.score(asked, kinds):.0f} % mean average precision")

# %%
# Solid frames are right, dashed ones wrong. Numbers beside the ranks are similarities, which
# re-ranking replaces by its own; the percentages are over all forty queries.
