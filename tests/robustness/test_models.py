"""Damaged models give maps of a right shape, or are refused with our own error, soon."""

import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from extraction.conftest import tiny_network

from robustness.model_mutations import mutated_model
from robustness.watched import peak_gigabytes, watched, within_seconds
from skdeepenc.backbones import Backbone
from skdeepenc.exceptions import ModelError

N_CASES = 38
SECONDS = 10
TRANSFORMER = Path(__file__).parents[1] / "backbones" / "exports" / "class_token.onnx"
PIXELS = np.zeros((2, 3, 48, 48), dtype=np.float32)


def run_damaged(folder, n_cases):
    """Run models with damage; return outcomes, faults, and the most time and memory used."""
    warnings.simplefilter("ignore")
    outcomes, faults, slowest = Counter(), [], 0.0
    originals = {"network": tiny_network(), "transformer": TRANSFORMER.read_bytes()}
    for case in range(n_cases):
        kind = list(originals)[case % 2]
        content = mutated_model(originals[kind], np.random.default_rng(case))
        Path(folder, "current.onnx").write_bytes(content)  # left behind by what dies of it
        start = time.monotonic()
        try:
            with within_seconds(SECONDS):
                outputs = Backbone(content, n_threads=1).run(PIXELS)
            outcomes["ran"] += 1
            shapes = [maps.shape for maps in outputs.values()]
            if any(len(shape) != 4 or shape[0] != len(PIXELS) for shape in shapes):
                faults.append(f"case {case}, {kind}: {shapes}")
        except ModelError:
            outcomes["refused"] += 1
        except BaseException as error:
            faults.append(f"case {case}, {kind}: {error!r:.300}")
        slowest = max(slowest, time.monotonic() - start)
    return outcomes, faults, slowest, peak_gigabytes()


def test_damaged_models_run_or_are_refused_with_our_own_error(tmp_path, factor):
    n_cases = N_CASES * factor
    outcomes, faults, slowest, peak = watched(
        run_damaged, str(tmp_path), n_cases, seconds=60 + n_cases
    )
    print(f"{dict(outcomes)}, {slowest:.1f} s and {peak:.2f} GB at most")
    assert not faults, "\n".join(faults[:20])
    assert min(outcomes["ran"], outcomes["refused"]) > n_cases / 20
    assert peak < 2
