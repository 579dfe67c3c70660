"""What the routes of the live server share: the store behind them, and how refusals become answers."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from apps.live_models import Problem
from apps.live_protocol import Engine
from apps.live_safety import one_line
from tracker.errors import InputError
from tracker.storage.store_reader import StoreReader

__all__ = ["PROBLEMS", "changing", "content", "open_store", "problems", "say_problems"]

_log = logging.getLogger("multicam.live")

_UNABLE = "the store cannot be read just now: the server's log says why"

_MEANINGS = {
    400: "The host is not this server's, or the body cannot be read.",
    401: "The token is missing or wrong.",
    403: "The header X-Requested-With or the origin is not this server's own page's.",
    404: "It is not there (any more).",
    405: "The address is there, and does not take this method.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "The body is no picture of a kind that can be read.",
    422: "A value cannot be used.",
    500: "Something went wrong in the server.",
    503: "The server is busy, or the store cannot be read just now.",
}


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return how an OpenAPI description says that a route may refuse with these codes."""
    return {code: {"model": Problem, "description": _MEANINGS[code]} for code in codes}


def content(kind: str, **schema: str) -> dict[int | str, dict[str, Any]]:
    """Return how an OpenAPI description says that a route answers with a file of this kind."""
    return {200: {"description": "The file.", "content": {kind: {"schema": {"type": "string", **schema}}}}}


#: what every route may answer
PROBLEMS = problems(400, 401, 403, 404, 405, 408, 413, 422, 500, 503)


@contextlib.contextmanager
def open_store(engine: Engine) -> Iterator[StoreReader]:
    """Yield the run's store to read; what it does not know is 404.

    Raises:
        HTTPException: it cannot be opened (503), or what is asked for is not in it (404).
    """
    try:
        store = StoreReader(engine.store_path)
    except InputError as error:
        # The message names files of this machine, which is nothing for a page.
        _log.warning("%s", error)
        raise HTTPException(503, _UNABLE) from None
    with store:
        yield store


@contextlib.contextmanager
def changing(engine: Engine, *identities: int) -> Iterator[None]:
    """Turn what the run refuses into 404 where an identity is not there, else into 422.

    Raises:
        HTTPException: it refused.
    """
    try:
        yield
    except InputError as error:
        with open_store(engine) as store:
            for identity in identities:
                try:
                    store.person(identity)
                except InputError as missing:
                    raise HTTPException(404, one_line(missing)) from None
        raise HTTPException(422, one_line(error)) from None


def say_problems(app: FastAPI) -> None:
    """Make every refusal of an application one line in ``detail``."""

    @app.exception_handler(RequestValidationError)
    async def unusable(request: Request, error: RequestValidationError) -> JSONResponse:
        return _refusal(422, _validation_line(error.errors()[0]))

    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: StarletteHTTPException) -> JSONResponse:
        usual = {404: "there is nothing at this address", 405: "this address does not take this method"}
        said = usual[error.status_code] if error.detail in ("Not Found", "Method Not Allowed") else error.detail
        return _refusal(error.status_code, said, error.headers)

    @app.exception_handler(InputError)
    async def unable(request: Request, error: InputError) -> JSONResponse:
        # Nobody's request was wrong: the store is away or full, and the message names it.
        _log.warning("%s", error)
        return _refusal(503, _UNABLE)


def _refusal(code: int, detail: object, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": one_line(detail)}, code, headers)


def _validation_line(problem: Any) -> str:
    """Return what is wrong with the first field that is: where it is, and why."""
    where, *names = problem.get("loc") or ("request",)
    parts = [f"{name + 1}" if isinstance(name, int) else str(name)[:60] for name in names]
    message = str(problem.get("msg", "cannot be used")).removeprefix("Value error, ")
    if problem.get("type") == "json_invalid":
        return "the body is no JSON that can be read: send the document that the OpenAPI description names"
    if not parts and where == "body":
        return "the body is no JSON object: send one, with Content-Type: application/json"
    label = " ".join(parts) if parts else f"the {where}"
    return f"{label}: {message[:1].lower()}{message[1:300]}"
