"""Pictures sorted into one subfolder a class, the layout in which most people keep them."""

import os
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.utils import Bunch

from skdeepenc.exceptions import DataSetError

LAYOUT = "Expected is one subfolder for each class, with that class's pictures in it."


def load_image_folder(folder, *, return_X_y=False):
    """List the pictures of a folder that has one subfolder for each class.

    Pictures are not opened, only found: by the name's ending, at any depth below the class's
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
        If the folder is missing, has no subfolders, or a subfolder has no pictures.

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
    ...     pictures = load_image_folder(folder)
    >>> pictures.target_names, pictures.target.tolist()
    (['cat', 'dog'], [0, 1])
    """
    class_folders = _find_class_folders(Path(folder))
    found = [_walk(path) for path in class_folders]
    empty = [path.name for path, pictures in zip(class_folders, found, strict=True) if not pictures]
    if empty:
        raise DataSetError(
            f"No pictures in {', '.join(map(repr, empty))} of {folder}: fill or remove "
            f"{'that folder' if len(empty) == 1 else 'those folders'}. {LAYOUT}"
        )
    paths = [picture for pictures in found for picture in pictures]
    target = np.repeat(np.arange(len(found)), [len(pictures) for pictures in found])
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


def find_pictures(path):
    """List the pictures of a folder, at any depth, without opening them.

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
        If nothing is there, or no picture.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skdeepenc.datasets import find_pictures
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (8, 8)).save(Path(folder) / "cat.png")
    ...     [Path(path).name for path in find_pictures(folder)]
    ['cat.png']
    """
    if os.path.isfile(path):
        return [str(path)]
    if not os.path.isdir(path):
        raise DataSetError(f"There is no picture or folder {path}.")
    pictures = _walk(path)
    if not pictures:
        raise DataSetError(f"The folder {path} holds no pictures.")
    return pictures


def _walk(folder):
    """List what a folder holds, at any depth, that ends like a picture."""
    endings = Image.registered_extensions()
    pictures = []
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        pictures += [
            os.path.join(parent, name)
            for name in sorted(names)
            if Path(name).suffix.lower() in endings and not name.startswith(".")
        ]
    return pictures


def _is_hidden(path):
    return path.name.startswith(".")
