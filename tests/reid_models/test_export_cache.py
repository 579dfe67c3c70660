"""Exports in the cache: made once, whole, by one of several at a time; what was refused stays refused."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reid_models.runtimes.compiled_cache import CompiledCache
from reid_models.runtimes.export_cache import ExportRefused, cached_export, code_digest, note_in_export


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "exports"


class Maker:
    """Writes a file and counts how often."""

    def __init__(self, content: bytes = b"network", refused: str = "") -> None:
        self.content, self.refused, self.calls = content, refused, 0

    def __call__(self, path: Path) -> Mapping[str, Any]:
        self.calls += 1
        path.write_bytes(self.content)
        if self.refused:
            raise ExportRefused(self.refused)
        return {"cosine": 1.0}


def test_it_is_made_once_and_again_for_another_key(cache: Path) -> None:
    make = Maker()
    first, second = (cached_export("osnet", {"weights": "a"}, make) for _ in range(2))
    assert make.calls == 1 and (first.fresh, second.fresh) == (True, False)
    assert first.path == second.path and first.path is not None and first.path.read_bytes() == b"network"
    assert second.facts["cosine"] == 1.0 and first.path.name.startswith("osnet-")
    assert cached_export("osnet", {"weights": "b"}, make).path != first.path
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".json", ".onnx", ".onnx"], "no lock, no rest"


def test_a_damaged_file_is_made_again() -> None:
    make = Maker()
    found = cached_export("osnet", {}, make)
    assert found.path is not None
    found.path.write_bytes(b"netw")
    assert cached_export("osnet", {}, make).fresh and found.path.read_bytes() == b"network"
    found.path.with_name(f"{found.path.name}.json").write_text("{")
    assert cached_export("osnet", {}, make).fresh and make.calls == 3


def test_a_refusal_is_remembered_and_leaves_no_network(cache: Path) -> None:
    make = Maker(refused="cosine 0.5")
    for fresh in (True, False):
        found = cached_export("osnet", {}, make)
        assert (found.path, found.facts["refused"], found.fresh) == (None, "cosine 0.5", fresh)
    assert make.calls == 1 and [path.suffix for path in cache.iterdir()] == [".json"]


def test_what_is_found_out_later_is_kept() -> None:
    make = Maker()
    note_in_export(cached_export("osnet", {}, make), crops_of_a_video=16)
    assert cached_export("osnet", {}, make).facts["crops_of_a_video"] == 16
    note_in_export(cached_export("osnet", {}, make), refused="other vectors")
    assert cached_export("osnet", {}, make).path is None and make.calls == 1


def test_an_error_leaves_nothing(cache: Path) -> None:
    def fail(path: Path) -> Mapping[str, Any]:
        path.write_bytes(b"half")
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        cached_export("osnet", {}, fail)
    assert list(cache.iterdir()) == []


def test_of_several_at_once_one_makes_it() -> None:
    make, started = Maker(), threading.Barrier(4)
    found = []

    def work() -> None:
        started.wait()
        found.append(cached_export("osnet", {}, make))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert make.calls == 1 and len({export.path for export in found}) == 1
    assert sum(export.fresh for export in found) == 1


def test_without_a_cache_it_is_made_for_this_run(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    make = Maker()
    found = cached_export("osnet", {}, make)
    assert found.fresh and found.path is not None and found.path.read_bytes() == b"network"
    assert found.folder is not None and not cache.exists()


def test_other_code_is_another_key(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    before = code_digest(tmp_path)
    assert code_digest(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2")
    assert code_digest(tmp_path) != before


def test_compiled_networks_are_checked_before_they_are_used(tmp_path: Path) -> None:
    network = tmp_path / "network.onnx"
    network.write_bytes(b"graph")
    cache = CompiledCache(network, {"threads": 2})
    assert cache.read((1, 3)) is None
    cache.write((1, 3), b"code")
    assert CompiledCache(network, {"threads": 2}).read((1, 3)) == b"code"
    assert cache.read((2, 3)) is None and CompiledCache(network, {"threads": 1}).read((1, 3)) is None
    (file,) = (tmp_path / "cache" / "compiled").iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert cache.read((1, 3)) is None, "a runtime may crash on it"
    network.write_bytes(b"another graph")
    assert CompiledCache(network, {"threads": 2}).read((1, 3)) is None


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import reid_models.runtimes.compiled_cache as module

    monkeypatch.setattr(module, "_LARGEST_FOLDER", 3 * 132)
    network = tmp_path / "network.onnx"
    network.write_bytes(b"graph")
    cache = CompiledCache(network, {})
    for number in range(3):
        cache.write(number, bytes(100))
        os.utime(cache._path(number), (number, number))
    assert cache.read(0) is not None  # used just now
    cache.write(3, bytes(100))
    assert [cache.read(number) is not None for number in range(4)] == [True, False, True, True]


def test_facts_are_readable_by_people(cache: Path) -> None:
    cached_export("osnet", {}, Maker())
    (facts,) = cache.glob("*.json")
    assert json.loads(facts.read_text())["sha256"]
