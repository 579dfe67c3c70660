"""``python -m benchmarks.room``: what it writes and prints, and that nothing half-written is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reid_models.data.market_layout import read_market1501

_ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.room", *map(str, arguments)]
    # Where the tests run in the background of a shell, interrupts are ignored, and children inherit that.
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def run(*arguments: object) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def assert_report(path: Path, protocol: str) -> list[dict[str, object]]:
    report = json.loads(path.read_text())
    assert list(report) == ["protocol", "settings", "machine", "rows"]
    assert report["protocol"] == protocol
    assert all({"name", "sequence"} <= set(row) for row in report["rows"])
    rows: list[dict[str, object]] = report["rows"]
    return rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reid-set", "--identities", "5"], "--output"),
        (["reid-set", "--identities", "-5", "-o", "{out}"], "-5 training identities"),
        (["reid-set", "--identities", "many", "-o", "{out}"], "--identities"),
        (["reid-set", "--cameras", "1", "-o", "{out}"], "cameras 1; give one between 2 and 8"),
        (["reid-set", "--seed", "100", "-o", "{out}"], "data set seed 100"),
        (["reid-set", "-o", "{used}"], "is not empty"),
        (["detector-set", "--images", "0", "-o", "{out}"], "0 training images"),
        (["detector-set", "-o", "{file}"], "is a file"),
        (["recall", "--detector", "{out}/no.onnx"], "no.onnx does not exist"),
        (["recall", "--detector", "{net}", "--seeds", "one"], "--seeds is 'one'"),
        (["detection", "--detector", "{out}/no.pt"], "no.pt does not exist"),
        (["detection", "--detector", "mot:{used}"], "give a network"),
        (["reid", "--embedder", "osnet_x0_2"], "did you mean 'osnet_x0_25'"),
        (["reid", "--embedder", "color_histogram", "--identities", "1"], "1 identities"),
        (["rendering", "--cameras", "7"], "7 cameras"),
        (["renderings"], "renderings"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
    message: str,
) -> None:  # fmt: skip
    from benchmarks.room import main

    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("kept")
    places = {"out": tmp_path / "out", "used": tmp_path / "used", "file": tmp_path / "used" / "file", "net": "x.onnx"}
    monkeypatch.setattr(sys, "argv", ["room", *(argument.format(**places) for argument in arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert len(err.splitlines()) == 1 and message in err, err
    assert [path.name for path in tmp_path.iterdir()] == ["used"]
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["file"]


def test_the_rendering_report_says_how_fast_it_was(tmp_path: Path) -> None:
    paths = {"--json": tmp_path / "report.json", "--markdown": tmp_path / "report.md"}
    options = [part for pair in paths.items() for part in pair]
    code, out, err = run("rendering", "--seconds", "0.4", "--cameras", "1", "--workers", "1", "--quiet", *options)
    assert code == 0, err
    (row,) = assert_report(paths["--json"], "room rendering")
    assert row["frames"] == 6
    assert row["frames_per_second"] == pytest.approx(6 / float(str(row["seconds"])))
    assert row["times_real_time"] == pytest.approx(0.4 / float(str(row["seconds"])))
    assert "≥ 1" in out and "≥ 1" in paths["--markdown"].read_text()


def test_a_reid_set_is_written_and_read(tmp_path: Path) -> None:
    output = tmp_path / "set"
    code, out, err = run(
        "reid-set", "--identities", 0, "--test-identities", 2, "--images", 2, "--workers", 1, "-o", output, "--quiet"
    )
    assert code == 0, err
    (output / "bounding_box_train").mkdir()
    (output / "bounding_box_train" / "0009_c1s1_000000_00.jpg").write_bytes(b"")
    data = read_market1501(output)
    assert data.query.identities == 2
    assert f"{len(data.query)} queries and {len(data.gallery)} gallery images of 2 others" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminate"])
def test_who_is_interrupted_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    output = tmp_path / "deep" / "set"
    process = start("detector-set", "--images", 400, "--workers", 2, "--output", output)
    try:
        waited = time.monotonic() + 60
        while not list(output.glob(".partial-*")):
            assert process.poll() is None and time.monotonic() < waited
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == "error: interrupted; nothing was written"
    assert "Traceback" not in err and out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.data
def test_recall_and_precision_are_reported_with_their_targets(data_root: Path, tmp_path: Path) -> None:
    path = data_root / "weights" / "yolox_nano.onnx"
    if not path.is_file():
        pytest.skip(f"no detector at {path}")
    for name, target in (("recall", "≥ 92"), ("detection", "≥ 97")):
        report = tmp_path / f"{name}.json"
        code, out, err = run(
            name, "--detector", path, "--seeds", "1", "--moments", "1", "--workers", "1", "-q", "--json", report
        )
        assert code == 0, err
        rows = assert_report(report, f"room {name}")
        assert target in out and "yolox_nano.onnx" in out
        assert str(path.parent) not in report.read_text()
        assert len(rows) == (4 if name == "recall" else 5)
