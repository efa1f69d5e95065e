"""Damaged saved maps and sign codes are refused, or still what was saved."""

from collections import Counter
from pathlib import Path

import numpy as np

from robustness.mutations import mutated
from robustness.watched import watched
from skdeepenc.exceptions import StorageError
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import SignCodes

N_CASES = 40


def load_damaged(folder, n_cases):
    """Load maps and codes with damage; return outcomes and faults."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((10, 3, 4, 6)).astype(np.float32)
    maps, codes = Path(folder, "maps"), Path(folder, "codes")
    FeatureMaps.from_layers({"a": values, "b": values[:, :1, :1] * 2}).save(maps)
    SignCodes.encode(values.reshape(10, -1)).save(codes)
    signs = SignCodes.load(codes).decode()
    loads = {
        maps: lambda mode: FeatureMaps.load(maps, mode).values("a").reshape(values.shape) == values,
        codes: lambda mode: SignCodes.load(codes, None).decode() == signs,
    }
    outcomes, faults = Counter(), []
    for case in range(n_cases):
        place = (maps, maps, codes)[case % 3]
        path = rng.choice(sorted(place.iterdir()))
        original = path.read_bytes()
        path.write_bytes(mutated(original, rng))
        mode = (None, "r", "c")[rng.integers(3)]
        try:
            right = loads[place](mode).all()
            outcomes["right" if right else "wrong"] += 1
            if not right:
                faults.append(f"case {case}: {path.name} is believed, mmap_mode={mode}")
        except StorageError:
            outcomes["refused"] += 1
        except BaseException as error:
            faults.append(f"case {case}, {path.name}, mmap_mode={mode}: {error!r}")
        path.write_bytes(original)
    return outcomes, faults


def test_damaged_maps_and_codes_are_never_believed(tmp_path, factor):
    n_cases = N_CASES * factor
    outcomes, faults = watched(load_damaged, str(tmp_path), n_cases, seconds=60 + n_cases)
    print(dict(outcomes))
    assert not faults, "\n".join(faults[:20])
