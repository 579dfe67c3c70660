"""Which published weights there are: one record each of what is known about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from reid_models.records import IMAGENET_MEAN, IMAGENET_STD, EmbeddingRecord

__all__ = ["RECORDS", "SHIPPED", "PublishedFigure", "WeightsRecord"]

#: ``source`` of weights that are a file of this package.
SHIPPED = "shipped"


class PublishedFigure(NamedTuple):
    """What a test set gave, in percent, single query, without re-ranking."""

    test_set: str
    rank1: float
    mean_average_precision: float


@dataclass(frozen=True, slots=True)
class WeightsRecord:
    """One set of weights that can be had by name, ``MODEL:NAME``.

    Args:
        model: registered name of the architecture.
        name: short, unique among the weights of the model.
        file_name: as published; also the name in the cache, and in the package for shipped weights.
        source: URL, or :data:`SHIPPED`.
        publisher: where that is, for people.
        training_data: data set and split.
        licence: as the source states it.
        sha256: of the file; ``None``: not known, so the first download's is kept and compared with from then on.
        size: of the file in bytes, where known.
        input_size: (height, width) in pixels.
        mean: subtracted from RGB values in 0..1.
        std: divides after the subtraction.
        distance: ``"cosine"`` or ``"euclidean"``, the one the figures are made with.
        default_threshold: cosine distance at which about one pair in a hundred of different persons, seen by different
            cameras, is taken for one person; ``None``: not measured, so the model's holds.
        figures: what the publisher reports.
        trunk_only: these are weights of the network's first part alone: training starts from them.
    """

    model: str
    name: str
    file_name: str
    source: str
    publisher: str
    training_data: str
    licence: str
    sha256: str | None = None
    size: int | None = None
    input_size: tuple[int, int] = (256, 128)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    distance: str = "euclidean"
    default_threshold: float | None = None
    figures: tuple[PublishedFigure, ...] = ()
    trunk_only: bool = False

    @property
    def spec(self) -> str:
        """``MODEL:NAME``, as an embedder is named."""
        return f"{self.model}:{self.name}"

    @property
    def shipped(self) -> bool:
        """Whether the weights are a file of this package."""
        return self.source == SHIPPED

    def embedding_record(self, base: EmbeddingRecord) -> EmbeddingRecord:
        """Return ``base``, the model's record, with what is known of these weights."""
        changes: dict[str, object] = {
            "input_size": self.input_size,
            "mean": self.mean,
            "std": self.std,
            "distance": self.distance,
        }
        if self.default_threshold is not None:
            changes["default_threshold"] = self.default_threshold
        return base.updated(changes, self.spec)


# The revision is named, so that what is fetched cannot change under a record.
_HUGGING_FACE = "https://huggingface.co/kaiyangzhou/osnet/resolve/a5c5cc037c24235cda3b21085b93ad77c9616224/"
_GOOGLE_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_PYTORCH = "https://download.pytorch.org/models/"


def _hugging_face(model: str, name: str, suffix: str, training_data: str, **known: object) -> WeightsRecord:
    return WeightsRecord(
        model,
        name,
        f"{model}_{suffix}.pth",
        f"{_HUGGING_FACE}{model}_{suffix}.pth",
        "huggingface.co/kaiyangzhou/osnet",
        training_data,
        "MIT",
        **known,  # type: ignore[arg-type]
    )


def _imagenet(model: str, sha256: str | None, distance: str = "euclidean") -> WeightsRecord:
    return _hugging_face(
        model, "imagenet", "imagenet", "ImageNet-1k, 1000 classes of things", sha256=sha256, distance=distance
    )


_ALL_OF_MSMT17 = "MSMT17, all identities of training and test"
_JITTER_RECIPE = "msmt17_combineall_256x128_amsgrad_ep150_stp60_lr0.0015_b64_fb10_softmax_labelsmooth_flip_jitter"
_AIN_RECIPE = "msmt17_256x128_amsgrad_ep50_lr0.0015_coslr_b64_fb10_softmax_labsmth_flip_jitter"


