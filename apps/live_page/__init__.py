"""The page of ``multicam live``: plain HTML, CSS and JavaScript modules, served as they are, without a build step."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["MEDIA_TYPES", "PAGE", "STATIC_FILES", "page_file"]

#: of the files that the page consists of, by their endings
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: what ``/`` answers with
PAGE = "index.html"
#: what lies under ``/static/``, by name
STATIC_FILES = (
    "api.js",
    "app.js",
    "card_edits.js",
    "card_sections.js",
    "colors.js",
    "drawing.js",
    "elements.js",
    "events.js",
    "floor_drawing.js",
    "floor_plan.js",
    "format.js",
    "health.js",
    "icon.svg",
    "messages.js",
    "people.js",
    "person_card.js",
    "person_rows.js",
    "search.js",
    "shapes.js",
    "socket.js",
    "state.js",
    "style.css",
    "surface.js",
    "tabs.js",
    "theme.js",
    "timeline.js",
    "view_tile.js",
    "views.js",
    "zone_editor.js",
    "zone_layer.js",
    "zones.js",
)


def page_file(name: str) -> tuple[bytes, str]:
    """Return the content of a file of the page and its media type.

    Args:
        name: ``PAGE`` or one of ``STATIC_FILES``.

    Raises:
        KeyError: if the page has no such file.
    """
    if name != PAGE and name not in STATIC_FILES:
        raise KeyError(name)
    return files(__name__).joinpath(name).read_bytes(), MEDIA_TYPES[name[name.rindex(".") :]]
