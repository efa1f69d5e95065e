"""The four views of one photograph."""

from matplotlib.patches import Rectangle
from PIL import Image
from style import BLUE, GREEN, ORANGE, photograph, show, subplots

from skdeepenc import Crops, Pyramid, Whole, Windows
from skdeepenc.images import Network

image, network = Image.fromarray(photograph()), Network(64)
figure, axes = subplots(1, 4, height=2.3, width_ratios=(1.25, 1.9, 1.6, 1.4))

(side,) = {stack.width for stack in Whole().stacks(*image.size, network)}
show(axes[0], image.resize((side, side)), f"Whole()\none scale, {side} pixels")

left = 0
for stack in Pyramid(n_scales=3).stacks(image.height, image.width, network):
    axes[1].imshow(
        image.resize((stack.width, stack.height)),
        extent=(left, left + stack.width, 0, stack.height),
    )
    axes[1].text(left + stack.width / 2, -6, stack.width, ha="center", va="top")
    left += stack.width + 10
axes[1].set(xlim=(0, left), ylim=(-24, 134), title="Pyramid(n_scales=3)\nthree scales")
axes[1].set_aspect("equal")
axes[1].axis("off")


def outline(ax, boxes, color, line):
    """Draw boxes (top, left, bottom, right)."""
    for top, start, bottom, end in boxes:
        ax.add_patch(
            Rectangle((start, top), end - start, bottom - top, fill=False, color=color, ls=line)
        )


show(axes[2], image.resize((256, 256)), "Windows()\n1, 25 and 49 windows")
for stack, color, line in zip(
    Windows().stacks(*image.size, network), (BLUE, ORANGE, GREEN), ("-", "--", ":"), strict=True
):
    outline(axes[2], stack.boxes[:: max(len(stack.boxes) // 3, 1)][:3], color, line)

show(axes[3], image.resize((256, 256)), "Crops(n=5)\n5, mirrored too")
(stack,) = Crops(image_size=256).stacks(*image.size, Network(224))
outline(axes[3], stack.boxes[:5], ORANGE, "--")
