"""From the average to the maximum by the exponent of GeM, and how SPoC and CroW weigh positions."""

import numpy as np
from style import BLUE, GREY, ORANGE, maps_of_photograph, overlay, subplots

from skdeepenc.functional import gem
from skdeepenc.functional.pooling import center_prior

conv5 = maps_of_photograph("conv5")["conv5"]
figure, (curve, spoc, crow) = subplots(1, 3, height=2.2, width_ratios=(1.6, 1, 1))
exponents = np.geomspace(1, 64, 25)
channels = (conv5.mean(axis=(0, 1)) / conv5.max(axis=(0, 1))).argsort()[[-1, -100]]
for channel, color, line in zip(channels, (BLUE, ORANGE), ("-", "--"), strict=True):
    values = conv5[..., [channel]]
    means = [gem(values, p)[0] for p in exponents]
    curve.plot(exponents, np.array(means) / values.max(), color=color, ls=line)
curve.axhline(1, color=GREY, lw=0.8, ls=":")
curve.text(1, 1.02, "maximum", color=GREY)
curve.text(9, 0.03, "p = 1: average", color=GREY)
curve.set(xscale="log", ylim=(0, 1.12), xlabel="p", ylabel="share of the maximum")
curve.set(title="GeM of two channels", xticks=[1, 3, 10, 64], xticklabels=[1, 3, 10, 64])
overlay(spoc, center_prior(*conv5.shape[:2]), "SPoC: weights of positions")
responses = conv5.sum(axis=2)
overlay(crow, np.sqrt(responses / np.linalg.norm(responses)), "CroW: weights of positions")
