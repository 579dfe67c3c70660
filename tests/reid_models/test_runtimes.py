"""Exported networks give the same numbers in both runtimes, however many rows are asked for at once."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from reid_models.errors import InputError
from reid_models.runtimes import Network, PixelInput, load_network

BOTH = ["openvino", "onnxruntime"]


def write_embedder(path: Path, batch: int | str = "batch", *, flip_inputs: bool = False) -> Path:
    """Write conv → ReLU → pooling → two outputs; a second input is added to every channel."""
    rng = np.random.default_rng(3)
    weights = numpy_helper.from_array(rng.standard_normal((16, 3, 3, 3)).astype(np.float32), "weights")
    nodes = [
        helper.make_node("Conv", ["images", "weights"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["maps", "shift"], ["shifted"]),
        helper.make_node("Relu", ["shifted"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("ReduceSum", ["embedding", "axis"], ["total"], keepdims=1),
    ]
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, (batch, 3, 12, 8)),
        helper.make_tensor_value_info("shift", TensorProto.FLOAT, (batch, 1, 1, 1)),
    ]
    outputs = [
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, (batch, 16)),
        helper.make_tensor_value_info("total", TensorProto.FLOAT, (batch, 1)),
    ]
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    graph = helper.make_graph(nodes, "embedder", inputs[::-1] if flip_inputs else inputs, outputs, [weights, axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    model.metadata_props.add(key="author", value="tests")
    onnx.save(model, path)
    return path


def arrays(rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(rows)
    return rng.standard_normal((rows, 3, 12, 8), np.float32), rng.standard_normal((rows, 1, 1, 1), np.float32)


def expected(images: NDArray[np.float32], shift: NDArray[np.float32]) -> NDArray[np.float64]:
    """The embedder above, written out in float64."""
    weights = np.random.default_rng(3).standard_normal((16, 3, 3, 3)).astype(np.float32).astype(np.float64)
    padded = np.pad(images.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    maps = np.einsum("bchwij,ocij->bohw", windows, weights) + shift
    return np.maximum(maps, 0).mean(axis=(2, 3))


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embedder(tmp_path_factory.mktemp("networks") / "free.onnx")


@pytest.mark.parametrize("runtime", BOTH)
@pytest.mark.parametrize("batch", ["batch", 4])
@pytest.mark.parametrize("rows", [0, 1, 3, 4, 7, 16, 23])
def test_any_number_of_rows_gives_what_the_formula_gives(
    tmp_path: Path, runtime: str, batch: int | str, rows: int
) -> None:
    network = load_network(write_embedder(tmp_path / "network.onnx", batch), runtime=runtime, threads=1)
    images, shift = arrays(rows)
    embedding, total = network(images, shift)
    assert embedding.shape == (rows, 16)
    assert total.shape == (rows, 1)
    np.testing.assert_allclose(embedding, expected(images, shift), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(total[:, 0], embedding.sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("runtime", BOTH)
def test_a_row_has_the_same_bits_whatever_shares_its_batch(free: Path, runtime: str) -> None:
    network = load_network(free, runtime=runtime)
    images, shift = arrays(23)
    together = network(images, shift)[0]
    alone = np.concatenate([network(images[row : row + 1], shift[row : row + 1])[0] for row in range(23)])
    np.testing.assert_array_equal(together, alone)
    order = np.random.default_rng(0).permutation(23)
    np.testing.assert_array_equal(network(images[order], shift[order])[0], together[order])


@pytest.mark.parametrize("runtime", BOTH)
def test_inputs_are_taken_in_the_order_of_the_file(tmp_path: Path, runtime: str) -> None:
    network = load_network(write_embedder(tmp_path / "flipped.onnx", flip_inputs=True), runtime=runtime)
    assert [port.name for port in network.inputs] == ["shift", "images"]
    images, shift = arrays(2)
    np.testing.assert_allclose(network(shift, images)[0], expected(images, shift), rtol=1e-4, atol=1e-5)


def test_it_says_what_it_is(free: Path) -> None:
    network = load_network(free, runtime="onnxruntime")
    assert network.inputs[0] == ("images", (None, 3, 12, 8), np.dtype(np.float32))
    assert network.outputs == [
        ("embedding", (None, 16), np.dtype(np.float32)),
        ("total", (None, 1), np.dtype(np.float32)),
    ]
    assert network.metadata == {"author": "tests"}
    assert network.description == "free.onnx (onnxruntime float32)"
    assert load_network(free, runtime="openvino").description == "free.onnx (openvino float32)"
    assert load_network(free).runtime == "openvino"


def test_auto_takes_onnxruntime_where_openvino_is_missing(free: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    assert load_network(free).runtime == "onnxruntime"
    with pytest.raises(InputError, match="needs openvino, which is not installed"):
        load_network(free, runtime="openvino")


def test_results_of_one_call_survive_the_next(free: Path) -> None:
    network = load_network(free)
    first = network(*arrays(4))[0]
    kept = first.copy()
    network(*(array + 1 for array in arrays(4)))
    np.testing.assert_array_equal(first, kept)


def test_threads_may_share_a_network(free: Path) -> None:
    network = load_network(free)
    wanted = {rows: network(*arrays(rows))[0] for rows in range(1, 9)}
    wrong: list[int] = []

    def work(rows: int) -> None:
        wrong.extend(rows for _ in range(30) if not np.array_equal(network(*arrays(rows))[0], wanted[rows]))

    workers = [threading.Thread(target=work, args=(rows,)) for rows in wanted]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_bfloat16_runs_only_on_request(free: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    given = []
    compiled = openvino.Core.compile_model

    def spy(core: openvino.Core, model: openvino.Model, device: str, settings: dict[str, str]) -> object:
        given.append(settings["INFERENCE_PRECISION_HINT"])
        return compiled(core, model, device, settings)

    monkeypatch.setattr(openvino.Core, "compile_model", spy)
    load_network(free, runtime="openvino")(*arrays(1))
    assert given == ["f32"]
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "BF16"])
    network = load_network(free, runtime="openvino", precision="bfloat16")
    assert network.description == "free.onnx (openvino bfloat16)"
    network(*arrays(1))
    assert given == ["f32", "bf16"]
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32"])
    with pytest.warns(RuntimeWarning, match="no bfloat16"):
        assert load_network(free, precision="bfloat16").precision == "float32"
    with pytest.raises(InputError, match="float32 only"):
        load_network(free, runtime="onnxruntime", precision="bfloat16")


@pytest.mark.parametrize("runtime", BOTH)
def test_files_that_are_no_networks_are_refused_in_one_line(tmp_path: Path, runtime: str) -> None:
    empty, text, broken = tmp_path / "empty.onnx", tmp_path / "text.onnx", tmp_path / "broken.onnx"
    empty.touch()
    text.write_text("frame,id\n1,2\n")
    broken.write_bytes(write_embedder(tmp_path / "whole.onnx").read_bytes()[:-100])
    for path, message in (
        (tmp_path / "missing.onnx", "does not exist"),
        (tmp_path, "is a folder"),
        (empty, "0 bytes"),
        (text, "not an ONNX network"),
        (broken, "not an ONNX network"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            load_network(path, runtime=runtime)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("runtime", BOTH)
def test_a_graph_no_runtime_can_run_is_refused(tmp_path: Path, runtime: str) -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 2)) for name in ("a", "b")]
    graph = helper.make_graph([helper.make_node("NoSuchLayer", ["a"], ["b"])], "odd", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, ir_version=8), tmp_path / "odd.onnx")
    for chosen in (runtime, "auto"):
        with pytest.raises(InputError, match=r"odd\.onnx cannot be loaded by"):
            load_network(tmp_path / "odd.onnx", runtime=chosen)


@pytest.mark.parametrize("runtime", BOTH)
def test_arrays_that_do_not_fit_are_refused(free: Path, runtime: str) -> None:
    network = load_network(free, runtime=runtime)
    images, shift = arrays(2)
    with pytest.raises(InputError, match="takes 2 inputs, 1 arrays"):
        network(images)
    with pytest.raises(InputError, match=r"'images' has shape \(any, 3, 12, 8\), got an array \(2, 3, 8, 12\)"):
        network(images.transpose(0, 1, 3, 2), shift)
    with pytest.raises(InputError, match="equally many"):
        network(images, shift[:1])


def test_unknown_options_are_refused(free: Path) -> None:
    with pytest.raises(InputError, match="unknown runtime 'tensorrt'"):
        load_network(free, runtime="tensorrt")
    with pytest.raises(InputError, match="unknown precision 'int8'"):
        load_network(free, precision="int8")
    with pytest.raises(InputError, match="threads is 0"):
        load_network(free, threads=0)


def test_no_torch_is_imported(free: Path) -> None:
    code = (
        "import sys; from reid_models.runtimes import load_network; "
        f"load_network({str(free)!r}); assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.data
@pytest.mark.parametrize("runtime", BOTH)
def test_osnet_gives_the_published_vectors(data_root: Path, runtime: str) -> None:
    network: Network = load_network(data_root / "weights" / "osnet_x0_25_msmt17.onnx", runtime=runtime)
    wanted = np.load(data_root / "fixtures" / "osnet_x0_25_msmt17_real.npz")
    noise = np.random.RandomState(7).standard_normal((2, 3, 256, 128)).astype(np.float32)
    blocky = np.random.RandomState(9).standard_normal((2, 3, 16, 8)).astype(np.float32)
    blocky = blocky.repeat(16, axis=2).repeat(16, axis=3)
    for images, name in ((noise, "embedding"), (blocky, "embedding_blocky")):
        got = network(images)[0]
        assert np.linalg.norm(got - wanted[name]) / np.linalg.norm(wanted[name]) <= 1e-5


@pytest.mark.parametrize("red_first", [True, False])
def test_bytes_are_normalised_inside_the_network(tmp_path: Path, red_first: bool) -> None:
    path = write_embedder(tmp_path / "network.onnx")
    pixels = PixelInput((10.0, 20.0, 30.0), (2.0, 4.0, 8.0), red_first)
    bytes_in = np.random.default_rng(1).integers(0, 256, (19, 12, 8, 3), np.uint8)
    _, shift = arrays(19)
    channels = bytes_in[..., ::-1] if red_first else bytes_in
    images = ((channels - np.array(pixels.mean)) / np.array(pixels.std)).transpose(0, 3, 1, 2)
    wanted = expected(images.astype(np.float32), shift)
    for runtime in BOTH:
        network = load_network(path, runtime=runtime, pixels=pixels)
        assert network.inputs[0] == ("images", (None, 12, 8, 3), np.dtype(np.uint8))
        np.testing.assert_allclose(network(bytes_in, shift)[0], wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match="no colour images"):
        load_network(write_embedder(tmp_path / "flipped.onnx", flip_inputs=True), pixels=pixels)


def test_what_was_compiled_before_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    monkeypatch.setenv("MULTICAM_CACHE", str(tmp_path / "cache"))
    path, images = write_embedder(tmp_path / "network.onnx"), arrays(5)
    first = load_network(path, runtime="openvino", keep_compiled=True)(*images)
    kept = len(list((tmp_path / "cache" / "compiled").iterdir()))
    assert kept >= 2
    monkeypatch.setattr(openvino.Core, "compile_model", lambda *_: pytest.fail("compiled again"))
    for found, wanted in zip(load_network(path, runtime="openvino", keep_compiled=True)(*images), first):
        np.testing.assert_array_equal(found, wanted)
    monkeypatch.undo()
    assert not (tmp_path / "elsewhere").exists()
    load_network(path, runtime="openvino")(*images)
    assert len(list((tmp_path / "cache" / "compiled").iterdir())) == kept, "only where it is asked for"


def test_files_are_run_by_what_can_run_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"n\.xml cannot be run by onnxruntime: .* give openvino"):
        load_network(tmp_path / "n.xml", runtime="onnxruntime")
    (tmp_path / "n.torchscript").write_bytes(b"PK")
    with pytest.raises(InputError, match="not a TorchScript network"):
        load_network(tmp_path / "n.torchscript")
    (tmp_path / "n.xml").write_text("<net>")
    with pytest.raises(InputError, match=r"n\.bin must lie beside it"):
        load_network(tmp_path / "n.xml")
