"""Why two images match, as maps that the page lays over both.

A similarity that is a sum over places is split exactly; of any other the page says that it is none.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skdeepenc.images import decode_image
from skdeepenc.inspection import MatchDisplay, match_contributions

__all__ = ["Reasons", "reasons_for"]

# Of the maps that are sent; encoders have few positions, and the page draws them smoothly.
_SIDE = 48


@dataclass(frozen=True)
class Reasons:
    """What places of two images add to their similarity.

    Parameters
    ----------
    similarity : float or None
        What the places add up to.
    maps : list of ndarray of shape (height, width)
        What each place of the query, and of the result, adds; the mean of each is the similarity.
    missing : str or None
        Why there are no maps.
    """

    similarity: float | None = None
    maps: Any = ()
    missing: str | None = None

    @property
    def content(self) -> dict[str, Any]:
        """What the page is told."""
        maps = [
            {"width": each.shape[1], "height": each.shape[0], "values": each.ravel().tolist()}
            for each in self.maps
        ]
        return {"similarity": self.similarity, "maps": maps, "missing": self.missing}


def reasons_for(pipeline: Any, query: Any, result: Any) -> Reasons:
    """Split the similarity of two images over their places.

    Parameters
    ----------
    pipeline : estimator or None
        What the vectors are of; None where it is a graph, which tells nothing of places.
    query, result : bytes or array
        The images.

    Returns
    -------
    Reasons
        The maps, or why there are none.
    """
    if pipeline is None:
        return Reasons(missing="The encoder of this index is a graph, which gives vectors alone.")
    try:
        match = match_contributions(pipeline, query, result)
    except ValueError as error:
        return Reasons(missing=f"{error}")
    images = [np.empty((*_shape_for(image), 3), dtype=np.uint8) for image in (query, result)]
    densities = MatchDisplay(images=images, match=match).densities
    return Reasons(match.similarity, [np.round(each, 4) for each in densities])


def _shape_for(image):
    """Return the height and width of a map in the proportions of an image."""
    height, width = decode_image(image, smallest=_SIDE).shape[:2]
    scale = _SIDE / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)
