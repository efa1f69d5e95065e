"""The map of similarities, and what it does to a sum of two layers."""

import numpy as np
from style import BLUE, GREEN, GREY, ORANGE, subplots

from skdeepenc.functional import map_similarity

S = np.linspace(0, 1, 201)
figure, (curve, plain, fused) = subplots(1, 3, height=2.5)
for threshold, color, line in ((0.2, BLUE, "-"), (0.4, ORANGE, "--"), (1.0, GREY, ":")):
    mapped = map_similarity(S, threshold, 0.45)
    curve.plot(S, mapped, color=color, ls=line, label=f"t = {threshold}")
curve.set(title="f(S), p = 0.45", xlabel="S", ylabel="f(S)", aspect="equal")
curve.legend()
high, low = np.meshgrid(S, S)
for ax, scores, title in (
    (plain, high + low, "high + low"),
    (fused, map_similarity(high, 0.2, 0.45) + low, "f(high) + low"),
):
    lines = ax.contour(S, S, scores, levels=np.arange(0.25, 2, 0.25), colors=GREEN, linewidths=1)
    ax.clabel(lines, fontsize=7)
    ax.set(title=title, xlabel="S of the high layer", ylabel="S of the low layer", aspect="equal")
