"""The routes of the page: what a browser asks for, and what it is answered."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skdeepenc.exceptions import ImageError, SkdeepencError
from skdeepenc.search.web.collection import Collection, NewestCollection, UnknownImageError
from skdeepenc.search.web.guard import Guard
from skdeepenc.search.web.page_files import PAGE_FILES, page_file
from skdeepenc.search.web.pictures import Pictures
from skdeepenc.search.web.questions import (
    LARGEST_UPLOAD,
    Box,
    Encoders,
    Question,
    check_upload,
    part_of,
    similar,
)
from skdeepenc.search.web.reasons import reasons_for

__all__ = ["make_application"]

_MOST_AT_ONCE = 1000
_PICTURES_AT_ONCE = 4
# An image of a digest never changes, so browsers need not ask again.
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
_FRESH = {"cache-control": "no-store"}


def make_application(folder: Path, start: Path) -> Starlette:
    """Make the page over an index.

    Parameters
    ----------
    folder : Path
        The index.
    start : Path
        Where relative names of images begin.

    Returns
    -------
    Starlette
        The application.
    """
    newest = NewestCollection(folder)
    newest()  # says now what is wrong with the index
    page = Page(newest, Encoders(), Pictures(start))
    asked = {
        "collection": page.collection,
        "images": page.images,
        "duplicates": page.duplicates,
        "similar": page.similar,
        "match": page.match,
    }
    pictures = {"small": page.pictures.small, "large": page.pictures.large}
    return Starlette(
        routes=[
            Route("/", partial(_page_file, "index.html")),
            *(Route(f"/{name}", partial(_page_file, name)) for name in PAGE_FILES),
            *(
                Route(f"/api/{name}", page.answering(answer), methods=["GET", "POST"])
                for name, answer in asked.items()
            ),
            *(
                Route(f"/{size}/{{reference}}", page.showing(picture))
                for size, picture in pictures.items()
            ),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={
            UnknownImageError: partial(_failed, 404),
            ImageError: partial(_failed, 422),
            SkdeepencError: partial(_failed, 503),
            ValueError: partial(_failed, 400),
            HTTPException: _refused,
        },
    )


async def _page_file(name: str, request: Request) -> Response:
    return Response(
        page_file(name), media_type=PAGE_FILES[name], headers={"cache-control": "no-cache"}
    )


def _failed(status, request, error):
    text = str(error)
    return _answer({"error": text[:1].upper() + text[1:]}, status)


def _refused(request, error):
    return _answer({"error": error.detail}, error.status_code)


def _answer(content, status=200):
    body = json.dumps(content, allow_nan=False).encode()  # in ASCII, whatever names hold
    return Response(body, status, media_type="application/json", headers=_FRESH)


@dataclass(frozen=True)
class Page:
    """What the page knows.

    Parameters
    ----------
    newest : NewestCollection
        Returns the present state of the index.
    encoders : Encoders
        What turns images into vectors.
    pictures : Pictures
        What images look like.
    """

    newest: NewestCollection
    encoders: Encoders
    pictures: Pictures

    def answering(self, answer: Callable[[Collection, Request, bytes], Any]) -> Any:
        """Return an endpoint that answers one question at a time, in a thread: models take all."""
        limiter = CapacityLimiter(1)

        async def endpoint(request: Request) -> Response:
            body = await _body_of(request)
            content = await to_thread.run_sync(work, request, body, limiter=limiter)
            return _answer(content)

        def work(request: Request, body: bytes) -> Any:
            collection = self.newest()
            content = answer(collection, request, body)
            return {**content, "generation": collection.snapshot.manifest.generation}

        return endpoint

    def showing(self, picture: Callable[[str, str], bytes]) -> Any:
        """Return an endpoint that shows images, a few at a time."""
        limiter = CapacityLimiter(_PICTURES_AT_ONCE)

        async def endpoint(request: Request) -> Response:
            reference = request.path_params["reference"]
            content = await to_thread.run_sync(work, reference, limiter=limiter)
            return Response(content, media_type="image/jpeg", headers=_FOREVER)

        def work(reference: str) -> bytes:
            collection = self.newest()
            row = collection.row(reference)
            return picture(collection.name(row), collection.digest(row))

        return endpoint

    def collection(self, collection: Collection, request: Request, body: bytes) -> Any:
        """Return what the page begins with."""
        folders, counts = collection.folders, collection.folders.counts().tolist()
        return {
            "title": collection.snapshot.folder.name,
            "n_images": len(collection),
            "n_failures": collection.snapshot.manifest.n_failures,
            "missing": self._why_missing(collection),
            "folders": [
                {"name": "/".join(parts), "depth": len(parts), "count": count, "end": int(end)}
                for parts, count, end in zip(folders.parts, counts, folders.ends, strict=True)
            ],
        }

    def _why_missing(self, collection):
        """Return why the first image is not shown, if so: most likely, none is."""
        try:
            for row in collection.rows[:1].tolist():
                self.pictures.content(collection.name(row), collection.digest(row))
        except ImageError as error:
            return f"The first one is not shown: {error}."
        return None

    def images(self, collection: Collection, request: Request, body: bytes) -> Any:
        """Return some images of a folder."""
        rows = collection.rows_in(_folder_of(collection, request))
        start = _number(request, "start", 0, most=len(rows))
        count = _number(request, "count", _MOST_AT_ONCE, most=_MOST_AT_ONCE)
        images = [collection.entry(int(row)) for row in rows[start : start + count]]
        return {"total": len(rows), "images": images}

    def duplicates(self, collection: Collection, request: Request, body: bytes) -> Any:
        """Return groups of copies."""
        return {"groups": collection.copies}

    def similar(self, collection: Collection, request: Request, body: bytes) -> Any:
        """Return images like another one."""
        question = _question_of(collection, request, body)
        count = _number(request, "count", 100, most=_MOST_AT_ONCE)
        whole = question.row is not None and question.box is None
        image = question.row if whole else self._pixels(collection, question)
        encoder = partial(self.encoders.encoder, collection)
        folder = _folder_of(collection, request)
        images = similar(collection, encoder, image, folder, count)
        asked = None if question.row is None else collection.entry(question.row)
        return {"query": asked, "images": images}

    def match(self, collection: Collection, request: Request, body: bytes) -> Any:
        """Return why two images are alike."""
        query = self._pixels(collection, _question_of(collection, request, body))
        row = collection.row(request.query_params.get("result", ""))
        result = self._pixels(collection, Question(row=row))
        return reasons_for(self.encoders.pipeline(collection), query, result).content

    def _pixels(self, collection, question):
        """Return what of a question's image is encoded."""
        if question.row is None:
            return part_of(question.content, question.box)
        name, digest = collection.name(question.row), collection.digest(question.row)
        return part_of(self.pictures.content(name, digest), question.box)


def _question_of(collection, request, body):
    text = request.query_params.get("box")
    box = Box.read(text) if text else None
    if request.method == "POST":
        return Question(content=check_upload(body), box=box)
    return Question(row=collection.row(request.query_params.get("image", "")), box=box)


def _folder_of(collection, request):
    return _number(request, "folder", 0, most=len(collection.folders.parts) - 1)


def _number(request, name, default, most):
    """Return a number of the query, from 0 to `most`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise ValueError(f"{name} is not a number.")
    return min(int(text), most)


async def _body_of(request):
    """Return what was sent, if it is not too much."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_UPLOAD:
            limit = LARGEST_UPLOAD // 2**20
            raise HTTPException(413, f"The file has more than {limit} MB, the most that is taken.")
    return bytes(body)
