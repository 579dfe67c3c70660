from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.tracker.video.synthetic import names_in
from tracker.errors import InputError
from tracker.storage.atomic import AtomicFile, atomic_path


def test_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "made" / "table.csv"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name == ".table.partial.csv"
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert names_in(target.parent) == ["table.csv"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "run.json"
    target.write_text("before")
    with pytest.raises(error), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "before"
    assert names_in(tmp_path) == ["run.json"]


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".a.partial.txt").write_text("left behind, and longer")
    with atomic_path(tmp_path / "a.txt") as temporary:
        assert temporary.read_text() == ""
        temporary.write_text("new")
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EDQUOT, "quota")]
)
def test_a_full_or_read_only_disk_is_one_line_with_a_remedy(tmp_path: Path, number: int, words: str) -> None:
    target = tmp_path / "tracks.csv"
    with pytest.raises(InputError, match=words) as caught, atomic_path(target):
        raise OSError(number, os.strerror(number))
    assert str(target) in str(caught.value) and "choose another" in str(caught.value)
    assert names_in(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no space left"), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_text("does not fit")
    assert names_in(tmp_path) == []


def test_errors_about_other_files_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "another").read_text()


def test_a_target_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="it is a folder"):
        AtomicFile(tmp_path)
    with pytest.raises(InputError, match=r"cannot write .*x\.txt"):
        AtomicFile(tmp_path / "file" / "x.txt")
    with pytest.raises(InputError, match="name is too long"):
        AtomicFile(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="permission denied"):
            AtomicFile(tmp_path / "a.txt")
    finally:
        tmp_path.chmod(0o700)


def test_commit_and_discard_may_be_repeated(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "a.txt")
    file.temporary.write_text("kept")
    file.commit()
    file.commit()
    file.discard()
    assert (tmp_path / "a.txt").read_text() == "kept"
