"""Four channels of conv5 as detectors of parts: where each of them pools conv4."""

import numpy as np
from style import maps_of_photograph, overlay, photograph, show, subplots

guidance = maps_of_photograph("conv5")["conv5"]
# Channels that respond at few positions, and each where the others do not.
flat = guidance.reshape(-1, guidance.shape[-1])
peaks = flat.argmax(axis=0)
strongest = np.argsort(-(flat.max(axis=0) - 2 * flat.mean(axis=0)))
chosen = []
for channel in strongest:
    y, x = divmod(peaks[channel], guidance.shape[1])
    apart = [divmod(peaks[other], guidance.shape[1]) for other in chosen]
    if all(abs(y - v) + abs(x - u) > 8 for v, u in apart):
        chosen.append(channel)
    if len(chosen) == 4:
        break
figure, axes = subplots(1, 5, height=1.8)
show(axes[0], photograph(), "image")
for ax, channel in zip(axes[1:], chosen, strict=True):
    overlay(ax, guidance[..., channel], f"$a_{{{channel}}}$")
