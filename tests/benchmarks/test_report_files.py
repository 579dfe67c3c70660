"""Reports as files: which figures are shown and how, and pages that a browser shows without asking for anything."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report_files import REPORT_FILES, check_report_folder, read_report, report_markdown, write_report
from benchmarks.report_pages.panel import Panel, nice_ticks, number
from benchmarks.report_pages.report_page import report_page
from benchmarks.report_pages.trajectories import MOST_PANELS, trajectory_panels
from benchmarks.report_tables import (
    engine_lines,
    figure_tables,
    figures_of,
    format_figure,
    narrow_tables,
    parameters,
)
from tests.benchmarks.report_examples import curve, example, row
from tracker.errors import InputError

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Checked(HTMLParser):
    """Collects elements, and complains of one that is not closed where it must be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def pictures(page: str) -> list[ElementTree.Element]:
    """The figures of a page, as XML."""
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg viewBox=\"0 0 360.*?</svg>", page, re.S)]


def picture(page: str, said: str) -> ElementTree.Element:
    (found,) = (one for one in pictures(page) if said in (one.findtext("title") or ""))
    return found


def titles(element: ElementTree.Element) -> list[str]:
    return [title.text or "" for title in element.iter("title")]


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", path)]


def test_figures_come_in_the_usual_order_gate_by_gate() -> None:
    rows = [
        row("a", "s", note="x", GT=4, **{"MOTA@1m": 1.0, "IDSW@1m": 2, "IDSW": 2, "HOTA@1m": 3.0, "MOTA@0.5m": 1.0})
    ]
    assert figures_of(rows) == ["GT", "HOTA@1m", "MOTA@1m", "IDSW@1m", "MOTA@0.5m"]
    assert figures_of([row("a", "s", frames_per_second=3.0, FP=1, HOTA=2.0, sure=True)]) == [
        "HOTA", "FP", "frames_per_second",
    ]  # fmt: skip


def test_the_main_table_and_the_rest() -> None:
    main, further = figure_tables(example()["rows"])
    assert main[0] == ["Sequence", "Name", "HOTA", "MOTA", "IDF1", "IDSW", "FP", "FN"]
    assert main[1][0] == ["street", "sort", "30.2", "-12.5", "40.0", "3", "5", "7"]
    assert further is not None and further[0] == ["Sequence", "Name", "TP", "MT"]
    assert further[1][3] == ["street", "ours & more", "50", ""]


def test_wide_tables_are_cut_between_gates() -> None:
    header = ["Sequence", "Name", *(f"F{n}@1m" for n in range(11)), "F0@0.5m"]
    parts = narrow_tables((header, [[str(n) for n in range(len(header))]]))
    assert [(suffix, part[0][2:]) for suffix, part in parts] == [
        ("@1m", [f"F{n}@1m" for n in range(9)]), ("@1m", ["F9@1m", "F10@1m"]), ("@0.5m", ["F0@0.5m"]),
    ]  # fmt: skip
    assert parts[1][1][1] == [["0", "1", "11", "12"]]


@pytest.mark.parametrize(
    ("figure", "value", "shown"),
    [
        ("MOTA", 12.345, "12.3"), ("FP", 3.0, "3"), ("FP@1m", 3.5, "3.5"), ("MOTP@1m", 0.08214, "0.082"),
        ("MOTP", 77.94, "77.9"), ("IDSW", 12, "12"), ("HOTA", None, ""), ("x", 0.0123, "0.0123"), ("x", 0.0, "0.0"),
    ],
)  # fmt: skip
def test_how_a_figure_is_shown(figure: str, value: Any, shown: str) -> None:
    assert format_figure(figure, value) == shown


def test_settings_and_engines_as_lines() -> None:
    assert parameters({"a": {"b": 1.5, "c": [1, "x"]}, "d": None, "e": [], "f": True}) == [
        ("a.b", "1.5"), ("a.c", "1, x"), ("f", "true"),
    ]  # fmt: skip
    engines = {"HOTA@1m": "t 1", "HOTA@0.5m": "t 1", "FP@1m": "m 1", "FP@0.5m": "t 1"}
    assert engine_lines(engines) == [("t 1", "HOTA, FP@0.5m"), ("m 1", "FP@1m")]


