"""
What happens to moved, turned and enlarged images
=================================================

Accuracy on images as they come hides how a representation takes changes of scale and place. The
same test images are changed, and classified again. See :doc:`/guide/mop_vlad`.
"""

from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, GlobalPooler, MOPVLADEncoder, Pyramid
from skdeepenc.datasets import make_scenes
from skdeepenc.inspection import InvarianceDisplay, image_transformations

scenes = make_scenes(100, image_size=96, n_classes=5, random_state=0)
learned, tested = slice(70), slice(70, None)

global_feature = make_pipeline(
    ActivationExtractor(layers="fc7"), GlobalPooler(), LinearSVC(random_state=0)
)
vlad = make_pipeline(
    ActivationExtractor(layers="conv5", views=Pyramid(n_scales=2, ratio=2**0.5)),
    MOPVLADEncoder(n_components=32, n_clusters=16, n_output_components=None, random_state=0),
    LinearSVC(C=10, random_state=0),
)
estimators = {"global feature (fc7)": global_feature, "VLAD, two scales": vlad}
for estimator in estimators.values():
    estimator.fit(scenes.images[learned], scenes.target[learned])

InvarianceDisplay.from_estimator(
    estimators,
    scenes.images[tested],
    scenes.target[tested],
    transformations=image_transformations(["scaling", "rotation"]),
    side=96,
)

# %%
# Where a curve falls, the classifier relied on what was changed. Descriptors of parts are ahead of
# one descriptor of the whole image until only half of each side is left.
