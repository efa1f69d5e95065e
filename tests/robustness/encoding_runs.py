"""Workers of `encode` that are killed, in children of a watched process."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet  # noqa: F401 (children would import it anew, each of them)
from extraction.conftest import tiny_network
from sklearn.pipeline import make_pipeline

from robustness.cached_runs import ended, forked
from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.search import encode, read_shards

IMAGES = [
    np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8) for seed in range(24)
]
N_WORKERS = 2


def encode_share(out, worker, n_workers=N_WORKERS):
    """Do what is one worker's to do."""
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"])
    pipeline = make_pipeline(extractor, GlobalPooler()).fit(IMAGES)
    encode(pipeline, IMAGES, out, shard=worker, n_shards=n_workers, shard_size=2)
    return True


def killed_workers(out, n_kills):
    """Kill workers at any moment, and let others go on; return how many died, and the end."""
    rng = np.random.default_rng(0)
    n_killed = 0
    for _ in range(n_kills):
        workers = [forked(encode_share, out, worker) for worker in range(N_WORKERS)]
        time.sleep(rng.uniform(0, 0.4))
        os.kill(workers[0], signal.SIGKILL)
        codes = [ended(pid) for pid in workers]
        n_killed += codes.count(-signal.SIGKILL)
        assert set(codes) <= {0, -signal.SIGKILL}, codes
        for path in sorted(Path(out).glob("*.parquet"))[:: rng.integers(2, 5)]:
            path.unlink()  # so that there is something left to do
    return n_killed, ended(forked(goes_on_to_the_right_end, out))


def goes_on_to_the_right_end(out):
    """Encode what is missing; say whether all files are those of a run that nobody killed."""
    encode_share(out, 0, 1)
    encode_share(f"{out}-alone", 0, 1)
    read_shards(out)
    files, alone = (
        {path.name: path.read_bytes() for path in Path(folder).glob("[!.]*")}
        for folder in (out, f"{out}-alone")
    )
    return files == alone and len(files) == len(IMAGES)
