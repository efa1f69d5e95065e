"""What strangers put into JSON, archives and pickles gets an error of ours, and nothing else."""

import copy
import hashlib
import io
import json
import pickle
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from extraction.conftest import tiny_network

import skdeepenc
from robustness.small_data_sets import revisited
from robustness.watched import watched
from skdeepenc.arrays.files import read_description, write_description
from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.datasets import load_oxford5k
from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.exceptions import DataSetError, ModelError, SkdeepencError, StorageError
from skdeepenc.extraction import ActivationExtractor, cache_info
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import SignCodes

DEEP = "[" * 10_000 + "]" * 10_000
HOSTILE = [
    *(None, True, -1, 0, 10**40, 1e308, -1e308, float("nan"), float("inf"), "", [], {}, [[]]),
    *("../../x", "/etc/passwd", "a\0b", "x" * 100_000, "\ud800", ["a"] * 1000, {"a": {}}),
]


def places(document, path=()):
    """Yield the way to every value inside a JSON document."""
    if path:
        yield path
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in inner:
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


def forgeries(document, n_cases, seed=0):
    """Yield documents with something hostile, or nothing, in the place of a value."""
    rng = np.random.default_rng(seed)
    ways = list(places(document))
    for _ in range(n_cases):
        forged = copy.deepcopy(document)
        *way, last = ways[rng.integers(len(ways))]
        inner = forged
        for key in way:
            inner = inner[key]
        what = rng.integers(len(HOSTILE) + 1)
        if what == len(HOSTILE):
            del inner[last]
        else:
            inner[last] = copy.deepcopy(HOSTILE[what])
        yield forged


def faults_of(read, documents, error=SkdeepencError):
    """Read documents; return how that ended, and what was raised but is not ours."""
    outcomes, faults = Counter(), []
    for case, document in enumerate(documents):
        try:
            read(document)
            outcomes["read"] += 1
        except error:
            outcomes["refused"] += 1
        except BaseException as other:
            faults.append(f"case {case}: {other!r:.300}")
    return outcomes, faults


def check(outcome):
    outcomes, faults = outcome
    print(dict(outcomes))
    assert not faults, "\n".join(faults[:20])
    assert outcomes["refused"]


def forged_maps(folder, n_cases):
    """Open maps whose description is signed again after it was forged."""
    maps = Path(folder, "maps")
    FeatureMaps.from_layers({"a": np.ones((2, 3, 4, 5)), "b": np.ones((2, 1, 1, 6))}).save(maps)
    description, _ = read_description(maps / "maps.json")

    def read(forged):
        write_description(maps / "maps.json", forged)
        opened = FeatureMaps.load(maps)
        opened.values(opened.layers[0])

    outcome = faults_of(read, forgeries(description, n_cases), StorageError)
    (maps / "maps.json").write_text(DEEP)
    with pytest.raises(StorageError):
        FeatureMaps.load(maps)
    return outcome


def forged_codes(folder, n_cases):
    """Open sign codes whose description is signed again after it was forged."""
    codes = Path(folder, "codes")
    SignCodes.encode(np.ones((3, 40))).save(codes)
    (path,) = codes.glob("*.json")
    description, _ = read_description(path)

    def read(forged):
        write_description(path, forged)
        SignCodes.load(codes, None).decode()

    outcome = faults_of(read, forgeries(description, n_cases), StorageError)
    path.write_text(DEEP)
    with pytest.raises(StorageError):
        SignCodes.load(codes)
    return outcome


