"""Images sorted into one subfolder per class, the layout in which most people keep them."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.utils import Bunch

from skdeepenc._typing import PathLike
from skdeepenc.exceptions import DataSetError

LAYOUT = "Expected is one subfolder for each class, with that class's images in it."


def load_image_folder(folder: PathLike, *, return_X_y: bool = False) -> Any:
    """List the images of a folder that has one subfolder for each class.

    Images are not opened, only found: by the name's ending, at any depth below the class's
    folder. Whatever begins with a dot is left out. Everything comes in the order of names.

    Parameters
    ----------
    folder : str or path-like
        The folder that holds the classes' folders.
    return_X_y : bool, default=False
        Return only the paths and their classes.

    Returns
    -------
    Bunch or tuple
        With `paths` (list of str), `target` (array of shape (n_images,)) and `target_names` (names
        of the classes' folders); with ``return_X_y=True`` the tuple ``(paths, target)``.

    Raises
    ------
    DataSetError
        If the folder is missing, has no subfolders, or a subfolder has no images.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skdeepenc.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cat", "dog"):
    ...         (Path(folder) / name).mkdir()
    ...         Image.new("RGB", (8, 8)).save(Path(folder) / name / "1.png")
    ...     images = load_image_folder(folder)
    >>> images.target_names, images.target.tolist()
    (['cat', 'dog'], [0, 1])
    """
    class_folders = _find_class_folders(Path(folder))
    found = [walk_images(path) for path in class_folders]
    empty = [path.name for path, images in zip(class_folders, found, strict=True) if not images]
    if empty:
        raise DataSetError(
            f"No images in {', '.join(map(repr, empty))} of {folder}: fill or remove "
            f"{'that folder' if len(empty) == 1 else 'those folders'}. {LAYOUT}"
        )
    paths = [image for images in found for image in images]
    target = np.repeat(np.arange(len(found)), [len(images) for images in found])
    if return_X_y:
        return paths, target
    return Bunch(paths=paths, target=target, target_names=[path.name for path in class_folders])


def _find_class_folders(folder):
    """List the visible subfolders, or say what is wrong with the folder."""
    if not folder.is_dir():
        reason = "is a file" if folder.exists() else "does not exist"
        raise DataSetError(f"The image folder {folder} {reason}. {LAYOUT}")
    subfolders = [path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path)]
    if not subfolders:
        raise DataSetError(f"The image folder {folder} has no subfolders. {LAYOUT}")
    return sorted(subfolders)


def find_images(path: PathLike) -> list[str]:
    """List the images of a folder, at any depth, without opening them.

    Parameters
    ----------
    path : str or path-like
        A folder, or one file, which is taken whatever its name.

    Returns
    -------
    list of str
        Paths in the order of names.

    Raises
    ------
    DataSetError
        If nothing is there, or the folder holds no images.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skdeepenc.datasets import find_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (8, 8)).save(Path(folder) / "cat.png")
    ...     [Path(path).name for path in find_images(folder)]
    ['cat.png']
    """
    if os.path.isfile(path):
        return [str(path)]
    if not os.path.isdir(path):
        raise DataSetError(f"There is no image or folder {path}.")
    images = walk_images(path)
    if not images:
        raise DataSetError(f"The folder {path} holds no images.")
    return images


def walk_images(folder, endings=None):
    """List what a folder holds, at any depth, whose name ends like an image's.

    Parameters
    ----------
    folder : str or path-like
        The folder. Whatever begins with a dot is left out.
    endings : container of str, default=None
        How the names end, in lower case; None for those that Pillow knows.

    Returns
    -------
    list of str
        Paths, those of a folder in the order of names, before those of its subfolders.
    """
    endings = Image.registered_extensions() if endings is None else endings
    images = []
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        images += [
            os.path.join(parent, name)
            for name in sorted(names)
            if Path(name).suffix.lower() in endings and not name.startswith(".")
        ]
    return images


def _is_hidden(path):
    return path.name.startswith(".")
