"""``multicam calibrate --browser``: what the page asks the command, asked without a browser."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.calibration_clicks import clicked_points, points_text
from apps.calibration_server import CalibrationServer
from tests.apps.command import Command, assert_one_line, ended, files_in, process
from tests.apps.test_calibrate import CAMERA, HEIGHT, PLACES, WIDTH, image  # noqa: F401
from tracker.geometry.point_pairs import parse_point_pairs

CLICKS = [
    {"u": round(float(u), 2), "v": round(float(v), 2), "x": x, "y": y, "z": z}
    for (u, v), (x, y, z) in zip(CAMERA.project(PLACES)[0], PLACES.tolist())
]


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Return the status and the content of an answer; a body is sent as JSON, bytes as they are."""
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            code, said = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        code, said = error.code, error.read()
    return code, json.loads(said) if said[:1] in (b"{", b"[") else said


def address(started: subprocess.Popen[str]) -> str:
    """Return the address that a command prints first."""
    assert started.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{30,}/", started.stdout.readline())
    assert found is not None
    return found[0]


def test_clicks_become_the_files_that_a_points_file_becomes(
    multicam: Command,
    tmp_path: Path,
    image: Path,  # noqa: F811
) -> None:
    folder, by_file = tmp_path / "clicked", tmp_path / "by file"
    options = ("--image", image, "-o", "c.json", "--picture", "grid.png")
    folder.mkdir()
    with ended(process("calibrate", "p.csv", *options, "--browser", "--no-open", cwd=folder)) as started:
        url = address(started)
        code, page = ask(url)
        assert code == 200 and b"<title>Calibrate" in page and b"http" not in page.replace(b"http://www.w3.org", b"")
        assert ask(url + "image")[1][:2] == b"\xff\xd8"
        assert ask(url + "start")[1] == {"name": "corner", "width": WIDTH, "height": HEIGHT, "points": []}
        assert ask(url + "fit", {"points": CLICKS})[1]["model"] == "pose"
        assert files_in(folder) == {}
        code, answer = ask(url + "save", {"points": CLICKS})
        assert (code, answer) == (200, {"saved": "Saved p.csv and the calibration of corner."})
        out, err = started.communicate(timeout=90)
        assert (started.returncode, err) == (0, "")
    clicked = files_in(folder)
    assert sorted(clicked) == ["c.json", "grid.png", "p.csv"]
    by_file.mkdir()
    (by_file / "p.csv").write_bytes(clicked["p.csv"])
    again = [by_file / option if option in ("c.json", "grid.png") else option for option in options]
    outcome = multicam("calibrate", by_file / "p.csv", *again)
    assert files_in(by_file) == clicked
    assert out.splitlines()[:-3] == outcome.out.splitlines()[:-2], "the same report"
    assert out.splitlines()[-3:] == ["c.json: corner added; in it: corner", "p.csv", "grid.png"]


def test_an_interrupt_leaves_everything_as_it_was(tmp_path: Path, image: Path) -> None:  # noqa: F811
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "p.csv").write_text("u,v,x,y,name\n12.5,30,1,2,left door\n40,50,3,4,point 7\n")
    before = files_in(folder)
    arguments = ("calibrate", "p.csv", "--image", image, "-o", "c.json", "--browser", "--no-open", "--overwrite")
    with ended(process(*arguments, cwd=folder)) as started:
        url = address(started)
        first, second = ask(url + "start")[1]["points"]
        assert first == {"u": 12.5, "v": 30, "x": 1, "y": 2, "z": 0, "name": "left door"} and second["name"] == ""
        assert ask(url + "fit", {"points": CLICKS})[0] == 200
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=90)
        assert started.returncode == 130 and err == "multicam: stopped.\n"
    assert files_in(folder) == before


@pytest.fixture
def server() -> Iterator[CalibrationServer]:
    from apps.calibration_clicks import fit_record
    from tracker.geometry.estimation import estimate_camera

    def fit(text: str) -> dict[str, Any]:
        return fit_record(estimate_camera(parse_point_pairs(text, "clicks"), WIDTH, HEIGHT), 1.0)

    def save(text: str) -> str:
        fit(text)
        texts.append(text)
        return "done"

    texts: list[str] = []
    made = CalibrationServer(b"\xff\xd8", {"points": []}, fit, save)
    made.texts = texts  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.shutdown()
    thread.join(10)
    assert not thread.is_alive()


