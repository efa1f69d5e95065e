"""Names for types that many rooms take."""

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy import sparse

PathLike: TypeAlias = str | os.PathLike[str]
Floats: TypeAlias = NDArray[np.floating]
Integers: TypeAlias = NDArray[np.integer]
RandomState: TypeAlias = int | np.random.RandomState | None
#: Vectors as rows, dense or sparse.
VectorsLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix
#: An image of (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), however it is given.
ImageSource: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | ArrayLike
#: Gallery indices or names.
Items: TypeAlias = Sequence[Any] | NDArray[Any]
#: One list of them per query.
ItemLists: TypeAlias = Sequence[Items] | NDArray[Any]
