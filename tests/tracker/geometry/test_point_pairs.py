"""Files of point pairs: what is understood, and what a person is told of the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.errors import InputError
from tracker.geometry.point_pairs import PointPairs, read_point_pairs

PIXELS = [(312.0, 200.5), (10.0, 471.25), (600.0, 300.0)]
WORLD = [(1.0, 2.0, 0.0), (-0.5, 3.25, 0.0), (4.0, 0.0, 1.7)]

FILES = {
    "plain.csv": "312,200.5,1,2\n10,471.25,-0.5,3.25\n600,300,4,0,1.7\n",
    "blanks.txt": "# u v x y z\n312 200.5  1 2\n\n10\t471.25\t-0.5\t3.25   # the door\n600 300 4 0 1.7\n",
    "semicolons.csv": "u;v;x;y;z\n312;200.5;1;2;0\n10; 471.25; -0.5; 3.25\n600;300;4;0;1.7;\n",
    "order.csv": "\ufeffx,y,z,u,v\n1,2,0,312,200.5\n-0.5,3.25,0,10,471.25\n4,0,1.7,600,300\n",
    "quoted.csv": '"u","v","x","y","z"\n"312","200.5","1","2","0"\n10,471.25,-0.5,3.25,0\n600,300,4,0,1.7\n',
    "points.yaml": "points:\n  - {pixel: [312, 200.5], world: [1, 2]}\n"
    "  - {pixel: [10, 471.25], world: [-0.5, 3.25, 0]}\n  - {pixel: [600, 300], world: [4, 0, 1.7]}\n",
    "points.json": '[{"pixel": [312, 200.5], "world": [1, 2]}, {"pixel": [10, 471.25], "world": [-0.5, 3.25]},'
    '{"pixel": [600, 300], "world": [4, 0, 1.7]}]',
}


def read(folder: Path, text: str, name: str = "points.csv", **options: float) -> PointPairs:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_point_pairs(path, **options)


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_says_the_same(tmp_path: Path, name: str) -> None:
    pairs = read(tmp_path, FILES[name], name)
    np.testing.assert_array_equal(pairs.pixels, PIXELS)
    np.testing.assert_array_equal(pairs.world, WORLD)
    assert pairs.on_floor.tolist() == [True, True, False]


def test_points_are_called_by_their_line_or_name(tmp_path: Path) -> None:
    assert read(tmp_path, "u,v,x,y\n\n# nothing\n1,2,3,4\n5,6,7,8\n").labels == ("line 4", "line 5")
    assert read(tmp_path, "name,u,v,x,y\nleft door post,1,2,3,4\n,5,6,7,8\n").labels == ("left door post", "line 3")
    named = "points: [{name: sofa, pixel: [1, 2], world: [3, 4]}, {pixel: [5, 6], world: [7, 8]}]"
    assert read(tmp_path, named, "a.yaml").labels == ("sofa", "point 2")


def test_pixels_counted_from_centres_are_moved_by_half_a_pixel(tmp_path: Path) -> None:
    pairs = read(tmp_path, FILES["plain.csv"], first_pixel_centre=0.0)
    np.testing.assert_array_equal(pairs.pixels, np.array(PIXELS) + 0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3,4\n5,6,seven,8\n", "line 2: x is 'seven'; give a finite number"),
        ("1,2,3,4\n5,6,nan,8\n", "line 2: x is 'nan'"),
        ("1,2,3,4\n5,,7,8\n", "line 2: v is ''"),
        ("1,2,3,4\n5,6,7\n", "line 2: 3 values; give u,v,x,y or u,v,x,y,z"),
        ("u,v,x,y\n1,2,3,4,5\n", "line 2: 5 values; give u,v,x,y"),
        ("u,v,north,east\n1,2,3,4\n", "line 1: columns 'u,v,north,east'; name them u,v,x,y"),
        ("u,v,x\n1,2,3\n", "line 1: columns 'u,v,x'"),
        ("# only words\n", "no points in it; write one a line: u,v,x,y"),
        ("1,2,3,4\n5,6,3,4\n", "line 1 and line 2 give the same place; keep one of them"),
        ("1,2,3,4\n1,2,5,6\n", "line 1 and line 2 give the same pixel; keep one of them"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'points.csv'}")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "points: [{pixel: [1, 2]}]", "point 1: its world is None; write world: [x, y, z] in metres"),
        ("a.yaml", "points: [{pixel: [1], world: [3, 4]}]", "point 1: its pixel is [1]; write pixel: [u, v]"),
        ("a.yaml", "points: [{pixel: [1, true], world: [3, 4]}]", "point 1: v is True"),
        ("a.yaml", "points: [5]", "point 1: not a mapping"),
        ("a.yaml", "places: []", "no list of points in it"),
        ("a.yaml", "points: [", "line 1: not valid YAML"),
        ("a.json", "{\n 'points'", "line 2: not valid JSON"),
    ],
)
def test_broken_documents_are_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, name)
    assert words in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist: check the path"):
        read_point_pairs(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="is a folder: give a file"):
        read_point_pairs(tmp_path)
    (tmp_path / "video.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="not text"):
        read_point_pairs(tmp_path / "video.csv")
