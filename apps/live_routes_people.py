"""Routes of the live server about people: who is there, who is known, their pictures and ways, and edits by hand."""

from __future__ import annotations

import time as clock
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Response

from apps.live_answers import changing, content, open_store
from apps.live_models import (
    LAST_NUMBER,
    Crop,
    FloorPath,
    Known,
    MergeRequest,
    NewIdentity,
    People,
    Person,
    Present,
    RenameRequest,
    SightingRow,
    SplitRequest,
)
from apps.live_protocol import Engine
from tracker.errors import InputError
from tracker.storage.store_reader import StoreReader
from tracker.storage.store_records import Person as StoredPerson

__all__ = ["people_routes"]

Number = Annotated[int, Path(ge=1, le=LAST_NUMBER, description="Number of a person.")]
_MOST_ROWS = 500
_MOST_POINTS = 2000
_MOST_HOURS = 24 * 366.0


def people_routes(engine: Engine) -> APIRouter:
    """Return the routes. Their functions are no coroutines, so each runs in a thread and may wait for the store."""
    routes = APIRouter(tags=["people"])

    @routes.get("/api/present")
    def present() -> Present:
        """Return who is there now."""
        return Present.model_validate(engine.present())

    @routes.get("/api/people")
    def people(
        query: Annotated[str, Query(max_length=200, description="Part of a name, or how a number begins.")] = "",
        limit: Annotated[int, Query(ge=1, le=_MOST_ROWS)] = 50,
        offset: Annotated[int, Query(ge=0, le=LAST_NUMBER)] = 0,
    ) -> People:
        """Return whom the store knows, those seen last first."""
        here = _here(engine)
        with open_store(engine) as store:
            total, found = store.people_page(query, limit, offset)
            crops = store.best_crops([person.number for person in found])
        return People(
            total=total,
            people=[
                Known(**_facts(person, here, crops), sightings=person.sightings, crops=person.crops) for person in found
            ],
        )

    @routes.get("/api/people/{identity}")
    def person(identity: Number) -> Person:
        """Return one person, with sightings and pictures."""
        return _person(engine, identity)

    @routes.patch("/api/people/{identity}")
    def rename(identity: Number, request: RenameRequest) -> Person:
        """Give somebody a name, or take it away."""
        with changing(engine, identity):
            engine.rename(identity, request.name)
        return _person(engine, identity)

    @routes.delete("/api/people/{identity}", status_code=204, response_class=Response)
    def erase(identity: Number) -> None:
        """Erase somebody wholly: pictures, vectors, sightings, name."""
        with changing(engine, identity):
            engine.erase(identity)

    @routes.get("/api/people/{identity}/path")
    def path(identity: Number, hours: Annotated[float, Query(gt=0, le=_MOST_HOURS)] = 24.0) -> FloorPath:
        """Return where somebody was on the floor in the last hours; nothing where cameras are not calibrated."""
        with open_store(engine) as store:
            _check(store, identity)
        points = engine.floor_path(identity, clock.time() - 3600 * hours)
        # Every so many-th, and where they are now.
        step = max(-(-len(points) // (_MOST_POINTS - 1)), 1)
        kept = [*points[::step], *(points[-1:] if len(points) % step != 1 and step > 1 else [])]
        return FloorPath(points=[list(point) for point in kept])

    @routes.post("/api/people/{identity}/merge")
    def merge(identity: Number, request: MergeRequest) -> Person:
        """Make somebody the same person as another, whose number stays; return that one."""
        with changing(engine, identity, request.into):
            engine.merge(identity, request.into)
        return _person(engine, request.into)

    @routes.post("/api/people/{identity}/split")
    def split(identity: Number, request: SplitRequest) -> NewIdentity:
        """Make what was seen of somebody in one camera then somebody new."""
        if request.end < request.start:
            raise HTTPException(422, "end: is before start; give the later time as the end")
        with changing(engine, identity):
            return NewIdentity(identity=engine.split(identity, request.camera, request.start, request.end))

    @routes.get(
        "/api/crops/{crop}.jpg",
        response_class=Response,
        responses=content("image/jpeg", format="binary"),
    )
    def crop(crop: Annotated[int, Path(ge=1, le=LAST_NUMBER)]) -> Response:
        """Return a picture of somebody."""
        with open_store(engine) as store:
            jpeg = store.crop(crop)
        if jpeg is None:
            raise HTTPException(404, f"picture {crop} is not there (any more)")
        # Not even a browser's store may have it any more when it is erased.
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    return routes


def _here(engine: Engine) -> set[int]:
    return {person["identity"] for person in engine.present()["people"]}


def _facts(person: StoredPerson, here: set[int], crops: dict[int, int]) -> dict[str, Any]:
    return {
        "identity": person.number, "name": person.name, "first_seen": person.first_seen,
        "last_seen": person.last_seen, "cameras": person.cameras, "crop": crops.get(person.number),
        "present": person.number in here,
    }  # fmt: skip


def _person(engine: Engine, identity: int) -> Person:
    here = _here(engine)
    with open_store(engine) as store:
        found = _check(store, identity)
        sightings = store.sightings(identity)
        crops = sorted(store.crops(identity), key=lambda crop: -crop.time)
        best = store.best_crops([identity])
    return Person(
        **_facts(found, here, best),
        sightings_total=len(sightings),
        crops_total=len(crops),
        sightings=[
            SightingRow(camera=seen.camera, track=seen.track, start=seen.start, end=seen.end)
            for seen in sorted(sightings, key=lambda seen: -seen.start)[:_MOST_ROWS]
        ],
        crops=[
            Crop(id=crop.number, camera=crop.camera, time=crop.time, quality=crop.quality)
            for crop in crops[:_MOST_ROWS]
        ],
    )


def _check(store: StoreReader, identity: int) -> StoredPerson:
    try:
        return store.person(identity)
    except InputError as error:
        raise HTTPException(404, str(error)) from None