def test_three_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "new" / "report"
    write_report(folder, example())
    assert sorted(path.name for path in folder.iterdir()) == sorted(REPORT_FILES)
    assert json.loads((folder / "report.json").read_text()) == example()
    assert read_report(folder) == read_report(folder / "report.json") == example()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    broken = example() | {"rows": [row("a", "s", HOTA=float("nan"))]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(folder, broken)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "taken" / "report.html").mkdir(parents=True)
    for write in (check_report_folder, lambda path: write_report(path, example())):
        with pytest.raises(InputError, match="it is a folder"):
            write(tmp_path / "taken")
        assert [path.name for path in (tmp_path / "taken").iterdir()] == ["report.html"]


def test_the_long_part_of_the_json_is_one_line(tmp_path: Path) -> None:
    write_report(tmp_path, example())
    lines = (tmp_path / "report.json").read_text().splitlines()
    assert [line[:12] for line in lines if '"details"' in line] == ['  "details":']
    assert len(lines) < 100


def test_markdown_has_tables_engines_settings_and_machine() -> None:
    text = report_markdown(example())
    assert text.startswith("# MOTChallenge: people in the pictures of one camera\n\n2 sequences: street, <b>square. ")
    assert "| street, sort | 30.2 | -12.5 | 40.0 | 3 | 5 | 7 |" in text
    for line in ("- trackeval 1.3.0: HOTA", "- tracker.gate: 0.5", "- versions.numpy: 2.0"):
        assert line in text.splitlines()


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    page = report_page(example())
    checked = Checked(page)
    tags = {tag for tag, _ in checked.elements}
    assert not tags & {"script", "link", "img", "iframe"}
    for _, attributes in checked.elements:
        assert not attributes.keys() & {"src", "href", "onclick", "xlink:href"}
    assert "url(" not in page and "@import" not in page and "http" not in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page and "width=device-width" in page
    text = "".join(checked.text)
    for shown in ("30.2", "ours & more", "<b>square", "trackeval 1.3.0", "tracker.gate", "a processor"):
        assert shown in text
    assert "b" not in tags


def test_every_picture_says_what_it_shows() -> None:
    found = pictures(report_page(example()))
    assert len(found) == 3 + 3 + 1 + 2
    for one in found:
        assert one.get("role") == "img" and one.get("aria-label") == one[0].text and one[0].tag == "title"


def test_curves_are_where_their_values_are() -> None:
    found = picture(report_page(example()), "HOTA in percent over the localisation")
    lines = {path.findtext("title"): path for path in found.iter("path") if path.find("title") is not None}
    assert set(lines) == {"sort, street: 30.0", "sort, <b>square: 50.0", "sort: 40.0"}
    assert (lines["sort: 40.0"].get("class"), lines["sort, street: 30.0"].get("class")) == ("line s0", "faint s0")
    axes = Panel((0, 1), (0, 100), 250)
    ends = [(axes.x(0.05), axes.y(40)), (axes.x(0.95), axes.y(40))]
    drawn = places(lines["sort: 40.0"].get("d") or "")
    assert [drawn[0], drawn[-1]] == [pytest.approx(end, abs=0.06) for end in ends]


def test_the_legend_names_what_is_in_the_figure() -> None:
    page = report_page(example())
    legends = re.findall(r"<ul class=\"legend\">.*?</ul>", page)
    # Curves are of sort alone, which needs no legend; bars and switches are of both.
    assert len(legends) == 2
    for one in legends:
        assert re.findall(r"<li class=\"(s\d)\">.*?<span>(.*?)</span>", one) == [
            ("s0", "sort"),
            ("s1", "ours &amp; more"),
        ]
    third = {"street": curve(1.0)}
    page = report_page(example(curves={"sort": third, "ours & more": third, "unknown": third}))
    assert len(re.findall(r"<ul class=\"legend\">", page)) == 3


def test_without_a_curve_of_all_the_mean_is_drawn() -> None:
    page = report_page(example(curves={"sort": {"street": curve(30.0), "square": curve(60.0)}}))
    assert "sort: 45.0" in titles(picture(page, "HOTA in percent over the localisation"))


