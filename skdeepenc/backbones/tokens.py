"""Lay the tokens of a vision transformer out on the grid of patches that they stand for."""

from skdeepenc.exceptions import ModelError


def tokens_to_grid(tokens, image_shape, patch_size):
    """Drop the prefix tokens and fold the others into a map.

    Parameters
    ----------
    tokens : array of shape (batch, n_tokens, D)
        A layer's output: class and register tokens first, then the patches row by row.
    image_shape : tuple of int
        Height and width of the images.
    patch_size : int or None
        Side of a patch.

    Returns
    -------
    array of shape (batch, height // patch_size, width // patch_size, D)
        The patches' tokens.

    Raises
    ------
    ModelError
        If the patch size is not known, or does not fit the images or the tokens.
    """
    if patch_size is None:
        raise ModelError(
            "it gives tokens, and nothing says how large a patch is. Say so in the file: "
            "write_spec(model, ModelSpec(..., patch_size=...)), with skdeepenc.backbones."
        )
    if any(side % patch_size for side in image_shape):
        raise ModelError(
            f"images of {image_shape[0]} x {image_shape[1]} are no multiple of its patches of "
            f"{patch_size} pixels."
        )
    rows, columns = (side // patch_size for side in image_shape)
    n_prefixes = tokens.shape[1] - rows * columns
    if n_prefixes < 0:
        raise ModelError(
            f"it gives {tokens.shape[1]} tokens, fewer than the {rows} x {columns} patches of "
            f"{patch_size} pixels in an image."
        )
    return tokens[:, n_prefixes:].reshape(len(tokens), rows, columns, tokens.shape[2])
