"""Draw the picture that explains the package, from what the package computes.

    python docs/pictures/pipeline.py

writes `docs/_static/pipeline.svg`: an image, the network, activations of two layers, the encoder's
vector, and what a classifier and a ranker make of it. Nothing in it is made up but the shape of the
network. Colours follow the reader's light or dark mode, and the site's switch.
"""

import base64
import io
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, CrossLayerPooler, NearestNeighborRanker
from skdeepenc.datasets import make_scenes

PICTURE = Path(__file__).parents[1] / "_static" / "pipeline.svg"
QUERY = 10
N_CHANNELS, N_CELLS, N_FOUND, N_CLASSES = 4, 30, 4, 3

LIGHT = "--ink: #1f2328; --soft: #57606a; --line: #6e7781; --face: #eef1f4; --plus: #0072b2; \
--minus: #c04e00;"
DARK = "--ink: #e6edf3; --soft: #a3adb8; --line: #8b949e; --face: #2b3138; --plus: #56b4e9; \
--minus: #f0a35e;"
STYLE = f"""\
.pipeline {{ {LIGHT} font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
@media (prefers-color-scheme: dark) {{ .pipeline {{ {DARK} }} }}
html[data-theme="light"] .pipeline {{ {LIGHT} }}
html[data-theme="dark"] .pipeline {{ {DARK} }}
.pipeline text {{ fill: var(--ink); font-size: 18px; text-anchor: middle; }}
.pipeline .soft {{ fill: var(--soft); font-size: 15px; }}
.pipeline .left {{ text-anchor: start; }}
.pipeline .name {{ font-weight: 600; }}
.pipeline .line {{ fill: none; stroke: var(--line); stroke-width: 2.5; }}
.pipeline .thin {{ stroke-width: 1; }}
.pipeline .head {{ fill: var(--line); }}
.pipeline .box {{ fill: var(--face); stroke: var(--line); stroke-width: 1.5; }}
.pipeline .plus {{ fill: var(--plus); }}
.pipeline .minus {{ fill: var(--minus); }}
.pipeline .map {{ image-rendering: pixelated; }}
"""
PAGE = """\
<svg class="pipeline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 472" role="img"
 aria-label="An image runs through an ONNX network. The activations of its layers, positions by
 channels, become one vector per image by an encoder. A linear SVM or a ranked gallery follows.">
<style>
{style}</style>
<defs><marker id="head" viewBox="0 0 10 10" refX="6" refY="5" markerWidth="5" markerHeight="5"
 orient="auto"><path class="head" d="M 0 0 L 10 5 L 0 10 z"/></marker></defs>
{body}
</svg>
"""


def main():
    """Compute everything, then draw it from left to right, in two rows."""
    scenes = make_scenes(80, n_classes=5, random_state=0)
    others = np.delete(np.arange(len(scenes.images)), QUERY)
    maps = ActivationExtractor(layers=["conv3", "conv4", "conv5"]).fit_transform(scenes.images)
    encoder = CrossLayerPooler(feature_layer="conv4", guidance_layer="conv5", random_state=0)
    vectors = encoder.set_params(n_components=32).fit_transform(maps)
    classifier = LinearSVC(random_state=0).fit(vectors[others], scenes.target[others])
    scores = classifier.decision_function(vectors[[QUERY]])[0]
    found = NearestNeighborRanker().fit(vectors[others]).rank(vectors[[QUERY]], N_FOUND)[0]
    parts = [
        *draw_image(scenes.images[QUERY]),
        *draw_network(),
        *draw_activations(maps[QUERY]),
        *draw_encoder(),
        *draw_vector(vectors[QUERY]),
        *draw_scores(scores, scenes.target_names),
        *draw_found([scenes.images[index] for index in others[found]]),
    ]
    PICTURE.write_text(PAGE.format(style=STYLE, body="\n".join(parts)), encoding="utf-8")


def draw_image(image):
    """Draw the image, and the way into the network."""
    yield picture(Image.fromarray(image), 8, 36, 140, kind="photo", format="JPEG")
    yield from caption(78, "image", "file or array")
    yield arrow("M 156 106 H 180")


def draw_network():
    """Draw layers as bars that become lower and wider; two of them are asked for."""
    left = 192
    for height, width, asked in [(140, 8, 0), (116, 13, 0), (92, 20, 1), (68, 28, 0), (56, 34, 1)]:
        kind = "plus" if asked else "box"
        yield f'<rect class="{kind}" x="{left}" y="{106 - height / 2}" width="{width}" \
height="{height}" rx="3"/>'
        left += width + 7
    yield from caption(258, "ONNX network", "yours, as it is")
    yield arrow("M 332 106 H 356")


