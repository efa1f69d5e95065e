"""Every data set of a folder with files of its authors, at the smallest size that loads."""

import pickle
from pathlib import Path

import numpy as np
from scipy.io import savemat

from skdeepenc import datasets
from skdeepenc.datasets.voc2007 import CLASSES


def write(folder, files):
    """Write text or images without content, and return the names of what has content."""
    for name, content in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return [name for name, content in files.items() if content]


def birds(folder):
    """Caltech's birds: five lists that refer to each other."""
    return write(
        folder,
        {
            "images/001.Auk/a.jpg": "",
            "images/002.Jay/b.jpg": "",
            "images.txt": "1 001.Auk/a.jpg\n2 002.Jay/b.jpg\n",
            "classes.txt": "1 001.Auk\n2 002.Jay\n",
            "image_class_labels.txt": "2 2\n1 1\n",
            "train_test_split.txt": "1 1\n2 0\n",
            "bounding_boxes.txt": "1 10.0 20.0 30.0 40.0\n2 0.0 0.0 5.0 6.0\n",
        },
    )


def buildings(folder):
    """Oxford's buildings: four text files a query."""
    return write(
        folder,
        {
            **{f"images/{name}.jpg": "" for name in ("a_1", "a_2", "b_1")},
            "gt/a_1_query.txt": "oxc1_a_1 136.5 34.1 648.5 955.7",
            "gt/a_1_good.txt": "a_2\n",
            "gt/a_1_ok.txt": "a_1\n",
            "gt/a_1_junk.txt": "b_1\n",
        },
    )


def revisited(folder, protocol=2):
    """The revisited ground truth: a pickle."""
    buildings(folder)
    query = {"bbx": [1.0, 2.0, 3.0, 4.0], "easy": np.array([0]), "hard": [1], "junk": np.array([])}
    truth = {"imlist": ["a_2", "b_1"], "qimlist": ["a_1"], "gnd": [query]}
    Path(folder, "gnd_roxford5k.pkl").write_bytes(pickle.dumps(truth, protocol=protocol))
    return ["gnd_roxford5k.pkl"]


def converted(folder):
    """The revisited ground truth in JSON."""
    return [datasets.convert_revisited(Path(folder, *revisited(folder))).name]


def flowers(folder):
    """Oxford's flowers: matrices of MATLAB, one of them compressed."""
    write(folder, {f"jpg/image_{number:05d}.jpg": "" for number in range(1, 5)})
    labels = {"labels": [[77, 77, 1, 102]]}
    savemat(Path(folder, "imagelabels.mat"), labels, do_compression=True)
    splits = {"trnid": [[4.0, 1.0]], "valid": [[2.0]], "tstid": [[3.0]]}
    savemat(Path(folder, "setid.mat"), splits)
    return ["imagelabels.mat", "setid.mat"]


def indoor(folder):
    """MIT's indoor scenes: two lists of names with spaces."""
    return write(
        folder,
        {
            **{f"Images/{name}.jpg": "" for name in ("bar/a", "bar/b c", "gym/a")},
            "TrainImages.txt": "gym/a.jpg\nbar/a.jpg\n",
            "TestImages.txt": "bar/b c.jpg\n",
        },
    )


def scenes(folder):
    """SUN397: classes below a letter."""
    return write(
        folder,
        {
            **{f"SUN397/a/{name}.jpg": "" for name in ("abbey/1", "apse/indoor/1", "abbey/2")},
            "Partitions/ClassName.txt": "/a/abbey\n/a/apse/indoor\n",
            "Partitions/Training_01.txt": "/a/abbey/1.jpg\n/a/apse/indoor/1.jpg\n",
            "Partitions/Testing_01.txt": "/a/abbey/2.jpg\n",
        },
    )


def objects(folder):
    """PASCAL VOC: a list of labels for each class and split."""
    lists = {"train": "000002", "val": "000001", "test": "000003"}
    labels = {
        f"ImageSets/Main/{name}_{split}.txt": f"{member} -1\n"
        for split, member in lists.items()
        for name in CLASSES
    }
    members = {f"ImageSets/Main/{split}.txt": f"{name}\n" for split, name in lists.items()}
    images = {f"JPEGImages/{name}.jpg": "" for name in lists.values()}
    return write(folder, {**images, **labels, **members})


def load_revisited(folder):
    """Load the revisited ground truth of Oxford's buildings."""
    return datasets.load_oxford5k(folder, ground_truth="revisited", allow_pickle=True)


SMALL = {
    "birds": (birds, datasets.load_cub200),
    "buildings": (buildings, datasets.load_oxford5k),
    "revisited": (revisited, load_revisited),
    "converted": (converted, load_revisited),
    "flowers": (flowers, datasets.load_flowers102),
    "indoor": (indoor, datasets.load_indoor67),
    "scenes": (scenes, datasets.load_sun397),
    "objects": (objects, datasets.load_voc2007),
}
