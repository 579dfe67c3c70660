from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.video.synthetic import number_of, opened, write_video
from tracker.errors import InputError
from tracker.video.cameras import CameraSettings
from tracker.video.source_base import IncreasingTimes, Source
from tracker.video.sources import open_source

TRUE_TIMES = [0.0, 0.04, 0.08, 0.2, 0.21, 0.5, 0.54, 1.75, 1.79, 1.83]


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast"])  # without and with frames stored out of order
def test_variable_frame_rate_keeps_its_true_times(tmp_path: Path, preset: str) -> None:
    path = write_video(tmp_path / "a.mp4", [time + 100 for time in TRUE_TIMES], preset=preset)
    with opened(path, start_offset=5.0) as source:
        assert isinstance(source, Source)
        frames = list(source)
    assert [frame.time for frame in frames] == pytest.approx([time + 5 for time in TRUE_TIMES], abs=1e-4)
    assert [frame.index for frame in frames] == list(range(10))
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    assert {frame.camera for frame in frames} == {"camera"}
    assert source.warnings == []


def test_what_is_known_before_reading(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", np.arange(20) / 10, size=(80, 48))
    with opened(path) as source:
        assert (source.name, source.size, source.frame_count, source.is_live) == ("camera", (80, 48), 20, False)
        assert source.frame_rate == pytest.approx(10, rel=0.05)


def test_stride_and_limit(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", np.arange(20) / 10)
    with opened(path, stride=3) as source:
        assert source.frame_count == 7
        assert source.frame_rate == pytest.approx(10 / 3, rel=0.05)
        frames = list(source)
    assert [frame.index for frame in frames] == [0, 3, 6, 9, 12, 15, 18]
    assert [frame.time for frame in frames] == pytest.approx(np.arange(0, 20, 3) / 10, abs=1e-4)
    with opened(path, stride=3, max_frames=2) as source:
        assert source.frame_count == 2
        assert [number_of(frame.image) for frame in source] == [0, 3]
        assert source.warnings == []
    for wrong in ({"stride": 0}, {"max_frames": 0}):
        with pytest.raises(InputError, match="is 0; give"):
            opened(path, **wrong)


def test_without_images_indices_and_times_still_run(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", TRUE_TIMES)
    frames = list(opened(path, read_images=False))
    assert all(frame.image is None for frame in frames)
    assert [frame.time for frame in frames] == pytest.approx(TRUE_TIMES, abs=1e-4)


def test_a_closed_source_ends(tmp_path: Path) -> None:
    source = opened(write_video(tmp_path / "a.mp4", TRUE_TIMES))
    assert next(iter(source)).index == 0
    source.close()
    source.close()
    assert list(source) == []


@pytest.mark.parametrize(("turn", "quarters"), [(90, -1), (180, 2), (270, 1)])
def test_rotation_of_the_container_is_applied(tmp_path: Path, turn: int, quarters: int) -> None:
    path = write_video(tmp_path / "phone.mp4", [0.0, 0.1], size=(64, 32))
    content = bytearray(path.read_bytes())
    # The matrix that a telephone writes when its picture has to be turned clockwise by so much.
    sine, cosine = {90: (1, 0), 180: (0, -1), 270: (-1, 0)}[turn]
    matrix = struct.pack(">9i", *(v << 16 for v in (cosine, sine, 0, -sine, cosine, 0, 0, 0)), 1 << 30)
    place = content.index(b"tkhd") + 4 + 40
    content[place : place + 36] = matrix
    path.write_bytes(content)
    with opened(path) as source:
        assert source.size == ((32, 64) if quarters % 2 else (64, 32))
        image = list(source)[1].image
    unturned = list(opened(write_video(tmp_path / "a.mp4", [0.0, 0.1], size=(64, 32))))[1].image
    assert number_of(unturned) == 1, "bright on the left only, so that every turn looks different"
    assert np.array_equal(np.rot90(unturned, quarters), image)


def corrupt(path: Path, start: float, end: float) -> None:
    """Overwrite a part of the pictures' data with noise."""
    content = bytearray(path.read_bytes())
    data = content.index(b"mdat") + 8
    first, last = (data + int(share * (len(content) - data)) for share in (start, end))
    content[first:last] = np.random.default_rng(0).integers(0, 256, last - first, dtype=np.uint8).tobytes()
    path.write_bytes(content)


def noisy_video(path: Path, count: int) -> list[float]:
    rng = np.random.default_rng(1)
    times = (np.cumsum(rng.uniform(0.02, 0.08, count)) - 0.02).tolist()
    from tracker.video.writers import VideoWriter

    with VideoWriter(path, (64, 48), 25) as writer:
        for time in times:
            writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), time)
    return [time - times[0] for time in times]


def test_damage_in_the_middle_costs_those_frames_and_one_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged.mp4"
    times = noisy_video(path, 60)
    corrupt(path, 0.4, 0.6)
    with opened(path) as source:
        frames = list(source)
    assert 30 < len(frames) < 60
    for frame in frames:
        assert min(abs(frame.time - time) for time in times) < 1e-4, "every frame has the time it was written with"
    assert frames[-1].time == pytest.approx(times[-1], abs=1e-4), "decoding went on behind the damage"
    assert len(source.warnings) == 1
    assert str(path) in source.warnings[0] and f"{len(frames)} of 60 frames" in source.warnings[0]
    assert capfd.readouterr().err == ""


def test_a_truncated_file_gives_what_is_there_and_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    noisy_video(path, 60)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with opened(path) as source:
        frames = list(source)
    assert 20 < len(frames) < 40
    assert len(source.warnings) == 1 and "of 60 frames" in source.warnings[0]


def audio(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def cut_header(path: Path) -> None:
    write_video(path, [0.0, 0.1])
    path.write_bytes(path.read_bytes()[:100])


def all_noise(path: Path) -> None:
    noisy_video(path, 20)
    corrupt(path, 0.0, 1.0)


BAD_FILES = {
    "missing": (lambda path: None, "does not exist: check the path"),
    "zero bytes": (lambda path: path.write_bytes(b""), "is empty .0 bytes.: copy it again"),
    "text": (lambda path: path.write_text("no video\n" * 99), "is not a video or is damaged .*: play it to check"),
    "header cut": (cut_header, "is not a video or is damaged"),
    "only sound": (audio, "has no video stream .only audio.: give a file with pictures"),
    "no frame decodes": (all_noise, "has no frame that can be decoded"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_files_are_refused_before_anything_runs(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make, words = BAD_FILES[kind]
    path = tmp_path / "input.mp4"
    make(path)
    with pytest.raises(InputError, match=words) as caught:
        opened(path)
    assert str(path) in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_text_file_is_not_shown_as_a_film(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello world\n" * 50)
    with pytest.raises(InputError, match="is text, not a video"):
        opened(tmp_path / "notes.txt")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", [0.0])
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(InputError, match=r"a\.mp4 cannot be read: permission denied"):
        opened(path)


def test_a_frame_rate_is_refused_for_videos(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0.0])
    with pytest.raises(InputError, match="frame_rate is for folders of images"):
        open_source(CameraSettings(name="a", source=str(path), frame_rate=5))


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e5, 1e5, allow_nan=False)), max_size=60),
    st.one_of(st.none(), st.floats(0.5, 120)),
)
def test_repaired_times_always_increase(times: list[float | None], frame_rate: float | None) -> None:
    repair = IncreasingTimes(frame_rate)
    repaired = [repair.next(time) for time in times]
    assert all(later > earlier for earlier, later in pairwise(repaired))


@given(st.lists(st.floats(1e-3, 10), max_size=50))
def test_good_times_stay_as_they_are(steps: list[float]) -> None:
    times = np.cumsum(steps).tolist()
    repair = IncreasingTimes(25)
    assert [repair.next(time) for time in times] == times
    assert repair.repaired == 0


def test_a_clock_set_anew_goes_on_behind() -> None:
    repair = IncreasingTimes(10)
    assert [repair.next(time) for time in (50.0, 50.1, 0.0, 0.1, 0.2)] == pytest.approx([50.0, 50.1, 50.2, 50.3, 50.4])
    assert repair.repaired == 1


@pytest.mark.data
def test_a_real_damaged_file(data_root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = data_root / "data/video/crowd.avi"
    with opened(path, read_images=False) as source:
        assert source.size == (1280, 720)
        times = [frame.time for frame in source]
    assert len(times) == 341
    assert np.allclose(times, np.arange(341) / 25)
    assert len(source.warnings) == 1
    assert "crowd.avi" in source.warnings[0] and "341 of 682" in source.warnings[0]
    assert capfd.readouterr().err == ""
