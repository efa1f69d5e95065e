"""From folders of images to vectors on disk, and to search engines.

`encode` is the work of one worker among any number: images in, shards of vectors out. `ImageIndex`
is a folder that is searched, updated, and looked through for copies; `browse_app` makes a page of
it, `publish` a site.
"""

from skdeepenc.search.encoding import EncodingSummary, encode
from skdeepenc.search.image_index import ImageIndex
from skdeepenc.search.image_pass import UpdateSummary
from skdeepenc.search.shards import Shards, read_shards
from skdeepenc.search.web import SiteSummary, browse_app, publish

__all__ = [
    "EncodingSummary",
    "ImageIndex",
    "Shards",
    "SiteSummary",
    "UpdateSummary",
    "browse_app",
    "encode",
    "publish",
    "read_shards",
]
