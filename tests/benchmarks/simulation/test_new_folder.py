"""A folder that is there as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.simulation.new_folder import new_folder
from tracker.errors import InputError


def test_everything_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "set"
    with new_folder(target) as staging:
        (staging / "part").mkdir()
        (staging / "part" / "a.txt").write_text("a")
        (staging / "b.txt").write_text("b")
        assert not any(not entry.name.startswith(".") for entry in target.iterdir())
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*")) == ["b.txt", "part", "part/a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_is_broken_off_leaves_everything_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    existing = tmp_path / "existing"
    existing.mkdir()
    (existing / ".hidden").write_text("kept")
    for target in (tmp_path / "deep" / "set", existing):
        with pytest.raises(error), new_folder(target) as staging:
            (staging / "a.txt").write_text("a")
            raise error
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["existing", "existing/.hidden"]


def test_who_is_interrupted_while_files_take_their_places_finds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        if path.name == "b.txt":
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "set") as staging:
        (staging / "a.txt").write_text("a")
        (staging / "b.txt").write_text("b")
    assert list(tmp_path.iterdir()) == []


def test_folders_in_use_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for target, words in (
        (tmp_path, "is not empty: choose another"),
        (tmp_path / "file", "is a file: give a folder"),
        (tmp_path / "file" / "set", "cannot write"),
    ):
        with pytest.raises(InputError, match=words), new_folder(target):
            raise AssertionError("never reached")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