def forged_specs(folder, n_cases):
    """Open models that say strange things of themselves, in the file or beside it."""
    record = json.loads(ModelSpec("tiny", ("conv2",), 16, licence="MIT").to_json())
    texts = [json.dumps(forged) for forged in forgeries(record, n_cases)]
    beside = Path(folder, "preprocessor_config.json")
    model = Path(folder, "model.onnx")
    model.write_bytes(tiny_network())

    def read(text):
        beside.write_text(text)
        ModelSpec.from_json(text)

    def run(text):
        beside.write_text(text)
        Backbone(str(model))

    first = faults_of(read, [*texts, DEEP, "1" * 10_000], ModelError)
    second = faults_of(run, [*texts[: n_cases // 4], DEEP], ModelError)
    return first[0] + second[0], first[1] + second[1]


def forged_recipes(folder, n_cases):
    """List and use a cache whose description for people was forged."""
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"], memory=folder)
    images = [np.zeros((20, 20, 3), dtype=np.uint8)]
    extractor.fit_transform(images)
    (path,) = Path(folder).glob("*/recipe.json")
    texts = [json.dumps(forged) for forged in forgeries(json.loads(path.read_text()), n_cases)]

    def read(text):
        path.write_text(text)
        cache_info(folder)

    outcomes, faults = faults_of(read, [*texts, DEEP, "1" * 10_000, ""])
    extractor.fit_transform(images)
    return outcomes + Counter(refused=1), faults


def forged_estimators(folder, n_cases):
    """Open saved estimators whose schema or description was forged, and signed again."""
    path = Path(folder, "encoder.skops")
    maps = np.random.default_rng(0).random((12, 5, 4, 8), dtype=np.float32)
    skdeepenc.save(MOPVLADEncoder(n_clusters=3, random_state=0).fit(maps), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema, description = (json.loads(members[name]) for name in ("schema.json", "skdeepenc.json"))

    def read(changed):
        path.write_bytes(archive_of(members | changed))
        skdeepenc.load(path)

    schemas = [json.dumps(forged) for forged in forgeries(schema, n_cases)]
    changes = [signed(members | {"schema.json": text.encode()}) for text in (*schemas, DEEP)]
    changes += [
        {"skdeepenc.json": json.dumps(forged).encode()}
        for forged in forgeries(description, n_cases // 2)
    ]
    changes += [{"skdeepenc.json": DEEP.encode()}]
    names = ["../evil", "/etc/evil", "a/../../evil", "C:\\evil"]
    changes += [signed(members | {name: b"evil"}) for name in names]
    outcome = faults_of(read, changes, StorageError)
    assert sorted(entry.name for entry in Path(folder).iterdir()) == [path.name]
    return outcome


def signed(members):
    """Return the members of an archive with a description that fits them."""
    description = json.loads(members["skdeepenc.json"])
    description["sha256"] = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in members.items()
        if name != "skdeepenc.json"
    }
    return members | {"skdeepenc.json": json.dumps(description).encode()}


def archive_of(members):
    """Return the bytes of an archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile_pickles(folder):
    """Read ground truths that are pickles of an attacker's."""
    (name,) = revisited(folder)
    evil = Path(folder, "evil")
    deep = []
    for _ in range(400):
        deep = [deep]
    pickles = [
        pickle.dumps({"imlist": Calls(open, str(evil), "w")}),
        pickle.dumps(Calls(eval, f"open({str(evil)!r}, 'w')")),
        pickle.dumps(deep),
        b"(" * 100_000 + b".",
        b"]" * 10_000 + b"a" * 9_999 + b".",
        b"\x80\x04" + b"\x8c\xff" * 3 + b".",
        b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b".",
        b"\x80\x02r\xff\xff\xff\x7f.",
        b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb.",
        b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I-1\ntS'b'\ntR.",
        pickle.dumps({"imlist": ["../../x"], "qimlist": ["/etc/passwd"], "gnd": [{}]}),
        pickle.dumps({"imlist": ["a\0b"] * 2, "qimlist": ["a_1"], "gnd": [{"bbx": [1e308] * 4}]}),
        b"I" + b"9" * 10_000 + b"\n.",
    ]

    def read(content):
        Path(folder, name).write_bytes(content)
        load_oxford5k(folder, ground_truth="revisited", allow_pickle=True)

    outcome = faults_of(read, pickles, DataSetError)
    assert not evil.exists()
    return outcome


@pytest.mark.parametrize(
    "forged", [forged_maps, forged_codes, forged_specs, forged_recipes, forged_estimators]
)
def test_forged_descriptions_are_refused_with_our_own_error(forged, tmp_path, factor):
    check(watched(forged, str(tmp_path), 40 * factor, seconds=60 + 20 * factor))


def test_hostile_pickles_run_nothing(tmp_path):
    check(watched(hostile_pickles, str(tmp_path)))
