"""From folders of images to vectors on disk, on one machine or many.

`encode` is the work of one worker: images in, shards of vectors out. Whatever starts many workers
(joblib, Dask, Ray, Spark, Slurm) may call it.
"""

from skdeepenc.search.encoding import EncodingSummary, encode
from skdeepenc.search.shards import Shards, read_shards

__all__ = ["EncodingSummary", "Shards", "encode", "read_shards"]
