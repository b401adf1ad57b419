"""Every network of the zoo as a ``.keras`` file: a process that has built nothing loads it and gets the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deploy import zoo

SMALL = [
    ("featherface-v2-ultra", "size=32"),
    ("mobilenetv4", "variant=hybrid-m", "size=32", "width=0.25", "classes=10"),
]
"""At sizes that build fast: both layers of ours, and nearly all operations without a layer."""

OTHERS = [
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

NAMED = {name for name, *_ in SMALL + OTHERS}
OTHERS += [(project.name,) for project in zoo.projects() if project.name not in NAMED]

LOAD = """
import sys
import numpy as np
from deploy.zoo import model_source

for file in sys.argv[1:]:
    model = model_source.load_float(model_source.parse(file))
    image = np.random.default_rng(0).random(model.inputs[0].shape, np.float32)
    np.savez(file + ".npz", **model.run({model.inputs[0].name: image}))
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "networks", [SMALL, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=["sample", "others"]
)
def test_every_network_loads_from_its_file_and_computes_the_same(
    networks: list[tuple[str, ...]], tmp_path: Path
) -> None:
    wanted = {}
    for index, (name, *assignments) in enumerate(networks):
        model = zoo.build(name, assignments, trained=False)
        file = tmp_path / f"{name}-{index}.keras"
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