def _msmt17(
    model: str, market1501: tuple[float, float], dukemtmc: tuple[float, float], **known: object
) -> WeightsRecord:
    """Return the record of weights for other data than they were trained on; (rank-1, mAP) there."""
    figures = (PublishedFigure("Market-1501", *market1501), PublishedFigure("DukeMTMC-reID", *dukemtmc))
    recipe = _AIN_RECIPE if model == "osnet_ain_x1_0" else _JITTER_RECIPE
    return _hugging_face(model, "msmt17", recipe, _ALL_OF_MSMT17, figures=figures, **known)


class _TrainingSplit(NamedTuple):
    """A training split: the weights' name, how file names say it, and what it is."""

    name: str
    in_file_names: str
    test_set: str


_SPLITS = (
    _TrainingSplit("market1501", "market", "Market-1501"),
    _TrainingSplit("dukemtmc", "duke", "DukeMTMC-reID"),
    _TrainingSplit("msmt17_train", "msmt17", "MSMT17"),
)
_WIDE_RECIPE = "256x128_amsgrad_ep150_stp60_lr0.0015_b64_fb10_softmax_labelsmooth_flip"
_NARROW_RECIPE = "256x128_amsgrad_ep180_stp80_lr0.003_b128_fb10_softmax_labelsmooth_flip"


def _same_domain(
    model: str, recipe: str, *files: tuple[str, tuple[float, float]], msmt17_sha256: str | None = None
) -> Iterator[WeightsRecord]:
    """Yield the records of weights for the test split of their own data; (file on Google Drive, (rank-1, mAP))."""
    for split, (drive_id, figures) in zip(_SPLITS, files, strict=True):
        yield WeightsRecord(
            model,
            split.name,
            f"{model}_{split.in_file_names}_{recipe}.pth",
            f"{_GOOGLE_DRIVE}{drive_id}",
            "drive.google.com, from Torchreid's model zoo",
            f"{split.test_set}, training split",
            "not stated (code: MIT)",
            sha256=msmt17_sha256 if split.name == "msmt17_train" else None,
            figures=(PublishedFigure(split.test_set, *figures),),
        )


def _resnet50(model: str, input_size: tuple[int, int]) -> WeightsRecord:
    file_name = "resnet50-0676ba61.pth"
    return WeightsRecord(
        model,
        "imagenet",
        file_name,
        f"{_PYTORCH}{file_name}",
        "download.pytorch.org, torchvision's IMAGENET1K_V1",
        "ImageNet-1k, 1000 classes of things",
        "not stated (code: BSD-3-Clause)",
        sha256="0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        size=102_530_333,
        input_size=input_size,
        distance="cosine",
        trunk_only=True,
    )


