"""The files of the live page, read once when the server starts: no request reaches the file system."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

__all__ = ["PAGE_FOLDER", "PageFile", "page_files", "page_routes"]

PAGE_FOLDER = Path(__file__).with_name("live_page")
_PAGE = "index.html"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent."""

    content: bytes
    kind: str
    tag: str


def page_files(folder: Path = PAGE_FOLDER) -> dict[str, PageFile]:
    """Return the page's files by name; none where it is not installed."""
    found = {}
    for path in sorted(folder.glob("*")):
        if path.suffix in _KINDS and path.is_file():
            content = path.read_bytes()
            found[path.name] = PageFile(content, _KINDS[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found


def page_routes(files: dict[str, PageFile]) -> APIRouter:
    """Return the routes of the page and of what belongs to it."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def page(request: Request) -> Response:
        if _PAGE not in files:
            raise HTTPException(404, "this multicam has no page: its API is described at /api/openapi.json")
        return _sent(files[_PAGE], request)

    @routes.get("/static/{name}")
    def static(name: str, request: Request) -> Response:
        if name not in files or name == _PAGE:
            raise HTTPException(404, "there is nothing at this address")
        return _sent(files[name], request)

    return routes


def _sent(file: PageFile, request: Request) -> Response:
    # A newer multicam has the same names: the browser asks each time whether they have changed.
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    if file.tag in known:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.kind, headers=headers)
