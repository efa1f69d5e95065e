"""One model as it was read: which it is, its graph, and the size that it was made for.

The file may lie elsewhere in another process; that it is the same is checked by its digest, which
travels. What is found out by reading stays behind.
"""

import os

from skdeepenc._lazy import lazy_property
from skdeepenc.backbones.anatomy.examine import examine
from skdeepenc.backbones.describing.assumptions import USUAL_SIZE
from skdeepenc.backbones.files.contents import model_name, read_contents
from skdeepenc.backbones.layers import default_layer, list_layers
from skdeepenc.backbones.parsed_model import parse_model, recall_model
from skdeepenc.backbones.surgery.forms import DENSE, OWN, known_surgery
from skdeepenc.backbones.transformers.size_walk import frozen_size
from skdeepenc.backbones.transformers.tokens import describe_tokens
from skdeepenc.images.sizes import one_size


class Model:
    """A model, read when something of it is first asked for.

    Parameters
    ----------
    source : bytes or path-like
        An ONNX file, or its content.
    digest : str, optional
        The digest that the content must have.
    """

    def __init__(self, source, digest=None):
        self.source = source
        if digest is not None:
            self.digest = digest

    def __getstate__(self):
        """Keep what was found out, but no graph, and the path as text for other systems."""
        known = {key: value for key, value in self.__dict__.items() if key != "parsed"}
        return {**known, "source": os.fspath(self.source)}

    @lazy_property
    def digest(self):
        """Which model this is; whoever reads it again must find the same."""
        return self.parsed.digest

    @lazy_property
    def name(self):
        """What to call the model in messages."""
        return model_name(self.source)

    @lazy_property
    def parsed(self):
        """The graph without its weights, the entrance, and the description in the file."""
        digest = self.__dict__.get("digest")
        return recall_model(digest) or parse_model(self.source, digest)

    def read_again(self):
        """Return the whole model, weights and all, the same as it was at first."""
        return read_contents(self.source, self.digest, self.parsed.data)

    @property
    def n_images(self):
        """The number of images that shapes are read for."""
        return self.parsed.entrance.batch or 1

    @lazy_property
    def made_for(self):
        """The image size that the input or the position embeddings ask for, or None."""
        frozen = self.parsed.declared_size or frozen_size(self.parsed.skeleton, USUAL_SIZE)
        return frozen if frozen is None else one_size(frozen)

    def surgery(self, size):
        """Return the forms of the graph, if it was made for images of this size."""
        return known_surgery(self.digest, self.parsed.skeleton, size, self.n_images)

    def anatomy(self, surgery, size, form=DENSE):
        """Return what the tensors of one form of the graph are."""
        return examine(surgery.skeletons[form], size, self.n_images)

    def list_layers(self, surgery, anatomy, size):
        """Return every layer that can be asked for, in the order of the graph."""
        layers = list_layers(self.parsed.skeleton, surgery.skeletons[DENSE], size, anatomy)
        return describe_tokens(layers, surgery.layouts, size)

    def default_layer(self, surgery, layers, size, patch):
        """Return the layer that the head reads."""
        anatomy = self.anatomy(surgery, size, OWN)
        return default_layer(layers, surgery.skeletons[OWN], anatomy, patch or anatomy.grid)
