"""Average precision by Oxford's trapezoids, of a ranking with three hits."""

import matplotlib.pyplot as plt
import numpy as np
from style import BLUE, GREY, ORANGE, subplots

from skdeepenc.metrics import average_precision

ranked, positives = ["a", "x", "b", "y", "z", "c"], ["a", "b", "c"]
hits = [rank for rank, name in enumerate(ranked) if name in positives]
figure, (ranks, curve) = subplots(1, 2, height=2.1, width_ratios=(1.2, 1))
for rank, name in enumerate(ranked):
    color = BLUE if name in positives else "#dddddd"
    ranks.add_patch(plt.Rectangle((rank, 0), 0.9, 0.9, color=color))
    ranks.text(rank + 0.45, -0.3, rank, ha="center", color=GREY)
ranks.set(xlim=(0, 6), ylim=(-0.6, 1), title="a ranking: hits are filled", aspect="equal")
ranks.axis("off")
for j, rank in enumerate(hits):
    left, right = (j / rank if rank else 1.0), (j + 1) / (rank + 1)
    x = np.array([j, j + 1]) / len(positives)
    curve.fill_between(x, [left, right], color=BLUE, alpha=0.25)
    curve.plot(x, [left, right], "o-", color=ORANGE, ms=4)
area = average_precision(ranked, positives)
curve.set(ylim=(0, 1.05), xlabel="recall", ylabel="precision", title=f"the area is {area:.3f}")
