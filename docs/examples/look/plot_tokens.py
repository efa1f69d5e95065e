"""
Words of a transformer's tokens
===============================

Vision transformers give one vector per patch. VLAD takes them as it takes a convolutional map: it
learns a vocabulary, and every token is near one of its words. See :doc:`/guide/mop_vlad`.

No transformer comes with the package, so this model is a stand-in: it has the layout of one, tokens
for patches of 8 pixels, but its only layer holds cosines and nothing learned. With a model of your
own, only the file and the name of the layer change; see :doc:`/guide/models`.
"""

import matplotlib.pyplot as plt
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from scipy.fft import idctn
from skimage import data
from sklearn.datasets import load_sample_image

from skdeepenc import ActivationExtractor, MOPVLADEncoder, Preprocessing
from skdeepenc.functional import l2_normalize, soft_assign

waves = idctn(np.eye(64).reshape(64, 8, 8), axes=(1, 2), norm="ortho")[:16]
weights = np.zeros((48, 3, 8, 8), dtype=np.float32)
for color in range(3):
    weights[color::3, color] = waves
nodes = [
    helper.make_node("Conv", ["pixels", "weights"], ["patches"], strides=[8, 8]),
    helper.make_node("Reshape", ["patches", "shape"], ["flat"]),
    helper.make_node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
]
pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, 224, 224])
tokens = helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["N", 784, 48])
constants = {"weights": weights, "shape": np.array([0, 48, -1])}
weighted = [numpy_helper.from_array(value, name) for name, value in constants.items()]
graph = helper.make_graph(nodes, "patches as tokens", [pixels], [tokens], weighted)
opsets = {"opset_imports": [helper.make_opsetid("", 18)], "ir_version": 8}
model = helper.make_model(graph, **opsets).SerializeToString()

# %%
# AnyLoc's setting of VLAD: tokens of unit length, each assigned to one word.

photos = [load_sample_image("china.jpg"), data.chelsea(), data.coffee(), data.rocket()]
extractor = ActivationExtractor(model, layers="tokens", preprocessing=Preprocessing())
maps = extractor.fit_transform(photos)
encoder = MOPVLADEncoder(
    n_components=None, n_clusters=6, n_neighbors=1, normalize_descriptors=True, random_state=0
).fit(maps)
words = encoder.record_.levels[0].codebook
fig, axes = plt.subplots(2, 4, figsize=(7.2, 2.8))
for (above, below), photo, image in zip(axes.T, photos, maps, strict=True):
    nearest, _ = soft_assign(l2_normalize(image["tokens"][0]).reshape(-1, 48), words, 1, 1.0)
    height, width = photo.shape[:2]
    above.imshow(photo)
    below.imshow(nearest.reshape(28, 28), cmap="Set2", vmax=7, extent=(0, width, height, 0))
plt.setp(axes, xticks=[], yticks=[])
axes[1, 0].set_ylabel("word of the token")

# %%
# A colour is one word, the same in all photographs.
