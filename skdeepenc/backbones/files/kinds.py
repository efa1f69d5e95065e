"""What a file that should be a model is instead, in words that say what to do."""

# What other files begin with, and what they are.
_BEGINNINGS = (
    (b"version https://git-lfs", "is a pointer of git-lfs, not the file itself; `git lfs pull`"),
    (b"PK\x03\x04", "is a zip archive, as PyTorch keeps its checkpoints; export it to ONNX"),
    (b"\x80\x02", "is a pickle, as PyTorch kept its checkpoints; export it to ONNX"),
    (b"\x89HDF", "is an HDF5 file, as Keras keeps its models; convert it with tf2onnx"),
    (b"{", "is JSON; name the .onnx file beside it"),
    (b"<", "is a web page, as downloads that went wrong are; download it again"),
)
_LENGTH_DELIMITED = 2
# How many bytes a field of another wire type takes at least.
_SHORTEST = {0: 1, 1: 8, 5: 4}


def foreign_kind(content):
    """Say what a file that is not a model is, and what to do; None if it may be one.

    Parameters
    ----------
    content : bytes
        The file, or its beginning.

    Returns
    -------
    str or None
        The end of a sentence that begins with its name.
    """
    if not content:
        return "is empty"
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    return None


def bytes_missing(content):
    """Return how many bytes a serialized model lacks at its end, as far as it says itself.

    Parameters
    ----------
    content : bytes
        The file.

    Returns
    -------
    int
        Zero if it is whole, or no model at all.
    """
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, place = _varint(content, place)
            place += length
        elif kind == 0:
            _, place = _varint(content, place)
        elif kind in _SHORTEST:
            place += _SHORTEST[kind]
        else:
            return 0
    return place - len(content)


def _varint(content, place):
    """Read a number of seven bits a byte; return it and where it ends."""
    number = 0
    for shift in range(0, 64, 7):
        if place >= len(content):
            break
        byte = content[place]
        number |= (byte & 127) << shift
        place += 1
        if byte < 128:
            break
    return number, place
