"""The selective match kernel against the authors' code, or a plain kernel word by word."""

from importlib.util import find_spec
from time import process_time

import numpy as np

from benchmarks.registry import OURS, Case, benchmark
from skdeepenc.retrieval import ASMKRanker


@benchmark(ours="ASMKRanker.transform", bars={"jenicek/asmk": 1, "plain kernel": 10}, rounds=3)
def asmk(n_images=1_000, n_descriptors=500, n_channels=128, n_words=2_048, n_queries=4, learned=0):
    """A query of 500 descriptors against 1,000 images of 500, words found by all contenders.

    The peer is jenicek/asmk where it is installed. The plain kernel has its dictionaries of
    residuals made before, and only compares: every image of the gallery, word by word. Words are
    descriptors of the gallery, or learned from so many of them, which is timed once.
    """
    images = drawn_images(n_images + n_queries, n_descriptors, n_channels)
    gallery, queries = images[:n_images], images[n_images:]
    words, facts = np.concatenate(gallery[: -(-n_words // n_descriptors)])[:n_words], {}
    if learned:
        words, facts["processor seconds to learn words"] = learn_words(gallery, n_words, learned)
    for binary in (False, True):
        ranker = ASMKRanker(words=words, binary=binary).fit(gallery)
        works = {OURS: lambda ranker=ranker: [ranker.transform([query])[0] for query in queries]}
        if find_spec("asmk") is not None:
            works["jenicek/asmk"] = authors_search(words, gallery, queries, binary)
        if not binary:
            residuals = [residuals_by_word(ranker.gallery_[[image]]) for image in range(n_images)]
            works["plain kernel"] = lambda residuals=residuals, ranker=ranker: plain_kernel(
                ranker, queries[:1], residuals
            )
        units = dict.fromkeys(works, n_queries) | {"plain kernel": 1}
        name = "signs" if binary else "values"
        name = f"{n_images:,} images, {len(words):,} words, {name}"
        yield Case(name, works, units=units, facts=facts, conclude=same_similarities)


def learn_words(gallery, n_words, n_samples):
    """Return words of a sample of descriptors, and how long a processor took."""
    start = process_time()
    few = gallery[: -(-n_samples // len(gallery[0]))]
    ranker = ASMKRanker(n_words=n_words, max_samples=n_samples, random_state=0).fit(few)
    return ranker.words_, process_time() - start


def same_similarities(found):
    """Hold contenders together, as far as each went."""
    ours = found[OURS]
    for theirs in found.values():
        assert np.allclose(ours[: len(theirs)], theirs, atol=1e-5)
    return {}


def residuals_by_word(images):
    """Return the residuals of one image, by word."""
    return dict(zip(images.words.tolist(), images.residuals, strict=True))


def plain_kernel(ranker, queries, gallery):
    """Compare each query with one image after the other, word by word."""
    asked = [
        residuals_by_word(ranker._aggregated(ranker._check_images([q], reset=False), 1))
        for q in queries
    ]
    return [[compare(query, image) for image in gallery] for query in asked]


def compare(query, image):
    """Return the kernel of two images."""
    shared = [query[word] @ image[word] for word in query.keys() & image.keys()]
    return sum(u**3 for u in shared if u > 0) / np.sqrt(len(query) * len(image))


def authors_search(words, gallery, queries, binary):
    """Return what searches an inverted file of jenicek/asmk for each query."""
    from asmk import ASMKMethod, codebook, index

    vocabulary = codebook.Codebook(
        size=len(words), index_factory=index.initialize_index(gpu_id=None)
    )
    vocabulary.index(words)
    quantize = {"quantize": {"multiple_assignment": 1}, "aggregate": {}}
    kernel = {"kernel": {"binary": binary}, "ivf": {"use_idf": False}}
    selected = {"similarity": {"similarity_threshold": 0.0, "alpha": 3.0}}
    steps = {
        "build_ivf": {**quantize, **kernel},
        "query_ivf": {**quantize, **selected, "search": {"topk": None}},
    }
    method = ASMKMethod(steps, {}, codebook=vocabulary).build_ivf(*joined(gallery))

    def search():
        *_, ranks, scores = method.query_ivf(*joined(queries))
        similarities = np.empty_like(scores)
        np.put_along_axis(similarities, ranks, scores, axis=1)
        return list(similarities)

    return search


def joined(images):
    """Return the descriptors of all images, and whose they are."""
    return np.concatenate(images), np.repeat(np.arange(len(images)), list(map(len, images)))


def drawn_images(n_images, n_descriptors, n_channels):
    """Draw images of unit descriptors around three thousand centres."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((3_000, n_channels), dtype=np.float32)
    chosen = rng.integers(len(centers), size=(n_images, n_descriptors))
    images = centers[chosen]
    images += 0.8 * rng.standard_normal(images.shape, dtype=np.float32)
    return list(images / np.linalg.norm(images, axis=2, keepdims=True))
