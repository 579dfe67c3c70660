"""Routes of the live server about the run: how it is doing, what its cameras show, what happened."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Response

from apps.live_answers import content
from apps.live_models import Event, Events, Status
from apps.live_pictures import encode_jpeg
from apps.live_protocol import Engine
from apps.live_safety import one_line

__all__ = ["camera_routes"]

_JPEG = content("image/jpeg", format="binary")


def camera_routes(engine: Engine) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["run"])

    @routes.get("/api/status")
    def status() -> Status:
        """Return how cameras, processing and store are doing."""
        return Status.model_validate(engine.status())

    @routes.get("/api/cameras/{name}/frame.jpg", response_class=Response, responses=_JPEG)
    def frame(
        name: Annotated[str, Path(max_length=300)],
        width: Annotated[int | None, Query(ge=16, le=8192, description="Pixels; never more than it has.")] = None,
    ) -> Response:
        """Return a camera's newest picture, with what privacy asks to hide hidden."""
        view = engine.view(name) if name in engine.camera_names else None
        if view is None:
            why = "has shown nothing yet" if name in engine.camera_names else "is not there"
            raise HTTPException(404, f"camera {one_line(name)!r} {why}")
        return Response(encode_jpeg(view.image, width), media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @routes.get("/api/events", response_model_exclude_none=True)
    def events(limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Events:
        """Return what happened last, the newest last."""
        found, _ = engine.events(0, limit)
        return Events(events=[Event.model_validate(event) for event in found])

    return routes
