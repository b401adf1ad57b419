"""The five additions of FeatherFace V2 Ultra: what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from parameter_counts import trainable_parameters

pytestmark = pytest.mark.tensorflow


def test_smart_feature_reuse_brings_every_level_to_the_outer_ones(keras: Any) -> None:
    from deploy.models.face_blocks.backbone import Features
    from deploy.models.featherface_v2.innovations import smart_feature_reuse

    maps = Features(
        *(np.full((1, side, side, 2), value, np.float32) for side, value in ((8, 1), (4, 10), (2, 100)))
    )
    reused = smart_feature_reuse(maps, lambda x, level: 2 * x if level == "p4" else x)
    assert [float(x[0, 0, 0, 0]) for x in reused] == [1 + 20 + 100, 10, 100 + 20 + 1]
    assert [x.shape for x in reused] == [x.shape for x in maps]


def test_attention_multiplication_applies_the_same_attention_again(keras: Any) -> None:
    from deploy.models.face_blocks.backbone import Features
    from deploy.models.featherface_v2.innovations import attention_multiplication

    assert attention_multiplication(Features(1, 2, 3), lambda x, level: x * int(level[1]), 2) == (9, 32, 75)


def test_progressive_enhancement_goes_from_fine_to_coarse(keras: Any) -> None:
    from deploy.models.face_blocks.backbone import Features
    from deploy.models.featherface_v2.innovations import progressive_enhancement

    maps = Features(
        *(np.full((1, side, side, 2), value, np.float32) for side, value in ((8, 1), (4, 10), (2, 100)))
    )
    enhanced = progressive_enhancement(maps)
    # 1 + its strongest neighbour; 10 + what the first became; 100 + what both became.
    assert [float(x[0, 0, 0, 0]) for x in enhanced] == [2, 12, 114]


def test_multi_scale_intelligence_favours_the_strongest_level(keras: Any) -> None:
    from deploy.models.face_blocks.backbone import Features
    from deploy.models.featherface_v2.innovations import multi_scale_intelligence

    maps = Features(*(np.full((1, side, side, 2), value, np.float32) for side, value in ((8, 0), (4, 0), (2, 3))))
    share = np.exp(3) / (np.exp(3) + 2)
    fused = multi_scale_intelligence(maps)
    assert [float(x[0, 0, 0, 0]) for x in fused] == pytest.approx([3 * share, 3 * share, 3 + 3 * share], rel=1e-5)


def test_dynamic_weight_sharing_has_two_parameters_a_channel_and_follows_similarity(keras: Any) -> None:
    from deploy.models.face_blocks.backbone import Features
    from deploy.models.featherface_v2.innovations import DynamicWeightSharing

    sharing = DynamicWeightSharing(20)

    def first(p3: float, p4: float) -> float:
        maps = Features(*(np.full((1, s, s, 20), v, np.float32) for s, v in ((8, p3), (4, p4), (2, 0.0))))
        return float(sharing(maps).p3[0, 0, 0, 0]) - p3

    assert first(2, 2) == pytest.approx(2 / (1 + np.exp(-4)), rel=1e-5)
    assert first(2, -2) == pytest.approx(-2 / (1 + np.exp(4)), rel=1e-4)
    assert trainable_parameters(sharing) == 40
