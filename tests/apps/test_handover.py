"""Ways between cameras on the command line: what is said in ``cameras.yaml``, and ``--handover``."""

from __future__ import annotations

from pathlib import Path

from tests.apps.command import Command, assert_one_line, read_json
from tests.apps.conftest import Studio


def run_of(multicam: Command, studio: Studio, folder: Path, rules: str, *options: object) -> dict:
    """Return the record of a run of both cameras, whose file also says ``rules``."""
    folder.mkdir()
    lines = [f"  - {{name: {path.stem}, source: '{path}'}}" for path in (studio.corridor, studio.hall)]
    (folder / "cameras.yaml").write_text("\n".join(["cameras:", *lines, rules, ""]))
    looks = ("--detector", studio.detections, "--embedder", "color_histogram", "--no-video", "--quiet")
    outcome = multicam("track", folder / "cameras.yaml", "-o", folder / "out", *looks, *options)
    assert outcome.code == 0, outcome.err
    return read_json(folder / "out" / "run.json")


def test_nobody_goes_where_no_way_is(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    free = run_of(multicam, studio, tmp_path / "free", "")
    assert free["identities_in_several_cameras"] == 2
    way = "transitions: [{from: hall, to: corridor, seconds: [2, .inf]}]\nonly_listed_transitions: true"
    barred = run_of(multicam, studio, tmp_path / "barred", way, "--handover", "off")
    assert barred["identities_in_several_cameras"] == 0, "both came from the corridor"
    kept = barred["settings"]["pipeline"]["identities"]
    assert (kept["handover"], barred["transitions"]) == ("off", [])
    assert [rule["to_camera"] for rule in kept["transitions"]["listed"]] == ["corridor"]


def test_handover_is_auto_or_off(multicam: Command, studio: Studio, tmp_path: Path) -> None:
    outcome = multicam("track", studio.hall, "-o", tmp_path / "out", "--handover", "maybe")
    assert_one_line(outcome, "--handover is 'maybe': give auto or off")
