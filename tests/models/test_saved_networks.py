"""Every network of the zoo as a ``.keras`` file: a process that has built nothing loads it and gets the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy import zoo
from deploy.models.mobilenetv4.blocks import MQA, UIB, BlockList, FusedIB
from deploy.models.mobilenetv4.builder import build_network

pytestmark = pytest.mark.early

NETWORKS = [
    ("featherface-v2-ultra", "size=32"),
    ("mobilenetv4", "variant=hybrid-m", "size=32", "width=0.25", "classes=10"),
    ("multihead-mobilenetv3", "size=32", "hidden=1024", "dropout=0.1"),
    ("featherface-v1", "size=32"),
    ("featherface-v1", "size=32", "context=dcn", "shuffle=explicit"),
    ("featherface-v1", "size=32", "context=ssh", "channels=16"),
    ("featherface-v2-ultra", "size=32", "literal32=yes", "shuffle=explicit"),
    *(
        ("mobilenetv4", f"variant={variant}", "size=32", "width=0.25", "classes=10")
        for variant in ("conv-s", "conv-m", "conv-l", "hybrid-l")
    ),
]
"""At sizes that build fast."""

NAMED = {name for name, *_ in NETWORKS}
NETWORKS += [(project.name,) for project in zoo.projects() if project.name not in NAMED]

LOAD = """
import sys
import numpy as np
from deploy.zoo import model_source

for file in sys.argv[1:]:
    model = model_source.load_float(model_source.parse(file))
    image = np.random.default_rng(0).random(model.inputs[0].shape, np.float32)
    np.savez(file + ".npz", **model.run({model.inputs[0].name: image}))
"""


def refuse_others(models: Iterable[Any], folder: Path) -> None:
    """Save models, load all of them in another process, and compare what they compute."""
    wanted = {}
    for index, model in enumerate(models):
        file = folder / f"{model.name}-{index}.keras"
        file.write_bytes(zoo.keras_file(model))
        image = np.random.default_rng(0).random((1, *model.input_shape[1:]), np.float32)
        wanted[file] = {output: np.asarray(values) for output, values in model(image, training=False).items()}
    subprocess.run([sys.executable, "-c", LOAD, *map(str, wanted)], check=True, timeout=300)
    for file, outputs in wanted.items():
        with np.load(f"{file}.npz") as got:
            assert set(got) == set(outputs), file.name
            for output, values in outputs.items():
                assert np.ptp(values) > 0, "nothing to compare"
                difference = np.abs(got[output] - values).max()
                assert difference < 1e-3 * np.abs(values).max(), f"{file.name}, {output}"


@pytest.mark.tensorflow
def test_both_layers_of_ours_and_every_kind_of_block_load_and_compute_the_same(tmp_path: Path) -> None:
    import keras

    from deploy.models.face_blocks.convolutions import convolution
    from deploy.models.face_blocks.pyramid import FusionWeights, downsample, upsample, weigh

    blocks = BlockList(8, ((FusedIB(3, 2, 4, 8), UIB(3, 3, 1, 4, 8), MQA(2, 8, 2, 8)),), 16, layer_scale=1.0)
    image = keras.Input((8, 8, 3), name="image")
    fine = convolution(4, 1, name="lateral")(image)
    fused = keras.layers.Add()(weigh(FusionWeights(3, name="weights"), fine, upsample(downsample(fine))))
    models = [build_network(blocks, size=32, classes=4), keras.Model(image, {"x": fused}, name="fused")]
    refuse_others(models, tmp_path)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_every_network_loads_from_its_file_and_computes_the_same(tmp_path: Path) -> None:
    refuse_others((zoo.build(name, options, trained=False) for name, *options in NETWORKS), tmp_path)
