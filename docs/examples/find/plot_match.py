"""
Why two images match
====================

A similarity is easier to believe when one sees what it is made of: the cosine of two pooled vectors
is a sum over the positions of either image. See :doc:`/guide/retrieval`.
"""

from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from skdeepenc import ActivationExtractor, GlobalPooler, NearestNeighborRanker, Pyramid
from skdeepenc.inspection import MatchDisplay
from skdeepenc.retrieval import make_retrieval_pipeline

photo = Image.fromarray(load_sample_image("china.jpg"))
query = photo.crop((130, 10, 370, 310))
darker = photo.rotate(10, Image.Resampling.BICUBIC).point(lambda value: 0.7 * value)
result = darker.crop((70, 60, 570, 380))
pipeline = make_retrieval_pipeline(
    ActivationExtractor(layers="conv5", views=Pyramid(n_scales=1, base=128, aspect="keep")),
    GlobalPooler(),
    NearestNeighborRanker(),
).fit([photo, data.chelsea(), data.rocket(), data.coffee(), data.astronaut()])
MatchDisplay.from_estimator(pipeline, query, result, n_framed=6)

# %%
# Red places make the two alike, and the six that add most of either are framed.
