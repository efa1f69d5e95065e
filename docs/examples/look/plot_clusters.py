"""
Clusters of activations
=======================

An object seldom fills a rectangle. ``ClusterMAC`` takes maxima over clusters of any shape, which
Normalized Cut finds among the descriptors of an image. See :doc:`/guide/cluster_mac`.
"""

from skimage import data
from sklearn.datasets import load_sample_image

from skdeepenc import ActivationExtractor, ClusterMAC, Pyramid
from skdeepenc.inspection import ClusterMapDisplay

photos = [load_sample_image("china.jpg"), load_sample_image("flower.jpg"), data.coffee()]
extractor = ActivationExtractor(
    layers=["conv5", "rgb"], views=Pyramid(n_scales=1, base=256, aspect="keep")
)
maps = extractor.fit_transform(photos)
encoder = ClusterMAC(
    layer="conv5", n_clusters=(3, 8), n_color_clusters=4, whiten=False, random_state=0
).fit(maps)
ClusterMapDisplay.from_estimator(encoder, maps, photos)

# %%
# From above: where descriptors are strong, two partitions by what they say, one by colour. Sky and
# background become clusters of their own, which a grid of rectangles would mix with the object.
