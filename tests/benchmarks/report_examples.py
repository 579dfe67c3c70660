"""A small report with everything that pages show."""

from __future__ import annotations

from typing import Any

from benchmarks.report import make_report

MACHINE = {"processor": "a processor", "cores": 2, "versions": {"numpy": "2.0"}}
THRESHOLDS = [round(0.05 * step, 2) for step in range(1, 20)]


def row(name: str, sequence: str, **figures: Any) -> dict[str, Any]:
    return {"name": name, "sequence": sequence, **figures}


def curve(value: float) -> dict[str, list[float]]:
    return {metric: [value] * 19 for metric in ("HOTA", "DetA", "AssA")}


def example(**changed: Any) -> dict[str, Any]:
    """Two trackers on two sequences; ``changed`` replaces parts of ``details``."""
    rows = [
        row("sort", "street", HOTA=30.25, MOTA=-12.5, IDF1=40.0, IDSW=3, FP=5, FN=7, TP=50, MT=2),
        row("sort", "<b>square", HOTA=50.0, MOTA=60.0, IDF1=70.0, IDSW=1, FP=2, FN=3, TP=40, MT=1),
        row("sort", "combined", HOTA=40.0, MOTA=20.0, IDF1=55.0, IDSW=4, FP=7, FN=10, TP=90, MT=3),
        row("ours & more", "street", HOTA=35.0, MOTA=30.0, IDF1=45.0, IDSW=2, FP=5, FN=7, TP=50, MT=None),
    ]
    report = make_report(
        "mot16",
        {
            "detections": "dpm",
            "tracker": {"gate": 0.5},
            "engines": {"HOTA": "trackeval 1.3.0", "MOTA": "motmetrics 1.4.0"},
        },
        rows,
        MACHINE,
    )
    details: dict[str, Any] = {
        "thresholds": THRESHOLDS,
        "curves": {"sort": {"street": curve(30.0), "<b>square": curve(50.0), "combined": curve(40.0)}},
        "switches": {
            "sort": {
                "street": [{"frame": 30, "truth": 4, "from": 7, "to": 9}, {"frame": 60, "truth": 5, "from": 1, "to": 2}]
            },
            "ours & more": {"street": []},
        },
        "lengths": {"street": {"frames": 90, "frame_rate": 30.0}},
        "trajectories": {
            "sort": {
                "street": {
                    "image_size": [640, 480],
                    "bounds": None,
                    "tracks": [{"id": 7, "points": [[1, 0.0, 0.0], [5, 320.0, 240.0], [9, 640.0, 480.0]]}],
                },
                "<b>square": {
                    "image_size": None,
                    "bounds": [0.0, 0.0, 10.0, 10.0],
                    "tracks": [{"id": 8, "points": [[1, 0.0, 0.0], [2, 10.0, 10.0]]}],
                },
            }
        },
    }
    return report | {"details": details | changed}
