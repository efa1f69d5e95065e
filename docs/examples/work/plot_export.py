"""
One file for onnxruntime
========================

A fitted pipeline, from decoded pixels to classes, becomes one ONNX file that needs neither
scikit-learn nor this package where it runs. See :doc:`/guide/deploy`.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime

from skdeepenc import image_pipeline
from skdeepenc.datasets import make_scenes
from skdeepenc.export import to_onnx

scenes = make_scenes(100, image_size=64, n_classes=5, random_state=0)
images = np.stack(scenes.images)
pipeline = image_pipeline("classification", size="fast", random_state=0)
pipeline.set_params(activationextractor__n_threads=1)
pipeline.fit(images[:60], scenes.target[:60])
report = to_onnx(pipeline, images=images[60:])

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(report.model, options, ["CPUExecutionProvider"])
(scores,) = session.run(["scores"], {"images": images[60:]})


def milliseconds(run):
    """Return how long one image takes: the median of twenty."""
    seconds = []
    for number in range(20):
        start = time.perf_counter()
        run(images[60 + number : 61 + number])
        seconds.append(time.perf_counter() - start)
    return 1000 * np.median(seconds)


times = {
    "scikit-learn": milliseconds(pipeline.decision_function),
    "one ONNX file": milliseconds(lambda image: session.run(["scores"], {"images": image})),
}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), width_ratios=[1.2, 1])
left.plot(pipeline.decision_function(images[60:]), scores, "o", color="C0", alpha=0.3)
left.set(xlabel="score in scikit-learn", ylabel="score in onnxruntime", aspect="equal")
left.set_title(f"largest difference {report.max_abs:.0e}")
bars = right.barh(list(times), list(times.values()), color=["C1", "C0"], height=0.5)
right.bar_label(bars, fmt="%.1f ms", padding=4)
right.set(xlabel="one image (ms)", title="one thread")
right.margins(x=0.25)

# %%
# The scores agree to the last digits of single precision. The times depend on the machine and the
# encoder; :doc:`/guide/deploy` has measured ones.
