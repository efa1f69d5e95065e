"""An index as a page: served to one's own browser, or written as a site of plain files.

The page itself is in `static`: the same files either way but for `source.js`, which asks a server
here and computes in the browser there.
"""

from skdeepenc.search.web.browsing import browse_app, serve

__all__ = ["browse_app", "serve"]
