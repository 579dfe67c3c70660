"""The live server's search by photo: what is sent is limited while it comes, and looked at before it is decoded."""

from __future__ import annotations

import asyncio
from email.message import Message
from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Request
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from apps.live_answers import changing, problems
from apps.live_models import SearchResult
from apps.live_pictures import PhotoError, decode_photo
from apps.live_protocol import Engine

__all__ = ["search_routes"]

_MOST_BYTES = 10_000_000
#: photos that are looked for at once; each may take 200 MB while it is decoded
_AT_ONCE = 2
_PATIENCE_SECONDS = 10.0
_KINDS = ("image/jpeg", "image/png", "image/webp")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **dict.fromkeys(_KINDS, _BINARY),
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"photo": {"type": "string", "format": "binary"}},
                    "required": ["photo"],
                }
            },
        },
    }
}


class _InMemory(MultiPartParser):
    """Never writes what is sent to a temporary file."""

    spool_max_size = _MOST_BYTES * 2


def search_routes(engine: Engine) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["search"])
    places = asyncio.Semaphore(_AT_ONCE)

    @routes.post("/api/search", openapi_extra=_BODY, responses=problems(415))
    async def search(
        request: Request,
        top: Annotated[int, Query(ge=1, le=100, description="Answers for each person.")] = 10,
        detect: Annotated[bool, Query(description="Look for people in the picture first.")] = False,
    ) -> SearchResult:
        """Say who is in a photo: JPEG, PNG or WebP of at most 10 MB and 40 megapixels, as it is or in a form."""
        content = await _photo(request)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await places.acquire()
        except TimeoutError:
            raise HTTPException(503, "other photos are being looked for: try again in a moment") from None
        try:
            return await run_in_threadpool(_answer, engine, content, detect, top)
        finally:
            places.release()

    return routes


def _answer(engine: Engine, content: bytes, detect: bool, top: int) -> SearchResult:
    image = _decoded(content)
    with changing(engine):
        persons = engine.search(image, detect, top)
    whole = [0, 0, image.shape[1], image.shape[0]]
    found = [{**person, "box": whole if person["box"] is None else person["box"]} for person in persons]
    return SearchResult.model_validate({"detected": detect, "persons": found})


def _decoded(content: bytes) -> NDArray[np.uint8]:
    try:
        return decode_photo(content)
    except PhotoError as error:
        raise HTTPException(415 if error.kind_unknown else 422, str(error)) from None


async def _photo(request: Request) -> bytes:
    kind = Message()
    kind["Content-Type"] = request.headers.get("Content-Type", "application/octet-stream")
    if kind.get_content_type() == "multipart/form-data":
        content = await _from_form(request)
    elif kind.get_content_maintype() == "image" or kind.get_content_type() == "application/octet-stream":
        content = await request.body()
    else:
        allowed = ", ".join(_KINDS)
        raise HTTPException(415, f"send a photo as {allowed}, or as the field photo of multipart/form-data")
    if len(content) > _MOST_BYTES:
        raise HTTPException(413, f"more than {_MOST_BYTES // 1_000_000} MB were sent: send a smaller picture")
    return content


async def _from_form(request: Request) -> bytes:
    parser = _InMemory(request.headers, request.stream(), max_files=1, max_fields=8)
    try:
        form = await parser.parse()
    except MultiPartException:
        raise HTTPException(400, "the form cannot be read: send one file, as its field photo") from None
    except (KeyError, ValueError, UnicodeError):
        raise HTTPException(400, "the form cannot be read: send one file, as its field photo") from None
    photo = form.get("photo")
    if not isinstance(photo, UploadFile):
        await form.close()
        raise HTTPException(422, "photo: is missing; send the picture as the file photo of the form")
    content = await photo.read()
    await form.close()
    return content
