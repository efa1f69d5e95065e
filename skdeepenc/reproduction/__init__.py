"""The papers' tables, measured again: their own numbers beside ours, and which claims hold.

Each paper is a file of data and one function that encodes its rows; the rest is shared. `reproduce`
measures, on standard data sets or on images that are drawn.
"""

from skdeepenc.reproduction.runner import PAPERS, reproduce
from skdeepenc.reproduction.tables import Reproduction

__all__ = ["PAPERS", "Reproduction", "reproduce"]
