"""HTML and SVG as text: elements with escaped attributes, tables, lists of terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

__all__ = ["SERIES", "data_table", "definitions", "element", "legend", "page", "section", "series_class", "text"]

#: so many series have a colour of their own; the next one begins again
SERIES = 8


def text(content: object) -> str:
    """Return text that a browser shows as it is."""
    return escape(str(content), quote=False)


def element(tag: str, *content: str, **attributes: object) -> str:
    """Return an element of HTML or SVG.

    Args:
        tag: its name.
        content: markup inside; wrap what is not markup in :func:`text`.
        attributes: ``_`` stands for ``-`` and is left out at the end (``class_``); numbers get two decimals; one that
            is ``None`` is left out.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{written}>{''.join(content)}</{tag}>"


def series_class(number: int) -> str:
    """Return the class of the style sheet that gives series ``number`` (from 0) its colour and its dashes."""
    return f"s{number % SERIES}"


def legend(names: Mapping[str, str], shown: Iterable[str]) -> str:
    """Return the list that says which colour is whose; empty for less than two.

    Args:
        names: of all series, in the order of their colours → how they are called.
        shown: those that are in the figure.
    """
    wanted = set(shown)
    if len(wanted & names.keys()) < 2:
        return ""
    swatch = '<svg viewBox="0 0 26 12" width="26" height="12" aria-hidden="true"><path class="line" d="M1 6H25"/></svg>'
    items = [
        element("li", swatch + element("span", text(called)), class_=series_class(number))
        for number, (name, called) in enumerate(names.items())
        if name in wanted
    ]
    return element("ul", *items, class_="legend")


def section(title: str, *content: str, remark: str = "") -> str:
    """Return a part of a page under a heading; empty if nothing is in it."""
    inside = "\n".join(part for part in content if part)
    if not inside:
        return ""
    said = element("p", text(remark), class_="remark") if remark else ""
    return element("section", "\n", element("h2", text(title)), "\n", said, inside, "\n") + "\n"


def data_table(
    caption: str, header: Sequence[str], lines: Sequence[Sequence[str]], labels: int = 1, strong: Iterable[int] = ()
) -> str:
    """Return a table that can be moved sideways where it is too wide.

    Args:
        caption: said above it.
        header: of the columns.
        lines: cells, as they are shown.
        labels: how many columns at the left are names.
        strong: numbers of the lines that stand out.
    """
    head = element(
        "tr",
        *(
            element("th", text(name), scope="col", class_="name" if number < labels else None)
            for number, name in enumerate(header)
        ),
    )
    emphasised = set(strong)
    body = [
        element(
            "tr",
            *(element("th", text(cell), scope="row") for cell in line[:labels]),
            *(element("td", text(cell)) for cell in line[labels:]),
            class_="strong" if number in emphasised else None,
        )
        for number, line in enumerate(lines)
    ]
    table = element(
        "table",
        element("caption", text(caption)),
        element("thead", head),
        element("tbody", "\n", *(row + "\n" for row in body)),
    )
    return element("div", table, class_="wide", tabindex="0", role="region", aria_label=caption)


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms and what they are."""
    rows = [element("div", element("dt", text(term)), element("dd", text(value))) for term, value in pairs]
    return element("dl", *rows) if rows else ""


def page(title: str, lead: str, sections: Iterable[str]) -> str:
    """Return a whole page, which asks for nothing from outside.

    Args:
        title: of the window and at the top.
        lead: a sentence below it.
        sections: of :func:`section`.
    """
    folder = files("benchmarks.report_pages")
    template = Template((folder / "page.html").read_text(encoding="utf-8"))
    style = (folder / "page.css").read_text(encoding="utf-8")
    return template.substitute(title=text(title), lead=text(lead), style=style, sections="".join(sections))


def _value(value: object) -> str:
    if isinstance(value, float):
        shown = f"{value:.2f}".rstrip("0").rstrip(".")
        return "0" if shown == "-0" else shown
    return str(value)
