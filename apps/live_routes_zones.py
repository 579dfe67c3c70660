"""Routes of the live server about zones and counting lines, and their tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import Annotated

from fastapi import APIRouter, Query, Response

from apps.live_answers import changing, content
from apps.live_models import Counts, ZonesDocument
from apps.live_protocol import Engine
from tracker.zones.definitions import ZoneDefinitions, zones_from_document
from tracker.zones.reports import IntervalCount

__all__ = ["zone_routes"]

_VISITS = ("zone", "view", "identity", "track", "entered", "left", "seconds", "ending")
_CSV = content("text/csv")


def zone_routes(engine: Engine) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["zones"])

    @routes.get("/api/zones", response_model_exclude_none=False)
    def zones() -> ZonesDocument:
        """Return all zones and lines."""
        return _document(engine.zones())

    @routes.put("/api/zones")
    def set_zones(document: ZonesDocument) -> ZonesDocument:
        """Count in these zones and over these lines from now on; they are kept for the next start."""
        with changing(engine):
            # The file's reader wants at least one; a page may take the last one away.
            empty = not document.zones and not document.lines
            engine.set_zones(ZoneDefinitions() if empty else zones_from_document(document.to_document(), "zones"))
        return _document(engine.zones())

    @routes.get("/api/zones/counts")
    def counts() -> Counts:
        """Return how many are in each zone now, and the counts since the beginning."""
        return Counts.model_validate(engine.counts())

    @routes.get("/api/zones/counts.csv", response_class=Response, responses=_CSV)
    def counts_table(interval: Annotated[float, Query(ge=1, le=31_536_000)] = 60.0) -> Response:
        """Return counts by intervals of so many seconds, as a table."""
        with changing(engine):
            rows = engine.count_table(interval)
        return _table("counts.csv", [field.name for field in fields(IntervalCount)], [astuple(row) for row in rows])

    @routes.get("/api/zones/visits.csv", response_class=Response, responses=_CSV)
    def visits_table() -> Response:
        """Return the remembered visits, as a table."""
        rows = [
            (
                visit.zone, visit.view, visit.identity or None, visit.track, visit.entered, visit.left,
                visit.seconds, visit.ending,
            )
            for visit in engine.visits()
        ]  # fmt: skip
        return _table("visits.csv", _VISITS, rows)

    return routes


def _document(definitions: ZoneDefinitions) -> ZonesDocument:
    return ZonesDocument.model_validate(definitions.to_document())


def _table(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    # A name that a spreadsheet would take for a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" and value else value
