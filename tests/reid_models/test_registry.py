"""Models by name, without importing what is not asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reid_models import create_model, list_models
from reid_models.errors import InputError
from reid_models.registry import model_spec


@pytest.mark.parametrize(
    "statement",
    [
        "import reid_models",
        "import reid_models.runtimes",
        "import reid_models.embedder",
        "from reid_models import list_models; list_models()",
        "from reid_models.embedder import create_embedder; create_embedder('color_histogram')",
    ],
)
def test_torch_is_not_imported_before_a_network_is_built(statement: str) -> None:
    code = f"{statement}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_models_are_listed_by_pattern() -> None:
    assert list_models("osnet_x0*") == ["osnet_x0_25", "osnet_x0_5", "osnet_x0_75"]
    assert {"osnet_x1_0", "osnet_ibn_x1_0", "osnet_ain_x1_0"} <= set(list_models())
    assert list_models("nothing*") == []


def test_records_say_how_published_figures_are_compared() -> None:
    assert model_spec("osnet_x1_0").record.distance == "euclidean"
    assert model_spec("osnet_ain_x1_0").record.distance == "cosine"
    assert model_spec("osnet_x0_25").record.input_size == (256, 128)
    assert model_spec("osnet_x0_25").embedding_dimension == 512


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown ReID model 'osnet_x10': did you mean 'osnet_x1_0'"):
        create_model("osnet_x10")


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no option 'num_stream': did you mean 'num_streams'"):
        create_model("osnet_x0_25", num_stream=3)


@pytest.mark.parametrize("classes", [-1, 2.5, True, "751"])
def test_a_number_of_classes_that_is_none_is_refused(classes: object) -> None:
    with pytest.raises(InputError, match="num_classes"):
        create_model("osnet_x0_25", num_classes=classes)  # type: ignore[arg-type]
