"""The recipes by the tables they come from, read once for all tests."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

from reid_models.training.recipe import Recipe, list_recipes, read_recipe

#: ours, which no paper has a figure for
OURS = {f"osnet_x0_25_{data}{stage}" for data in ("default", "room") for stage in ("", "_finetune")}
#: a published stage whose figure is that of the next stage
NO_FIGURE = OURS | {"osnet_mix4"}

OSNET_TABLE_5 = {
    1: "osnet_scratch",
    2: "osnet_ablation_full_convolution",
    3: "osnet_ablation_same_depth",
    4: "osnet_ablation_concatenation",
    5: "osnet_ablation_addition",
    6: "osnet_ablation_separate_gates",
    7: "osnet_ablation_stream_wise_gate",
    8: "osnet_ablation_fixed_gates",
    9: "osnet_ablation_1_stream",
    10: "osnet_ablation_2_streams",
    11: "osnet_ablation_3_streams",
}
LADDER = {
    "Baseline-S": "strong_baseline_rung1_standard",
    "+warmup": "strong_baseline_rung2_warm_up",
    "+REA": "strong_baseline_rung3_erasing",
    "+LS": "strong_baseline_rung4_label_smoothing",
    "+stride=1": "strong_baseline_rung5_stride",
    "+BNNeck": "strong_baseline_rung6_bnneck",
    "+center loss": "strong_baseline",
}
MGN_TABLE_5 = {
    "ResNet-50": "mgn_ablation_resnet50",
    "ResNet-101": "mgn_ablation_resnet101",
    "ResNet-50+TP": "mgn_ablation_resnet50_triplet",
    "Global (Branch)": "mgn_ablation_global_branch",
    "Part-2 (Single)": "mgn_ablation_part2_single",
    "Part-2 (Branch)": "mgn_ablation_part2_branch",
    "Part-3 (Single)": "mgn_ablation_part3_single",
    "Part-3 (Branch)": "mgn_ablation_part3_branch",
    "MGN w/o Part-3": "mgn_ablation_without_part3",
    "MGN w/ Part-4": "mgn_ablation_with_part4",
    "MGN (Part2+4)": "mgn_ablation_part2_part4",
    "MGN (Part3+4)": "mgn_ablation_part3_part4",
    "MGN w/o TP": "mgn_ablation_no_triplet",
    "MGN": "mgn",
}
ROBUST_TABLE_2 = {**{column: f"robust_reid_{column}" for column in "abcdefgh"}, "Robust-ReID": "robust_reid_2x"}
ROBUST_TABLE_3 = {
    1: ("robust_reid_setup1", "robust_reid_setup1_cycles", "robust_reid_setup1_swag"),
    2: ("robust_reid_f", "robust_reid_setup2_cycles", "robust_reid_g"),
    3: ("robust_reid_h", "robust_reid_setup3_cycles", "robust_reid_2x"),
}
OTHERS = {
    *("osnet_finetune", "osnet_x0_75", "osnet_x0_5", "osnet_x0_25", "osnet_mix4", "osnet_viper", "osnet_grid"),
    *("osnet_ibn_cross_domain", "osnet_ain_cross_domain", "osnet_pa100k"),
    *(f"osnet_cifar{count}{kind}" for count in (10, 100) for kind in ("", "_deep", "_1_stream", "_addition")),
    *("strong_baseline_re_ranking", "strong_baseline_cross_domain", "mgn_re_ranking", "hacnn", "robust_reid_1x"),
    *("msinet_scratch", "msinet", "msinet_sam", "msinet_cross_domain", "msinet_sam_cross_domain", "msinet_search"),
    *("msinet_veri776", "msinet_vehicleid", "msinet_sam_veri776", "msinet_sam_vehicleid"),
    *("msinet_scratch_veri776", "msinet_scratch_vehicleid"),
    *("msinet_veri776_to_vehicleid", "msinet_sam_veri776_to_vehicleid"),
    *(f"msinet_sam_ablation_{row}" for row in ("positive", "negative", "unified", "separated")),
}
PUBLISHED = {
    *OSNET_TABLE_5.values(),
    *LADDER.values(),
    *MGN_TABLE_5.values(),
    *ROBUST_TABLE_2.values(),
    *(name for row in ROBUST_TABLE_3.values() for name in row),
    *OTHERS,
}


@cache
def recipes() -> dict[str, Recipe]:
    return {name: read_recipe(name) for name in list_recipes()}


def written(name: str) -> dict[str, Any]:
    """Return what a recipe's own file says."""
    content: dict[str, Any] = yaml.safe_load(
        (resources.files("reid_models.recipes") / f"{name}.yaml").read_text("utf-8")
    )
    return content
