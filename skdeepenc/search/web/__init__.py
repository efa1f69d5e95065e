"""An index as a page: served to one's own browser, or written as a site of plain files.

The page itself is in `static`: the same files either way but for `source.js`, which asks a server
when it is served; a site has `published.js` in its place, which computes in the browser.
"""

from skdeepenc.search.web.browsing import browse_app, serve
from skdeepenc.search.web.publishing import SiteSummary, publish

__all__ = ["SiteSummary", "browse_app", "publish", "serve"]