def test_bars_are_as_long_as_their_figures_and_go_below_zero() -> None:
    found = picture(report_page(example()), "MOTA in percent. ")
    bars = {group.findtext("title"): group.find("rect") for group in found.iter("g")}
    assert list(bars) == [
        "street, sort: MOTA -12.5", "street, ours & more: MOTA 30.0", "<b>square, sort: MOTA 60.0",
        "combined, sort: MOTA 20.0",
    ]  # fmt: skip
    width = {name: float(bar.get("width") or 0) for name, bar in bars.items() if bar is not None}
    assert width["<b>square, sort: MOTA 60.0"] == pytest.approx(3 * width["combined, sort: MOTA 20.0"], abs=0.05)
    below, above = bars["street, sort: MOTA -12.5"], bars["combined, sort: MOTA 20.0"]
    assert below is not None and above is not None
    assert float(below.get("x") or 0) + width["street, sort: MOTA -12.5"] == pytest.approx(
        float(above.get("x") or 0), abs=0.05
    )
    assert bars["street, ours & more: MOTA 30.0"].get("class") == "bar s1"


def test_switches_are_marked_in_seconds() -> None:
    found = picture(report_page(example()), "Identity switches in street")
    marks = [path for path in found.iter("path") if path.get("class") == "mark s0"]
    assert [mark.findtext("title") for mark in marks] == [
        "frame 30: person 4 changes from 7 to 9", "frame 60: person 5 changes from 1 to 2",
    ]  # fmt: skip
    axes = Panel((0, 3.0), (0, 1), 100, 8, 40, 4)
    assert [places(mark.get("d") or "")[0][0] for mark in marks] == pytest.approx([axes.x(1), axes.x(2)], abs=0.06)
    texts = [text.text for text in found.iter("text")]
    assert "seconds" in texts and texts[-1] == "0" and "2" in texts
    by_frame = picture(report_page(example(lengths={})), "Identity switches in street")
    assert "frames" in [text.text for text in by_frame.iter("text")]


def test_ways_lie_in_the_picture_and_on_the_floor() -> None:
    page = report_page(example())
    image, floor = (picture(page, f"Ways of 1 tracks {where}") for where in ("in the picture", "on the floor"))
    assert image.get("viewBox") == "0 0 360 270.5"
    (way,) = (path for path in image.iter("path") if path.get("class") == "way")
    assert places(way.get("d") or "") == [(1, 1), (180, 135.2), (359, 269.5)]
    (way,) = (path for path in floor.iter("path") if path.get("class") == "way")
    (x1, y1), (x2, y2) = places(way.get("d") or "")
    # A metre is as long on either axis, and y goes up.
    assert x2 - x1 == pytest.approx(y1 - y2, abs=0.3) and y2 < y1
    assert "7, frames 1 to 9" in titles(image)


def test_not_all_ways_of_many_are_drawn() -> None:
    one = example()["details"]["trajectories"]["sort"]["street"]
    many = {"trajectories": {"sort": {f"s{number}": one for number in range(MOST_PANELS + 3)}}}
    drawn, said = trajectory_panels(many, ["sort"])
    assert drawn.count("<figure>") == MOST_PANELS and f"{MOST_PANELS} of {MOST_PANELS + 3} are shown" in said


def test_a_report_without_details_has_tables_and_bars_only() -> None:
    report = {key: value for key, value in example().items() if key != "details"}
    found = pictures(report_page(report))
    assert len(found) == 3 and all("in percent. " in titles(one)[0] for one in found)


def test_ticks_are_round_and_few() -> None:
    assert nice_ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert nice_ticks(-12.5, 60) == [0, 20, 40, 60]
    assert nice_ticks(0, 0.7) == pytest.approx([0, 0.2, 0.4, 0.6])
    assert nice_ticks(3, 3) == [3]
    assert (number(-0.5), number(20.0)) == ("−0.5", "20")
    for high in (0.013, 1, 7, 35.3, 999, 123456):
        ticks = nice_ticks(0, high)
        assert 2 <= len(ticks) <= 6 and ticks[-1] <= high * (1 + 1e-9)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no file"),
        ("{", "is no JSON"),
        ("[]", "is no report, it has no protocol"),
        ('{"protocol": "x", "settings": {}, "machine": {}}', "is no report, it has no rows"),
        (
            '{"protocol": "x", "settings": {}, "machine": {}, "rows": [{"name": "a"}]}',
            "row 0 of rows has no name or no",
        ),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=said):
        read_report(path)