def draw_activations(image_maps):
    """Draw the most active channels of two layers, one behind the other."""
    for left, side, layer in [(368, 96, "conv3"), (548, 96, "conv5")]:
        (grid,) = image_maps[layer]
        channels = np.argsort(grid.mean(axis=(0, 1)))[::-1][:N_CHANNELS]
        for depth in reversed(range(N_CHANNELS)):
            place = left + 14 * depth, 66 - 14 * depth
            yield picture(heat(grid[..., channels[depth]]), *place, side)
            yield f'<rect class="line thin" x="{place[0]}" y="{place[1]}" \
width="{side}" height="{side}"/>'
    yield from caption(534, "activations of layers", "positions × channels")
    yield arrow("M 534 230 V 244 H 98 V 274")


def draw_encoder():
    """Draw the encoder as a box with the names of some."""
    yield '<rect class="box" x="8" y="286" width="180" height="120" rx="10"/>'
    for row, name in enumerate(
        ["VLAD, Fisher vectors", "cross-layer pooling", "clusters, GeM, R-MAC"]
    ):
        yield f'<text class="soft" x="98" y="{322 + 29 * row}">{name}</text>'
    yield from caption(98, "encoder", "fitted on your images", top=430)
    yield arrow("M 196 346 H 220")


def draw_vector(vector):
    """Draw some values of the vector as bars: blue upwards, orange downwards."""
    values = vector[:: len(vector) // N_CELLS][:N_CELLS]
    values = values / np.abs(values).max()
    for place, value in enumerate(values):
        top = 346 - 56 * max(value, 0)
        kind = "plus" if value > 0 else "minus"
        yield f'<rect class="{kind}" x="{232 + 5 * place}" y="{top:.1f}" width="4" \
height="{56 * abs(value):.1f}"/>'
    yield from caption(306, "vector", "one per image", top=430)
    yield arrow("M 390 336 C 410 336, 400 318, 422 318")
    yield arrow("M 390 356 C 410 356, 400 406, 422 406")


def draw_scores(scores, names):
    """Draw the classifier's highest scores: above zero to the right, below to the left."""
    best = np.argsort(scores)[::-1][:N_CLASSES]
    scale = 90 / np.abs(scores[best]).max()
    yield '<text class="name left" x="436" y="280">linear SVM</text>'
    for row, index in enumerate(best):
        top, width = 290 + 24 * row, abs(scores[index]) * scale
        left, kind = (620, "plus") if scores[index] > 0 else (620 - width, "box")
        yield f'<text class="left" x="436" y="{top + 14}">{names[index]}</text>'
        yield f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{width:.1f}" height="16"/>'
    yield '<path class="line" d="M 620 286 V 358"/>'


def draw_found(images):
    """Draw the gallery's first images, in the order of the ranker."""
    for rank, image in enumerate(images):
        yield picture(Image.fromarray(image), 436 + 70 * rank, 374, 64, kind="photo", format="JPEG")
    yield '<text class="name left" x="436" y="460">ranked gallery</text>'


def heat(channel):
    """Return a channel in a colour map that the colour-blind read as well."""
    colours = colormaps["cividis"](channel / channel.max())
    return Image.fromarray((colours[..., :3] * 255).astype(np.uint8))


def picture(image, left, top, side, *, kind="map", format="PNG"):
    """Return an image of the drawing, with its pixels inside."""
    if kind == "photo":
        image = image.resize((2 * side, 2 * side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, format, quality=80)
    pixels = base64.b64encode(stream.getvalue()).decode()
    return f'<image class="{kind}" x="{left}" y="{top}" width="{side}" height="{side}" \
href="data:image/{format.lower()};base64,{pixels}"/>'


def caption(middle, name, explanation, *, top=200):
    """Yield a name, and in a smaller type what to know of it."""
    yield f'<text class="name" x="{middle}" y="{top}">{name}</text>'
    yield f'<text class="soft" x="{middle}" y="{top + 21}">{explanation}</text>'


def arrow(path):
    """Return a line with a head at its end."""
    return f'<path class="line" d="{path}" marker-end="url(#head)"/>'


if __name__ == "__main__":
    main()
