from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.video.synthetic import frame_image, names_in, number_of, opened, write_video
from tracker.errors import InputError
from tracker.video.writers import VideoWriter


def test_the_form_that_browsers_play(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", np.arange(30) / 10)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.duration * stream.time_base) == pytest.approx(2.9 + 1 / 25, abs=1e-3)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "the index comes first, so that play can begin at once"


@given(steps=st.lists(st.floats(-0.05, 3), min_size=1, max_size=12))
@settings(max_examples=10, deadline=None)
def test_times_are_kept_and_made_increasing(tmp_path_factory: pytest.TempPathFactory, steps: list[float]) -> None:
    times = np.cumsum(steps)
    path = write_video(tmp_path_factory.mktemp("video") / "a.mp4", times)
    with opened(path) as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(len(times)))
    expected = np.maximum.accumulate(times - times[0])
    assert np.allclose([frame.time for frame in frames], expected, atol=1e-3)


def test_colours_come_back(tmp_path: Path) -> None:
    for color in ((255, 0, 0), (0, 200, 0), (40, 90, 220), (255, 255, 255)):
        with VideoWriter(tmp_path / "a.mp4", (64, 48), 25) as writer:
            writer.write(np.full((48, 64, 3), color, np.uint8), 0.0)
        image = next(iter(opened(tmp_path / "a.mp4"))).image
        assert np.abs(image[10:40, 10:50].mean(axis=(0, 1)) - color).max() < 4


def test_odd_and_changing_sizes(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (65, 49), 25) as writer:
        writer.write(np.full((49, 65, 3), 200, np.uint8), 0.0)
        writer.write(np.full((120, 160, 3), 100, np.uint8), 0.1)
        writer.write(np.full((12, 16, 3), 50, np.uint8), 0.2)
    with opened(tmp_path / "a.mp4") as source:
        assert source.size == (66, 50)
        assert [round(frame.image.mean()) for frame in source] == pytest.approx([200, 100, 50], abs=3)


def test_it_appears_on_close_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "made" / "a.mp4"
    writer = VideoWriter(path, (64, 48), 25)
    writer.write(frame_image(0), 0.0)
    assert not path.exists()
    writer.close()
    writer.close()
    assert names_in(path.parent) == ["a.mp4"]
    with pytest.raises(ValueError, match="closed"):
        writer.write(frame_image(1), 1.0)


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 25):
        pass
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = write_video(tmp_path / "a.mp4", [0.0])
    before = path.read_bytes()
    with pytest.raises(error), VideoWriter(path, (64, 48), 25) as writer:
        writer.write(frame_image(0), 0.0)
        raise error
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["a.mp4"]
    writer.abort()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("count", [1, 60])  # found when the file is finished, and while frames are written
def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp4"
    writer = VideoWriter(path, (320, 240), 25)
    hidden = tmp_path / ".a.partial.mp4"
    hidden.unlink(missing_ok=True)
    hidden.symlink_to("/dev/full")
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    with pytest.raises(InputError, match=r"cannot write .*a\.mp4: no space left") as caught:
        for number in range(count):
            writer.write(noise, number / 25)
        writer.close()
    assert "free some" in str(caught.value)
    assert names_in(tmp_path) == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "size", "options", "words"),
    [
        ("a.avi", (64, 48), {}, "its name must end in .mp4"),
        ("a.mp4", (0, 48), {}, "its size is 0×48"),
        ("a.mp4", (64, 48), {"preset": "veryfst"}, "did you mean 'veryfast'"),
        ("a.mp4", (64, 48), {"quality": 99}, "video quality is 99; give 0"),
        ("a.mp4", (40_000, 40_000), {}, "the H.264 encoder refuses 40000×40000"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, name, size, options, words, capfd) -> None:
    with pytest.raises(InputError, match=words):
        VideoWriter(tmp_path / name, size, 25, **options)
    assert names_in(tmp_path) == []
    assert capfd.readouterr().err == ""


def test_an_image_of_another_kind_is_refused(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (64, 48), None) as writer:
        with pytest.raises(ValueError, match=r"not .H, W, 3. uint8"):
            writer.write(np.zeros((48, 64), np.uint8), 0.0)
        with pytest.raises(ValueError, match=r"not .H, W, 3. uint8"):
            writer.write(np.zeros((48, 64, 3), np.float32), 0.0)  # type: ignore[arg-type]
