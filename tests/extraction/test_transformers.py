"""Token maps through the extractor, the encoders and the rankers, as any other map."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline

from skdeepenc.backbones import Backbone, ModelSpec, write_spec
from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Preprocessing, Pyramid, Whole, Windows
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import NearestNeighborRanker

EXPORT = Path(__file__).parents[1] / "backbones" / "exports" / "registers.onnx"
LAYER = "/blocks/blocks.0/Add_1_output_0"
TOKEN = f"{LAYER}[cls]"
WIDTH = 16


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    """A vision transformer of patches of 8 pixels, made for images of 32; it says no patch size."""
    model = onnx.load(EXPORT)
    write_spec(model, ModelSpec("vit", (LAYER,), 32, Preprocessing()))
    path = tmp_path_factory.mktemp("transformer") / "vit.onnx"
    onnx.save(model, path)
    return str(path)


def test_patches_and_class_token_lie_side_by_side(transformer, images):
    maps = ActivationExtractor(transformer, layers=[TOKEN, LAYER]).fit_transform(images)
    assert maps.layers == (TOKEN, LAYER)
    (patches,), (token,) = maps[0][LAYER], maps[0][TOKEN]
    assert patches.shape == (4, 4, WIDTH)
    assert token.shape == (1, 1, WIDTH)


def test_sides_are_multiples_of_the_deduced_patch(transformer, images):
    extractor = ActivationExtractor(transformer, layers=[LAYER, TOKEN], views=Pyramid(n_scales=3))
    maps = extractor.fit_transform(images)
    # 32, 46 and 64 pixels; 46 is rounded up to 48.
    assert [grid.shape[:2] for grid in maps[0][LAYER]] == [(4, 4), (6, 6), (8, 8)]
    assert [grid.shape[:2] for grid in maps[0][TOKEN]] == [(1, 1)] * 3


def test_images_keep_their_proportions(transformer, images):
    views = Pyramid(n_scales=1, base=40, aspect="keep")
    maps = ActivationExtractor(transformer, views=views).fit_transform(images[:4])
    grids = [maps[i][LAYER][0].shape[:2] for i in range(4)]
    assert grids == [(5, 5), (5, 8), (8, 5), (12, 5)]


def test_windows_give_one_descriptor_each(transformer, images):
    views = Windows(image_size=48, sizes=(48, 32), stride=16)
    maps = ActivationExtractor(transformer, layers=[LAYER, TOKEN], views=views).fit_transform(
        images
    )
    for layer in (LAYER, TOKEN):
        assert [grid.shape for grid in maps[0][layer]] == [(1, 1, WIDTH), (2, 2, WIDTH)]


def test_maps_equal_the_backbone_at_another_size(transformer):
    extractor = ActivationExtractor(transformer, layers=[LAYER], views=Whole(size=48))
    (patches,) = extractor.fit_transform([np.full((48, 48, 3), 90, np.uint8)])[0][LAYER]
    tensor = Preprocessing().to_tensor(np.full((1, 48, 48, 3), 90, np.uint8))
    assert_allclose(patches, Backbone(transformer, layers=LAYER).run(tensor)[LAYER][0], atol=1e-5)


def test_the_cache_holds_both_and_projections_are_learned_for_each(transformer, images, tmp_path):
    parameters = {
        "layers": [LAYER, TOKEN],
        "views": Pyramid(n_scales=2, ratio=1.5),
        "n_components": 3,
        "memory": tmp_path,
        "random_state": 0,
    }
    first = ActivationExtractor(transformer, **parameters).fit_transform(images)
    again = ActivationExtractor(transformer, **parameters).fit_transform(images)
    assert [grid.shape for grid in first[0][LAYER]] == [(4, 4, 3), (6, 6, 3)]
    for layer in (LAYER, TOKEN):
        assert_allclose(first.values(layer), again.values(layer))
    saved = tmp_path / "saved"
    first.save(saved)
    assert FeatureMaps.load(saved).layers == (LAYER, TOKEN)


@pytest.mark.parametrize(
    "encoder",
    [
        GlobalPooler(layer=LAYER, method="gem"),
        GlobalPooler(layer=TOKEN),
        MOPVLADEncoder(layer=LAYER, n_components=4, n_clusters=3, n_output_components=6),
    ],
)
def test_a_pipeline_finds_each_image_itself(encoder, transformer, images):
    extractor = ActivationExtractor(transformer, layers=[LAYER, TOKEN], views=Pyramid(n_scales=2))
    pipeline = make_pipeline(extractor, encoder)
    vectors = pipeline.fit_transform(images)
    assert np.isfinite(vectors).all()
    ranking = NearestNeighborRanker().fit(vectors).rank(vectors)
    assert (ranking[:, 0] == np.arange(len(images))).all()


def test_the_memory_that_maps_need_is_known_before(transformer):
    """A transformer's patches are counted from the deduced patch, not from tokens."""
    backbone = Backbone(transformer, layers=[LAYER, TOKEN])
    grids = {layer.name: (layer.grid, layer.stride) for layer in backbone.layer_info}
    assert grids[LAYER] == ((4, 4), 8)
    assert grids[TOKEN] == ((1, 1), None)
