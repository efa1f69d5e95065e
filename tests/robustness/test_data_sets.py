"""Damaged ground truth is read as what it then says, or refused with our own error."""

from collections import Counter
from pathlib import Path

import numpy as np

from robustness.mutations import mutated
from robustness.small_data_sets import SMALL
from robustness.watched import watched
from skdeepenc.exceptions import DataSetError

N_CASES = 15


def load_damaged(folder, n_cases):
    """Load every small data set with damage; return the outcomes and whatever else was raised."""
    outcomes, faults = Counter(), []
    for kind, (build, load) in SMALL.items():
        place = Path(folder, kind)
        names = build(place)
        load(place)  # undamaged
        for case in range(n_cases):
            rng = np.random.default_rng([len(kind), case])
            path = place / names[rng.integers(len(names))]
            original = path.read_bytes()
            damaged = mutated(original, rng)
            path.write_bytes(damaged)
            try:
                load(place)
                outcomes["loaded"] += 1
            except DataSetError as error:
                outcomes["refused"] += 1
                if path.name not in str(error) and "missing" not in str(error):
                    faults.append(f"{kind}, case {case}: {path.name} is not named: {error}")
            except BaseException as error:
                faults.append(f"{kind}, case {case}, {damaged[:80]!r}: {error!r}")
            path.write_bytes(original)
    return outcomes, faults


def test_damaged_ground_truth_is_refused_with_our_own_error(tmp_path, factor):
    n_cases = N_CASES * factor
    outcomes, faults = watched(load_damaged, str(tmp_path), n_cases, seconds=60 + n_cases)
    print(dict(outcomes))  # shown by pytest -rP
    assert not faults, "\n".join(faults[:20])
    assert outcomes["refused"] > outcomes["loaded"] / 10
