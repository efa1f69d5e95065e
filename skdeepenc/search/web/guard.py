"""Who may ask a page that is served on this machine: pages of its own, and nobody else's.

Any page that a browser shows can send requests to 127.0.0.1, and a foreign name can be made to
point there ("DNS rebinding"). So the name that was asked for must be one of this machine's, and
requests that other pages sent are refused. What is answered carries headers that keep the page to
itself: it loads nothing from elsewhere and is shown inside no other page.
"""

from typing import Any

__all__ = ["CONTENT_POLICY", "Guard"]

CONTENT_POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' blob:",  # an image that was dropped is shown before it is sent
        *(f"{what} 'none'" for what in ("object-src", "base-uri", "form-action")),
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_METHODS = ("GET", "HEAD", "POST")


class Guard:
    """Refuses what does not come from the page itself, and adds headers to every answer.

    Parameters
    ----------
    app : callable
        What answers, by ASGI.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        else:
            await _refuse(_with_headers(send), *refusal)


def _refusal(scope):
    """Return the status and the reason for which a request is refused, or None."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    port = scope["server"][1]
    if len(hosts) != 1 or hosts[0].lower() not in _own_hosts(port):
        return (
            421,
            f"This page answers as http://127.0.0.1:{port} and http://localhost:{port} alone.",
        )
    if scope["method"] not in _METHODS:
        return 405, "There is nothing here to be changed."
    own_origin = f"http://{hosts[0]}"
    unsaid = None if scope["method"] == "POST" else own_origin
    if headers.get(b"origin", unsaid) != own_origin:
        return 403, "Requests of other pages are refused."
    if headers.get(b"sec-fetch-site") in ("cross-site", "same-site") and not _is_visit(headers):
        return 403, "Requests of other pages are refused."
    return None


def _own_hosts(port):
    names = [f"{name}:{port}" for name in _LOCAL_NAMES]
    return (*names, *_LOCAL_NAMES) if port == 80 else names


def _is_visit(headers):
    """Tell whether somebody followed a link to the page, which is shown in a tab of its own."""
    return headers.get(b"sec-fetch-mode") == "navigate" and (
        headers.get(b"sec-fetch-dest") == "document"
    )


def _with_headers(send):
    async def send_more(message):
        if message["type"] == "http.response.start":
            added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return send_more


async def _refuse(send, status, reason):
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
