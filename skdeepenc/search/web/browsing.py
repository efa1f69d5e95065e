"""A page over an index: an application for any ASGI server, and one that serves it here alone."""

import socket
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skdeepenc._optional import require
from skdeepenc._typing import PathLike
from skdeepenc.search.image_index import ImageIndex

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["browse_app", "serve"]

_PURPOSE = "The page over an index"
_HERE = "127.0.0.1"
#: Where the page is found unless somebody else is there.
USUAL_PORT = 8765


def browse_app(index: PathLike | ImageIndex) -> "Starlette":
    """Make a page over an index: search by image or part, results to search on, copies.

    Parameters
    ----------
    index : path-like or ImageIndex
        The index. When it changes, the page shows its new state.

    Returns
    -------
    Starlette
        An application for ASGI servers, such as uvicorn; ``skdeepenc browse`` runs one.

    Raises
    ------
    MissingDependencyError
        If starlette is not installed.
    StorageError
        If there is no index.

    See Also
    --------
    ImageIndex : The same, from Python.

    Notes
    -----
    It answers browsers on this machine and nobody else: requests under other names than 127.0.0.1
    and localhost, and those that other pages send, are refused. Images are shown if they are files
    of this machine that still have the indexed content, as pixels compressed anew. Names that are
    relative begin where the application was made.

    Examples
    --------
    >>> import tempfile
    >>> from skdeepenc import image_pipeline
    >>> from skdeepenc.datasets import make_scenes
    >>> from skdeepenc.search import ImageIndex, browse_app
    >>> scenes = list(make_scenes(4, image_size=64, random_state=0).images)
    >>> pipeline = image_pipeline("duplicates", size="fast")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     app = browse_app(ImageIndex.build(pipeline, scenes, folder))
    >>> type(app).__name__
    'Starlette'
    """
    require("starlette", extra="web", purpose=_PURPOSE)
    from skdeepenc.search.web.application import make_application

    folder = index.folder if isinstance(index, ImageIndex) else Path(index)
    return make_application(folder.absolute(), start=Path.cwd())


def serve(index: PathLike, port: int | None, *, announce: Any, is_shown: bool = True) -> None:
    """Serve the page over an index to this machine, until it is interrupted.

    Parameters
    ----------
    index : path-like
        The index.
    port : int or None
        Where; None takes the usual port, or any if that is taken.
    announce : callable
        Is given the address when it can be visited.
    is_shown : bool, default=True
        Whether to open it in the browser.

    Raises
    ------
    StorageError
        If there is no index.
    OSError
        If the port is taken.
    """
    app = browse_app(index)
    uvicorn = require("uvicorn", extra="web", purpose=_PURPOSE)
    with _listening(port) as listener:
        address = f"http://{_HERE}:{listener.getsockname()[1]}/"
        announce(address)
        if is_shown:
            # Browsers of the terminal do not return before they are left.
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        config = uvicorn.Config(app, log_level="warning", server_header=False, ws="none")
        uvicorn.Server(config).run(sockets=[listener])


def _listening(port):
    """Return a socket that others can connect to from now on."""
    if port is not None and not 0 <= port < 1 << 16:
        raise ValueError(f"{port} is not the number of a port: they go from 0 to 65535.")
    for number in (USUAL_PORT, 0) if port is None else (port,):
        try:
            return socket.create_server((_HERE, number))
        except OSError as error:
            failure = error
    raise OSError(f"The page cannot be served at port {number}: {failure.strerror}.")