#: Figures: Torchreid's model zoo. The threshold of x0.25 was measured with one image per camera of the training
#: identities of CUHK01 (385) and CUHK03 pair 1 (643), which these weights never saw: 1 % of pairs of strangers in
#: different cameras are nearer than 0.385 and 0.341 (84 % and 45 % of true pairs are); within one camera, than 0.342
#: and 0.300. The stricter of the cross-camera values is used.
RECORDS: tuple[WeightsRecord, ...] = (
    # Ours: see pretrained/README.md, which says how they were trained and how the threshold was measured.
    WeightsRecord(
        "osnet_x0_25",
        "default",
        "osnet_x0_25.pt",
        SHIPPED,
        "this package",
        "CUHK01 (385 identities) and CUHK03 camera pair 1 (643)",
        "AGPL-3.0-or-later",
        input_size=(192, 96),
        distance="cosine",
        default_threshold=0.31,
        figures=(
            PublishedFigure("CUHK01 (100 test)", 79.0, 79.7),
            PublishedFigure("CUHK03 pair 1 (100 test)", 52.0, 55.8),
        ),
    ),
    WeightsRecord(
        "osnet_x0_25",
        "room",
        "osnet_x0_25_room.pt",
        SHIPPED,
        "this package",
        "rendered people (1,200 identities), no photographs",
        "AGPL-3.0-or-later",
        input_size=(192, 96),
        distance="cosine",
        default_threshold=0.42,
        figures=(PublishedFigure("simulated room (100 test)", 84.2, 76.8),),
    ),
    _msmt17(
        "osnet_x1_0",
        (66.6, 37.5),
        (66.0, 45.3),
        sha256="48df972f72887b95cf3b43b3a07c3a7d2398381aea0f9cae64a7ef11d512b727",
    ),
    _msmt17("osnet_x0_75", (63.6, 35.5), (65.3, 44.5)),
    _msmt17("osnet_x0_5", (64.3, 34.9), (65.2, 43.3)),
    _msmt17(
        "osnet_x0_25",
        (59.9, 31.0),
        (61.5, 39.6),
        sha256="cf55163d78fc44c62c82f85ab62d39f10438679b5abe8c698ae08cfa84aa6e18",
        size=9_336_983,
        default_threshold=0.34,
    ),
    _msmt17("osnet_ibn_x1_0", (66.5, 37.2), (67.4, 45.6)),
    _msmt17(
        "osnet_ain_x1_0",
        (70.1, 43.3),
        (71.1, 52.7),
        sha256="8a07e8da38946f7cee37f4561617bf8b6d2fe8f3a4027852893ea092e46d919f",
        size=17_293_009,
        distance="cosine",
    ),
    *_same_domain(
        "osnet_x1_0",
        _WIDE_RECIPE,
        ("1vduhq5DpN2q1g4fYEZfPI17MJeh9qyrA", (94.2, 82.6)),
        ("1QZO_4sNf4hdOKKKzKc-TZU9WW1v6zQbq", (87.0, 70.2)),
        ("112EMUfBPYeYg70w-syK6V6Mx8-Qb9Q1M", (74.9, 43.8)),
        msmt17_sha256="b7d73dc67c016fd044e4027ff856019496392a7aca8fa0ed56d862a1632c1cf2",
    ),
    *_same_domain(
        "osnet_x0_75",
        _WIDE_RECIPE,
        ("1ozRaDSQw_EQ8_93OUmjDbvLXw9TnfPer", (93.7, 81.2)),
        ("1IE3KRaTPp4OUa6PGTFL_d5_KQSJbP0Or", (85.8, 69.8)),
        ("1QEGO6WnJ-BmUzVPd3q9NoaO_GsPNlmWc", (72.8, 41.4)),
    ),
    *_same_domain(
        "osnet_x0_5",
        _NARROW_RECIPE,
        ("1PLB9rgqrUM7blWrg4QlprCuPT7ILYGKT", (92.5, 79.8)),
        ("1KoUVqmiST175hnkALg9XuTi1oYpqcyTu", (85.1, 67.4)),
        ("1UT3AxIaDvS2PdxzZmbkLmjtiqq7AIKCv", (69.7, 37.5)),
    ),
    *_same_domain(
        "osnet_x0_25",
        _NARROW_RECIPE,
        ("1z1UghYvOTtjx7kEoRfmqSMu-z62J6MAj", (91.2, 75.0)),
        ("1eumrtiXT4NOspjyEV4j8cHmlOaaCGk5l", (82.0, 61.4)),
        ("1sSwXSUlj4_tHZequ_iZ8w_Jh0VaRQMqF", (61.4, 29.5)),
        msmt17_sha256="6f57607fed9f502b9efed546108132ee715df5a5b6e6932c6269bacb47f59f99",
    ),
    _imagenet("osnet_x1_0", "fe2d63f9157c28a4a8d8ca29bec12d5b2988ac0346d712025789ea9174968e79"),
    _imagenet("osnet_x0_75", "37add23d2ebc7a22584203d6c22976fdda0f7f29c7b7d79257ac22ae20aec809"),
    _imagenet("osnet_x0_5", "f10ea9e26ee55b1a65cee3c6e88aa1ae105fe981af3e37692fa68a72fc64bf8e"),
    _imagenet("osnet_x0_25", "f54941a66bad4ddd07f2907f498c810ce639ce7a1abeaf2a151f8da118d84693"),
    _imagenet("osnet_ibn_x1_0", "4e6fbaa3f5e31170aae76372a9ebbe36551e4011a4ed88b139d50bc98729e23a"),
    _imagenet("osnet_ain_x1_0", None, "cosine"),
    _resnet50("strong_baseline_resnet50", (256, 128)),
    _resnet50("mgn_resnet50", (384, 128)),
)
