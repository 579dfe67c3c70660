"""What ``cameras.yaml`` may say about the ways between cameras."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tracker.errors import InputError
from tracker.video.cameras import cameras_and_transitions

CAMERAS = "cameras:\n  - {name: a, source: a.mp4}\n  - {name: hall, source: h.mp4}\n"


def written(folder: Path, text: str, name: str = "cameras.yaml") -> str:
    (folder / name).write_text(CAMERAS + text)
    return str(folder / name)


def test_transitions_are_read(tmp_path: Path) -> None:
    text = "transitions:\n  - {from: a, to: hall, seconds: [5, 60]}\n  - {from: hall, to: a}\n"
    cameras, rules = cameras_and_transitions([written(tmp_path, text + "only_listed_transitions: true\n")])
    assert [camera.name for camera in cameras] == ["a", "hall"]
    assert [(rule.from_camera, rule.to_camera, rule.seconds) for rule in rules.listed] == [
        ("a", "hall", (5.0, 60.0)),
        ("hall", "a", (0.0, math.inf)),
    ]
    assert rules.only_listed
    assert cameras_and_transitions([written(tmp_path, "")])[1].listed == ()


def test_cameras_of_two_files_keep_their_rules(tmp_path: Path) -> None:
    text = "transitions:\n  - {from: a, to: hall}\n"
    files = [written(tmp_path, text), written(tmp_path, text, "more.yaml")]
    cameras, rules = cameras_and_transitions(files)
    assert [camera.name for camera in cameras] == ["a", "hall", "a-2", "hall-2"]
    assert [(rule.from_camera, rule.to_camera) for rule in rules.listed] == [("a", "hall"), ("a-2", "hall-2")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("transitions: 5\n", "transitions: is a number, not a list"),
        ("transitions: [a]\n", "transition 1 is text; write for example"),
        ("transitions: [{from: a}]\n", "transition 1 has no to; add to:"),
        ("transitions: [{from: a, to: hal}]\n", "transition 1: no camera is called 'hal'"),
        ("transitions: [{from: a, to: a}]\n", "transition 1: from and to are both 'a'"),
        ("transitions: [{from: a, to: hall, second: [1, 2]}]\n", "unknown field 'second'"),
        ("transitions: [{from: a, to: hall, seconds: 5}]\n", "field seconds is 5: give the least and the most"),
        ("transitions: [{from: a, to: hall, seconds: [9, 5]}]\n", "the least (9) must be a finite number not above"),
        ("transitions: [{from: a, to: hall, seconds: [.nan, 5]}]\n", "must be a finite number"),
        ("transitions: [{from: a, to: hall}, {from: a, to: hall}]\n", "transition 2: from a to hall is listed already"),
        ("only_listed_transitions: true\n", "but none is listed"),
        ("only_listed_transitions: 3\n", "is a number; write true or false"),
        ("transition: []\n", "unknown field 'transition': "),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        cameras_and_transitions([written(tmp_path, text)])
    assert words in str(caught.value) and "cameras.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
