"""
Probabilities that mean what they say
=====================================

"Ninety per cent sure" should be right nine times in ten. Scores of a support vector machine are not
probabilities; calibrated on held-out folds, they are nearly so. See :doc:`/guide/classification`.
"""

import matplotlib.pyplot as plt
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.datasets import make_scenes

scenes = make_scenes(480, image_size=64, random_state=0)
maps = ActivationExtractor(layers="conv5").fit_transform(scenes.images)
vectors = GlobalPooler(method=["avg", "max"]).fit_transform(maps)
learned, tested = slice(240), slice(240, None)

svm = LinearSVC(C=10, random_state=0).fit(vectors[learned], scenes.target[learned])
calibrated = CalibratedClassifierCV(svm, method="temperature", cv=3, ensemble=False)
calibrated.fit(vectors[learned], scenes.target[learned])
sure = {
    "softmax of scores": softmax(svm.decision_function(vectors[tested]), axis=1),
    "calibrated": calibrated.predict_proba(vectors[tested]),
}

# %%
# Each marker is a fifth of the test images.

fig, ax = plt.subplots(figsize=(5.2, 4.6))
for marker, (name, probabilities) in zip("so", sure.items(), strict=True):
    is_right = probabilities.argmax(axis=1) == scenes.target[tested]
    CalibrationDisplay.from_predictions(
        is_right,
        probabilities.max(axis=1),
        n_bins=5,
        strategy="quantile",
        name=name,
        ax=ax,
        marker=marker,
    )
ax.set(xlabel="how sure the classifier is", ylabel="share that is right", aspect="equal")

# %%
# Both classify alike, for a temperature changes no ranking. Above the dotted line a classifier is
# right more often than it says: the softmax of scores is far too modest, the calibrated one close
# to it.
