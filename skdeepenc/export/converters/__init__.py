"""The converters: each file registers its own when it is imported."""

from skdeepenc.export.converters import bag_of_words as bag_of_words
from skdeepenc.export.converters import calibration as calibration
from skdeepenc.export.converters import channel_selection as channel_selection
from skdeepenc.export.converters import cluster_mac as cluster_mac
from skdeepenc.export.converters import cross_layer as cross_layer
from skdeepenc.export.converters import extractor as extractor
from skdeepenc.export.converters import fisher as fisher
from skdeepenc.export.converters import global_pooler as global_pooler
from skdeepenc.export.converters import linear_classifiers as linear_classifiers
from skdeepenc.export.converters import mop_vlad as mop_vlad
from skdeepenc.export.converters import neighbors as neighbors
from skdeepenc.export.converters import pipelines as pipelines
from skdeepenc.export.converters import rankers as rankers
from skdeepenc.export.converters import scaling as scaling
from skdeepenc.export.converters import support_vectors as support_vectors
