"""Named evaluation protocols, each as its data set defines it."""

from skdeepenc.metrics.holidays import holidays_map
from skdeepenc.metrics.oxford import average_precision, mean_average_precision
from skdeepenc.metrics.recall import recall_at_k
from skdeepenc.metrics.revisited import revisited_map, revisited_precision_at_k
from skdeepenc.metrics.scorer import retrieval_scorer
from skdeepenc.metrics.ukb import ukb_score
from skdeepenc.metrics.voc import voc_average_precision

__all__ = [
    "average_precision",
    "holidays_map",
    "mean_average_precision",
    "recall_at_k",
    "retrieval_scorer",
    "revisited_map",
    "revisited_precision_at_k",
    "ukb_score",
    "voc_average_precision",
]
