from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tracker.errors import InputError
from tracker.zones.definitions import ZoneDefinition, ZoneDefinitions, read_zones, write_zones

SQUARE = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.9], [0.1, 0.9]]
DOCUMENT = {
    "zones": [
        {"name": "till", "camera": "cam1", "polygon": SQUARE},
        {"name": "hall ä", "polygon": [[0, 0], [4, 0], [4, 3]]},
    ],
    "lines": [{"name": "door", "camera": "cam2", "from": [0.2, 0.8], "to": [0.6, 0.8]}],
}


@pytest.mark.parametrize("name", ["zones.json", "zones.yaml"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    (tmp_path / "given.json").write_text(json.dumps(DOCUMENT))
    given = read_zones(tmp_path / "given.json")
    assert [place.name for place in given.places] == ["till", "hall ä", "door"]
    assert given.lines[0].start == (0.2, 0.8) and given.zones[1].camera is None
    write_zones(tmp_path / name, given)
    assert read_zones(tmp_path / name) == given
    assert given.to_document() == DOCUMENT
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"given.json", name})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b", "holds no lists zones: and lines:"),
        ("zones: [", r"zones.yaml, line \d: is neither JSON nor YAML"),
        ("zones: {}", "zones: is no list"),
        ("zones: []", "has no zone and no line"),
        ("zone: []", "unknown field 'zone': did you mean 'zones'"),
        ("zones: [3]", "zone 1: is no mapping; write for example {name: till"),
        ("zones: [{name: a, camera: c, polygon: [[0, 0], [1, 1]]}]", r"zone 1 \(a\): its polygon has 2 corners"),
        ("zones: [{name: a, camera: c, polygon: [[0, 0], [1, 0], [0, 1], [1, 1]]}]", r"zone 1 \(a\): sides .* cross"),
        ("zones: [{name: a, camera: c, polygon: [[0, 0], [0.5, 0.5], [1, 1]]}]", r"zone 1 \(a\): its corners are on"),
        ("zones: [{name: a, camera: c, polygon: [[0, 0], [640, 0], [1, 1]]}]", r"\[640, 0\] is not in the image"),
        ("zones: [{name: a, camera: c, polygon: [[0, 0], [x, 0], [1, 1]]}]", r"zone 1 \(a\): polygon: input should be"),
        ("zones: [{name: a, polygon: [[0, 0], [.inf, 0], [1, 1]]}]", r"\[inf, 0\] is not finite"),
        ("zones: [{name: '', polygon: [[0, 0], [1, 0], [1, 1]]}]", "name: give a text of 1 to 80 letters"),
        ("zones: [{polygon: [[0, 0], [1, 0], [1, 1]]}]", "zone 1: has no name:; write for example"),
        ("zones: [{name: a, points: []}]", "unknown field 'points': .*polygon"),
        ("lines: [{name: a, camera: c, from: [0, 0]}]", r"line 1 \(a\): has no to:; write for example {name: door"),
        ("lines: [{name: a, camera: c, from: [0, 0], to: [0, 0.001]}]", "its two points are one"),
        (
            "lines: [{name: A, from: [0, 0], to: [1, 1]}]\nzones: [{name: a, polygon: [[0, 0], [1, 0], [1, 1]]}]",
            "two zones or lines are called 'a'",
        ),
    ],
)
def test_what_cannot_be_is_named_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "zones.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_zones(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"zones file .*none.json does not exist: check the path"):
        read_zones(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read: is a directory"):
        read_zones(tmp_path)
    (tmp_path / "zones.json").write_text('{"zones": [\n')
    with pytest.raises(InputError, match=r"zones.json, line 2: is neither JSON nor YAML"):
        read_zones(tmp_path / "zones.json")


def test_there_must_be_what_a_zone_lies_on() -> None:
    zone = ZoneDefinition(name="till", camera="cam1", polygon=SQUARE)
    ZoneDefinitions(zones=(zone,)).check_cameras(["cam1"], on_floor=False)
    with pytest.raises(InputError, match="zone 'till': no camera is called 'cam1': did you mean 'cam2'"):
        ZoneDefinitions(zones=(zone,)).check_cameras(["cam2"], on_floor=True)
    floor = ZoneDefinition(name="hall", polygon=SQUARE)
    ZoneDefinitions(zones=(floor,)).check_cameras([], on_floor=True)
    with pytest.raises(InputError, match="zone 'hall' lies on the floor, but people are followed view by view"):
        ZoneDefinitions(zones=(floor,)).check_cameras(["cam1"], on_floor=False)
    with pytest.raises(ValidationError, match="there are 501 zones"):
        ZoneDefinitions(zones=tuple(zone.model_copy(update={"name": str(number)}) for number in range(501)))