def test_the_fit_has_errors_of_points_and_the_floor_grid(server: CalibrationServer) -> None:
    moved = [dict(click) for click in CLICKS]
    moved[3]["u"] += 30
    code, said = ask(server.url + "fit", {"points": moved})
    assert code == 200
    assert [point["inlier"] for point in said["points"]] == [True] * 3 + [False] + [True] * 6
    assert said["points"][3]["pixels"] == pytest.approx(30, abs=1) and said["points"][0]["pixels"] < 0.5
    assert said["points"][0]["metres"] < 0.01
    assert said["summary"][1].startswith("9 of 10 points agree within 5 pixels")
    lines = [np.array(part["line"]) for part in said["grid"] if part["near"]]
    assert len(lines) > 6 and {part["axis"] for part in said["grid"]} >= {""}
    checked = 0
    for line in lines:
        inside = ((line > 0) & (line < (WIDTH, HEIGHT))).all(axis=1)
        places = CAMERA.to_floor(line[inside])
        if len(places) > 1:
            checked += 1
            assert np.abs(places - np.rint(places)).max(axis=0).min() < 0.05, "along a whole number of metres"
    assert checked > 6


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (CLICKS[:3], "3 points for a pose, which needs at least 4"),
        (
            [{**click, "x": 1.0 + n, "y": 2.0} for n, click in enumerate(CLICKS)],
            "all points are on one line in the room",
        ),
        ([*CLICKS, {**CLICKS[0], "u": 5.0}], "point 1 and point 11 give the same place"),
        ([*CLICKS, {"u": 900, "v": 2, "x": 9, "y": 9, "name": "lamp"}], "lamp: pixel (900, 2) is outside the image"),
    ],
)
def test_points_that_determine_nothing_say_so_in_the_page(server: CalibrationServer, points: Any, words: str) -> None:
    for place in ("fit", "save"):
        code, said = ask(server.url + place, {"points": points})
        assert code == 200 and list(said) == ["error"] and words in said["error"]
    assert not server.saved and ask(server.url + "fit", {"points": CLICKS})[0] == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"points", b"\xff\xfe", b"[" * 100_000, b'{"points": 3}', b'{"points": [3]}', b'{"points": [{"u": 1}]}',
     b'{"points": [{"u": NaN, "v": 1, "x": 1, "y": 1}]}', b'{"points": [{"u": true, "v": 1, "x": 1, "y": 1}]}',
     b'{"points": [{"u": 1e999, "v": 1, "x": 1, "y": 1}]}', json.dumps({"points": CLICKS * 51}).encode()],
)  # fmt: skip
def test_what_is_no_list_of_points_is_refused(server: CalibrationServer, body: bytes) -> None:
    code, said = ask(server.url + "fit", body)
    assert code == 400 and said["error"]


def test_only_the_page_itself_is_answered(server: CalibrationServer) -> None:
    root = f"http://127.0.0.1:{server.server_port}/"
    host = f"127.0.0.1:{server.server_port}"
    for url in (root, root + "wrong/", server.url[:-2] + "/", root + "w%C3%A4rong/image", root + "wrong/save"):
        assert ask(url)[0] == 403
    assert ask(root + "wrong/save", {"points": CLICKS})[0] == 403
    for headers in ({"Host": f"evil.example:{server.server_port}"}, {"Origin": "http://evil.example"},
                    {"Origin": "null"}):  # fmt: skip
        assert ask(server.url + "save", {"points": CLICKS}, **headers)[0] == 403
        assert ask(server.url, None, **headers)[0] == 403
    assert ask(server.url, None, Host=f"localhost:{server.server_port}", Origin=f"http://{host}")[0] == 200
    assert ask(server.url + "save", {"points": CLICKS}, **{"Content-Type": "text/plain"})[0] == 400
    assert ask(server.url + "fit", b" " * 200_001)[0] == 413
    assert ask(server.url + "../calibrate.py")[0] == 404 and ask(server.url + "delete", {})[0] == 404
    assert not server.saved


def test_points_are_saved_once(server: CalibrationServer) -> None:
    assert ask(server.url + "save", {"points": CLICKS}) == (200, {"saved": "done"})
    assert server.saved
    (text,) = server.texts  # type: ignore[attr-defined]
    pairs = parse_point_pairs(text, "saved")
    assert pairs.pixels.tolist() == [[click["u"], click["v"]] for click in CLICKS]


def test_names_of_points_stay_one_field_of_one_line() -> None:
    body = {"points": [{**CLICKS[0], "name": 'door, "left"\n# 1;2'}, {**CLICKS[1], "name": ""}]}
    text = points_text(clicked_points(json.dumps(body).encode()))
    assert parse_point_pairs(text, "p.csv").labels == ("door left 1 2", "point 2")


def test_options_that_do_not_go_together(multicam: Command, tmp_path: Path, image: Path) -> None:  # noqa: F811
    points, output = tmp_path / "p.csv", tmp_path / "c.json"
    view = ("--image", image, "-o", output)
    for arguments, words in (
        ((points, "--size", "640x480", "-o", output, "--browser"), "--browser shows the camera's picture"),
        ((points, *view, "--port", 8000), "--port is of --browser"),
        ((tmp_path / "p.json", *view, "--browser"), "p.json: with --browser, give a file that ends in .csv"),
        ((points, *view, "--browser", "--pixel-centers", "center"), "clicks count from the image's corner"),
        ((image.with_suffix(".txt"), *view, "--browser"), "corner.txt exists"),
    ):
        image.with_suffix(".txt").write_text("u,v,x,y\n")
        assert_one_line(multicam("calibrate", *arguments), words)
    with CalibrationServer(b"", {}, lambda text: {}, lambda text: "") as other:
        outcome = multicam("calibrate", points, *view, "--browser", "--no-open", "--port", other.server_port)
        assert_one_line(outcome, f"--port {other.server_port} cannot be had", "choose another")
    assert not output.exists() and not points.exists()
